"""A run folder: the configuration that everything in it was made with, and one process at a time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any

from filelock import FileLock, Timeout

from spikenas.config import Config
from spikenas.errors import RunError
from spikenas.files import read_text, reason, write_text
from spikenas.provenance import machine, versions

CONFIG = "config.toml"
DATA = "data.json"
SPACE = "space.json"
ENHANCE = "enhance"  # folder of what the decisions in it were made from
ASKED = f"{ENHANCE}/{CONFIG}"  # what was set before anything was decided
TRIALS = "trials.db"
BEST = "best.json"
FRONT = "front.csv"
STATISTICS = "statistics.json"
EVALUATION = "evaluation.json"
QUANTISATION = "quantise.json"
FOOTPRINT = "footprint.json"
FIRMWARE = "firmware"
MISTAKES = "mistakes.png"
HISTORY = "history.jsonl"
CHECKPOINT = "checkpoint.safetensors"

# By stage the file that says what came of it.
RESULTS = {
    "enhance": SPACE,
    "search": BEST,
    "train": "train.csv",
    "quantise": QUANTISATION,
    "evaluate": EVALUATION,
    "deploy": FOOTPRINT,
}

# By stage the file that it cannot do without, and the stage that writes it.
NEEDS = {
    "train": (BEST, "search"),
    "quantise": ("model.safetensors", "train"),
    "evaluate": ("model.safetensors", "train"),
    "deploy": ("quantised.safetensors", "quantise"),
}

# What a section of the configuration decides cannot change once this file exists.
_FIXED_BY = {
    "seed": TRIALS,
    "data": TRIALS,
    "budget": TRIALS,
    "network": TRIALS,
    "space": TRIALS,
    "search": TRIALS,
    "fidelity": TRIALS,
    "train": CHECKPOINT,
}
_NEVER_FIXED = (
    "search.front",
    "data.root",
    "data.download",
)  # another view of, or way to, the same
_NOT_DECIDED_FROM = ("search.evaluations", "search.refine")  # decided, but nothing else is decided from them
DECIDED_FROM = ("seed", "data", "budget", "network", "space", "search", "fidelity", "short_training")


class Run:
    """An open run folder; no other process can open it meanwhile, but those of the same distributed training.

    Args:
        folder: Made when it is not there.
    Raises:
        RunError: not a folder, not writable, or in use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / ".lock", timeout=0)
            if is_leader():
                self._lock.acquire()
        except Timeout:
            raise RunError(f"{folder}: in use by another spikenas process") from None
        except OSError as error:
            raise RunError(f"{folder}: cannot be used as run folder ({reason(error)})") from None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.folder / name).exists()

    def fix(self, config: Config) -> None:
        """Make this the configuration of the run.

        Raises:
            RunError: files here were made with another one; names the first difference.
        """
        old = Config.load(self / CONFIG) if self.has(CONFIG) else None
        if old:
            for section, witness in _FIXED_BY.items():
                for key, before, now in _differences(old, config, section) if self.has(witness) else ():
                    was = f"{self.folder} was made with {key} = {before!r}, not {now!r}"
                    raise RunError(f"{was}; choose another --out or remove it")
            if self.has(TRIALS) and not self.has(BEST) and old.device != config.device:
                raise RunError(
                    f"{self.folder}: the search began on {old.device}, so it ends there, not on {config.device}"
                )
        if not is_leader():
            return
        if old is None or (old.data, old.seed) != (config.data, config.seed):
            (self / STATISTICS).unlink(missing_ok=True)
        write_text(self / CONFIG, config.dump())

    def decided(self, asked: Config, settings: Config) -> Config | None:
        """The settings with what was decided of the space before, where they leave it open; None if it was not.

        Args:
            asked: What the space is to be decided from, with only that set which was asked for.
            settings: What the run is to be made with.
        Raises:
            RunError: it was decided from something else; names the first difference.
        """
        if not self.has(CONFIG):
            return None
        if not self.has(ASKED):
            return settings if self.has(TRIALS) else None
        before, stored = Config.load(self / ASKED), Config.load(self / CONFIG)
        for section in DECIDED_FROM:
            for key, old, new in _differences(before, asked, section):
                if key not in _NOT_DECIDED_FROM:
                    raise RunError(
                        f"the space of {self.folder} was decided for {key} = {old!r}, not {new!r}; choose another --out"
                        + ("" if self.has(TRIALS) else f", or 'spikenas enhance --out {self.folder}' decides anew")
                    )
        open_ = {name: _completed(getattr(settings, name), getattr(stored, name)) for name in DECIDED_FROM}
        return settings.model_copy(update=open_)

    @contextmanager
    def recording(self, stage: str, command: str) -> Iterator[None]:
        """While a stage runs; if it did anything, a line of the history says how long, by which versions, and where."""
        result = self / RESULTS[stage]
        before, began = _stamp(result), time.perf_counter()
        yield
        if is_leader() and _stamp(result) != before:
            self._record(stage, time.perf_counter() - began, command)

    def _record(self, stage: str, seconds: float, command: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"ended": now, "stage": stage, "seconds": round(seconds, 3), "command": command}
        text = json.dumps(line | {"versions": versions(), "machine": machine()}) + "\n"
        try:
            with (self / HISTORY).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise RunError(f"{self / HISTORY}: cannot be written ({reason(error)})") from None

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self / name).unlink(missing_ok=True)

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write a file of JSON, whole or not at all."""
        text = json.dumps(values, indent=2) + "\n"
        write_text(self / name, text)

    def read_json(self, name: str, written_by: str, **kinds: type | UnionType) -> dict[str, Any]:
        """Read a file of JSON.

        Args:
            name: Of the file.
            written_by: Stage that writes it.
            kinds: By key, what must be in it.
        Raises:
            RunError: not there, not JSON, or without one of the keys.
        """
        remedy = f"'spikenas {written_by} --out {self.folder}' writes it"
        if not self.has(name):
            raise RunError(f"{self / name}: no such file; {remedy}")
        try:
            values = json.loads(read_text(self / name))
        except RunError as error:
            raise RunError(f"{error}; remove it, {remedy}") from None
        except ValueError:
            raise RunError(f"{self / name}: not valid JSON; remove it, {remedy}") from None
        if not isinstance(values, dict):
            raise RunError(f"{self / name}: not a JSON object; remove it, {remedy}")
        for key, kind in kinds.items():
            if not isinstance(values.get(key), kind):
                raise RunError(f"{self / name}: {key} is missing or of the wrong kind; remove the file, {remedy}")
        return values


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def is_leader() -> bool:
    """Whether this process is the only one, or the first of those that a launcher started."""
    return os.environ.get("RANK", "0") == "0"


def _differences(old: Config, new: Config, section: str) -> Iterator[tuple[str, Any, Any]]:
    before, now = _flat(getattr(old, section), section), _flat(getattr(new, section), section)
    return ((key, before[key], now[key]) for key in before if before[key] != now[key] and key not in _NEVER_FIXED)


def _completed(section: Any, stored: Any) -> Any:
    """What is set explicitly, and the rest as it was."""
    if not hasattr(section, "model_fields_set"):
        return section
    return stored.model_copy(update={key: getattr(section, key) for key in section.model_fields_set})


def _flat(value: Any, name: str) -> dict[str, Any]:
    if hasattr(value, "model_dump"):
        return {f"{name}.{key}": part for key, part in value.model_dump().items()}
    return {name: value}
