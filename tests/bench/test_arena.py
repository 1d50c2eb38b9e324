from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from spikenas._util.errors import BudgetError, ConfigError, DataError, RunError
from spikenas.bench import Lookup, Row, Table
from spikenas.bench.arena import Arena, Limits, compare, table_arenas
from spikenas.bench.correlation import live_convs
from spikenas.bench.results import Result, summarise
from spikenas.bench.table_evaluators import lookup_evaluator, score_lookup
from spikenas.config import BudgetConfig, NetworkConfig, SearchConfig
from spikenas.memory import Footprint, footprint
from spikenas.nas import STRATEGIES
from spikenas.nas.candidates import RecordedEvaluation
from spikenas.nas.executors import InProcess
from spikenas.space import BENCH_OPS, Cell, Genotype, InputSpec, Space, make_plan
from spikenas.space.genotype import NetworkKey, network_key
from spikenas.training.evaluators import Evaluator
from support import SHARED

CSV = SHARED.parent / "bench" / "spikenas_bench_cifar10_public.csv"
DIGITS = ("010", "020", "030", "040", "202", "203", "000")  # convs 0, 1, 1, 1, 2, 2; disconnected
OTHER = (0.40, 0.30, 0.28, 0.32, 0.20, 0.24, 0.10)
TEST = (0.50, 0.60, 0.62, 0.58, 0.70, 0.66, 0.10)
EARLY = (0.30, 0.40, 0.35, 0.32, 0.41, 0.45, 0.10)


def network(digits: str) -> Genotype:
    return Genotype((Cell.of((BENCH_OPS[int(digit)] for digit in digits), nodes=3),) * 2)


def noise(genotype: Genotype) -> RecordedEvaluation:
    return RecordedEvaluation(random.Random(repr(genotype.canonical)).random(), 0.0)


def cost(genotype: Genotype) -> Footprint:
    return footprint(make_plan(genotype, NetworkConfig(channels=4), InputSpec(3, 8, 8, 10)))


def table_of(accuracies: Sequence[float] = TEST) -> Table:
    rows = [
        Row(
            network(digits),
            digits,
            test=test,
            epochs=(5,),
            validation=(early,),
            trained=10,
            seconds=100.0,
        )
        for digits, test, early in zip(DIGITS, accuracies, EARLY, strict=True)
    ]
    return Table("table", tuple(rows))


def run(
    table: Table,
    limits: Sequence[Limits] = (Limits(),),
    strategies: Sequence[str] = ("exhaustive",),
    evaluators: dict[str, Lookup] | None = None,
    seeds: Sequence[int] = (0,),
    evaluations: int | None = None,
    path: Path | None = None,
) -> list[Result]:
    lookups = evaluators or {"epoch 5": table.lookup("epoch 5")}
    evaluators = [lookup_evaluator(lookup, name) for name, lookup in lookups.items()]
    arenas = table_arenas(table, limits, evaluators, cost, adjusted=False)
    return compare(arenas, strategies, [[evaluator] for evaluator in evaluators], seeds, evaluations, path)


def without_time(results: Sequence[Result]) -> list[Result]:
    return [replace(result, wall_seconds=0.0) for result in results]


def test_by_hand() -> None:
    (result,) = run(table_of())
    assert (result.evaluations, result.evaluation_seconds) == (6, 6 * 50)
    assert result.genotype is not None
    assert network_key(Genotype.parse(result.genotype)) == network_key(network("203"))
    assert (result.score, result.accuracy) == (0.45, 0.66)
    assert result.regret == pytest.approx(4)
    assert result.percentile == pytest.approx(80)
    assert len(result.curve) == 6
    assert result.curve[-1] == pytest.approx(4)


@pytest.mark.parametrize(("convs", "accuracy", "regret", "fits"), [(0, 0.5, 0, 1), (1, 0.6, 2, 4), (2, 0.66, 4, 6)])
def test_live_convs_restrict_the_space(convs: int, accuracy: float, regret: float, fits: int) -> None:
    (result,) = run(table_of(), [Limits(convs)])
    assert result.budget == f"convs <= {convs}"
    assert (result.evaluations, result.accuracy) == (fits, accuracy)
    assert result.regret == pytest.approx(regret)


def test_a_memory_budget_restricts_the_search_and_the_best() -> None:
    limit = cost(network("020")).flash_bytes
    (result,) = run(table_of(), [Limits(memory=BudgetConfig(flash=limit))])
    assert result.budget == f"flash <= {limit}"
    assert (result.evaluations, result.accuracy) == (4, 0.6)
    assert result.regret == pytest.approx(2)
    with pytest.raises(BudgetError, match=r"none of its 6 networks is within flash <= 10"):
        run(table_of(), [Limits(memory=BudgetConfig(flash=10))])


def test_equal_accuracies_share_their_percentile() -> None:
    (result,) = run(table_of([0.5] * 7))
    assert (result.regret, result.percentile) == (0, 50)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_true_accuracies_are_never_seen(strategy: str) -> None:
    """Other true accuracies change nothing but the judgement."""
    for limits in (Limits(), Limits(1)):
        one, other = (
            run(table_of(truth), [limits], [strategy], seeds=(0, 1), evaluations=3) for truth in (TEST, OTHER)
        )
        assert [(r.genotype, r.score, r.evaluations) for r in one] == [
            (r.genotype, r.score, r.evaluations) for r in other
        ]
        assert [r.accuracy for r in one] != [r.accuracy for r in other]


def test_what_a_lookup_lacks_is_outside() -> None:
    table = table_of()
    rows = [replace(row, validation=(), epochs=()) if row.source == "202" else row for row in table.rows]
    (result,) = run(Table("table", tuple(rows)))
    assert result.evaluations == 5
    assert result.regret == pytest.approx(0)  # 0.70 is no longer among what fits


def scores_file(path: Path, scores: dict[str, float]) -> Path:
    lines = [f"{network(digits)},{score},{k}" for k, (digits, score) in enumerate(scores.items())]
    path.write_text("\n".join(["genotype,score,seconds", *lines]) + "\n", encoding="utf-8")
    return path


def test_scores_of_a_file(tmp_path: Path) -> None:
    table = table_of()
    scores = {"010": 9.0, "020": 4.0, "220": 6.0, "030": -math.inf}  # 220: 020 and a dead edge
    lookup = score_lookup(table, scores_file(tmp_path / "scores.csv", scores))
    assert (lookup(network("020")).score, lookup(network("020")).seconds) == (5.0, 1.5)
    assert lookup(network("030")).score == -math.inf
    assert network_key(network("202")) not in lookup.results
    (result,) = run(table, evaluators={"score": lookup})
    assert (result.evaluations, result.evaluator, result.score, result.accuracy) == (3, "score", 9.0, 0.5)
    assert result.evaluation_seconds == 1.5
    with pytest.raises(DataError, match="none of its 1 genotypes is in table"):
        score_lookup(table, scores_file(tmp_path / "other.csv", {"444": 1.0}))


def test_a_file_without_seconds(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(f"genotype,score\n{network('010')},1.5\n", encoding="utf-8")
    assert score_lookup(table_of(), path)(network("010")).seconds == 0


def test_a_search_that_finds_nothing_is_counted(tmp_path: Path) -> None:
    table = table_of()
    nothing = dict.fromkeys(DIGITS[:-1], -math.inf)
    blind = score_lookup(table, scores_file(tmp_path / "scores.csv", nothing | {"202": 1.0}))
    results = run(table, evaluators={"score": blind}, evaluations=1, seeds=(0, 1), path=tmp_path / "rows.csv")
    assert [(r.accuracy, r.score, r.curve) for r in results] == [(None, None, (None,))] * 2
    assert run(table, evaluators={"score": blind}, evaluations=1, seeds=(0, 1), path=tmp_path / "rows.csv") == results
    (summary,) = summarise(results)
    assert (summary.seeds, summary.failed, summary.figures, summary.curve) == (2, 2, {}, ())


def test_a_stopped_comparison_goes_on(tmp_path: Path) -> None:
    table, path = table_of(), tmp_path / "rows.csv"
    asked = {"limits": [Limits(), Limits(1)], "strategies": ["random", "local"], "seeds": (0, 1), "evaluations": 3}
    whole = run(table, **asked, path=path)  # type: ignore[arg-type]
    assert without_time(whole) == without_time(run(table, **asked))  # type: ignore[arg-type]
    text = path.read_text(encoding="utf-8")
    assert run(table, **asked, path=path) == whole  # type: ignore[arg-type]
    assert path.read_text(encoding="utf-8") == text
    path.write_text("\n".join(text.split("\n")[:4])[:-7], encoding="utf-8")  # killed in the third result
    again = run(table, **asked, path=path)  # type: ignore[arg-type]
    assert again[:2] == whole[:2]
    assert without_time(again) == without_time(whole)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 9


def swapped(lookup: Lookup) -> dict[NetworkKey, RecordedEvaluation]:
    """The same answers, of other networks."""
    return dict(zip(lookup.results, [*lookup.results.values()][::-1], strict=True))


def test_errors_of_an_evaluator_are_no_results(tmp_path: Path) -> None:
    table = table_of()

    def fail(genotype: Genotype) -> RecordedEvaluation:
        raise ConfigError("no such thing")

    evaluator = Evaluator("bad", "x", InProcess(fail))
    arenas = table_arenas(table, [Limits()], [evaluator], cost, adjusted=False)
    with pytest.raises(ConfigError, match="no such thing"):
        compare(arenas, ["random"], [[evaluator]], [0], 3, tmp_path / "r.csv")
    assert len((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()) == 1


def test_a_strategy_that_cannot_search_is_an_error_before_any_search(tmp_path: Path) -> None:
    evaluator = lookup_evaluator(table_of().lookup("epoch 5"), "epoch 5")
    large = Space.of(["skip", "conv3x3", "conv1x1", "none"], cells=2)
    arena = Arena(Limits(), large, cost)
    with pytest.raises(ConfigError, match="at most 1,000,000 networks"):
        compare([arena], ["random", "exhaustive"], [[evaluator]], [0], 3, tmp_path / "r.csv")
    assert not (tmp_path / "r.csv").exists()


def test_the_settings_of_algorithm_1_count() -> None:
    evaluator = Evaluator("noise", "x", InProcess(noise))
    space = Space.of(["skip", "conv3x3"], cells=2, nodes=3)
    plain, refined = (Arena(Limits(), space, cost, search=SearchConfig(refine=k)) for k in (0, 1))
    assert plain.problem(evaluator) != refined.problem(evaluator)
    results = [compare([arena], ["spikenas"], [[evaluator]], [0], None)[0] for arena in (plain, refined)]
    assert results[1].evaluations > results[0].evaluations


def test_the_clock_of_a_search_stands_while_it_evaluates() -> None:
    def slow(genotype: Genotype) -> RecordedEvaluation:
        time.sleep(0.05)
        return RecordedEvaluation(0.5, 0.05)

    evaluator = Evaluator("slow", "x", InProcess(slow))
    (result,) = compare(
        table_arenas(table_of(), [Limits()], [evaluator], cost), ["exhaustive"], [[evaluator]], [0], None
    )
    assert result.evaluations * 0.05 > 0.2 > result.wall_seconds


def test_results_of_another_comparison_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    run(table_of(), path=path)
    with pytest.raises(RunError, match="of other accuracies, scores or settings"):
        run(table_of((TEST[1], TEST[0], *TEST[2:])), path=path)  # the same accuracies of other networks
    text = path.read_text(encoding="utf-8")
    with pytest.raises(RunError, match="of other accuracies"):
        run(table_of(OTHER), strategies=["random", "exhaustive"], path=path)
    assert path.read_text(encoding="utf-8") == text  # seen before anything was run
    early = replace(table_of().lookup("epoch 5"), results=swapped(table_of().lookup("epoch 5")))
    with pytest.raises(RunError, match="of other accuracies"):
        run(table_of(), evaluators={"epoch 5": early}, path=path)
    path.write_text("genotype,score\n", encoding="utf-8")
    with pytest.raises(RunError, match="its first line is not"):
        run(table_of(), path=path)


def test_a_seed_asks_its_own_initialisation() -> None:
    table = table_of()
    evaluators = [lookup_evaluator(table.lookup(metric), "score") for metric in ("epoch 5", "test")]
    arenas = table_arenas(table, [Limits()], evaluators, cost, adjusted=False)
    found = compare(arenas, ["exhaustive"], [evaluators], range(4), None)
    assert {result.seed: result.score for result in found} == {0: 0.45, 1: 0.70, 2: 0.45, 3: 0.70}
    problems = {result.seed: result.problem for result in found}
    assert problems[0] == problems[2] != problems[1]


def test_without_a_table_there_is_no_truth() -> None:
    evaluator = Evaluator("early", "x", InProcess(table_of().lookup("epoch 5")), None)
    space = replace(table_of().space, members=frozenset(network(digits).cells[0].canonical for digits in DIGITS))
    (result,) = compare([Arena(Limits(), space, cost)], ["exhaustive"], [[evaluator]], [0], None)
    assert (result.score, result.accuracy, result.regret, result.percentile) == (0.45, None, None, None)
    assert result.curve[-1] == 0.45
    (summary,) = summarise([result])
    assert "regret" not in summary.figures
    assert summary.curve[-1] is not None
    assert summary.curve[-1].mean == 0.45


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ConfigError, match="unknown strategy 'randon', did you mean 'random'"):
        run(table_of(), strategies=["randon"])
    with pytest.raises(ConfigError, match="evaluations: 0"):
        run(table_of(), evaluations=0)
    mixed = Row(Genotype((network("020").cells[0], network("010").cells[0])), "mixed", test=0.5)
    table = Table("mixed", (mixed,))
    with pytest.raises(DataError, match="one cell in all places"):
        run(table, evaluators={"test": table.lookup("test")})


@pytest.mark.data
@pytest.mark.skipif(not CSV.exists(), reason="needs the shared data folder")
def test_the_public_table() -> None:
    table = Table.read(CSV)
    truth = table.network_values("test", adjusted=True)
    lookups = {"epoch 20": table.lookup("epoch 20"), "test": table.lookup("test", adjusted=True)}
    evaluators = [lookup_evaluator(lookup, name) for name, lookup in lookups.items()]
    arenas = table_arenas(table, [Limits(1)], evaluators, cost)
    results = compare(
        arenas, ["random", "exhaustive"], [[evaluator] for evaluator in evaluators], [0], evaluations=10_000
    )
    fitting = [value for cells, value in truth.items() if cells[0].connected and live_convs(cells[:1]) <= 1]
    for result in results:
        assert result.regret is not None
        assert 0 <= result.regret < 100
        if result.strategy == "exhaustive":
            assert result.evaluations == len(fitting)
        if (result.strategy, result.evaluator) == ("exhaustive", "test"):
            assert (result.accuracy, result.regret, result.percentile) == (max(fitting), 0, 100)
