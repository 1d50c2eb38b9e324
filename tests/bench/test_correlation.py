from __future__ import annotations

import csv
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas._util.errors import DataError
from spikenas.bench import Row, Table
from spikenas.bench.correlation import Estimate, correlate, predict, read_values
from spikenas.space import BENCH_OPS, Genotype, parse_bench
from support import SHARED

CSV = SHARED.parent / "bench" / "spikenas_bench_cifar10_public.csv"


def bench(digits: str) -> Genotype:
    return Genotype((parse_bench(digits, BENCH_OPS),) * 2)


def table_of(accuracies: dict[str, float], params: Sequence[int] = ()) -> Table:
    sizes = [*params] or [None] * len(accuracies)
    rows = [
        Row(bench(digits), f"line {k}", test=accuracy, params=size)
        for k, ((digits, accuracy), size) in enumerate(zip(accuracies.items(), sizes, strict=True))
    ]
    return Table("table", tuple(rows))


def chosen(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.low <= estimate.high
    return estimate.value


def test_by_hand() -> None:
    table = table_of({"002000": 0.1, "003000": 0.2, "200020": 0.3, "300020": 0.4})
    values = dict(zip((row.genotype for row in table.rows), (1, 2, 4, 3), strict=True))
    found = correlate(table, values, resamples=50)
    assert (found.networks, found.rows, found.missing) == (4, 4, 0)
    assert chosen(found.spearman.networks) == chosen(found.spearman.rows) == pytest.approx(0.8)
    assert chosen(found.kendall.networks) == pytest.approx(2 / 3)
    assert chosen(found.spearman.equal_memory) == pytest.approx(0)  # 1 among the shallow, -1 among the deep
    assert chosen(found.kendall.equal_memory) == pytest.approx(0)


def test_equal_networks_are_one_and_rows_are_all() -> None:
    table = table_of({"002000": 0.2, "202000": 0.4, "003000": 0.1, "000000": 0.05})  # 202000: a dead edge more
    values = {bench("002000"): 3.0, bench("202000"): 5.0, bench("003000"): 1.0}
    found = correlate(table, values, resamples=20)
    assert (found.networks, found.rows, found.missing) == (2, 4, 0)
    assert chosen(found.spearman.networks) == pytest.approx(1)
    assert chosen(found.spearman.rows) == pytest.approx(1)  # the disconnected one has no value and comes last


def test_a_row_without_a_value_takes_its_networks() -> None:
    table = table_of({"002000": 0.2, "202000": 0.2, "003000": 0.1})
    found = correlate(table, {bench("202000"): 5.0, bench("003000"): 1.0}, resamples=5)
    assert found.missing == 0
    assert chosen(found.kendall.rows) == pytest.approx(1)


@pytest.mark.parametrize("value", [-math.inf, math.nan, None])
def test_what_has_no_value_is_ranked_last(value: float | None) -> None:
    table = table_of({"002000": 0.3, "003000": 0.2, "004000": 0.1})
    values = {bench("003000"): -5.0, bench("004000"): -6.0} | ({} if value is None else {bench("002000"): value})
    found = correlate(table, values, resamples=5)
    assert found.missing == 1
    assert chosen(found.spearman.networks) == pytest.approx(-0.5)


def test_what_is_not_defined_is_none() -> None:
    table = table_of({"002000": 0.3, "003000": 0.2, "200020": 0.1})
    found = correlate(table, predict(table, "convs"), resamples=5)
    assert found.spearman.networks is not None
    assert found.spearman.equal_memory is None  # equal within each group
    assert correlate(table, dict.fromkeys(predict(table, "convs"), 1.0), resamples=5).kendall.rows is None


def test_equal_memory_needs_convolutions_of_one_size() -> None:
    texts = ("0-3:conv3x3", "0-3:conv1x1", "0-3:conv5x5")
    rows = [Row(Genotype.parse(text), "x", test=k / 10) for k, text in enumerate(texts)]
    found = correlate(Table("t", tuple(rows)), {row.genotype: -row.test for row in rows if row.test is not None})
    assert found.spearman.equal_memory is None
    assert chosen(found.spearman.networks) == pytest.approx(-1)


def test_predictors_without_a_network() -> None:
    table = table_of({"200003": 0.5, "200030": 0.5, "030020": 0.5, "222222": 0.5}, [1, 2, 3, 4])
    assert list(predict(table, "convs").values()) == [0, 4, 0, 12]
    assert list(predict(table, "depth").values()) == [0, 4, 0, 6]
    assert list(predict(table, "params").values()) == [1, 2, 3, 4]
    with pytest.raises(DataError, match="table: its rows have no params"):
        predict(table_of({"002000": 0.3}), "params")
    with pytest.raises(DataError, match="unknown predictor 'flops'; those without a network are convs, depth, params"):
        predict(table, "flops")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_only_ranks_matter(seed: int) -> None:
    rng = random.Random(seed)
    table = table_of({"".join(rng.choices("01234", k=6)): rng.random() for _ in range(12)} | {"222222": 0.5})
    values = {row.genotype: rng.gauss(0, 1) for row in {r.genotype.canonical: r for r in table.rows}.values()}
    first = correlate(table, values, resamples=3, seed=seed)
    assert first == correlate(table, {g: math.exp(v) for g, v in values.items()}, resamples=3, seed=seed)
    turned = correlate(table, {g: -v for g, v in values.items()}, resamples=3)
    if first.spearman.networks is not None:
        assert chosen(turned.spearman.networks) == pytest.approx(-first.spearman.networks.value)


def test_intervals_are_repeatable_and_narrow_with_more_networks() -> None:
    rng = random.Random(1)
    digits = {"".join(rng.choices("234", k=6)) for _ in range(300)}
    table = table_of({d: rng.random() for d in sorted(digits)})
    values = {row.genotype: (row.test or 0) + rng.gauss(0, 0.3) for row in table.rows}
    many = correlate(table, values, resamples=100, seed=3).spearman.networks
    assert many == correlate(table, values, resamples=100, seed=3).spearman.networks
    few = correlate(Table("few", table.rows[:30]), values, resamples=100, seed=3).spearman.networks
    assert many is not None
    assert few is not None
    assert many.low < many.value < many.high
    assert many.high - many.low < 0.6 * (few.high - few.low)


def test_values_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("genotype", "score"), ("0-1:skip 1-3:skip", "1.5"), ("0-3:skip", "-inf")])
    assert list(read_values(path).values()) == [1.5, -math.inf]
    for text, message in (
        ("genotype,value\n", "have the columns genotype,score"),
        ("genotype,score\n0-3:skip,x\n", "line 2: 'x' is not a number"),
        ("genotype,score\n0-3:skp,1\n", "line 2: genotype '0-3:skp'"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_values(path)
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\)"):
        read_values(tmp_path / "none.csv")


def test_values_of_other_networks_are_an_error() -> None:
    with pytest.raises(DataError, match="table: none of the 1 genotypes with a value is in the table"):
        correlate(table_of({"002000": 0.3}), {bench("222222"): 1.0})


@pytest.mark.data
def test_known_correlations() -> None:
    if not CSV.exists():
        pytest.skip("no ../shared/bench")
    table = Table.read(CSV)
    found = correlate(table, predict(table, "depth"), resamples=2)
    assert (found.networks, found.rows, found.missing) == (2674, 7652, 0)
    assert chosen(found.spearman.networks) == pytest.approx(0.313, abs=0.001)
    assert chosen(found.spearman.equal_memory) == pytest.approx(0.307, abs=0.001)
    assert chosen(found.spearman.rows) == pytest.approx(0.743, abs=0.001)


def test_a_sample_leaves_out_what_was_not_asked() -> None:
    table = table_of({"003000": 0.5, "001000": 0.1, "300020": 0.7})
    asked = {bench("003000"): 1.0, bench("001000"): 0.0}
    everything, part = correlate(table, asked), correlate(table, asked, sample=True)
    assert (everything.networks, everything.missing) == (3, 1)
    assert (part.networks, part.missing) == (2, 0)
