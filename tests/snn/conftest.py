"""What the tests of neurons share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spikenas._util.threads import threads


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread for the time of a test."""
    with threads(1):
        yield
