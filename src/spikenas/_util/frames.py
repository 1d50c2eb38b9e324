"""Make tables of pandas from rows; pandas is installed where somebody wants one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from spikenas._util.errors import ConfigError

if TYPE_CHECKING:
    import pandas


def frame_of(rows: Iterable[Any], kind: type) -> pandas.DataFrame:
    """Return dataclass instances of one kind as a DataFrame, one row each.

    Args:
        rows: Instances of `kind`.
        kind: Dataclass whose fields are the columns.

    Raises:
        ConfigError: Pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ConfigError("trials as a table need pandas: pip install pandas") from None
    return pandas.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(kind)])
