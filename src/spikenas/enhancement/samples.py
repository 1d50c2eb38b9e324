"""A sampler draws or searches some networks of each variant of a space for each of several seeds, and scores them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product

from spikenas._util.errors import NothingFoundError
from spikenas._util.seeding import seed_of
from spikenas.config import BudgetConfig, SearchConfig
from spikenas.enhancement.variants import Variant
from spikenas.memory import Footprint, MemoryFigures, violations
from spikenas.nas import Problem, TrialStore, make_strategy, search
from spikenas.nas.cached import CachedExecutor
from spikenas.nas.executors import Executor
from spikenas.nas.strategy import Cost
from spikenas.space.genotype import Genotype, NetworkKey, network_key
from spikenas.training.evaluators import Evaluator


@dataclass(frozen=True)
class Sample:
    """A sample is a network that was drawn or found, with its score.

    Attributes:
        genotype: The genotype as drawn.
        score: What the evaluator says; -inf where it cannot.
        value: How good the network is: its true accuracy where that is known, else the score.
        cost: What the network takes.
    """

    genotype: Genotype
    score: float
    value: float
    cost: Footprint | MemoryFigures


@dataclass(frozen=True)
class SampleSet:
    """A sample set holds the samples of one variant with one seed.

    Attributes:
        variant: Name of the variant.
        seed: Position of the seed.
        evaluator: Number of the initialisation that was asked.
        samples: The samples in the order in which they were drawn; none where nothing was found.
    """

    variant: str
    seed: int
    evaluator: int
    samples: tuple[Sample, ...]

    @property
    def found(self) -> Sample | None:
        """Return the sample that a search would take: the first of the highest score."""
        scored = [sample for sample in self.samples if math.isfinite(sample.score)]
        return max(scored, key=lambda sample: sample.score) if scored else None


@dataclass(frozen=True)
class Sampler:
    """A sampler samples variants of a space with several seeds.

    Attributes:
        evaluators: Initialisations of one evaluator; seed k asks number k modulo their number.
        cost: Function that computes what a genotype takes.
        budget: Limits; networks that exceed them are not sampled.
        seeds: Number of seeds.
        draws: Number of networks of a variant with each seed; with a strategy its largest number of evaluations.
        seed: Seed of all draws.
        strategy: Name of a search strategy that is repeated instead of drawing networks.
        truth: True accuracies, where they are known; networks without one are not sampled.
    """

    evaluators: Sequence[Evaluator]
    cost: Cost
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    seeds: int = 20
    draws: int = 16
    seed: int = 0
    strategy: str | None = None
    truth: Mapping[NetworkKey, float] | None = None

    def sample(
        self, variants: Sequence[Variant], on_sample: Callable[[int, int], None] = lambda done, total: None
    ) -> list[SampleSet]:
        """Sample each variant with each seed; a variant without a network that fits has no samples.

        Args:
            variants: The variants; each is sampled with the same seeds.
            on_sample: Called after each evaluation with how many were done, and of how many at most.
        Returns:
            A sample set for each variant and seed.
        """
        found = list[SampleSet]()
        total = len(variants) * self.seeds * self.draws
        ask = self._searched if self.strategy else self._drawn
        for number, evaluator in enumerate(self.evaluators[: self.seeds]):
            own = range(number, self.seeds, len(self.evaluators))
            if isinstance(evaluator.executor, CachedExecutor):
                evaluator.executor.on_new = self._counted(len(found) * self.draws, total, on_sample)
            with evaluator.executor as executor:
                for variant, seed, samples in ask(variants, own, evaluator, executor):
                    found.append(SampleSet(variant.name, seed, number, tuple(samples)))
                    on_sample(len(found) * self.draws, total)
        return found

    @staticmethod
    def _counted(before: int, total: int, on_sample: Callable[[int, int], None]) -> Callable[[int], None]:
        return lambda known: on_sample(min(before + known, total), total)

    def _drawn(
        self, variants: Sequence[Variant], seeds: Sequence[int], evaluator: Evaluator, executor: Executor
    ) -> Iterator[tuple[Variant, int, list[Sample]]]:
        def fits(genotype: Genotype) -> bool:
            return self._known(evaluator, network_key(genotype)) and not violations(self.cost(genotype), self.budget)

        drawn = [
            (variant, seed, list(islice(filter(fits, variant.draws(seed_of(self.seed, "draws", seed))), self.draws)))
            for seed, variant in product(seeds, variants)
        ]
        results = iter(executor.evaluate([genotype for _, _, genotypes in drawn for genotype in genotypes]))
        for variant, seed, genotypes in drawn:
            yield variant, seed, [self._sample(genotype, next(results).score) for genotype in genotypes]

    def _searched(
        self, variants: Sequence[Variant], seeds: Sequence[int], evaluator: Evaluator, executor: Executor
    ) -> Iterator[tuple[Variant, int, list[Sample]]]:
        for seed, variant in product(seeds, variants):
            yield variant, seed, list(self._search(variant, seed, evaluator, executor))

    def _search(self, variant: Variant, seed: int, evaluator: Evaluator, executor: Executor) -> Iterator[Sample]:
        space = variant.space
        if space.members is not None:
            members = (form for form in space.members if self._known(evaluator, (form,) * space.cells))
            space = replace(space, members=frozenset(members))
        problem = Problem(space, self.budget, self.cost, seed_of(self.seed, "search", seed))
        settings = SearchConfig(strategy=self.strategy or "random", evaluations=self.draws)
        with TrialStore() as store:
            with contextlib.suppress(NothingFoundError):
                strategy = make_strategy(settings, problem)
                search(space, strategy, self.budget, self.cost, executor, store, self.draws)
            trials = [trial for trial in store if trial.status == "scored" and trial.meets(self.budget)]
        for trial in trials:
            yield self._sample(Genotype.parse(trial.genotype), -math.inf if trial.value is None else trial.value)

    def _known(self, evaluator: Evaluator, network: NetworkKey) -> bool:
        """Tell whether the evaluator and, where there is one, the truth have an answer for a network."""
        return (evaluator.known is None or network in evaluator.known) and (self.truth is None or network in self.truth)

    def _sample(self, genotype: Genotype, score: float) -> Sample:
        value = score if self.truth is None else self.truth[network_key(genotype)]
        return Sample(genotype, score, value, self.cost(genotype))
