"""The table of stages: what each needs, writes and fixes, when it is done, and the function that does it.

The command line, the next step, the report's status, resume and refusal read this table. It needs no torch: what a
stage computes with is imported when the stage runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from spikenas._util.errors import ConfigError, RunError
from spikenas._util.files import read_regular
from spikenas._util.json_file import JsonFile
from spikenas._util.run_files import (
    ASKED,
    BEST,
    CHECKPOINT,
    CONFIG,
    EVALUATION,
    FIRMWARE,
    FOOTPRINTS,
    FRONT,
    LOG,
    MISTAKES,
    MODEL,
    NIR,
    QUANTISATION,
    QUANTISED,
    RACE,
    SPACE,
    STATISTICS,
    TRIALS,
    TWIN,
)
from spikenas._util.sealed import read_sealed
from spikenas.config import Config
from spikenas.records import (
    BEST_FILE,
    DATA_FILE,
    EVALUATION_FILE,
    QUANTISATION_FILE,
    FootprintRecord,
    MadeOf,
    footprint_file,
)
from spikenas.training.epochs import Epoch, is_complete, read_log

_TIMED_STEPS = 60  # of a training; the twin of a shorter one has as many epochs, since as many seconds may be too few

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """A state is what the files of a run folder say of its stages; a file that cannot be read says nothing.

    Args:
        folder: The run.
        config: Its settings.
    """

    folder: Path
    config: Config

    def has(self, name: str) -> bool:
        """Say whether a file is there."""
        return (self.folder / name).exists()

    def values(self, file: JsonFile[T]) -> T | None:
        """Return what a file of JSON says; None where it is not there or cannot be read."""
        try:
            return file.find(self.folder)
        except RunError:
            return None

    @cached_property
    def epochs(self) -> list[Epoch]:
        """The epochs that the training has behind it."""
        try:
            return read_log(self.folder / LOG)
        except RunError:
            return []

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of a file, or None where it is not there or cannot be read."""
        try:
            return sha256(read_regular(self.folder / name, RunError)).hexdigest()
        except RunError:
            return None

    @cached_property
    def integers(self) -> str | None:
        """Digest of the integers, where they are whole, and of this model and these settings."""
        said, digest = self.values(QUANTISATION_FILE), self.digest(QUANTISED)
        if said is None or digest is None or self.damage or not self.has(MODEL):
            return None
        return digest if said["made_of"] == self.made_of() and said["quantised_sha256"] == digest else None

    @cached_property
    def damage(self) -> str | None:
        """A line that says what of the integers is damaged; None where nothing is, or there are none."""
        if not self.has(QUANTISED):
            return None
        try:
            read_sealed(self.folder / QUANTISED, "quantise")
            said = QUANTISATION_FILE.find(self.folder)
            if said and said["model"] != MODEL:
                read_sealed(self.folder / said["model"], "quantise")
        except RunError as error:
            return str(error)
        if said and said["made_of"] == self.made_of() and said["quantised_sha256"] != self.digest(QUANTISED):
            return (
                f"{self.folder / QUANTISED}: not the integers that {QUANTISATION} tells of; "
                f"'spikenas quantise --out {self.folder}' makes them anew"
            )
        return None

    @cached_property
    def firmware(self) -> dict[str, FootprintRecord | None]:
        """What footprint.json says, by device that firmware was written for; None where it cannot be read."""
        names = [path.parent.name for path in sorted(self.folder.glob(FOOTPRINTS))]
        return {name: self.values(footprint_file(name)) for name in names}

    @property
    def current_firmware(self) -> list[str]:
        """The devices whose firmware is of the integers of this run."""
        made = self.firmware.items()
        return [name for name, said in made if said and self.integers and said["quantised_sha256"] == self.integers]

    @property
    def measured_as(self) -> str:
        """Name of the folder of the firmware for the device that the run is for, or for its core."""
        target = self.config.budget.target
        return device_folder(target) if target else self.config.network.core

    @cached_property
    def twin(self) -> State:
        """The run of the twin, with the settings that it is to have: relu neurons, no limits, the same time.

        Where the training had a few steps, the twin's has as many epochs.
        """
        asked = self.config
        seconds = asked.train.time or math.ceil(sum(epoch.seconds for epoch in self.epochs))
        config = asked.but(
            {
                "twin": False,
                "time": None,
                "search.time": None,
                "race": {},
                "designs": {},
                "network.neuron": "relu",
                "network.timesteps": asked.network.timesteps if self.is_stepped else 1,
                "network.core": asked.network.core,
                "budget": {},
                "enhancement.enabled": False,
                "search.front": None,
                "train.time": seconds if asked.train.time or self._steps >= _TIMED_STEPS else None,
                "train.spike_penalty": 0.0,
                "quantise.verify": 0,
            }
        )
        return State(self.folder / TWIN, config)

    @property
    def _steps(self) -> int:
        """Steps of the training, as far as the files say."""
        data, batch = self.values(DATA_FILE), self.config.train.batch
        if not data or not batch:
            return 0
        items = data["items"]["train"]
        return len(self.epochs) * (items // min(batch, items))

    @property
    def is_stepped(self) -> bool:
        """Whether the input is another one at every timestep, as event frames are."""
        data = self.values(DATA_FILE)
        return data is not None and not data["input"]["static"]

    def made_of(self) -> MadeOf:
        """Return what the integers depend on."""
        asked = self.config.quantise
        return {
            "model_sha256": self.digest(MODEL),
            "weight_bits": asked.weight_bits,
            "epochs": asked.epochs,
            "lr": asked.lr,
            "train_epochs": self.config.train.epochs,
            "train_time": self.config.train.time,
        }

    @property
    def decided_without(self) -> bool:
        """Whether the space of this run was configured, and its search prepared, without enhancement."""
        return self.has(CONFIG) and not self.has(SPACE) and (self.has(TRIALS) or not self.has(ASKED))


@dataclass(frozen=True)
class Stage:
    """A stage reads the files of those before it, writes its own, and does nothing when it is done.

    Attributes:
        name: Name in the history, and of its command.
        work: Function that does it, as `module:function`; it takes the run folder, the task and the reporter, that of
            `enhance` the settings in the place of the task.
        result: The file that is written last, and says what came of it; a pattern where there are several.
        writes: The other files and folders.
        needs: A file that it cannot do without.
        fixes: Sections of the configuration that cannot change once the files in `witness` are there.
        witness: Files that show that something depends on these sections.
        done: Whether there is nothing left to do.
        wanted: Whether a run has this stage, by its settings.
        option: Option of `run` that asks for it, where it is no command of its own.
    """

    name: str
    work: str
    result: str
    done: Callable[[State], bool]
    writes: tuple[str, ...] = ()
    needs: str | None = None
    fixes: tuple[str, ...] = ()
    witness: tuple[str, ...] = ()
    wanted: Callable[[State], bool] = lambda state: True
    option: str = ""

    @property
    def typed(self) -> str:
        """The command that does it, without a folder."""
        return f"spikenas run {self.option}" if self.option else f"spikenas {self.name}"

    def function(self) -> Callable[..., Any]:
        """Import the function that does the work."""
        module, _, name = self.work.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found


def _evaluated(state: State) -> bool:
    said = state.values(EVALUATION_FILE)
    if said is None or said["model_sha256"] != state.digest(MODEL):
        return False
    return state.integers is None or said.get("quantised_sha256") == state.integers


def _deployed(state: State) -> bool:
    made, own = state.current_firmware, state.config.budget.target
    return bool(made) and set(made) == state.firmware.keys() and (own is None or device_folder(own) in made)


def has_twin(state: State) -> bool:
    """Say whether the twin is trained and evaluated, and deployed where the run is, as this run wants it."""
    twin = state.twin
    best, own = (one.values(BEST_FILE) for one in (state, twin))
    if best is None or own is None or best["genotype"] != own["genotype"] or not twin.has(CONFIG):
        return False
    try:
        deployed = state.config.budget.target is None or bool(twin.current_firmware)
        return load_config(twin.folder) == twin.config and next_stage(twin) is None and deployed
    except ConfigError:
        return False


def device_folder(target: str) -> str:
    """Return the name of a device's folder in `firmware/`: its own, or that of a file such as `board.toml`."""
    return Path(target).stem if target.endswith(".toml") else target


def _is_enhanced(state: State) -> bool:
    config = state.config
    return config.enhancement.enabled and not config.searches_designs and not state.decided_without


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage(
            "enhance",
            "spikenas.pipeline.searching:enhance",
            result=SPACE,
            writes=(ASKED,),
            fixes=("enhancement",),
            witness=(SPACE, TRIALS),
            done=lambda state: state.has(SPACE) and state.has(CONFIG),
            wanted=_is_enhanced,
        ),
        Stage(
            "search",
            "spikenas.pipeline.searching:search",
            result=BEST,
            writes=(STATISTICS, TRIALS, FRONT, RACE),
            fixes=("seed", "data", "budget", "network", "space", "designs", "search", "race", "fidelity"),
            witness=(TRIALS,),
            done=lambda state: state.has(BEST),
        ),
        Stage(
            "train",
            "spikenas.pipeline.finishing:train",
            needs=BEST,
            result=LOG,
            writes=(MODEL, CHECKPOINT),
            fixes=("train",),
            witness=(CHECKPOINT,),
            done=lambda state: state.has(MODEL) and is_complete(state.epochs, state.config.train),
        ),
        Stage(
            "quantise",
            "spikenas.pipeline.finishing:quantise",
            needs=MODEL,
            result=QUANTISATION,
            writes=(QUANTISED,),
            done=lambda state: state.integers is not None,
        ),
        Stage(
            "evaluate",
            "spikenas.pipeline.finishing:evaluate",
            needs=MODEL,
            result=EVALUATION,
            writes=(MISTAKES,),
            done=_evaluated,
        ),
        Stage(
            "deploy",
            "spikenas.pipeline.finishing:deploy",
            needs=QUANTISED,
            result=FOOTPRINTS,
            writes=(FIRMWARE, NIR),
            done=_deployed,
            wanted=lambda state: state.config.budget.target is not None or bool(state.firmware),
        ),
        Stage(
            "twin",
            "spikenas.pipeline.twin:make_twin",
            needs=MODEL,
            result=f"{TWIN}/{EVALUATION}",
            writes=(TWIN,),
            done=has_twin,
            wanted=lambda state: state.config.twin,
            option="--twin",
        ),
    )
}
DECIDED_FROM = (*STAGES["search"].fixes, "short_training")  # what enhancement reads of the configuration


def next_stage(state: State) -> Stage | None:
    """Return the first stage of a run that is wanted and not done; None where the run is complete."""
    return next((stage for stage in STAGES.values() if stage.wanted(state) and not stage.done(state)), None)


def written_by(name: str) -> Stage:
    """Return the stage that writes a file."""
    return next(stage for stage in STAGES.values() if name == stage.result or name in stage.writes)


def load_config(folder: Path) -> Config:
    """Read the configuration of a run.

    Raises:
        ConfigError: It is not there or damaged, or is cut off though stages have begun.
    """
    config = Config.load(folder / CONFIG)
    named = config.network.model_fields_set
    if named and "neuron" not in named and (folder / TRIALS).exists():
        raise ConfigError(f"{folder / CONFIG}: of another version, it has no network.neuron; choose another --out")
    missing = [name for name in Config().sections if name not in config.model_fields_set]
    if missing and (folder / TRIALS).exists():
        raise ConfigError(f"{folder / CONFIG}: cut off, it has no [{missing[0]}]; put it back, or choose another --out")
    return config


def require_run(folder: Path) -> None:
    """Check that a folder is that of a run.

    Raises:
        ConfigError: It is not.
    """
    if not (folder / CONFIG).exists():
        raise ConfigError(f"{folder}: no run folder; 'spikenas search --out {folder}' makes one")


def require_integers(state: State) -> None:
    """Check that the integers of a run are whole, and of its model and settings.

    Raises:
        RunError: They are not, or one of the files is not there or damaged; names that file.
    """
    name = state.folder / QUANTISED
    read_sealed(state.folder / MODEL, "train")
    read_sealed(name, "quantise")
    require_whole_integers(state)
    if state.integers is None:
        raise RunError(f"{name}: of other settings or another model; 'spikenas quantise' makes it anew")


def require_whole_integers(state: State) -> None:
    """Check that integers which are there are not damaged.

    Raises:
        RunError: They are.
    """
    if state.damage:
        raise RunError(state.damage)


def require_input(stage: Stage, folder: Path) -> None:
    """Check that what a stage cannot do without is there.

    Raises:
        RunError: It is not; names the stage that writes it.
    """
    if stage.needs and not (folder / stage.needs).exists():
        raise RunError(
            f"{folder / stage.needs}: no such file; 'spikenas {written_by(stage.needs).name} --out {folder}' writes it"
        )
