import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from spikenas._util.errors import RunError
from spikenas.config import BudgetConfig
from spikenas.nas import Trial, TrialStore

TRIAL = Trial(0, "cell 2", "0-3:skip / 0-3:skip", "scored", -1.5, 10, 20, 30, 0.25)


def test_round_trip_in_order(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    trials = [
        TRIAL,
        replace(TRIAL, position=1, status="over budget", score=None),
        replace(TRIAL, position=2, score=-math.inf, synops=12.5),
        replace(TRIAL, position=3, status="outside", score=None, params=None, flash_bytes=None, ram_bytes=None),
    ]
    with TrialStore(path) as store:
        for trial in (trials[1], trials[0], *trials[2:]):
            store.add(trial)
    with TrialStore(path) as store:
        assert list(store) == trials
        assert store.get(2) == trials[2]
        assert store.get(4) is None


def test_what_is_added_is_there_for_another_connection_at_once(tmp_path: Path) -> None:
    with TrialStore(tmp_path / "trials.db") as store:
        store.add(TRIAL)
        other = sqlite3.connect(tmp_path / "trials.db")
        assert other.execute("SELECT genotype FROM trials").fetchall() == [(TRIAL.genotype,)]
        other.close()


def test_not_a_store(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    path.write_bytes(b"something else altogether, and long enough to be looked at" * 30)
    with pytest.raises(RunError, match="not a trial store"):
        TrialStore(path)


def test_a_store_of_an_earlier_version(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "trials.db")
    connection.execute("CREATE TABLE trials (position INTEGER PRIMARY KEY, step TEXT, genotype TEXT)")
    connection.close()
    with TrialStore(tmp_path / "trials.db") as store, pytest.raises(RunError, match=r"not a trial store .*no such"):
        store.get(0)


@pytest.mark.parametrize(
    ("budget", "meets"),
    [
        (BudgetConfig(), True),
        (BudgetConfig(params=10, flash=20, ram=30), True),
        (BudgetConfig(params=9), False),
        (BudgetConfig(flash=19), False),
        (BudgetConfig(ram=29), False),
    ],
)
def test_meets(budget: BudgetConfig, meets: bool) -> None:
    assert TRIAL.meets(budget) == meets
    assert not replace(TRIAL, status="over budget", score=None).meets(budget)


def test_value() -> None:
    assert TRIAL.value == -1.5
    assert replace(TRIAL, score=-math.inf).value is None
    assert replace(TRIAL, score=None).value is None


def test_a_position_is_taken_once() -> None:
    with TrialStore() as store:
        store.add(TRIAL)
        with pytest.raises(RunError, match="trial 0 cannot be written"):
            store.add(TRIAL)
