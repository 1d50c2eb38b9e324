"""The settings of a run folder: where they come from, what is fixed, and what was decided of them."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikenas._util.errors import ConfigError, RunError
from spikenas._util.files import reason, write_text
from spikenas._util.run_files import (
    ASKED,
    BEST,
    CHECKPOINT,
    CONFIG,
    LOG,
    MODEL,
    RACE,
    SPACE,
    STATISTICS,
    TRAININGS,
    TRIALS,
)
from spikenas.config import Config
from spikenas.pipeline.run_folder import RunFolder, is_leader
from spikenas.pipeline.stages import DECIDED_FROM, STAGES, load_config

_NEVER_FIXED = (  # another view of, or way to, the same
    *("search.front", "data.root", "data.download", "data.skip_broken"),
    "data.name",  # the manifest says whether the data are the same
    *("enhancement.enabled",),
)
_LENGTHS = ("train.epochs", "train.time")
_NOT_DECIDED_FROM = ("search.evaluations", "search.refine")  # decided, but nothing else is decided from them


@dataclass(frozen=True)
class Settings:
    """The settings that work on a run folder begins with.

    Attributes:
        folder: The run.
        asked: Only what was asked for, which the space is decided from; None where the folder says that nothing is to
            be decided any more.
        config: All that is known: what was asked for, and what is in the folder already.
    """

    folder: Path
    asked: Config | None
    config: Config

    @classmethod
    def of(
        cls,
        folder: Path | None,
        base: Config | Path | None,
        words: Mapping[str, Any],
        given: Mapping[str, str] | None = None,
    ) -> Settings:
        """Find the settings of a run folder.

        Args:
            folder: The run; None is `runs/DATA`, or the folder of `base` where that is a run's own file.
            base: Settings to start from, or their file; None starts from those of the folder, or from the defaults.
            words: Settings over these, by dotted key.
            given: For keys what they were given by, for messages.
        Raises:
            ConfigError: They are no configuration.
        """
        length = next((key for key in _LENGTHS if words.get(key) is not None), None)
        if length and words.get("time") is not None:
            names = sorted((given or {}).get(key, key) for key in (length, "time"))
            raise ConfigError(f"{names[0]} and {names[1]}: give one of them")
        if isinstance(base, Path):
            if base.name == CONFIG and folder is None:
                folder, base = base.parent, None
            else:
                base = Config.load(base)
        if base is not None or folder is None:
            asked = (base or Config()).but(words, given)
            return cls(folder or default_folder(asked), asked, asked)
        stored = load_config(folder).but(words, given) if (folder / CONFIG).exists() else None
        if stored is None and any((folder / name).exists() for name in (TRIALS, MODEL)):
            raise RunError(f"{folder / CONFIG}: no such file, without which a run cannot go on; choose another --out")
        if stored and ((folder / TRIALS).exists() or not (folder / ASKED).exists()):
            return cls(folder, None, stored)
        asked = (Config.load(folder / ASKED) if (folder / ASKED).exists() else Config()).but(words, given)
        return cls(folder, asked, stored or asked)


def default_folder(config: Config) -> Path:
    """Return the run folder of a data set where none is named."""
    return Path("runs") / config.data.short_name


def decided(run: RunFolder, asked: Config, settings: Config) -> Config | None:
    """Return the settings with what was decided of the space before, where they leave it open; None if it was not.

    Args:
        run: The folder.
        asked: What the space is to be decided from, with only that set which was asked for.
        settings: What the run is to be made with.
    Raises:
        RunError: It was decided from something else; names the first difference.
    """
    if not run.has(CONFIG):
        return None
    if not (run.has(ASKED) and run.has(SPACE)):
        return settings if run.has(TRIALS) else None
    before, stored = Config.load(run / ASKED), load_config(run.folder)
    for section in (*DECIDED_FROM, "enhancement"):
        for key, old, new in _differences(before, asked, section):
            if key not in _NOT_DECIDED_FROM:
                raise RunError(
                    f"the space of {run.folder} was decided for {key} = {old!r}, not {new!r}; choose another --out"
                    + ("" if run.has(TRIALS) else ", or 'spikenas enhance' with the same settings decides anew")
                )
    open_ = {section: value.given() for section, value in _sections(stored, DECIDED_FROM).items()}
    given = settings.model_dump(exclude_unset=True)
    merged = {section: {**values, **given.get(section, {})} for section, values in open_.items()}
    return Config.parse({**given, **merged})


def changed_key(before: Config, asked: Config) -> tuple[str, Any, Any] | None:
    """Return the first setting that a search depends on and that is another one, with both values; None without one."""
    changed = (one for section in STAGES["search"].fixes for one in _differences(before, asked, section))
    return next(changed, None)


def fix(run: RunFolder, config: Config, again: bool = False) -> None:
    """Make this the configuration of a run.

    Args:
        run: The folder.
        config: Its configuration from now on.
        again: Whether the network is trained anew, whatever it was trained with; what is there is set aside.
    Raises:
        RunError: Files in it were made with another one; names the first difference.
    """
    old = load_config(run.folder) if run.has(CONFIG) else None
    if old:
        if changed := list(_changed(run, old, config, again)):
            stage, (key, before, now) = changed[0]
            remedy = "choose another --out or remove it"
            if stage == "train":
                asked = {key: now for _, (key, _, now) in changed}
                if asked.get("train.time", ...) is None:
                    asked = {**asked, "train.epochs": config.train.epochs}
                remedy = f"'{train_again(run.folder, asked)}' trains anew"
            made = f"without {key}" if before is None else f"with {key} = {before!r}"
            raise RunError(f"{run.folder} was made {made}, not {'without' if now is None else repr(now)}; {remedy}")
        if run.has(TRIALS) and not run.has(BEST) and old.device != config.device:
            raise RunError(f"{run.folder}: the search began on {old.device}, so it ends there, not on {config.device}")
    if not is_leader():
        return
    if again:
        _set_aside(run)
    if old is None or old.seed != config.seed or any(_differences(old, config, "data")):
        run.remove(STATISTICS)
    write_text(run / CONFIG, config.dump())


def _changed(run: RunFolder, old: Config, new: Config, again: bool) -> Iterator[tuple[str, tuple[str, Any, Any]]]:
    """Yield what files of a run depend on and is another now: the stage that made them, the setting and both values."""
    for stage in STAGES.values():
        if all(map(run.has, stage.witness)) and not (again and stage.name == "train"):
            yield from ((stage.name, one) for section in stage.fixes for one in _refused(old, new, section))
    if run.has(RACE) and not run.has(BEST):  # its trainings are compared; how long the final one is does not matter
        yield from (("search", one) for one in _differences(old, new, "train") if one[0] not in _LENGTHS)


def fix_training(folder: Path, config: Config, again: bool = False) -> None:
    """Make this the configuration of a training in a folder of its own.

    Args:
        folder: The folder; made when it is not there.
        config: Its configuration from now on.
        again: Whether the network is trained anew; what is there is set aside.
    Raises:
        RunError: It was made with another one; names the first difference.
    """
    with RunFolder(folder) as run:
        if run.has(CONFIG) and run.has(CHECKPOINT) and not again:
            old = load_config(folder)
            for section in ("seed", "data", "network", "train"):
                for key, before, now in _refused(old, config, section):
                    was = f"{folder} was trained with {key} = {before!r}, not {now!r}"
                    raise RunError(f"{was}; choose another folder, or again=True trains anew")
        fix(run, config, again)


def train_again(folder: Path, changes: Mapping[str, Any]) -> str:
    """Return the command that trains the network of a run anew, with some settings changed."""
    given = {key: value for key, value in changes.items() if value is not None}
    words = [f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in given.items()]
    return shlex.join(
        ["spikenas", "train", "--again", "--out", str(folder), *(part for word in words for part in ("--set", word))]
    )


def _set_aside(run: RunFolder) -> None:
    """Keep what was trained in a folder of its own, then remove it: a kill leaves either all of it or a whole copy."""
    trained = [name for name in (LOG, CHECKPOINT, MODEL) if run.has(name)]
    if not trained:
        return
    place = run / TRAININGS
    number = 1 + max((int(path.name) for path in place.glob("*") if path.name.isdecimal()), default=0)
    partial = place / f"{number}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in (*trained, CONFIG):
            shutil.copy2(run / name, partial)
        partial.rename(place / str(number))
    except OSError as error:
        raise RunError(f"{place / str(number)}: cannot be written ({reason(error)})") from None
    for name in trained:
        run.remove(name)


def _sections(config: Config, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names if hasattr(getattr(config, name), "given")}


def _differences(old: Config, new: Config, section: str) -> Iterator[tuple[str, Any, Any]]:
    before, now = _flat(getattr(old, section), section), _flat(getattr(new, section), section)
    return ((key, before[key], now[key]) for key in before if before[key] != now[key] and key not in _NEVER_FIXED)


def _refused(old: Config, new: Config, section: str) -> Iterator[tuple[str, Any, Any]]:
    """Differences but for more epochs or time, with which a training goes on; epochs do not count beside a time."""
    timed = old.train.time is not None or new.train.time is not None
    return (
        (key, before, now)
        for key, before, now in _differences(old, new, section)
        if not (key == "train.epochs" and timed)
        and (key not in _LENGTHS or before is None or now is None or now < before)
    )


def _flat(value: Any, name: str) -> dict[str, Any]:
    if hasattr(value, "model_dump"):
        return {f"{name}.{key}": part for key, part in value.model_dump().items()}
    return {name: value}
