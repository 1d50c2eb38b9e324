"""One page about one run or several: `report.html`, which needs nothing beside it."""

from spikenas.report.page import REPORT, write_report
from spikenas.report.saved import SavedRun, load_run

__all__ = ["REPORT", "SavedRun", "load_run", "write_report"]
