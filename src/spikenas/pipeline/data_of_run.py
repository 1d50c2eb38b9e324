"""The data of a run: which items are in which split is kept in its folder, and checked by every stage."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import asdict
from pathlib import Path

from rich.table import Table
from rich.text import Text

from spikenas._util.errors import DataError, RunError
from spikenas._util.files import write_text
from spikenas._util.progress import Reporter, counted
from spikenas._util.run_files import (
    BROKEN,
    CHECKPOINT,
    CONFIG,
    DATA,
    ENHANCE,
    EVALUATION,
    MANIFEST,
    MODEL,
    SPACE,
    STATISTICS,
    TRIALS,
)
from spikenas._util.showing import plain
from spikenas.config import Config
from spikenas.data import BrokenFilesError, Manifest
from spikenas.pipeline.run_folder import RunFolder
from spikenas.records import DATA_FILE
from spikenas.task import Task

_log = logging.getLogger(__name__)
_NAMED = 3  # broken files, above which a file names them all


def open_task(folder: Path, config: Config, anew: bool = False) -> Task:
    """Make the task of a run; where something was made of its data already, with the same items in the same splits.

    Args:
        folder: The run, which need not be there.
        config: Its settings.
        anew: Whether the space is decided again, so that only a search that has begun holds the data.

    Raises:
        DataError: The data cannot be used, are not those that the run was made with, or lie in the run folder.
        RunError: The manifest is not there any more.
    """
    if not _is_begun(folder) and (anew or not (folder / SPACE).exists() or not (folder / MANIFEST).exists()):
        return _apart(Task.of(config), folder)
    if not (folder / MANIFEST).exists():
        raise RunError(
            f"{folder / MANIFEST}: no such file, so which items were trained on is not known; choose another --out"
        )
    manifest = Manifest.load(folder / MANIFEST)
    try:
        return _apart(Task.of(config, manifest), folder)
    except DataError as error:
        raise DataError(f"{error} (run {folder}; data that were moved are named by --data)") from None


def _apart(task: Task, folder: Path) -> Task:
    """Check that no item of a task lies in the run folder, whose files are no data."""
    inside = os.path.join(os.path.abspath(folder), "")
    if task.has_files and any(os.path.abspath(path).startswith(inside) for path in task.train.items):
        raise DataError(f"{folder}: holds items of the data, so it cannot be the run folder; choose another --out")
    return task


def hold_data(folder: Path, task: Task, again: bool = False) -> None:
    """Keep the manifest of a training in a folder of its own, or check that it is the same as before.

    Args:
        folder: The folder.
        task: What is trained on.
        again: Whether what was trained there is set aside.

    Raises:
        RunError: The folder holds what was made of other items, or of the same in other splits.
    """
    manifest = task.manifest()
    if (folder / TRIALS).exists() or (_is_begun(folder) and not again):
        if not (folder / MANIFEST).exists() or Manifest.load(folder / MANIFEST) != manifest:
            raise RunError(f"{folder} was made with other data, or other splits of them; choose another folder")
        return
    with RunFolder(folder):
        manifest.save(folder / MANIFEST)


def _is_begun(folder: Path) -> bool:
    """Whether something in a run was made of its items that must not be mixed with others."""
    return any((folder / name).exists() for name in (TRIALS, CHECKPOINT, MODEL, EVALUATION))


def record_data(run: RunFolder, task: Task, report: Reporter) -> None:
    """Write manifest.csv and data.json, and show once what the data are.

    Args:
        run: The folder.
        task: Its task.
        report: Shows it.
    """
    manifest = task.manifest()
    begun = _is_begun(run.folder)
    before = Manifest.load(run / MANIFEST) if run.has(MANIFEST) else None
    if before is not None and before != manifest and not begun:
        _log.warning("the data have changed: what was measured on the old ones is measured again")
        run.remove(STATISTICS)
        _forget(run / ENHANCE)
    if before != manifest:
        manifest.save(run / MANIFEST)
    elif begun and run.has(DATA):  # it says what was found before duplicates and broken files were left out
        return
    values = {
        "classes": task.classes,
        "input": asdict(task.input),
        "items": {name: len(split) for name, split in task.dataset.splits.items()},
        "counts": task.counts,
        "description": {name: plain(value) for name, value in task.description.items()},
        "notes": [plain(note) for note in task.notes],
    }
    if not run.has(DATA) and report.console is not None:
        report.console.print(_table(task.description))
    DATA_FILE.write(run.folder, values)


def check_files(run: RunFolder, task: Task, report: Reporter) -> None:
    """Decode every item before a training begins, so that a broken file is found now and not in an hour.

    Raises:
        BrokenFilesError: Some cannot be decoded; where they are many, broken.txt names all.
    """
    with report.task("images") as progress:
        try:
            task.check_files(counted(progress))
        except BrokenFilesError as error:
            if len(error.files) <= _NAMED:
                raise
            write_text(run / BROKEN, "".join(f"{line}\n" for line in error.files.values()))
            raise DataError(f"{error}; {run / BROKEN} names all") from None
    run.remove(BROKEN)


def _forget(folder: Path) -> None:
    """Remove what an enhancement measured, but not what was asked for."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != CONFIG:
            path.unlink()


def _table(description: dict[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in description.items():
        table.add_row(Text(name), Text(value))
    return table
