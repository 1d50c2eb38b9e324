"""Tables of trained networks, which can stand in for training. Imports no torch."""

from spikenas.tabular.reading import DATASETS
from spikenas.tabular.rows import Row
from spikenas.tabular.table import Lookup, LookupResult, Network, Table, network_of

__all__ = ["DATASETS", "Lookup", "LookupResult", "Network", "Row", "Table", "network_of"]
