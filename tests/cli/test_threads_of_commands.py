"""The setting `threads` counts in the commands that are no stages of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from spikenas._util.cores import usable_cores
from spikenas._util.threads import threads
from spikenas.nas.cached import CachedExecutor
from spikenas.training.checkpoint import Model
from support import Main

QUICK = (
    *("--data", "digits", "--channels", "4", "--stem-stride", "1", "--set", "threads=1"),
    *("--set", "fidelity.channels=4", "--set", "fidelity.batch=8", "--set", "fidelity.repeats=1", "--quiet"),
)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Threads of PyTorch and cores, each time that candidates are evaluated or items are classified."""
    found: list[tuple[int, int]] = []

    def watch(owner: type, name: str) -> None:
        real = getattr(owner, name)

        def watched(*arguments: Any) -> Any:
            found.append((torch.get_num_threads(), usable_cores()))
            return real(*arguments)

        monkeypatch.setattr(owner, name, watched)

    watch(CachedExecutor, "evaluate")
    watch(Model, "predict")
    return found


@pytest.mark.parametrize(
    "command",
    [
        ("score", "--genotypes", "cells.txt"),
        ("compare", "--strategies", "random", "--seeds", "1", "--evaluations", "2", "--out", "c"),
        ("analyze", "--ops", "none,conv3x3,skip", "--seeds", "5", "--draws", "2", "--out", "a"),
    ],
)
def test_threads_count_where_candidates_are_evaluated(
    command: tuple[str, ...], run: Main, tmp_path: Path, seen: list[tuple[int, int]]
) -> None:
    (tmp_path / "cells.txt").write_text("0-1:conv3x3 1-3:conv3x3\n")
    with threads(2):
        status, _, err = run(*command, *QUICK)
        assert (status, err) == (0, "")
        assert torch.get_num_threads() == 2
    assert seen
    assert set(seen) == {(1, 1)}


def test_threads_of_a_run_count_where_it_predicts(
    run: Main, trained: Path, tmp_path: Path, seen: list[tuple[int, int]]
) -> None:
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "one.png")
    with threads(2):
        status, _, err = run("predict", "--out", trained, "one.png", "--float", "--quiet")
        assert (status, err) == (0, "")
    assert seen == [(1, 1)]
