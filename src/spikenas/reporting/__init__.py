"""A report is one page about one run or several: `report.html`, which needs nothing beside it."""

from spikenas.reporting.loading import load_run
from spikenas.reporting.page import write_report
from spikenas.reporting.saved import SavedRun

__all__ = ["SavedRun", "load_run", "write_report"]
