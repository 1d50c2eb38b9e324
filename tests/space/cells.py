"""Random cells, and what a cell means: every op a fixed function of numbers, computed without the graph's help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

from hypothesis import settings
from hypothesis import strategies as st

from spikenas.space import Cell, CellGraph, Edge, Op, Plan
from spikenas.space.cell import pairs

QUICK = settings(max_examples=60, deadline=None)
V_THRESHOLD = 1.0
OP_TEXTS = (
    *("none", "skip", "avgpool3x3", "conv1x1", "conv3x3", "conv3x3@0.5", "conv3x3@1.0", "conv5x5", "conv7x7"),
    *("dwconv3x3", "dwconv3x3@1.5"),
)
_PRIME = 1_000_000_007


@st.composite
def cells(draw: st.DrawFn, nodes: int | None = None, feedback: bool = True) -> Cell:
    count = nodes or draw(st.integers(2, 7))
    edges = []
    for _ in pairs(count):
        op = Op.parse(draw(st.sampled_from(OP_TEXTS)))
        edges.append(Edge(op, feedback and op.kind != "none" and draw(st.booleans())))
    return Cell(tuple(edges), count)


def connected(cell: Cell) -> bool:
    return cell.canonical.connected


def mixed(tag: str) -> Callable[[int], int]:
    """A function of numbers that belongs to a name; not linear, and not 0 at 0."""
    a, b, c = (crc32(f"{tag}{k}".encode()) for k in "abc")
    return lambda x: (a * x * x + b * x + c) % _PRIME


def apply_op(op: Op, x: int) -> int:
    if op.kind == "skip":
        return x
    if op.kind == "avgpool":
        return pool(x)
    spikes = mixed(f"lif {op.threshold or V_THRESHOLD}")(x)
    if op.kind == "dwconv":
        return mixed("conv 1")(mixed("depthwise 3")(spikes))
    return mixed(f"conv {op.info.kernel}")(spikes)


def pool(x: int) -> int:
    return 31 * x % _PRIME


def run_cell(cell: Cell, inputs: Sequence[int], as_written: bool = False) -> list[int]:
    """The cell's output at each timestep, straight from its links; as written, what the input does not reach counts."""
    links = list(cell.links())
    reached = set(range(cell.nodes)) if as_written else {0}
    for _ in range(cell.nodes):
        reached |= {target for source, target, _ in links if source in reached}
    before: list[int] | None = None
    outputs = []
    for x in inputs:
        values = [x] + [0] * (cell.nodes - 1)
        for node in range(cell.nodes):
            for source, target, op in links:
                if target != node or source not in reached:
                    continue
                if source < target:
                    values[node] += apply_op(op, values[source])
                elif before:
                    values[node] += apply_op(op, before[source])
            values[node] %= _PRIME
        outputs.append(values[-1])
        before = values
    return outputs


def run_graph(graph: CellGraph, inputs: Sequence[int]) -> list[int]:
    """The same from the atoms and values of a graph."""
    delayed = dict.fromkeys(range(1, len(graph.atoms) + 1), 0)
    outputs = []
    for x in inputs:
        values = [x]
        for terms in graph.values:
            total = 0
            for number, times in terms:
                atom = graph.atoms[number - 1] if number else None
                if atom is None:
                    total += times * x
                elif atom.feedback:
                    total += times * delayed[number]
                else:
                    total += times * apply_op(atom.op, values[atom.source])
            values.append(total % _PRIME)
        delayed = {n: apply_op(atom.op, values[atom.source]) for n, atom in enumerate(graph.atoms, start=1)}
        assert graph.output is not None
        outputs.append(values[graph.output])
    return outputs


def run_plan_cell(plan: Plan, stage: str, source: str, inputs: Sequence[int]) -> list[int]:
    """The same from one cell's layers in a plan; `source` is the layer that feeds it."""
    before: dict[str, int] = {}
    outputs = []
    for x in inputs:
        values = {source: x}
        for layer in plan.stages.get(stage, ()):
            read = [(before.get(t.layer, 0) if t.delayed else values[t.layer]) * t.times for t in layer.terms]
            if layer.kind == "sum":
                values[layer.name] = sum(read) % _PRIME
            elif layer.kind == "neuron":
                values[layer.name] = mixed(f"lif {layer.threshold}")(read[0])
            elif layer.kind == "conv":
                values[layer.name] = mixed(f"{'depthwise' if layer.groups > 1 else 'conv'} {layer.kernel}")(read[0])
            else:
                values[layer.name] = pool(read[0]) if layer.kind == "avgpool" else read[0]
        after = next(layer for layer in plan.layers if layer.stage == "head")
        outputs.append(values[after.terms[0].layer])
        before = values
    return outputs
