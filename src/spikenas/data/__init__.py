"""Load labelled images and event frames. What needs torch is apart, in `spikenas.data.transforms`."""

from spikenas.data.dataset import BrokenFilesError, DataSet, Split
from spikenas.data.manifest import Manifest
from spikenas.data.opening import Decoding, OpenedData
from spikenas.data.sources import SOURCES, DataSource, find_source
from spikenas.data.statistics import Statistics, channel_statistics

__all__ = [
    "SOURCES",
    "BrokenFilesError",
    "DataSet",
    "DataSource",
    "Decoding",
    "Manifest",
    "OpenedData",
    "Split",
    "Statistics",
    "channel_statistics",
    "find_source",
]
