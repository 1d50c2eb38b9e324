"""Effects say what an op is worth: losses with intervals, verdicts, how many of the best use it, and its memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Literal

from spikenas._util.cohorts import estimate
from spikenas._util.errors import NoDifferenceError
from spikenas._util.intervals import half_width
from spikenas._util.proportions import wilson
from spikenas.enhancement.samples import Sample, SampleSet
from spikenas.enhancement.variants import ALL, Variant
from spikenas.nas.strategy import Cost
from spikenas.space.cell import Cell, Edge
from spikenas.space.genotype import Genotype, NetworkKey, network_key
from spikenas.space.ops import NONE, Op

Verdict = Literal["removable", "needed", "open", "worthwhile", "useless"]
BEST_SHARE = 0.1
MOST_FAILURES = 0.5  # share of the seeds
_FEW = 200  # edges whose memory is measured for each op


@dataclass(frozen=True)
class Interval:
    """An interval is a mean of differences with its confidence interval.

    Attributes:
        mean: Mean of the differences.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], confidence: float) -> Interval:
        """Compute the interval of at least two independent values by Student's t distribution."""
        mean, half = fmean(values), half_width(values, confidence)
        return cls(mean, mean - half, mean + half)

    def scaled(self, factor: float) -> Interval:
        """Return the interval in other units; `factor` is positive."""
        return Interval(self.mean * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Share:
    """A share says how many of the sampled networks use an op.

    Attributes:
        share: Share of the best tenth that use it.
        low: Lower end of its 95% interval (Wilson).
        high: Upper end of its 95% interval.
        among_all: Share of all networks that use it.
    """

    share: float
    low: float
    high: float
    among_all: float


@dataclass(frozen=True)
class Memory:
    """A memory is what one more edge with an op takes, the mean over the edges that have it."""

    params: float
    flash_bytes: float
    ram_bytes: float


@dataclass(frozen=True)
class Effect:
    """An effect says how a variant of the space differs from the whole space.

    Attributes:
        name: Name of the variant.
        removed: Ops that the variant lacks.
        added: Ops that the variant has besides.
        verdict: The verdict that `verdict_on` gives.
        loss: Value lost by the network that is found among as many samples; negative where it is better.
        loss_sd: The loss in standard deviations of the whole space's networks.
        typical: Value lost by the networks on average, with an interval of its own.
        spread: Standard deviation of the whole space's networks.
        best_lost: Value lost by the very best network, where the truth of all networks is known; else None.
        seeds: Number of seeds with which both found something.
        failed: Number of seeds with which the whole space had something, and the variant nothing.
        candidates: Number of distinct cells of the variant.
        flash_bytes: Additional flash that the networks found take, in bytes.
        gain_per_kib: Gain of an added op for each KiB that the networks found take more, as ratio of the two means;
            None where they take no more.
        share: Share of the whole space's best networks that use the op; None for added and several ops.
        memory: Memory of an edge with the op; None for several ops.
    """

    name: str
    removed: tuple[str, ...]
    added: tuple[str, ...]
    verdict: Verdict
    loss: Interval
    loss_sd: Interval
    typical: Interval
    spread: float
    best_lost: float | None
    seeds: int
    failed: int
    candidates: int
    flash_bytes: float
    gain_per_kib: float | None = None
    share: Share | None = None
    memory: Memory | None = None


def verdict_on(loss_sd: Interval, tolerance: float, added: bool, failures: float = 0.0) -> Verdict:
    """Give the verdict on a loss.

    A removed op is `removable` if the whole interval of the loss lies below the tolerance, and `needed` if it lies
    above, or if without it most seeds find nothing. An added op is `worthwhile` if the whole interval of the gain lies
    above the tolerance, and `useless` if it lies below. All else is `open`: more seeds or draws would tell. Equal
    losses with all seeds are open too, since then nothing was drawn.

    Args:
        loss_sd: Loss in standard deviations of the space's networks.
        tolerance: Tolerance in the same unit.
        added: Whether the op is added rather than removed.
        failures: Share of the seeds in which the variant had nothing.
    """
    if failures > MOST_FAILURES and not added:
        return "needed"
    if failures or loss_sd.low == loss_sd.high:
        return "open"
    if added:
        return "worthwhile" if loss_sd.high < -tolerance else "useless" if loss_sd.low > -tolerance else "open"
    return "removable" if loss_sd.high < tolerance else "needed" if loss_sd.low > tolerance else "open"


@dataclass(frozen=True)
class Rule:
    """A rule says how sure a verdict has to be.

    Attributes:
        tolerance: Loss that is accepted, in standard deviations of the space's networks.
        confidence: Confidence with which the intervals of the losses of an analysis hold together.
    """

    tolerance: float = 0.25
    confidence: float = 0.95


@dataclass(frozen=True)
class EffectEstimator:
    """An effect estimator estimates all effects of an analysis from samples.

    Attributes:
        rule: Tolerance and confidence.
        family: Number of losses whose intervals hold together (Bonferroni).
        cost: Function that computes the footprint of a genotype.
        by_evaluator: Whether seeds that asked the same evaluator count as one: its weights and images are the same in
            all.
        truth: True accuracies, where they are known.
    """

    rule: Rule
    family: int
    cost: Cost
    by_evaluator: bool
    truth: Mapping[NetworkKey, float] | None = None

    def effects(self, variants: Sequence[Variant], found: Sequence[SampleSet]) -> list[Effect]:
        """Estimate the effect of each variant but the first, which is the whole space.

        Differences are paired: both variants with the same seed, evaluator and, as far as they have them in common,
        networks.

        Args:
            variants: All variants, the whole space first.
            found: Samples of all variants.
        Returns:
            An effect for each variant but the first.
        Raises:
            NoDifferenceError: The networks of the whole space have no scores, or all the same.
        """
        base = networks_of(samples for samples in found if samples.variant == ALL)
        spread = stdev([sample.value for sample in base.values()]) if len(base) > 1 else 0.0
        if not spread:
            raise NoDifferenceError(
                f"of {len(base)} networks of the whole space none differs in value from another; a larger budget, more "
                "draws or another evaluator would help"
            )
        by_key = {(samples.variant, samples.seed): samples for samples in found}
        seeds = sorted({samples.seed for samples in found})
        return [
            self._effect(variant, [(by_key[ALL, s], by_key[variant.name, s]) for s in seeds], base, spread)
            for variant in variants[1:]
        ]

    def _effect(
        self,
        variant: Variant,
        pairs: Sequence[tuple[SampleSet, SampleSet]],
        base: Mapping[NetworkKey, Sample],
        spread: float,
    ) -> Effect:
        both = [(one, other) for one, other in pairs if one.found and other.found]
        failed = sum(one.found is not None and other.found is None for one, other in pairs)
        rule = self.rule
        confidence = 1 - (1 - rule.confidence) / self.family
        ends = [(one.found, other.found) for one, other in both]
        loss = self._interval(both, [a.value - b.value for a, b in ends if a and b], confidence)
        typical = self._interval(both, [_mean(one) - _mean(other) for one, other in both], rule.confidence)
        loss_sd = loss.scaled(1 / spread)
        flash_bytes = fmean([b.cost.flash_bytes - a.cost.flash_bytes for a, b in ends if a and b] or [0.0])
        single = variant.removed[0] if len(variant.removed) == 1 else None
        op = variant.added[0] if variant.added else single
        carriers = [sample for _, other in pairs for sample in other.samples] if variant.added else base.values()
        return Effect(
            variant.name,
            tuple(map(str, variant.removed)),
            tuple(map(str, variant.added)),
            verdict_on(loss_sd, rule.tolerance, bool(variant.added), failed / max(1, failed + len(both))),
            loss,
            loss_sd,
            typical,
            spread,
            self._best_lost(variant),
            len(both),
            failed,
            len(variant.space.distinct_cells),
            flash_bytes,
            -loss.mean / flash_bytes * 1024 if variant.added and flash_bytes > 0 else None,
            _share(base.values(), variant) if single else None,
            _memory(carriers, op, self.cost) if op and op != NONE else None,
        )

    def _interval(
        self, pairs: Sequence[tuple[SampleSet, SampleSet]], differences: Sequence[float], confidence: float
    ) -> Interval:
        """Compute the interval of the differences; where seeds that share an evaluator count as one, of their means."""
        units: dict[int, list[float]] = {}
        for (one, _), difference in zip(pairs, differences, strict=True):
            units.setdefault(one.evaluator if self.by_evaluator else one.seed, []).append(difference)
        values = [fmean(unit) for unit in units.values()]
        if len(values) < 2:
            mean = fmean(values) if values else 0.0
            return Interval(mean, mean, mean)
        return Interval.of(values, confidence)

    def _best_lost(self, variant: Variant) -> float | None:
        if self.truth is None or variant.added:
            return None
        left = [value for network, value in self.truth.items() if network[0] in variant.forms]
        return max(self.truth.values()) - max(left) if left else None


def networks_of(found: Iterable[SampleSet]) -> Mapping[NetworkKey, Sample]:
    """Return the distinct networks that have a score, with the mean of their values over evaluators.

    What an initialisation adds to all networks is no difference between them; it is estimated from the networks that
    several initialisations have scored, and subtracted.
    """
    scored = [(one.evaluator, sample) for one in found for sample in one.samples if math.isfinite(sample.value)]
    first: dict[tuple[int, NetworkKey], Sample] = {}
    for evaluator, sample in scored:
        first.setdefault((evaluator, network_key(sample.genotype)), sample)
    shifts = estimate([sample.value for sample in first.values()], [n for _, n in first], [j for j, _ in first]).effects
    values: dict[NetworkKey, list[float]] = {}
    kept: dict[NetworkKey, Sample] = {}
    for (evaluator, network), sample in first.items():
        values.setdefault(network, []).append(sample.value - shifts[evaluator])
        kept.setdefault(network, sample)
    return {network: replace(sample, value=fmean(values[network])) for network, sample in kept.items()}


def _mean(samples: SampleSet) -> float:
    return fmean(sample.value for sample in samples.samples if math.isfinite(sample.value))


def _share(samples: Iterable[Sample], variant: Variant) -> Share:
    """Count the networks that use what the variant lacks, which are none of its networks."""
    ranked = sorted(samples, key=lambda sample: -sample.value)
    uses = [sample.genotype.cells[0].canonical not in variant.forms for sample in ranked]
    best = uses[: max(1, round(BEST_SHARE * len(uses)))]
    share = sum(best) / len(best)
    return Share(share, *wilson(share, len(best)), sum(uses) / len(uses))


def _memory(samples: Iterable[Sample], op: Op, cost: Cost) -> Memory | None:
    """Average the footprint with an edge less the footprint without it."""
    differences: list[tuple[int, int, int]] = []
    for sample in samples:
        cell = sample.genotype.cells[0]
        for position, edge in enumerate(cell.edges):
            if edge.op != op or len(differences) == _FEW:
                continue
            edges = (*cell.edges[:position], Edge(), *cell.edges[position + 1 :])
            rest = Genotype((Cell(edges, cell.nodes),) * len(sample.genotype.cells))
            if rest.connected and rest.canonical != sample.genotype.canonical:
                less = cost(rest)
                differences.append(
                    (
                        sample.cost.params - less.params,
                        sample.cost.flash_bytes - less.flash_bytes,
                        sample.cost.ram_bytes - less.ram_bytes,
                    )
                )
    return Memory(*(fmean(column) for column in zip(*differences, strict=True))) if differences else None
