"""One page about one run or several: `report.html`, which needs nothing beside it."""

from spikenas.report.contents import Contents, read_contents
from spikenas.report.page import REPORT, write_report

__all__ = ["REPORT", "Contents", "read_contents", "write_report"]
