from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from spikenas._util.errors import RunError
from spikenas.bench.results import ALL, Result, ResultFile, key_of, summarise

RESULT = Result(
    "random", "cmrr", "no limit", 0, 100, "abc", 3, 0.5, 2.0, "0-3:skip", 1.5, 0.6, 2.0, 70.0, (None, 3.0, 2.0)
)


def test_the_interval_is_student_s_t() -> None:
    (summary,) = summarise([replace(RESULT, seed=seed, regret=float(seed)) for seed in (1, 2, 3)])
    interval = summary.figures["regret"]
    assert interval.high is not None
    assert interval.mean == 2
    assert interval.high - interval.mean == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    assert summarise([RESULT])[0].figures["regret"].low is None


def test_a_seed_counts_once_over_all_budgets() -> None:
    results = [
        replace(RESULT, seed=seed, budget=budget, regret=regret)
        for seed, budget, regret in ((0, "a", 1.0), (0, "b", 3.0), (1, "a", 5.0), (1, "b", 7.0))
    ]
    found = {summary.budget: summary for summary in summarise(results)}
    assert set(found) == {"a", "b", ALL}
    assert found["a"].figures["regret"].mean == 3
    assert (found[ALL].seeds, found[ALL].figures["regret"].mean) == (2, 4)


def test_a_search_that_ended_keeps_its_regret() -> None:
    short, long = replace(RESULT, curve=(None, 3.0)), replace(RESULT, seed=1, curve=(5.0, 4.0, 1.0))
    (summary,) = summarise([short, long])
    assert summary.curve[0] is None
    assert [interval.mean for interval in summary.curve if interval] == [3.5, 2.0]


def test_those_that_found_nothing_are_counted_apart() -> None:
    nothing = replace(
        RESULT, seed=1, genotype=None, score=None, accuracy=None, regret=None, percentile=None, curve=(None,)
    )
    (summary,) = summarise([RESULT, nothing])
    assert (summary.seeds, summary.failed) == (2, 1)
    assert summary.figures["regret"].mean == 2.0


def test_a_file_gives_back_what_it_got(tmp_path: Path) -> None:
    nothing = replace(RESULT, seed=1, limit=None, evaluations=0, genotype=None, score=None, curve=())
    file = ResultFile(tmp_path / "r.csv")
    for result in (RESULT, nothing):
        file.add(result)
    assert ResultFile(tmp_path / "r.csv").known == {key_of(RESULT): RESULT, key_of(nothing): nothing}
    with (tmp_path / "r.csv").open("a") as opened:
        opened.write("random,cmrr,no limit,seven,100,abc,3,0.5,2.0,0-3:skip,1.5,0.6,2.0,70.0,1.0\n")
    with pytest.raises(RunError, match="cannot be read as results"):
        ResultFile(tmp_path / "r.csv")
