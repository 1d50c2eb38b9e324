from __future__ import annotations

from pathlib import Path

import pytest

from spikenas.errors import RunError
from spikenas.files import RowFile, write_atomically


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, lambda partial: partial.write_text("old"))

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"cannot be written .*No space left"):
        write_atomically(path, fail)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("f", "old")]


@pytest.mark.parametrize("left", ["", "a,", "a,b\n", "a,b\n1,2\n", "a,b\n1,2\n3,", 'a,b\n1,2\n"x'])
def test_rows_survive_a_kill_at_any_byte(tmp_path: Path, left: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(left)
    whole = [["1", "2"]] if "1,2\n" in left else []
    file = RowFile(path, ("a", "b"))
    assert file.rows == whole
    file.add((5, "x,y"))
    assert RowFile(path, ("a", "b")).rows == [*whole, ["5", "x,y"]]


def test_rows_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("c,d\n1,2\n")
    with pytest.raises(RunError, match="its first line is not 'a,b'"):
        RowFile(path, ("a", "b"))
    path.write_text("one line of something else")
    with pytest.raises(RunError, match="its first line is not"):
        RowFile(path, ("a", "b"))
    assert path.read_text() == "one line of something else"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="cannot be read"):
        RowFile(path, ("a", "b"))
    with pytest.raises(RunError, match="cannot be written"):
        RowFile(tmp_path / "no" / "rows.csv", ("a", "b"))
