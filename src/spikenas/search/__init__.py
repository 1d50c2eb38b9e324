"""The memory-aware search, the width it runs at, and the store that its trials are kept in."""

from spikenas.search.algorithm import SearchResult, search
from spikenas.search.store import Trial, TrialStore
from spikenas.search.width import resolve_width

__all__ = ["SearchResult", "Trial", "TrialStore", "resolve_width", "search"]
