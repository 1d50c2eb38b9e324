"""Keeps a folder that is exported to: what was exported before is replaced, and what else is in it stays as it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from spikenas._util.errors import DeployError, RunError
from spikenas._util.files import digest_file
from spikenas._util.run_files import EXPORTED
from spikenas.records import EXPORTED_FILE

_STAGED = f"{EXPORTED}.staged"  # folder of new files before they are put in place
_OURS = {EXPORTED, f"{EXPORTED}.partial", _STAGED}
_REMEDY = "move it, or export to another folder"


def require_exported(folder: Path) -> None:
    """Check that a folder is not there, is empty, or was exported to before, and that no file of then has changed.

    Raises:
        DeployError: It is something else, or something would be lost; names it.
    """
    if not folder.exists():
        return
    before = _read(folder) if folder.is_dir() else {}
    if not before and (not folder.is_dir() or any(path.name not in _OURS for path in folder.iterdir())):
        raise DeployError(f"{folder}: is there, and is no exported folder; give another name")
    for name, digests in before.items():
        if (folder / name).exists() and digest_file(str(folder / name))[1] not in digests:
            raise DeployError(f"{folder / name}: has changed since it was exported; {_REMEDY}")


def update(folder: Path, made: Path, integers: str) -> None:
    """Bring a folder to what was made, whatever of it was exported before.

    A kill on the way leaves a folder that can be exported to again.

    Args:
        folder: The folder, of which `require_exported` holds; made if it is not there.
        made: The folder with the new files.
        integers: Digest of the file of the integers, for the record.
    Raises:
        DeployError: A new file would take the place of one that was not exported.
    """
    old = _read(folder)
    new = {
        path.relative_to(made).as_posix(): [digest_file(str(path))[1]]
        for path in sorted(made.rglob("*"))
        if path.is_file()
    }
    for name in new:
        _require_free(folder, name, old)
    staged = folder / _STAGED
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(made, staged)
    both = {name: [*old.get(name, []), *new.get(name, [])] for name in {**old, **new}}
    EXPORTED_FILE.write(folder, {"integers": "", "files": both})
    for name in old.keys() - new.keys():
        (folder / name).unlink(missing_ok=True)
        _remove_empty((folder / name).parent, folder)
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / name, folder / name)
    EXPORTED_FILE.write(folder, {"integers": integers, "files": new})
    shutil.rmtree(staged)


def _require_free(folder: Path, name: str, old: dict[str, list[str]]) -> None:
    """Check that a file can be put in its place, and what is there was exported."""
    place = folder / name
    above = [path for path in place.parents if path.is_relative_to(folder)]
    for path in [*([] if name in old else [place]), *(one for one in above if not one.is_dir())]:
        if os.path.lexists(path):
            raise DeployError(f"{path}: is in the way; {_REMEDY}")


def _read(folder: Path) -> dict[str, list[str]]:
    """Return the digests that an exported file may have, by its path in the folder."""
    try:
        found = EXPORTED_FILE.find(folder)
    except RunError as error:
        raise DeployError(f"{str(error).partition('; remove')[0]}; export to another folder") from None
    return found["files"] if found else {}


def _remove_empty(folder: Path, above: Path) -> None:
    while folder != above and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
