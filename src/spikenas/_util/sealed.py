"""Seal safetensors files with a digest over all that is in them, so that no flipped bit gets past the reader.

The digest stands first in the header of a file: the SHA-256 of the file with zeros in its place.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from spikenas._util.errors import RunError
from spikenas._util.files import read_regular

_FORMAT = "spikenas-1"  # one key of the metadata: safetensors writes several in no fixed order
_DIGEST = "sha256"
_ZEROS = b"0" * 64


def metadata_of(header: dict[str, Any]) -> dict[str, str]:
    """Return the metadata of a file that is to be sealed; they hold a header of JSON values."""
    return {_FORMAT: json.dumps({_DIGEST: _ZEROS.decode(), **header})}


def seal(content: bytes) -> bytes:
    """Return the content of a file of `metadata_of` with its digest."""
    return content.replace(_ZEROS, sha256(content).hexdigest().encode(), 1)


def read_sealed(path: Path, stage: str) -> tuple[bytes, dict[str, Any]]:
    """Read a sealed file, whose digest is checked.

    Args:
        path: The file.
        stage: Command that writes it.
    Returns:
        The content, and the header.
    Raises:
        RunError: It is not there, is truncated, has no digest or another one, or was not written by SpikeNAS.
    """
    try:
        content = read_regular(path, RunError)
    except RunError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise RunError(f"{path}: no such file; 'spikenas {stage}' writes it") from None
        raise
    remedy = f"remove it, and 'spikenas {stage}' begins anew"
    size = int.from_bytes(content[:8], "little")
    try:
        metadata = json.loads(content[8 : 8 + min(size, len(content))])["__metadata__"]
    except KeyError:
        metadata = {}
    except (ValueError, TypeError, RecursionError):
        raise RunError(f"{path}: truncated or not a safetensors file; {remedy}") from None
    if not isinstance(metadata, dict) or _FORMAT not in metadata:
        raise RunError(f"{path}: a safetensors file, but not one of SpikeNAS ({_FORMAT})")
    try:
        header = json.loads(metadata[_FORMAT])
        digest = header.pop(_DIGEST)
        whole = sha256(content.replace(digest.encode(), _ZEROS, 1)).hexdigest() == digest
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        whole = False
    if not whole:
        raise RunError(f"{path}: truncated or damaged, its SHA-256 is missing or of something else; {remedy}")
    return content, header
