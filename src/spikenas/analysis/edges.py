"""Where an op helps: the effect of each op on each edge, and of pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from spikenas.analysis.looks import Look
from spikenas.space.genotype import pairs
from spikenas.space.space import Space

_LEAST = 8  # networks that have a pair, for it to be looked at


@dataclass(frozen=True)
class EdgeEffect:
    """An op on an edge, against the mean of the ops on that edge; other edges as they are.

    Attributes:
        edge: Such as `0-1`.
        op: Name.
        effect: In standard deviations of the networks.
        error: Standard error of it.
    """

    edge: str
    op: str
    effect: float
    error: float


@dataclass(frozen=True)
class Interaction:
    """Two ops on two edges, beyond the sum of their effects.

    Attributes:
        edges: Both.
        ops: On each.
        effect: In standard deviations of the networks.
        error: Standard error of it.
        networks: How many have both.
        p: Probability of as much by chance, for all pairs together (false discovery rate, Benjamini-Hochberg).
    """

    edges: tuple[str, str]
    ops: tuple[str, str]
    effect: float
    error: float
    networks: int
    p: float


def edge_effects(looks: Sequence[Look], space: Space) -> tuple[list[EdgeEffect], list[Interaction]]:
    """Least squares over networks: value = mean + sum over edges of the effect of its op there.

    Args:
        looks: Distinct networks with finite values.
        space: Whose ops and edges.
    Returns:
        Effects by edge and op, and interactions, the surest first; none where there are too few networks.
    """
    names = [f"{i}-{j}" for i, j in pairs(space.nodes)]
    ops = [str(op) for op in space.ops]
    index = {op: k for k, op in enumerate(space.ops)}
    values = np.array([look.value for look in looks])
    unknowns = 1 + len(names) * (len(ops) - 1)
    if len(looks) < 2 * unknowns or len(ops) < 2 or not values.std():
        return [], []
    chosen = np.array([[index[edge.op] for edge in look.genotype.cells[0].edges] for look in looks])
    contrasts = np.vstack([np.eye(len(ops) - 1), -np.ones(len(ops) - 1)])  # the effects on an edge sum to 0
    design = np.hstack([np.ones((len(looks), 1)), *(contrasts[chosen[:, e]] for e in range(len(names)))])
    standard = (values - values.mean()) / values.std()
    solution, _, rank, _ = np.linalg.lstsq(design, standard, rcond=None)
    if rank < unknowns:
        return [], []
    residuals = standard - design @ solution
    variance = residuals @ residuals / (len(looks) - unknowns)
    covariance = variance * np.linalg.inv(design.T @ design)
    effects = []
    for e, name in enumerate(names):
        part = slice(1 + e * (len(ops) - 1), 1 + (e + 1) * (len(ops) - 1))
        own, errors = contrasts @ solution[part], np.sqrt(np.diag(contrasts @ covariance[part, part] @ contrasts.T))
        effects += [
            EdgeEffect(name, op, float(effect), float(error))
            for op, effect, error in zip(ops, own, errors, strict=True)
        ]
    return effects, _interactions(chosen, residuals, names, ops)


def _interactions(
    chosen: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    residuals: np.ndarray[tuple[int], np.dtype[np.float64]],
    names: Sequence[str],
    ops: Sequence[str],
) -> list[Interaction]:
    """Mean of what is left, over the networks that have both."""
    found = []
    for (e, one), (f, other) in combinations(enumerate(names), 2):
        for a, b in np.ndindex(len(ops), len(ops)):
            left = residuals[(chosen[:, e] == a) & (chosen[:, f] == b)]
            if len(left) >= _LEAST:
                test = stats.ttest_1samp(left, 0.0)
                error = float(left.std(ddof=1) / np.sqrt(len(left)))
                found.append((one, other, ops[a], ops[b], float(left.mean()), error, len(left), float(test.pvalue)))
    if not found:
        return []
    adjusted = stats.false_discovery_control([row[-1] for row in found])
    interactions = [
        Interaction((one, other), (a, b), effect, error, count, float(p))
        for (one, other, a, b, effect, error, count, _), p in zip(found, adjusted, strict=True)
    ]
    return sorted(interactions, key=lambda interaction: (interaction.p, -abs(interaction.effect)))
