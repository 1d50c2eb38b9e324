"""Keeps a folder that is exported to: what was exported before is replaced, and what else is in it stays as it is."""

from __future__ import annotations

import shutil
from functools import partial
from hashlib import sha256
from pathlib import Path

from spikenas._util.errors import DeployError, RunError
from spikenas._util.files import read_regular, write_atomically
from spikenas.records import EXPORTED_FILE

_REMEDY = "move it, or export to another folder"


def require_exported(folder: Path) -> None:
    """Check that a folder is not there, is empty, or was exported to before, and that no file of then has changed.

    Raises:
        DeployError: It is something else, or something would be lost; names it.
    """
    if not folder.exists():
        return
    before = _read(folder) if folder.is_dir() else {}
    if not before and (not folder.is_dir() or any(folder.iterdir())):
        raise DeployError(f"{folder}: is there, and is no exported folder; give another name")
    for name, digest in before.items():
        if digest and (folder / name).exists() and _digest(folder / name) != digest:
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
    new = {path.relative_to(made).as_posix(): _digest(path) for path in sorted(made.rglob("*")) if path.is_file()}
    for name in new.keys() - old.keys():
        if (folder / name).exists():
            raise DeployError(f"{folder / name}: is in the way; {_REMEDY}")
    folder.mkdir(parents=True, exist_ok=True)
    EXPORTED_FILE.write(folder, {"integers": "", "files": dict.fromkeys({**old, **new}, "")})
    for name in old.keys() - new.keys():
        (folder / name).unlink(missing_ok=True)
        _remove_empty((folder / name).parent, folder)
    for name in new:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, partial(shutil.copy, made / name))
    EXPORTED_FILE.write(folder, {"integers": integers, "files": new})


def _read(folder: Path) -> dict[str, str]:
    """Return the digests of what was exported to a folder, by path in it."""
    try:
        found = EXPORTED_FILE.find(folder)
    except RunError as error:
        raise DeployError(f"{str(error).partition('; remove')[0]}; export to another folder") from None
    return found["files"] if found else {}


def _remove_empty(folder: Path, above: Path) -> None:
    while folder != above and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _digest(path: Path) -> str:
    return sha256(read_regular(path, DeployError)).hexdigest()
