"""A run folder: what its files say, and one process at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from spikenas._util.errors import RunError
from spikenas._util.files import reason
from spikenas._util.paths import weights_path
from spikenas._util.provenance import machine, versions
from spikenas._util.showing import plain
from spikenas.pipeline.stages import STAGES
from spikenas.records import HistoryLine, append_history


class RunFolder:
    """An open run folder; no other process can open it meanwhile, but those of the same distributed training.

    Args:
        folder: Made when it is not there.
    Raises:
        ConfigError: Its name is not UTF-8.
        RunError: It is no folder, cannot be written to, or is in use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = weights_path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / ".lock", timeout=0)
            if is_leader():
                self._lock.acquire()
        except Timeout:
            raise RunError(f"{folder}: in use by another spikenas process") from None
        except OSError as error:
            raise RunError(f"{folder}: cannot be used as run folder ({reason(error)})") from None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def has(self, name: str) -> bool:
        """Say whether a file is there."""
        return (self.folder / name).exists()

    @contextmanager
    def recording(self, stage: str, command: str) -> Iterator[None]:
        """Record a stage while it runs: if it did anything, a line of the history says how long, by what, and where."""
        result = STAGES[stage].result
        before, began = self._stamps(result), time.perf_counter()
        yield
        if is_leader() and self._stamps(result) != before:
            self._record(stage, time.perf_counter() - began, command)

    def _stamps(self, pattern: str) -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in self.folder.glob(pattern)}

    def _record(self, stage: str, seconds: float, command: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line: HistoryLine = {
            "ended": now,
            "stage": stage,
            "seconds": round(seconds, 3),
            "command": plain(command),
            "versions": versions(),
            "machine": machine(),
        }
        append_history(self.folder, line)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self / name).unlink(missing_ok=True)


def is_leader() -> bool:
    """Whether this process is the only one, or the first of those that a launcher started."""
    return os.environ.get("RANK", "0") == "0"
