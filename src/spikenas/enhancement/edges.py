"""A regression finds where an op helps: the effect of each op on each edge, and of pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spikenas.enhancement.samples import Sample
from spikenas.space.cell import Edge, pairs
from spikenas.space.graph import CellGraph
from spikenas.space.space import Space

_LEAST = 8  # networks that have a pair, for its interaction to be estimated
_ROUNDING = 1e-12


@dataclass(frozen=True)
class EdgeEffect:
    """An edge effect compares an op on an edge with the mean of the ops on that edge, other edges as they are.

    Attributes:
        edge: The edge, such as `0-1`.
        op: Name of the op.
        effect: Effect in standard deviations of the networks.
        error: Standard error of the effect.
    """

    edge: str
    op: str
    effect: float
    error: float


@dataclass(frozen=True)
class Interaction:
    """An interaction is what two ops on two edges do beyond the sum of their effects.

    Attributes:
        edges: Both edges.
        ops: The op on each edge.
        effect: Effect in standard deviations of the networks.
        error: Standard error of the effect.
        networks: Number of networks that have both; networks that need not be written so count in part.
        p: Probability of as much by chance, for all pairs together (false discovery rate, Benjamini-Hochberg).
    """

    edges: tuple[str, str]
    ops: tuple[str, str]
    effect: float
    error: float
    networks: int
    p: float


Matrix = NDArray[np.float64]


def edge_effects(samples: Sequence[Sample], space: Space) -> tuple[list[EdgeEffect], list[Interaction]]:
    """Fit by least squares over networks: value = mean + sum over edges of the effect of the op there.

    A network can be written as several cells, with other ops on its dead edges or with nodes exchanged. It counts as
    the mean of all of them, so that no way of writing is preferred. The effects on an edge sum to 0; where networks
    cannot tell effects apart, the smallest that explain them are taken.

    Args:
        samples: Distinct networks with finite values, a fair sample of the space.
        space: The space whose ops and edges are fitted.
    Returns:
        Effects by edge and op, and interactions, the surest first; none where there are too few networks.
    """
    names = [f"{i}-{j}" for i, j in pairs(space.nodes)]
    choices, values = len(space.edges), np.array([sample.value for sample in samples])
    if len(samples) < 2 * (1 + len(names) * (choices - 1)) or choices < 2 or not values.std():
        return [], []
    uses = _uses([sample.genotype.cells[0].canonical for sample in samples], space)
    design = uses.reshape(len(samples), -1)
    design = design - design.mean(axis=0)
    left, singular, right = np.linalg.svd(design, full_matrices=False)
    rank = int((singular > _ROUNDING * singular[0] * len(samples)).sum())
    basis, inverse = left[:, :rank], right[:rank].T / singular[:rank]
    standard = (values - values.mean()) / values.std()
    residuals = standard - basis @ (basis.T @ standard)
    freedom = len(samples) - 1 - rank
    errors = np.sqrt(float(residuals @ residuals) / freedom * (inverse**2).sum(axis=1))
    solution = inverse @ (basis.T @ standard)
    ops = [_named(edge) for edge in space.edges]
    effects = [
        EdgeEffect(name, op, float(effect), float(error))
        for (name, op), effect, error in zip(product(names, ops), solution, errors, strict=True)
    ]
    return effects, _interactions(uses, basis, residuals, names, ops)


def _uses(forms: Sequence[CellGraph], space: Space) -> Matrix:
    """Count how each network can be written.

    Returns:
        Of all ways to write a network, the share that has a choice on an edge: [networks, edges of a cell, choices].
    """
    index = {edge: k for k, edge in enumerate(space.edges)}
    position = {form: k for k, form in enumerate(forms)}
    counts = np.zeros((len(forms), len(pairs(space.nodes)), len(space.edges)))
    for cell in space.enumerate_cells():
        k = position.get(cell.canonical)
        if k is not None:
            counts[k, range(counts.shape[1]), [index[edge] for edge in cell.edges]] += 1
    shares: Matrix = counts / counts.sum(axis=2, keepdims=True)
    return shares


def _interactions(
    uses: Matrix, basis: Matrix, residuals: Matrix, names: Sequence[str], ops: Sequence[str]
) -> list[Interaction]:
    """Fit each pair as one more column of the design."""
    freedom = len(residuals) - basis.shape[1] - 2
    if float(residuals @ residuals) < _ROUNDING * len(residuals) or freedom < 1:
        return []
    found = []
    for (e, one), (f, other) in combinations(enumerate(names), 2):
        for a, b in np.ndindex(len(ops), len(ops)):
            both = uses[:, e, a] * uses[:, f, b]
            count = float(both.sum())
            if count < _LEAST:
                continue
            both = both - both.mean()
            column = both - basis @ (basis.T @ both)
            power = float(column @ column)
            if power < _ROUNDING * len(column):
                continue  # the effects of the edges already say it
            effect = float(column @ residuals) / power
            left = residuals - effect * column
            error = float(np.sqrt(left @ left / freedom / power))
            p = 2 * float(stats.t.sf(abs(effect) / error, freedom))
            found.append((one, other, ops[a], ops[b], effect, error, count, p))
    if not found:
        return []
    adjusted = stats.false_discovery_control([row[-1] for row in found])
    interactions = [
        Interaction((one, other), (a, b), effect, error, round(count), float(p))
        for (one, other, a, b, effect, error, count, _), p in zip(found, adjusted, strict=True)
    ]
    return sorted(interactions, key=lambda interaction: (interaction.p, -abs(interaction.effect)))


def _named(edge: Edge) -> str:
    return f"{edge.op} back" if edge.feedback else str(edge.op)
