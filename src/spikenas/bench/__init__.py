"""Benchmarks for researchers use tables of trained networks, compare strategies and scores, and correlate ranks.

What reads tables is exported here and needs no torch; comparisons are in `comparison` and `arena`.
"""

from spikenas.bench.reading import DATASETS
from spikenas.bench.rows import Row
from spikenas.bench.table import Lookup, Table

__all__ = ["DATASETS", "Lookup", "Row", "Table"]
