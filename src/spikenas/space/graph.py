"""Reduce a cell to what it computes: a form in which equal cells are equal.

A cell as people write it has skips, dead edges and arbitrary node numbers. Its graph has none of them: *atoms* (the
convolutions and poolings that are computed; a threshold that equals the default is left out) and *values* (sums of
atoms and of the cell's input, with multiplicity).

Two identities are deliberately not used, since they change rounding or the number of weights: pooling of a sum is
not split into a sum of poolings, and convolutions of one value are never merged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations

from spikenas.config import DEFAULT_THRESHOLD
from spikenas.space.ops import SKIP, Op

Link = tuple[int, int, Op]  # from, to, op; from > to is feedback
_INPUT = "input"


@dataclass(frozen=True)
class Atom:
    """An atom is an op applied to a value.

    Attributes:
        op: Op that is applied; `skip` occurs only as feedback, where it is a delay.
        source: Number of the value that the atom reads.
        feedback: Whether the atom's result is used one timestep later.
    """

    op: Op
    source: int
    feedback: bool = False


@dataclass(frozen=True)
class CellGraph:
    """A cell graph describes what a cell computes, as atoms and values.

    Attributes:
        atoms: Atoms of the cell, numbered from 1 in the terms of `values`.
        values: Values 1, 2, ... in an order in which they can be computed, each as terms (atom, times); atom 0 is
            the cell's input, which alone is value 0.
        output: Number of the value that leaves the cell; None when no path leads there.
    """

    atoms: tuple[Atom, ...]
    values: tuple[tuple[tuple[int, int], ...], ...]
    output: int | None

    @property
    def connected(self) -> bool:
        """Whether the output depends on the input."""
        return self.output is not None

    @property
    def has_feedback(self) -> bool:
        """Whether any atom is used a timestep later."""
        return any(atom.feedback for atom in self.atoms)

    @property
    def depth(self) -> int:
        """Number of spiking ops on the longest forward path from input to output; 0 when not connected."""
        longest = [0] * (len(self.values) + 1)
        for number, terms in enumerate(self.values, start=1):
            for term, _ in terms:
                atom = self.atoms[term - 1] if term else None
                if atom and not atom.feedback:
                    longest[number] = max(longest[number], longest[atom.source] + atom.op.spiking)
        return longest[self.output] if self.output is not None else 0


_Sources = dict[Hashable, tuple[Op, int, bool]]  # atom key -> op, class it reads, feedback


def canonical_graph(nodes: int, links: Sequence[Link]) -> CellGraph:
    """Return the graph of a cell without dead edges, with the smallest of its possible numberings.

    Args:
        nodes: Number of nodes of the cell.
        links: Edges of the cell that are not none, as (from, to, op).
    """
    links = _live(nodes, links)
    if not links:
        return CellGraph((), (), None)
    classes = [0] * nodes  # all alike until their terms differ
    while True:
        terms, sources = _follow(nodes, links, classes)
        first: dict[frozenset[tuple[Hashable, int]], int] = {}
        merged = [first.setdefault(frozenset(terms[node].items()), node) for node in range(nodes)]
        if merged == classes:
            break
        classes = merged
    output = classes[nodes - 1]
    used, atoms = _used(terms, sources, output)
    free = [value for value in sorted(used) if terms[value] != {_INPUT: 1}]
    orders = (order for order in permutations(free) if _computable(order, terms, sources, atoms))
    return min((_numbered(order, terms, sources, atoms, output) for order in orders), key=_sort_key)


def written_graph(nodes: int, links: Sequence[Link]) -> CellGraph:
    """Return the graph of a cell with every link kept; a node without incoming links is an empty sum.

    Args:
        nodes: Number of nodes of the cell.
        links: Edges of the cell that are not none, as (from, to, op).
    """
    classes = list(range(nodes))
    terms, sources = _follow(nodes, links, classes)
    order = classes if terms[0] != {_INPUT: 1} else classes[1:]
    return _numbered(order, terms, sources, set(sources), nodes - 1)


def _live(nodes: int, links: Sequence[Link]) -> list[Link]:
    """Return the links that are on some path from the first node to the last."""
    forward = _reach(0, [(source, target) for source, target, _ in links])
    backward = _reach(nodes - 1, [(target, source) for source, target, _ in links])
    return [link for link in links if link[0] in forward and link[1] in backward and nodes - 1 in forward]


def _reach(start: int, arrows: Sequence[tuple[int, int]]) -> set[int]:
    reached, todo = {start}, [start]
    while todo:
        node = todo.pop()
        new = {target for source, target in arrows if source == node} - reached
        reached |= new
        todo.extend(new)
    return reached


def _follow(nodes: int, links: Sequence[Link], classes: Sequence[int]) -> tuple[list[Counter[Hashable]], _Sources]:
    """Return every node as a multiset of atoms, with skips followed, and what each atom reads.

    Atoms without weights are equal when they read one class.
    """
    terms: list[Counter[Hashable]] = [Counter() for _ in range(nodes)]
    terms[0][_INPUT] = 1
    sources: _Sources = {}
    for node in range(nodes):
        for source, target, op in links:
            if target != node:
                continue
            feedback = source > target
            if op == SKIP and not feedback:
                terms[node].update(terms[source])
                continue
            key: Hashable = (source, target) if op.spiking else (op, classes[source], feedback)
            sources[key] = (op, classes[source], feedback)
            terms[node][key] += 1
    return terms, sources


def _used(terms: Sequence[Counter[Hashable]], sources: _Sources, output: int) -> tuple[set[int], set[Hashable]]:
    """Return the classes and the atoms that the output depends on."""
    used, atoms, todo = {output}, set[Hashable](), [output]
    while todo:
        for key in terms[todo.pop()]:
            if key == _INPUT or key in atoms:
                continue
            atoms.add(key)
            source = sources[key][1]
            if source not in used:
                used.add(source)
                todo.append(source)
    return used, atoms


def _computable(
    order: Sequence[int], terms: Sequence[Counter[Hashable]], sources: _Sources, atoms: set[Hashable]
) -> bool:
    """Say whether every value comes after the values it reads in the same timestep."""
    place = {value: number for number, value in enumerate(order)}
    for value in order:
        for key in terms[value]:
            if key in atoms:
                _, source, feedback = sources[key]
                if not feedback and place.get(source, -1) >= place[value]:
                    return False
    return True


def _numbered(
    order: Sequence[int],
    terms: Sequence[Counter[Hashable]],
    sources: _Sources,
    atoms: Iterable[Hashable],
    output: int,
) -> CellGraph:
    """Return the graph with values numbered in the given order, and atoms sorted by what they are and where they go."""
    number = {value: k for k, value in enumerate(order, start=1)}

    def description(key: Hashable) -> tuple[int, bool, str, tuple[int, ...]]:
        op, source, feedback = sources[key]
        return number.get(source, 0), feedback, _order(op), tuple(terms[value][key] for value in order)

    ranked = sorted(atoms, key=description)
    rank: dict[Hashable, int] = {_INPUT: 0} | {key: k for k, key in enumerate(ranked, start=1)}
    return CellGraph(
        tuple(Atom(sources[key][0].plain, number.get(sources[key][1], 0), sources[key][2]) for key in ranked),
        tuple(tuple(sorted((rank[key], times) for key, times in terms[value].items())) for value in order),
        number.get(output, 0),
    )


def _sort_key(graph: CellGraph) -> tuple[object, ...]:
    atoms = tuple((atom.source, atom.feedback, _order(atom.op)) for atom in graph.atoms)
    return atoms, graph.values, graph.output


def _order(op: Op) -> str:
    return str(op.at_threshold(DEFAULT_THRESHOLD))
