"""Integer networks: folding, rounding, and what the integers mean."""

from spikenas.quantise.evaluation import as_bytes, evaluate_integers, input_scale, synops_of
from spikenas.quantise.folding import Folded, fold
from spikenas.quantise.integers import QUANTISED, IntegerNetwork
from spikenas.quantise.reference import run_reference
from spikenas.quantise.rounding import Grid, leak_of, make_grid, quantise, weight_units
from spikenas.quantise.tensors import run_batch
from spikenas.quantise.tuning import RoundedNetwork, tuning_epochs, with_bits

__all__ = [
    "QUANTISED",
    "Folded",
    "Grid",
    "IntegerNetwork",
    "RoundedNetwork",
    "as_bytes",
    "evaluate_integers",
    "fold",
    "input_scale",
    "leak_of",
    "make_grid",
    "quantise",
    "run_batch",
    "run_reference",
    "synops_of",
    "tuning_epochs",
    "weight_units",
    "with_bits",
]
