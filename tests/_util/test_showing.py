from __future__ import annotations

import itertools
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas._util.showing import one_line, plain, shown

ANYTHING = st.text(st.characters(), max_size=50)  # with surrogates


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("nul\0", r"nul\x00"),
        ("\udcff.png", r"\xff.png"),
        ("\ud800", r"\ud800"),
        ("\u202egnp", r"\u202egnp"),
        ("bücher 日本 😀", "bücher 日本 😀"),
    ],
)
def test_what_would_not_stay_on_its_line_is_written_out(text: str, line: str) -> None:
    assert plain(text) == line
    assert str(ConfigError(text)) == line


@given(ANYTHING)
def test_a_line_is_one_line_that_can_be_printed_anywhere(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line.encode("utf-8").decode() == line
    assert one_line(line) == line


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    line = str(ConfigError(f"here: {'x' * 100_000}: expected less"))
    assert len(line) < 2_100
    assert line.startswith("here: xxx")
    assert line.endswith("xxx: expected less")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (True, "True"),
        (2.5, "2.5"),
        ("a\nb", r"'a\nb'"),
        (10**5000, "a number of 5,001 digits"),
        (-(10**5000), "a number of 5,001 digits"),
        ([10**5000], "[a number of 5,001 digits]"),
        ([[[[[[1]]]]]], "[[[[[...]]]]]"),
    ],
    ids=itertools.count(),
)
def test_values_are_shown_short(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("name", ["o[/b]", "[bold]x[/bold]", ":smile:", "[link=x]y", "a\nb", "\x1b[2J"])
def test_the_console_shows_names_as_they_are(name: str) -> None:
    console, file = PlainConsole(), StringIO()
    console.file = file
    table = Table(title=name)
    table.add_column(name, no_wrap=True)
    table.add_row(name)
    console.print(name)
    console.print(table)
    written = file.getvalue()
    assert written.count(plain(name)) == 4
    assert "\x1b" not in written
