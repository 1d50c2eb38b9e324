"""Looking at variants of a space: for each of several seeds some of its networks, and what a judge says of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product

from spikenas.analysis.variants import Variant
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.errors import NothingFoundError
from spikenas.judges import Judge
from spikenas.memory import Footprint, violations
from spikenas.search import Problem, TrialStore, make_strategy, search
from spikenas.search.executors import Executor, Remembering
from spikenas.search.strategy import Cost
from spikenas.seeding import seed_of
from spikenas.space.genotype import Genotype
from spikenas.tabular import Network, network_of


@dataclass(frozen=True)
class Look:
    """A network that was looked at.

    Attributes:
        genotype: As drawn.
        score: What the judge says; -inf where it cannot.
        value: How good it is: its true accuracy where that is known, else the score.
        cost: Its footprint.
    """

    genotype: Genotype
    score: float
    value: float
    cost: Footprint


@dataclass(frozen=True)
class Looks:
    """What was looked at in one variant with one seed.

    Attributes:
        variant: Its name.
        seed: Position of the seed.
        judge: Number of the initialisation that was asked.
        looks: In the order of looking; none where nothing was found.
    """

    variant: str
    seed: int
    judge: int
    looks: tuple[Look, ...]

    @property
    def found(self) -> Look | None:
        """What a search would take: the first of the highest score."""
        scored = [look for look in self.looks if math.isfinite(look.score)]
        return max(scored, key=lambda look: look.score) if scored else None


@dataclass(frozen=True)
class Viewer:
    """How variants are looked at.

    Attributes:
        judges: Initialisations of one evaluator; seed k asks number k modulo their number.
        cost: Footprint of a genotype.
        budget: What exceeds it is not looked at.
        seeds: How many.
        draws: Networks of a variant with each seed; with a strategy its most evaluations.
        seed: Of all draws.
        strategy: Repeats the search of that name instead of drawing networks.
        truth: True accuracies, where they are known; networks without one are not looked at.
    """

    judges: Sequence[Judge]
    cost: Cost
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    seeds: int = 20
    draws: int = 16
    seed: int = 0
    strategy: str | None = None
    truth: Mapping[Network, float] | None = None

    def look(
        self, variants: Sequence[Variant], on_look: Callable[[int, int], None] = lambda done, total: None
    ) -> list[Looks]:
        """Look at each variant with each seed; a variant without a network that fits has none.

        Args:
            variants: Each is looked at with the same seeds.
            on_look: Called after each evaluation with how many were done, and of how many at most.
        """
        found = list[Looks]()
        total = len(variants) * self.seeds * self.draws
        ask = self._searched if self.strategy else self._drawn
        for number, judge in enumerate(self.judges[: self.seeds]):
            own = range(number, self.seeds, len(self.judges))
            if isinstance(judge.executor, Remembering):
                judge.executor.on_new = self._counted(len(found) * self.draws, total, on_look)
            with judge.executor as executor:
                for variant, seed, looks in ask(variants, own, judge, executor):
                    found.append(Looks(variant.name, seed, number, tuple(looks)))
                    on_look(len(found) * self.draws, total)
        return found

    @staticmethod
    def _counted(before: int, total: int, on_look: Callable[[int, int], None]) -> Callable[[int], None]:
        return lambda known: on_look(min(before + known, total), total)

    def _drawn(
        self, variants: Sequence[Variant], seeds: Sequence[int], judge: Judge, executor: Executor
    ) -> Iterator[tuple[Variant, int, list[Look]]]:
        def fits(genotype: Genotype) -> bool:
            return self._known(judge, network_of(genotype)) and not violations(self.cost(genotype), self.budget)

        drawn = [
            (variant, seed, list(islice(filter(fits, variant.draws(seed_of(self.seed, "draws", seed))), self.draws)))
            for seed, variant in product(seeds, variants)
        ]
        results = iter(executor.evaluate([genotype for _, _, genotypes in drawn for genotype in genotypes]))
        for variant, seed, genotypes in drawn:
            yield variant, seed, [self._look(genotype, next(results).score) for genotype in genotypes]

    def _searched(
        self, variants: Sequence[Variant], seeds: Sequence[int], judge: Judge, executor: Executor
    ) -> Iterator[tuple[Variant, int, list[Look]]]:
        for seed, variant in product(seeds, variants):
            yield variant, seed, list(self._search(variant, seed, judge, executor))

    def _search(self, variant: Variant, seed: int, judge: Judge, executor: Executor) -> Iterator[Look]:
        space = variant.space
        if space.members is not None:
            members = (form for form in space.members if self._known(judge, (form,) * space.cells))
            space = replace(space, members=frozenset(members))
        problem = Problem(space, self.budget, self.cost, seed_of(self.seed, "search", seed))
        settings = SearchConfig(strategy=self.strategy or "random", evaluations=self.draws)
        with TrialStore() as store:
            with contextlib.suppress(NothingFoundError):
                strategy = make_strategy(settings, problem)
                search(space, strategy, self.budget, self.cost, executor, store, self.draws)
            trials = [trial for trial in store if trial.status == "scored" and trial.meets(self.budget)]
        for trial in trials:
            yield self._look(Genotype.parse(trial.genotype), -math.inf if trial.value is None else trial.value)

    def _known(self, judge: Judge, network: Network) -> bool:
        """Whether the judge and, where there is one, the truth have an answer."""
        return (judge.known is None or network in judge.known) and (self.truth is None or network in self.truth)

    def _look(self, genotype: Genotype, score: float) -> Look:
        value = score if self.truth is None else self.truth[network_of(genotype)]
        return Look(genotype, score, value, self.cost(genotype))
