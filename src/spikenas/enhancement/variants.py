"""Variants are a space, the same without an op or with one more; their draws have as much in common as can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from spikenas._util.errors import ConfigError
from spikenas._util.seeding import seed_of
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.ops import NONE, Op
from spikenas.space.space import Space

ALL = "all"


@dataclass(frozen=True)
class Variant:
    """A variant is a space that is compared with others.

    Attributes:
        name: `all`, `without conv1x1`, `with conv5x5`, or several ops joined by +.
        space: The space, with one cell in all places of a network.
        removed: Ops that the whole space has and this one lacks.
        added: Ops that only this one has.
    """

    name: str
    space: Space
    removed: tuple[Op, ...] = ()
    added: tuple[Op, ...] = ()

    @cached_property
    def forms(self) -> frozenset[CellGraph]:
        """Return the canonical forms of its cells."""
        return frozenset(cell.canonical for cell in self.space.distinct_cells)

    def draws(self, seed: int) -> Iterator[Genotype]:
        """Yield its distinct networks in random order.

        Each cell has a random number that depends on the seed and on what the cell is, and the smallest come first. So
        variants share the cells that are in both, and a difference between them is not one between other draws.
        """
        cells = self.space.distinct_cells
        rng = np.random.default_rng(seed)
        multiplier, offset = (int(number) for number in rng.integers(1 << 63, size=2, dtype=np.int64))
        mixed = (self._hashes ^ np.uint64(offset)) * np.uint64(multiplier | 1)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(32)
        for position in np.argsort(mixed, kind="stable"):
            yield self.space.network((cells[position],) * self.space.free_cells)

    @cached_property
    def _hashes(self) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        return np.array([seed_of(repr(cell.canonical)) for cell in self.space.distinct_cells], dtype=np.uint64)


def whole(space: Space) -> Variant:
    """Return the space itself as a variant, with one cell in all places of a network."""
    return Variant(ALL, replace(space, shared=True))


def without(space: Space, *ops: Op) -> Variant:
    """Return the variant without some ops.

    Raises:
        ConfigError: An op is not among those of the space, or nothing but none is left.
    """
    for op in ops:
        if op not in space.ops:
            raise ConfigError(f"op {op}: not in the space; its ops are {op_names(space.ops)}")
    rest = tuple(op for op in space.ops if op not in ops)
    if not any(op != NONE for op in rest):
        raise ConfigError(f"without {op_names(ops)} the ops {op_names(space.ops)} leave no network; analyse more ops")
    name = "without " + "+".join(map(str, ops))
    return Variant(name, replace(space, ops=rest, shared=True), removed=ops)


def with_op(space: Space, op: Op) -> Variant:
    """Return the variant with one more op.

    Raises:
        ConfigError: The op is among those of the space, or the space is that of a table.
    """
    if op in space.ops:
        raise ConfigError(f"op {op}: already in the space")
    if space.members is not None:
        raise ConfigError(f"op {op}: a table has no networks with it")
    return Variant(f"with {op}", replace(space, ops=(*space.ops, op), shared=True), added=(op,))


def variants_of(space: Space, added: Sequence[Op] = ()) -> list[Variant]:
    """Return the whole space, and the variants without each of its ops and with each of the added ones.

    Raises:
        ConfigError: A variant cannot be made, for the reasons of `without` and `with_op`.
    """
    return [whole(space), *(without(space, op) for op in space.ops), *(with_op(space, op) for op in added)]


def op_names(ops: Sequence[Op]) -> str:
    """Join ops to a list for people."""
    return ", ".join(map(str, ops))
