"""Find what packages register by name, as entry points in their metadata.

The names are known without importing anything; what a name stands for is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from spikenas._util.errors import SpikeNASError
from spikenas._util.words import hint

T = TypeVar("T")


@cache
def _registered() -> Any:
    return entry_points()


def names_of(group: str) -> tuple[str, ...]:
    """Return the names that installed packages register in a group, those of this package first."""
    entries = sorted(_registered().select(group=group), key=_order)
    return tuple(dict.fromkeys(entry.name for entry in entries))


class Registry(MutableMapping[str, T], Generic[T]):
    """A registry maps names to what installed packages register under them.

    What is set in it, as a notebook does, is known in this process alone, not to workers in others.

    Args:
        group: Group of the entry points, such as `spikenas.scores`.
        kind: Word for an entry, for messages.
        error: Class of the error that is raised for a name that is unknown or cannot be loaded.
        more: Text that says what else may be named, for messages.
    """

    def __init__(self, group: str, kind: str, error: type[SpikeNASError], more: str = "") -> None:
        self.group, self.kind, self.error, self.more = group, kind, error, more
        self._loaded: dict[str, T] = {}

    def find(self, name: str) -> T:
        """Return what is registered under a name.

        Raises:
            SpikeNASError: The name is unknown, or its package cannot be imported; the error is of class `error`.
        """
        self.check(name)
        if name not in self._loaded:
            entry, *others = self._entries[name]
            if others:
                packages = " and ".join(one.dist.name if one.dist else "?" for one in (entry, *others))
                raise self.error(f"{self.kind} {name!r}: registered by {packages}; one of them has to go")
            try:
                self._loaded[name] = entry.load()
            except SpikeNASError:
                raise
            except Exception as error:
                reason = str(error).partition("\n")[0] or type(error).__name__
                raise self.error(f"{self.kind} {name!r}: {entry.value} cannot be loaded ({reason})") from error
        return self._loaded[name]

    def check(self, name: str, *others: str) -> None:
        """Check that a name is registered, or one of some others, without loading it.

        Raises:
            SpikeNASError: The name is neither; the message names the nearest, or all.
        """
        if name not in (*self, *others):
            raise self.error(f"unknown {self.kind} {name!r}, {hint(name, (*self, *others), self.more)}")

    def __setitem__(self, name: str, value: T) -> None:
        self._loaded[name] = value

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __getitem__(self, name: str) -> T:
        if name not in self:
            raise KeyError(name)
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._entries, *self._loaded)))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @cached_property
    def _entries(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for entry in sorted(_registered().select(group=self.group), key=_order):
            known = found.setdefault(entry.name, [])
            if all(entry.value != one.value for one in known):
                known.append(entry)
        return found


def _order(entry: EntryPoint) -> tuple[bool, Any]:
    """Return a key that sorts the package's own entries first."""
    return entry.dist is None or entry.dist.name != "spikenas", entry.name
