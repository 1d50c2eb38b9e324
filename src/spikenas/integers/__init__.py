"""Makes integer networks by folding and rounding, and defines what the integers mean."""

from spikenas.integers.folding import Folded, fold
from spikenas.integers.integer_evaluation import as_bytes, bit_shares_of, evaluate_integers, input_scale, synops_of
from spikenas.integers.integers import IntegerNetwork
from spikenas.integers.making import make_integers
from spikenas.integers.reference import run_reference
from spikenas.integers.rounding import Grid, leak_of, make_grid, quantise, weight_units
from spikenas.integers.tensors import run_batch
from spikenas.integers.tuning import RoundedNetwork, Tuning, tuning_of, with_bits

__all__ = [
    "Folded",
    "Grid",
    "IntegerNetwork",
    "RoundedNetwork",
    "Tuning",
    "as_bytes",
    "bit_shares_of",
    "evaluate_integers",
    "fold",
    "input_scale",
    "leak_of",
    "make_grid",
    "make_integers",
    "quantise",
    "run_batch",
    "run_reference",
    "synops_of",
    "tuning_of",
    "weight_units",
    "with_bits",
]
