"""Load labelled images and event frames. What needs torch is apart, in `spikenas.data.transforms`."""

from spikenas.data.dataset import DataSet, Split
from spikenas.data.opening import OpenedData
from spikenas.data.sources import SOURCES, DataSource, find_source
from spikenas.data.statistics import Statistics, channel_statistics

__all__ = [
    "SOURCES",
    "DataSet",
    "DataSource",
    "OpenedData",
    "Split",
    "Statistics",
    "channel_statistics",
    "find_source",
]
