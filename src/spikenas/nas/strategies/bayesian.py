"""These strategies use Optuna's samplers TPE, Gaussian process and NSGA-II. They need the extra `optuna`."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from spikenas._util.errors import ConfigError
from spikenas._util.seeding import seed_of
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler


_MOST_UNPRODUCTIVE = 3
_Asked = tuple[int | None, tuple[int, ...]]  # number of the sampler's trial, None for a draw of our own; options


class _OptunaStrategy(Strategy):
    """An Optuna strategy lets a sampler of Optuna choose the options of the encoding, which are categories to it.

    A network without a score is told as the worst score so far or, while there is none, as failed.

    Args:
        problem: Space, budget and seed.
        batch: Number of networks that are proposed at once.
    Raises:
        ConfigError: Optuna is not installed.
    """

    of_designs = True
    directions: ClassVar[tuple[Literal["maximize", "minimize"], ...]] = ("maximize",)

    def __init__(self, problem: Problem, batch: int) -> None:
        super().__init__(problem)
        self.batch = batch
        try:
            self._study = self._new_study()
        except ImportError:
            raise ConfigError(f"search.strategy: {self.name} needs Optuna; pip install 'spikenas[optuna]'") from None
        from optuna.distributions import CategoricalDistribution

        self._options: dict[str, Any] = {
            f"option {k}": CategoricalDistribution(tuple(range(count))) for k, count in enumerate(self.space.choices)
        }
        self._asked: list[_Asked] = []
        self._worst: float | None = None

    @abstractmethod
    def sampler(self, seed: int) -> BaseSampler:
        """Make a new sampler."""

    def values(self, score: float, trial: Trial) -> tuple[float, ...] | None:
        """Return what Optuna is told for a score; None tells that the trial failed."""
        return (score,)

    def ask(self) -> Sequence[Proposal]:
        """Return the networks that the sampler proposes."""
        self._asked = [self._next() for _ in range(self.batch)]
        return [Proposal(self.space.decode(vector), self.name) for _, vector in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand the results to the sampler."""
        known = [trial.value for trial in trials if trial.value is not None]
        if known:
            self._worst = min([*known, *([] if self._worst is None else [self._worst])])
        for (number, vector), trial in zip(self._asked, trials, strict=True):
            score = self._worst if trial.value is None else trial.value
            values = None if score is None else self.values(score, trial)
            if number is None:
                if trial.value is not None:
                    self._add(vector, trial.value)
            elif values is None:
                self._fail(number)
            else:
                self._study.tell(number, values)

    def _next(self) -> _Asked:
        trial = self._study.ask(self._options)
        return trial.number, tuple(trial.params[name] for name in self._options)

    def _add(self, vector: tuple[int, ...], score: float) -> None:
        from optuna.trial import create_trial

        params = dict(zip(self._options, vector, strict=True))
        self._study.add_trial(create_trial(params=params, distributions=self._options, value=score))

    def _fail(self, number: int) -> None:
        from optuna.trial import TrialState

        self._study.tell(number, state=TrialState.FAIL)

    def _new_study(self) -> Study:
        import optuna

        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            sampler = self.sampler(seed_of(self.problem.seed, self.name, "sampler") % 2**32)
            return optuna.create_study(sampler=sampler, directions=self.directions)
        finally:
            optuna.logging.set_verbosity(before)


class _ModelBasedStrategy(_OptunaStrategy):
    """The sampler of such a strategy models the score; its model takes time to fit and learns nothing from repetitions.

    A genotype that the sampler proposes again is replaced by a random one. After three proposals in a row that led to
    no evaluation, the next are random until one does.

    Args:
        problem: Space and seed.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, batch=1)
        self._rng = random.Random(seed_of(problem.seed, self.name))
        self._seen: set[tuple[int, ...]] = set()
        self._latest = -1
        self._unproductive = 0

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand the results to the sampler, and count the proposals that led to no evaluation."""
        super().tell(trials)
        new = [trial for trial in trials if trial.position > self._latest]
        self._latest = max([self._latest, *(trial.position for trial in new)])
        self._unproductive = 0 if any(trial.status == "scored" for trial in new) else self._unproductive + 1

    def _next(self) -> _Asked:
        if self._unproductive < _MOST_UNPRODUCTIVE:
            number, vector = super()._next()
            if vector not in self._seen:
                self._seen.add(vector)
                return number, vector
            if number is not None:
                self._fail(number)
        return None, self.space.encode(self.space.sample(self._rng))


class TPE(_ModelBasedStrategy):
    """This strategy uses Optuna's tree-structured Parzen estimator with its defaults."""

    name = "tpe"
    summary = "tree-structured Parzen estimator of Optuna"
    source = "Bergstra et al. 2011; Watanabe 2023, arXiv 2304.11127; Optuna"

    def sampler(self, seed: int) -> BaseSampler:
        """Make a new TPE sampler."""
        from optuna.samplers import TPESampler

        return TPESampler(seed=seed)


class GaussianProcess(_ModelBasedStrategy):
    """This strategy uses Optuna's Gaussian process with expected improvement and its defaults.

    A proposal takes tenths of a second.
    """

    name = "gp"
    summary = "Gaussian process of Optuna"
    source = "Optuna's GPSampler: Matern 5/2 kernel, log expected improvement"

    def sampler(self, seed: int) -> BaseSampler:
        """Make a new Gaussian process sampler."""
        from optuna.samplers import GPSampler

        return GPSampler(seed=seed)


class NSGA2(_OptunaStrategy):
    """This strategy uses NSGA-II with two objectives: the score, and the memory figure that the budget limits.

    The figure is the first of flash, RAM and params that has a limit, flash when none has. A network outside the space
    has no figure and is told as failed.

    Args:
        problem: Space, budget and seed.
        population: Size of a generation, which is proposed at once.
    """

    name = "nsga2"
    summary = "NSGA-II of Optuna, objectives score and memory"
    source = "Deb et al. 2002; Optuna"
    directions = ("maximize", "minimize")

    def __init__(self, problem: Problem, population: int = 20) -> None:
        super().__init__(problem, population)
        limits = problem.budget
        self._figure = "flash" if limits.flash else "ram" if limits.ram else "params" if limits.params else "flash"

    def sampler(self, seed: int) -> BaseSampler:
        """Make a new NSGA-II sampler."""
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=self.batch, seed=seed)

    def values(self, score: float, trial: Trial) -> tuple[float, ...] | None:
        """Return the score and the memory figure; None where the network has no figure."""
        memory = {"flash": trial.flash_bytes, "ram": trial.ram_bytes, "params": trial.params}[self._figure]
        return None if memory is None else (score, memory)
