"""Set the number of threads for the time of one piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spikenas._util.cores import at_most


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Compute with so many threads while the context is open, then with as many as before; None changes nothing.

    PyTorch, the LIF kernels, which have as many threads as PyTorch, and whatever asks for `usable_cores` obey.
    """
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        with at_most(number):
            yield
    finally:
        torch.set_num_threads(before)
