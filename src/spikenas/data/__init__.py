"""Labelled images and event frames. What needs torch is apart, in `spikenas.data.transforms`."""

from spikenas.data.dataset import DataSet, Split
from spikenas.data.loading import check_name, load
from spikenas.data.statistics import Statistics, channel_statistics, load_statistics, save_statistics

__all__ = [
    "DataSet",
    "Split",
    "Statistics",
    "channel_statistics",
    "check_name",
    "load",
    "load_statistics",
    "save_statistics",
]
