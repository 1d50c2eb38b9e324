"""Reads a run folder, whatever of it is there and whole. Nothing is locked or written."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from PIL import Image

from spikenas._util.errors import ConfigError, SpikeNASError
from spikenas._util.json_file import JsonFile
from spikenas._util.paths import user_path
from spikenas._util.run_files import (
    ASKED,
    BEST,
    CHECKPOINT,
    CONFIG,
    EVALUATION,
    HISTORY,
    LOG,
    MISTAKES,
    MODEL,
    TRIALS,
    TWIN,
)
from spikenas._util.sealed import read_sealed
from spikenas.config import Config, NetworkConfig
from spikenas.data.pictures import cut, pictured
from spikenas.nas.store import Trial, read_trials
from spikenas.pipeline.stages import State, has_twin, load_config, require_whole_integers
from spikenas.records import (
    ANALYSIS_FILE,
    BEST_FILE,
    DATA_FILE,
    EVALUATION_FILE,
    QUANTISATION_FILE,
    QUANTISED_KEYS,
    RACE_FILE,
    SPACE_FILE,
    Best,
    Data,
    HistoryLine,
    footprint_file,
    read_history,
)
from spikenas.reporting.saved import SavedRun, Tested
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan
from spikenas.training.epochs import read_log

R = TypeVar("R")
T = TypeVar("T")


def load_run(folder: str | Path) -> SavedRun:
    """Read a run folder.

    Raises:
        ConfigError: The folder has no configuration that can be used, so that it is no run folder, or not yet.
    """
    folder = user_path(folder)
    if not any((folder / name).exists() for name in (CONFIG, ASKED)):
        raise ConfigError(f"{folder}: no run folder, it has no {CONFIG}")
    undecided = not (folder / CONFIG).exists() and (folder / ASKED).exists()
    config = Config.load(folder / ASKED) if undecided else load_config(folder)
    reader, state = _Reader(folder), State(folder, config)
    best = reader.find(BEST_FILE)
    evaluation = reader.find(EVALUATION_FILE)
    quantisation = reader.find(QUANTISATION_FILE)
    measured = {name: reader.find(footprint_file(name)) for name in state.firmware}
    reader.tensors(state)
    integers = state.integers
    if quantisation and quantisation["quantised_sha256"] != integers:
        quantisation = None
    if evaluation and evaluation["model_sha256"] != state.digest(MODEL):
        evaluation = None
    if evaluation and evaluation.get("quantised_sha256") != integers:
        for key in QUANTISED_KEYS:
            evaluation.pop(key, None)  # type: ignore[misc]
    made = {"weight_bits": quantisation["weight_bits"]} if quantisation else {}
    data = reader.find(DATA_FILE)
    classes, plan = reader.network(config.network.but(made), best, data)
    run = SavedRun(
        folder=folder,
        config=config,
        best=best,
        race=reader.find(RACE_FILE),
        space=reader.find(SPACE_FILE),
        analysis=reader.find(ANALYSIS_FILE),
        trials=reader.trials(best),
        epochs=reader.read(lambda: read_log(folder / LOG)) or [],
        evaluation=evaluation,
        quantisation=quantisation,
        measured={name: said for name, said in measured.items() if said and said["quantised_sha256"] == integers},
        history=reader.history(),
        data=data,
        classes=classes,
        plan=plan,
        unreadable=reader.unreadable,
        undecided=undecided,
        twin=reader.twin(state),
    )
    run.mistakes.extend(reader.pictures(run.tested))
    return run


class _Reader:
    """A reader reads what is there, and keeps a line for what cannot be used: what is wrong, and what to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unreadable: list[str] = []

    def read(self, reading: Callable[[], T]) -> T | None:
        try:
            return reading()
        except SpikeNASError as error:
            if str(error) not in self.unreadable:
                self.unreadable.append(str(error))
            return None

    def find(self, file: JsonFile[R]) -> R | None:
        return self.read(lambda: file.find(self.folder))

    def twin(self, state: State) -> SavedRun | None:
        """Return the run of the twin once it is whole; what of it cannot be used is a line here."""
        if not state.config.twin or not (self.folder / TWIN / CONFIG).exists():
            return None
        found = self.read(lambda: load_run(self.folder / TWIN))
        if found is None or has_twin(state):
            return found
        self.unreadable.extend(found.unreadable)
        return None

    def tensors(self, state: State) -> None:
        for name in (MODEL, CHECKPOINT):
            if state.has(name):
                self.read(lambda name=name: read_sealed(self.folder / name, "train"))  # type: ignore[misc]
        self.read(lambda: require_whole_integers(state))

    def trials(self, best: Best | None) -> list[Trial]:
        found = self.read(lambda: read_trials(self.folder / TRIALS)) or []
        if best and found and len(found) != best["trials"]:
            self.unreadable.append(
                f"{self.folder / TRIALS}: has {len(found)} trials, {BEST} {best['trials']}; remove both"
            )
        return found

    def history(self) -> list[HistoryLine]:
        found, lost = self.read(lambda: read_history(self.folder)) or ([], 0)
        if lost:
            self.unreadable.append(
                f"{self.folder / HISTORY}: {lost} of {lost + len(found)} lines cannot be read; remove them"
            )
        return found

    def network(
        self, network: NetworkConfig, best: Best | None, data: Data | None
    ) -> tuple[tuple[str, ...], Plan | None]:
        if data is None:
            return (), None
        classes = tuple(data["classes"])
        if best is None:
            return classes, None
        try:
            return classes, make_plan(
                Genotype.parse(best["genotype"]), network, InputSpec(**cast(dict[str, Any], data["input"]))
            )
        except SpikeNASError as error:
            self.unreadable.append(f"{self.folder / BEST}: {error}; remove it, 'spikenas search' writes it")
            return classes, None

    def pictures(self, tested: Tested | None) -> list[str]:
        """Return the pictures of the mistakes, where they are those of the network that is shown."""
        path = self.folder / MISTAKES
        count = len(tested.mistakes) if tested else 0
        if tested is None or not count or not path.exists():
            return []
        try:
            if pictured(path) != tested.digest:
                return []
            with Image.open(path) as picture:
                return [_address(part) for part in cut(picture.convert("RGB"), count)]
        except Exception:  # of Pillow, whatever a damaged file makes of it
            self.unreadable.append(
                f"{path}: not a picture; remove it and {EVALUATION}, 'spikenas evaluate' writes both"
            )
            return []


def _address(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
