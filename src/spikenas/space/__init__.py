"""Define what can be searched: operations, cells, spaces, and the plan of a network; torch is not imported."""

from spikenas.space.building import make_plan
from spikenas.space.cell import Cell, Edge, parse_bench
from spikenas.space.design import Design
from spikenas.space.design_space import DesignSpace
from spikenas.space.genotype import Genotype
from spikenas.space.graph import Atom, CellGraph
from spikenas.space.ops import BENCH_OPS, OPS, SNASNET_OPS, Op
from spikenas.space.plan import InputSpec, LayerSpec, Plan, Term
from spikenas.space.space import Space

__all__ = [
    "BENCH_OPS",
    "OPS",
    "SNASNET_OPS",
    "Atom",
    "Cell",
    "CellGraph",
    "Design",
    "DesignSpace",
    "Edge",
    "Genotype",
    "InputSpec",
    "LayerSpec",
    "Op",
    "Plan",
    "Space",
    "Term",
    "make_plan",
    "parse_bench",
]
