"""Read and write JSON by a record type that says what must be in it, so that no damage gets past the reader."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from spikenas._util.errors import RunError
from spikenas._util.explain import explain
from spikenas._util.files import read_text, write_text

T = TypeVar("T")

_DIGITS = 18  # of a whole number
_SHOWN = 100  # characters of what is said of a wrong value


def parse_json(text: str) -> Any:
    """Parse JSON that will be used: finite numbers, whole ones of at most 18 digits, texts that can be written.

    Raises:
        ValueError: It is something else, or is nested too deep.
    """
    try:
        values = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair cannot be encoded
    except json.JSONDecodeError:
        raise ValueError("not valid JSON") from None
    except RecursionError:
        raise ValueError("not valid JSON that is used here (nested too deep)") from None
    except UnicodeEncodeError:
        raise ValueError("not valid JSON that is used here (a text is not Unicode)") from None
    return values


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise ValueError(f"not valid JSON that is used here (a number of {len(text):,} digits)")
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"not valid JSON that is used here (the number {text[:20]})")
    return number


class JsonFile(Generic[T]):
    """A JSON file of a run: its name, what is in it, and the stage that writes it.

    Args:
        name: Name in the folder.
        record: Type of the values, such as a TypedDict.
        stage: Command that writes the file.
        check: Raises ValueError where values do not go together.
    """

    def __init__(self, name: str, record: type[T], stage: str, check: Callable[[T], None] = lambda found: None) -> None:
        self.name, self.record, self.stage, self.check = name, record, stage, check

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        return TypeAdapter(self.record)

    def read(self, folder: Path) -> T:
        """Read the file.

        Raises:
            RunError: It is not there, or holds anything else than the record.
        """
        path, remedy = folder / self.name, f"'spikenas {self.stage} --out {folder}' writes it"
        if not path.exists():
            raise RunError(f"{path}: no such file; {remedy}")
        try:
            return self.parse(read_text(path))
        except RunError as error:
            raise RunError(f"{error}; remove it, {remedy}") from None
        except ValueError as error:
            raise RunError(f"{path}: {error}; remove it, {remedy}") from None

    def find(self, folder: Path) -> T | None:
        """Read the file where it is there; errors as in `read`."""
        return self.read(folder) if (folder / self.name).exists() else None

    def parse(self, text: str) -> T:
        """Parse the text of the file.

        Raises:
            ValueError: It is something else; says what, in a line.
        """
        try:
            found = self._adapter.validate_python(parse_json(text), strict=True)
        except ValidationError as error:
            raise ValueError(problem_of(error)) from None
        self.check(found)
        return found

    def write(self, folder: Path, values: Mapping[str, Any]) -> T:
        """Write the file, whole or not at all.

        Returns:
            The values, as `read` returns them.
        Raises:
            RunError: It cannot be written, or `read` would refuse it.
        """
        path, text = folder / self.name, json.dumps(values, indent=2) + "\n"
        try:
            found = self.parse(text)
        except ValueError as error:
            raise RunError(f"{path}: cannot be written ({error})") from None
        write_text(path, text)
        return found


def problem_of(error: ValidationError) -> str:
    """Say in a line where the first wrong value stands, and what is wrong with it."""
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"])) or "the whole"
    said = {"missing": " is missing", "extra_forbidden": " is not known"}.get(problem["type"]) or f": {explain(error)}"
    line = " ".join(f"{place}{said}".split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
