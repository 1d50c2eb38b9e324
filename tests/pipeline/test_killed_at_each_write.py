"""A run that is killed at every file that it writes, one after the other, ends as one that was not."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch

from spikenas._util.progress import Reporter
from spikenas._util.run_files import BEST, CHECKPOINT, EVALUATION, LOG, MODEL, NIR, QUANTISATION, QUANTISED
from spikenas.config import Config
from spikenas.pipeline.running import run_stages
from spikenas.pipeline.settings import Settings
from spikenas.pipeline.stages import STAGES, State, next_stage
from spikenas.training.checkpoint import load_tensors

WORDS = {
    "network.channels": 4, "network.cells": 1, "space.nodes": 3, "train.epochs": 2,
    "fidelity.channels": 4, "fidelity.batch": 8, "fidelity.repeats": 1, "threads": 1, "budget.target": "stm32f103",
    "enhancement.enabled": False, "network.weight_bits": 4, "quantise.epochs": 1,
}  # fmt: skip


class KilledError(BaseException):
    """Is caught by nothing, as a kill is not."""


class Killer:
    """Kills at the first write that it has not seen yet, before the file is there or after."""

    def __init__(self, folder: Path, before: bool) -> None:
        self.folder, self.before = folder, before
        self.seen: set[tuple[str, str]] = set()
        self.names: list[str] = []

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def replace(source: Any, target: Any, **named: Any) -> Any:
            path = Path(target)
            if not path.is_relative_to(self.folder):
                return real(source, target, **named)
            key = (str(path.relative_to(self.folder)), self.content(Path(source)))
            new = key not in self.seen
            self.seen.add(key)
            if new:
                self.names.append(key[0])
            if new and self.before:
                raise KilledError
            done = real(source, target, **named)
            if new:
                raise KilledError
            return done

        return replace

    @staticmethod
    def content(path: Path) -> str:
        """What is the same each time, which times are not."""
        if path.is_dir():
            return ""
        if ".csv" in path.name:
            return str(len(path.read_text().splitlines()))
        if path.name.startswith(CHECKPOINT):
            return str(sorted((key, tensor.sum().item()) for key, tensor in load_tensors(path)[0].items()))
        if path.name.startswith(EVALUATION):
            return str(json.loads(path.read_text()).keys())
        return sha256(path.read_bytes()).hexdigest()


def run(folder: Path) -> None:
    run_stages(Settings.of(folder, Config(), WORDS), None, Reporter(), "a test")


def said(folder: Path) -> dict[str, Any]:
    """What a run says, without times."""
    found: dict[str, Any] = {name: json.loads((folder / name).read_text()) for name in (BEST, QUANTISATION, EVALUATION)}
    del found[EVALUATION]["seconds"]
    (footprint,) = folder.glob(STAGES["deploy"].result)
    found["footprint"] = json.loads(footprint.read_text())
    found["firmware"] = {path.name: path.read_bytes() for path in footprint.parent.iterdir()}
    with (folder / LOG).open(newline="") as file:
        found["epochs"] = [{key: row[key] for key in row if key != "seconds"} for row in csv.DictReader(file)]
    found["digests"] = {name: sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL, QUANTISED)}
    found["nir"] = (folder / NIR).exists()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_each_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # the firmware is written, not built
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(whole)
    killer = Killer(parts, before)
    for name in ("replace", "rename"):
        monkeypatch.setattr(os, name, killer.around(getattr(os, name)))
    for _ in range(100):
        try:
            run(parts)
            break
        except KilledError:
            continue
    written = {stage.result for stage in STAGES.values() if stage.name not in ("enhance", "deploy", "twin")}
    killed_at = {*written, MODEL, CHECKPOINT, QUANTISED, NIR, "config.toml", "firmware/stm32f103"}
    assert killed_at - set(killer.names) == set()
    assert said(parts) == said(whole)
    assert next_stage(State(parts, Config.load(parts / "config.toml"))) is None
    one, other = load_tensors(whole / CHECKPOINT)[0], load_tensors(parts / CHECKPOINT)[0]
    assert all(torch.equal(one[key], other[key]) for key in one)
