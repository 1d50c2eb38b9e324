"""Write figures of Matplotlib as files that are the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spikenas._util.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all.

    Args:
        figure: Figure to write.
        path: File to write; its ending says the format, such as .svg or .png.

    Raises:
        RunError: The file cannot be written.
    """
    from matplotlib import rc_context

    kind = path.suffix[1:]
    metadata = {"Date": None} if kind == "svg" else None
    with rc_context({"svg.hashsalt": "spikenas"}):
        write_atomically(path, lambda partial: figure.savefig(partial, format=kind, dpi=130, metadata=metadata))
