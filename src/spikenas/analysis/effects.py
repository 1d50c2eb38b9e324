"""What an op is worth: losses with intervals, verdicts, how the best use it, and its memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy import stats

from spikenas.analysis.looks import Look, Looks
from spikenas.analysis.variants import ALL, Variant
from spikenas.errors import DataError
from spikenas.search.strategy import Cost
from spikenas.space.genotype import Cell, Edge, Genotype
from spikenas.space.ops import NONE, Op
from spikenas.tabular import Network, network_of

Verdict = Literal["removable", "needed", "open", "worthwhile", "useless"]
BEST_SHARE = 0.1
_FEW = 200  # edges whose memory is measured for each op


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its confidence interval.

    Attributes:
        mean: Of the differences.
        low: Lower end.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, differences: Sequence[float], confidence: float) -> Interval:
        """By Student's t distribution; of at least two differences."""
        mean, spread = fmean(differences), stdev(differences)
        half = float(stats.t.ppf((1 + confidence) / 2, len(differences) - 1)) * spread / math.sqrt(len(differences))
        return cls(mean, mean - half, mean + half)

    def scaled(self, factor: float) -> Interval:
        """In other units; `factor` is positive."""
        return Interval(self.mean * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Share:
    """How many of some networks use an op.

    Attributes:
        share: Of the best tenth.
        low: Lower end of the 95% interval (Wilson).
        high: Upper end.
        among_all: Of all networks.
    """

    share: float
    low: float
    high: float
    among_all: float


@dataclass(frozen=True)
class Memory:
    """What one more edge with an op takes, mean over the edges that have it."""

    params: float
    flash_bytes: float
    ram_bytes: float


@dataclass(frozen=True)
class Effect:
    """What a variant of the space does, against the whole space.

    Attributes:
        name: Of the variant.
        removed: Ops it lacks.
        added: Ops it has besides.
        loss: By how much less good the network found is; negative where it is better.
        typical: By how much less good networks are on average.
        spread: Standard deviation of the whole space's networks, the unit of tolerance and of `loss_sd`.
        loss_sd: The loss in that unit.
        verdict: See `verdict_on`.
        seeds: In how many both found something.
        candidates: Distinct cells of the variant.
        flash_bytes: How much more flash the networks found take.
        share: How many of the whole space's best use the op; None for added and several ops.
        memory: Of an edge with the op; None for several ops.
    """

    name: str
    removed: tuple[str, ...]
    added: tuple[str, ...]
    loss: Interval
    typical: Interval
    spread: float
    loss_sd: Interval
    verdict: Verdict
    seeds: int
    candidates: int
    flash_bytes: float
    share: Share | None = None
    memory: Memory | None = None

    @property
    def gain_per_kib(self) -> float | None:
        """Of an added op: what it brings for each KiB that the networks found take more; None where they do not."""
        return -self.loss.mean / self.flash_bytes * 1024 if self.added and self.flash_bytes > 0 else None


def verdict_on(loss_sd: Interval, tolerance: float, added: bool) -> Verdict:
    """The rule.

    A removed op is `removable` if the whole interval of the loss lies below the tolerance, and `needed` if it lies
    above. An added op is `worthwhile` if the whole interval of the gain lies above the tolerance, and `useless` if it
    lies below. All else is `open`: more seeds or draws would tell.

    Args:
        loss_sd: In standard deviations of the space's networks.
        tolerance: In the same unit.
        added: Whether the op is added rather than removed.
    """
    if added:
        return "worthwhile" if loss_sd.high < -tolerance else "useless" if loss_sd.low > -tolerance else "open"
    return "removable" if loss_sd.high < tolerance else "needed" if loss_sd.low > tolerance else "open"


@dataclass(frozen=True)
class Rule:
    """How sure a verdict has to be.

    Attributes:
        tolerance: Loss that is accepted, in standard deviations of the space's networks.
        confidence: That all intervals of an analysis hold together.
    """

    tolerance: float = 0.25
    confidence: float = 0.95


def effects_of(variants: Sequence[Variant], found: Sequence[Looks], rule: Rule, cost: Cost) -> list[Effect]:
    """The effect of each variant but the whole space.

    Differences are paired: both variants with the same seed, judge and, as far as they have them in common, networks.
    Intervals are for all variants together (Bonferroni).

    Args:
        variants: The whole space first.
        found: Of all of them.
        rule: Tolerance and confidence.
        cost: Footprint of a genotype.
    Raises:
        DataError: fewer than two seeds found something in a variant and in the whole space.
    """
    by_key = {(looks.variant, looks.seed): looks for looks in found}
    seeds = sorted({looks.seed for looks in found})
    base = networks_of(looks for looks in found if looks.variant == ALL)
    spread = stdev([look.value for look in base.values()]) if len(base) > 1 else 0.0
    others = variants[1:]
    confidence = 1 - (1 - rule.confidence) / max(1, len(others))
    effects = []
    for variant in others:
        pairs = [(by_key[ALL, seed], by_key[variant.name, seed]) for seed in seeds]
        ends = [(one.found, other.found) for one, other in pairs]
        losses = [(one, other) for one, other in ends if one and other]
        if len(losses) < 2 or not spread:
            raise DataError(
                f"space {variant.name}: {len(losses)} of {len(seeds)} seeds found a network with a score, and scores "
                f"spread by {spread:.3g}; at least two seeds and different scores are needed"
            )
        loss = Interval.of([one.value - other.value for one, other in losses], confidence)
        typical = Interval.of(
            [_mean(one) - _mean(other) for one, other in pairs if one.found and other.found], confidence
        )
        loss_sd = loss.scaled(1 / spread)
        single = variant.removed[0] if len(variant.removed) == 1 else None
        carrier = networks_of(looks for looks in found if looks.variant == (variant.name if variant.added else ALL))
        op = variant.added[0] if variant.added else single
        effects.append(
            Effect(
                variant.name,
                tuple(map(str, variant.removed)),
                tuple(map(str, variant.added)),
                loss,
                typical,
                spread,
                loss_sd,
                verdict_on(loss_sd, rule.tolerance, bool(variant.added)),
                len(losses),
                len(variant.space.distinct_cells),
                fmean(other.cost.flash_bytes - one.cost.flash_bytes for one, other in losses),
                _share(base.values(), variant) if single else None,
                _memory(carrier.values(), op, cost) if op and op != NONE else None,
            )
        )
    return effects


def networks_of(found: Iterable[Looks]) -> Mapping[Network, Look]:
    """Distinct networks that have a score, with the mean of their values over judges, each judge's mean taken off.

    What initialisations differ by is no difference between networks.
    """
    looks = [(looks.judge, look) for looks in found for look in looks.looks if math.isfinite(look.value)]
    by_judge: dict[int, list[float]] = {}
    for judge, look in looks:
        by_judge.setdefault(judge, []).append(look.value)
    centre = fmean(look.value for _, look in looks) if looks else 0.0
    shift = {judge: centre - fmean(values) for judge, values in by_judge.items()}
    values: dict[Network, list[float]] = {}
    first: dict[Network, Look] = {}
    for judge, look in looks:
        network = network_of(look.genotype)
        values.setdefault(network, []).append(look.value + shift[judge])
        first.setdefault(network, look)
    return {
        network: Look(look.genotype, look.score, fmean(values[network]), look.cost) for network, look in first.items()
    }


def _mean(looks: Looks) -> float:
    return fmean(look.value for look in looks.looks if math.isfinite(look.value))


def _share(looks: Iterable[Look], variant: Variant) -> Share:
    """How many use what the variant lacks: they are none of its networks."""
    ranked = sorted(looks, key=lambda look: -look.value)
    uses = [look.genotype.cells[0].canonical not in variant.forms for look in ranked]
    best = uses[: max(1, round(BEST_SHARE * len(uses)))]
    interval = stats.binomtest(sum(best), len(best)).proportion_ci(method="wilson")
    return Share(sum(best) / len(best), float(interval.low), float(interval.high), sum(uses) / len(uses))


def _memory(looks: Iterable[Look], op: Op, cost: Cost) -> Memory | None:
    """The footprint with an edge less the footprint without it."""
    differences: list[tuple[int, int, int]] = []
    for look in looks:
        cell = look.genotype.cells[0]
        for position, edge in enumerate(cell.edges):
            if edge.op != op or len(differences) == _FEW:
                continue
            edges = (*cell.edges[:position], Edge(), *cell.edges[position + 1 :])
            rest = Genotype((Cell(edges, cell.nodes),) * len(look.genotype.cells))
            if rest.connected and rest.canonical != look.genotype.canonical:
                less = cost(rest)
                differences.append(
                    (
                        look.cost.params - less.params,
                        look.cost.flash_bytes - less.flash_bytes,
                        look.cost.ram_bytes - less.ram_bytes,
                    )
                )
    return Memory(*(fmean(column) for column in zip(*differences, strict=True))) if differences else None
