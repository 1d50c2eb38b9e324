"""Looking at variants of a space: for each of several seeds some of its networks, and what a judge says of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, product

from spikenas.analysis.variants import Variant
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.errors import BudgetError, NothingFoundError
from spikenas.judges import Judge
from spikenas.memory import Footprint, violations
from spikenas.search import Problem, TrialStore, make_strategy, search
from spikenas.search.executors import Executor
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
        """Look at each variant with each seed.

        Args:
            variants: Each is looked at with the same seeds.
            on_look: Called with the number of evaluations asked for so far, and of all.
        Raises:
            BudgetError: nothing of a variant is within the budget, or fewer than two networks.
        """
        done, total = 0, len(variants) * self.seeds * self.draws
        cost, found = cache(self.cost), list[Looks]()
        for number, judge in enumerate(self.judges):
            own = [seed for seed in range(self.seeds) if seed % len(self.judges) == number]
            with judge.executor as executor:
                ask = self._searched if self.strategy else self._drawn
                for variant, seed, looks in ask(variants, own, judge, executor, cost):
                    found.append(Looks(variant.name, seed, number, tuple(looks)))
                    done += self.draws
                    on_look(done, total)
        return found

    def _drawn(
        self, variants: Sequence[Variant], seeds: Sequence[int], judge: Judge, executor: Executor, cost: Cost
    ) -> Iterator[tuple[Variant, int, list[Look]]]:
        def fits(genotype: Genotype) -> bool:
            network = network_of(genotype)
            return (
                (judge.known is None or network in judge.known)
                and (self.truth is None or network in self.truth)
                and not violations(cost(genotype), self.budget)
            )

        drawn: list[tuple[Variant, int, list[Genotype]]] = []
        for seed, variant in product(seeds, variants):
            draws = variant.draws(seed_of(self.seed, "draws", seed))
            drawn.append((variant, seed, list(islice(filter(fits, draws), self.draws))))
            if len(drawn[-1][2]) < 2:
                raise BudgetError(
                    f"space {variant.name}: {len(drawn[-1][2])} of its {len(variant.forms):,} networks can be looked "
                    "at within the budget, at least 2 are needed; a larger budget or fewer channels would help"
                )
        results = iter(executor.evaluate([genotype for _, _, genotypes in drawn for genotype in genotypes]))
        for variant, seed, genotypes in drawn:
            yield variant, seed, [self._look(genotype, next(results).score, cost) for genotype in genotypes]

    def _searched(
        self, variants: Sequence[Variant], seeds: Sequence[int], judge: Judge, executor: Executor, cost: Cost
    ) -> Iterator[tuple[Variant, int, list[Look]]]:
        for seed, variant in product(seeds, variants):
            yield variant, seed, list(self._search(variant, seed, executor, cost))

    def _search(self, variant: Variant, seed: int, executor: Executor, cost: Cost) -> Iterator[Look]:
        problem = Problem(variant.space, self.budget, cost, seed_of(self.seed, "search", seed))
        settings = SearchConfig(strategy=self.strategy or "random", evaluations=self.draws)
        with TrialStore() as store:
            with contextlib.suppress(NothingFoundError):
                search(
                    variant.space,
                    make_strategy(settings, problem),
                    self.budget,
                    cost,
                    executor,
                    store,
                    self.draws,
                )
            trials = [trial for trial in store if trial.status == "scored" and trial.meets(self.budget)]
        for trial in trials:
            score = -math.inf if trial.value is None else trial.value
            yield self._look(Genotype.parse(trial.genotype), score, cost)

    def _look(self, genotype: Genotype, score: float, cost: Cost) -> Look:
        value = score if self.truth is None else self.truth[network_of(genotype)]
        return Look(genotype, score, value, cost(genotype))
