from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import DataError
from spikenas.data.manifest import Entry, Manifest

ENTRY = Entry("train", "a", 3, "0" * 64)
MANIFEST = Manifest({f"a/{n}.png": Entry("train", "a", n, f"{n:064x}") for n in range(9)})
ODD = st.sampled_from("\udc80\udcff\r\n\\,'")
NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]) | ODD, min_size=1)


@given(names=st.lists(NAMES, unique=True))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    written = Manifest(dict.fromkeys(names, ENTRY))
    written.save(path)
    assert Manifest.load(path) == written


def test_any_change_of_a_line_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    MANIFEST.save(path)
    content = path.read_bytes()
    lines = content.split(b"\n")
    damaged = [content[:cut] for cut in range(0, len(content) - 1, 7)]
    damaged += [b"\n".join(lines[:n] + lines[n + 1 :]) for n in range(len(lines) - 1)]
    damaged += [
        content.replace(b"train", b"test", 1),
        content + b"train,a,b,1," + b"0" * 64 + b"\n",
        b"\xff",
        b"[" * 9999,
    ]
    for changed in damaged:
        path.write_bytes(changed)
        with pytest.raises(DataError, match=r"manifest\.csv: not (the manifest|a text)"):
            Manifest.load(path)


def test_missing_changed_and_new_files() -> None:
    found = dict(MANIFEST.entries)
    assert MANIFEST.compare(found) == ()
    assert MANIFEST.compare({**found, "a/new.png": ENTRY}) == ("a/new.png",)
    with pytest.raises(DataError, match=r"a/0\.png: missing, and 1 more; the run was made with other data"):
        MANIFEST.compare({name: entry for name, entry in found.items() if name not in ("a/0.png", "a/4.png")})
    digest = MANIFEST.entries["a/2.png"].digest
    for other in (Entry("train", "b", 2, digest), Entry("train", "a", 2, "f" * 64), Entry("train", "a", 5, digest)):
        with pytest.raises(DataError, match=r"a/2\.png: changed; the run"):
            MANIFEST.compare({**found, "a/2.png": other})
