import time
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from spikenas._util.progress import Reporter
from spikenas.nas import Trial
from spikenas.pipeline.searching import best_table


def shown(terminal: bool) -> str:
    file = StringIO()
    console = Console(file=file, force_terminal=terminal, width=80, color_system=None)
    with Reporter(console).task("search") as progress:
        progress(1, 2, "best score 1", Text("a table"))
        progress(2, 2, "best score 2", Text("another"))
        time.sleep(0.4 if terminal else 0)  # it is drawn eight times a second
    return file.getvalue()


def test_a_terminal_has_a_bar_with_what_stands_below_it() -> None:
    said = shown(terminal=True)
    assert "another" in said
    assert "left" in said
    assert "another" not in said.splitlines()[-1], "only while the task goes on"


def test_elsewhere_there_are_plain_lines() -> None:
    said = shown(terminal=False)
    assert said == "search: 2/2, 0 s, 0 s left, best score 2\n"


def test_a_total_that_grows_ends_in_one_line() -> None:
    file = StringIO()
    with Reporter(Console(file=file, width=80)).task("search") as progress:
        for number in range(5, 9):
            progress(number, number, "")
    assert file.getvalue() == "search: 8/8, 0 s, 0 s left\n"


def test_nothing_is_shown_without_a_console() -> None:
    with Reporter(None).task("search") as progress:
        progress(1, 1, "")


def test_an_interruption_ends_the_task_after_a_step() -> None:
    with pytest.raises(KeyboardInterrupt), Reporter(None, lambda: True).task("search") as progress:
        progress(1, 2, "")


def test_the_best_so_far_fit_80_columns() -> None:
    genotype = " / ".join(["0-1:conv3x3 0-2:skip 0-3:avgpool3x3 1-2:conv1x1 2-3:conv3x3"] * 3)
    trials = [Trial(n, "cell 1", genotype, "scored", 9.5 - n, 1, 123456, 99999, 0.1) for n in range(5)]
    file = StringIO()
    Console(file=file, width=80).print(best_table(trials))
    lines = file.getvalue().splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 80
    assert "120.6 KiB" in lines[1]
