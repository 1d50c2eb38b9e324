from __future__ import annotations

from pathlib import Path

import pytest
from test_arena import CSV, TEST, cost, network, noise, run, table_of, without_time

from spikenas._util.errors import DataError
from spikenas.bench import Lookup, Row, Table
from spikenas.bench.arena import Limits, compare, table_arenas
from spikenas.bench.races import RUNGS, race_on_table
from spikenas.nas.candidates import RecordedEvaluation
from spikenas.nas.executors import InProcess
from spikenas.nas.halving import length_of
from spikenas.training.evaluators import Evaluator
from support import Main

LENGTHS = [rung.length for rung in RUNGS]


def trained_table() -> Table:
    """Until the last rung 202 leads, after it 203 does; a score that reverses the test accuracies opens."""
    early = {"010": 0.1, "020": 0.4, "030": 0.2, "040": 0.3, "202": 0.5, "203": 0.45, "000": 0.0}
    rows = []
    for digits, test in zip(early, TEST, strict=True):
        values = [early[digits]] * len(LENGTHS)
        values[-1] += 0.2 * (digits == "203")
        rows.append(Row(network(digits), digits, test, LENGTHS, tuple(values), 100, 500.0))
    return Table("table", tuple(rows))


def reversed_score(table: Table) -> Lookup:
    found = table.lookup("test")
    scores = {key: RecordedEvaluation(-one.score, 1.0) for key, one in found.results.items()}
    return Lookup("score", "score", scores, frozenset())


def test_trainings_decide_and_are_counted() -> None:
    table = trained_table()
    (result,) = run(table, strategies=("race",), evaluators={"score": reversed_score(table)})
    assert result.genotype == str(network("203"))
    assert (result.score, result.accuracy) == (pytest.approx(0.65), 0.66)
    assert result.regret == pytest.approx(4)
    epochs = 2 * LENGTHS[2] + 2 * LENGTHS[1] + 2 * LENGTHS[0]  # of 6 candidates 4 and 2 go on
    assert result.evaluation_seconds == pytest.approx(6 * 1.0 + 5 * epochs)
    assert len(result.curve) == 6 + 1
    assert result.curve[-1] == result.regret
    (alone,) = run(table, strategies=("spikenas",), evaluators={"score": reversed_score(table)})
    assert alone.curve == result.curve[:-1]


def test_an_asynchronous_race_costs_no_more() -> None:
    table = trained_table()
    (result,) = run(table, strategies=("asha",), evaluators={"score": reversed_score(table)})
    assert result.strategy == "asha"
    assert result.genotype == str(network("203"))
    assert result.evaluation_seconds <= 6 * 1.0 + 5 * length_of(RUNGS)


def test_a_race_has_the_budget_of_its_opening() -> None:
    table = trained_table()
    (result,) = run(table, [Limits(convs=1)], ("race",), {"score": reversed_score(table)}, evaluations=2)
    assert result.evaluations == 2
    assert result.genotype in {str(network(digits)) for digits in ("010", "020", "030", "040")}


def test_a_table_that_does_not_know_the_trainings() -> None:
    with pytest.raises(DataError, match=f"no row has the metric 'epoch {LENGTHS[0]}'"):
        run(table_of(), strategies=("race",))


def test_without_a_table_nothing_is_looked_up(run: Main, tmp_path: Path) -> None:
    words = ("--data", "digits", "--strategies", "race", "--out", tmp_path / "c", "-q")
    status, _, err = run("compare", *words)
    assert status == 2
    assert "strategy 'race': short trainings are looked up here, in a --table" in err


def test_no_candidate_with_a_score() -> None:
    assert race_on_table([], trained_table().lookup) is None


def test_rungs_cost_what_is_said() -> None:
    assert length_of(RUNGS) == 8 * 10 + 4 * 10 + 2 * 20 == 160


@pytest.mark.skipif(not CSV.exists(), reason="the public half of SpikeNAS-Bench is not here")
def test_on_the_benchmark_it_beats_its_opening() -> None:
    table = Table.read(CSV)
    evaluator = Evaluator("noise", "noise", InProcess(noise))
    arenas = table_arenas(table, [Limits(convs=k) for k in (2, 4)], [evaluator], cost)
    found = compare(arenas, ("race", "spikenas"), [[evaluator]], range(3), 60)
    regret = {name: sum(r.regret or 0 for r in found if r.strategy == name) for name in ("race", "spikenas")}
    assert regret["race"] < regret["spikenas"]
    again = compare(arenas, ("race",), [[evaluator]], range(3), 60)
    assert without_time(again) == without_time([result for result in found if result.strategy == "race"])
