"""A plot on the page is plain data of Plotly, drawn in the browser, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
GOOD, LIMIT, FAINT = "#009e73", "#d55e00", "#8c8c8c"
SCALE = [[0, "#eaf3fa"], [0.1, "#bcdcf0"], [0.5, "#4ba3d8"], [1, "#00456f"]]
KIB = 1024

Spec = dict[str, Any]


@dataclass(frozen=True)
class Plot:
    """A plot is data to be drawn, together with its message in words.

    Attributes:
        name: Name that is unique on the page.
        title: What the plot shows.
        summary: Its message, in a sentence or two.
        spec: `data` and `layout` of Plotly.
        header: Column names of the same data as a table.
        rows: Rows of the same data as a table.
        height: Height in pixels.
        views: Other abscissae of the same points, by name: `x` of each trace, and `layout`.
    """

    name: str
    title: str
    summary: str
    spec: Spec
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=tuple)
    height: int = 420
    views: dict[str, Spec] = field(default_factory=dict)
