from __future__ import annotations

from pathlib import Path

import pytest

from spikenas._util.errors import DataError, RunError
from spikenas._util.files import RowFile, open_csv, write_atomically


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomically(path, lambda partial: partial.write_text("old"))

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"cannot be written \(No space left on device\)$"):
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


def test_a_field_may_be_long(tmp_path: Path) -> None:
    RowFile(tmp_path / "rows.csv", ("a", "b")).add(("1", "2;" * 200_000))
    assert RowFile(tmp_path / "rows.csv", ("a", "b")).rows == [["1", "2;" * 200_000]]


def test_a_csv_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\ufeffa,b\n1,2\n")
    with open_csv(path) as rows:
        assert list(rows) == [{"a": "1", "b": "2"}]
    path.write_text('a,b\n"1,2\n' + "x" * 1_000_000)
    with pytest.raises(DataError, match=r"rows\.csv: cannot be read as CSV; a quotation mark"), open_csv(path) as rows:
        list(rows)
    with pytest.raises(DataError, match=r"not a regular file$"), open_csv(tmp_path):
        pass


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
    with pytest.raises(RunError, match=r"rows\.csv: not a text file in UTF-8$"):
        RowFile(path, ("a", "b"))
    with pytest.raises(RunError, match=r"not a regular file$"):
        RowFile(tmp_path, ("a", "b"))
    with pytest.raises(RunError, match="cannot be written"):
        RowFile(tmp_path / "no" / "rows.csv", ("a", "b"))
