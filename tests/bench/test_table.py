from __future__ import annotations

import csv
import math
import pickle
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas._util.cohorts import estimate
from spikenas._util.errors import ConfigError, DataError
from spikenas.bench import Table
from spikenas.bench.rows import parse_metric, runs_of_numbers
from spikenas.space import BENCH_OPS, Genotype, Op, Space, parse_bench
from spikenas.space.genotype import network_key
from support import SHARED

BENCH = SHARED.parent / "bench"
CSV = BENCH / "spikenas_bench_cifar10_public.csv"
RATES = "0.100, -1.000, 0.300, -1.000, -1.000, 0.000, 0.100, -1.000, 0.300, -1.000, -1.000, 0.000, 0.4, 0.5, 0.6, 0.7"
BENCH_COLUMNS = "arch_id,params,epochs,test_acc,train_seconds,firing_rates,val_acc_1,val_acc_last"
Logs = Callable[..., Path]


def log_of(id: int, accuracies: Iterable[float], test: float | None = 80.0, seconds: float | None = 3723.5) -> str:
    lines = [f"architecture id: {id}", f"model parameters: {1000 + id}"]
    lines += ["epoch, train_acc, train_loss, val_acc, val_loss"]
    lines += [f"{epoch}.000, 1.000, 2.000, {value:.3f}, 3.000" for epoch, value in enumerate(accuracies)]
    if test is not None:
        lines += [f"test accuracy: {test:.3f}", f"firing rate of layers: {RATES}"]
    if seconds is not None:
        hours, rest = divmod(seconds, 3600)
        lines += [f"Elapsed time: {hours:.1f}hour{rest // 60:.1f}minute{rest % 60:.1f}second"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """Writes logs by id into DATASET/ID and returns the root."""

    def write(texts: dict[int, str], dataset: str = "CIFAR10") -> Path:
        for id, text in texts.items():
            folder = tmp_path / "download" / dataset / str(id)
            folder.mkdir(parents=True)
            (folder / "train_process.txt").write_text(text)
        return tmp_path / "download"

    return write


@pytest.fixture(scope="session")
def public() -> Table:
    if not CSV.exists():
        pytest.skip("no ../shared/bench")
    return Table.read(CSV)


def bench(id: int) -> Genotype:
    return Genotype((parse_bench(str(id), BENCH_OPS),) * 2)


def test_a_log_by_its_keys(logs: Logs) -> None:
    table = Table.read(logs({5002: log_of(5002, [10.0, 20.0, 30.004], 81.25)}))
    row = table.row(5002)
    assert table.rows == (row,)
    assert not table.incomplete
    assert row.genotype == bench(5002)
    assert (row.params, row.test, row.trained, row.seconds) == (6002, 0.8125, 3, 3723.5)
    assert (list(row.epochs), row.validation) == ([1, 2, 3], pytest.approx((0.1, 0.2, 0.30004)))
    assert row.firing_rates["cell1 1-2"] == 0.3
    assert row.firing_rates["cell2 2-3"] == 0.0
    assert "cell1 0-2" not in row.firing_rates
    assert [row.firing_rates[name] for name in ("reduction", "head", "hidden", "mean")] == [0.4, 0.5, 0.6, 0.7]


def test_tinyimagenet_has_other_columns(logs: Logs) -> None:
    text = (
        "architecture id: 7\nmodel parameters: 75934056\n"
        "epoch, train_acc,train_top5, train_loss, val_acc, val_top5, val_loss\n"
        "0.000, 8.499, 23.942, 4.434, 13.550, 35.720, 3.982\n"
        f"test top1: 50.750, test tpo5: 74.3\nfiring rate of layers: {RATES}\n"
        "Elapsed time: 10.0hour1.0minute49.3second\n"
    )
    row = Table.read(logs({7: text}, "TinyImagenet"), "tinyimagenet").row(7)
    assert (row.test, row.validation, row.seconds) == (0.5075, (0.1355,), 36109.3)


def test_a_data_set_is_found_in_a_root_or_given_itself(logs: Logs) -> None:
    root = logs({1: log_of(1, [10.0])})
    assert len(Table.read(root).rows) == len(Table.read(root / "CIFAR10").rows) == 1
    logs({1: log_of(1, [1.0]), 2: log_of(2, [2.0])}, "CIFAR100")
    assert len(Table.read(root, "cifar10").rows) == 1
    assert len(Table.read(root, "cifar100").rows) == len(Table.read(root / "CIFAR100").rows) == 2
    with pytest.raises(ConfigError, match="has logs of cifar10, cifar100; say which"):
        Table.read(root)
    with pytest.raises(ConfigError, match="unknown dataset 'imagenet'"):
        Table.read(root, "imagenet")
    with pytest.raises(DataError, match="no logs of tinyimagenet; there are logs of cifar10, cifar100"):
        Table.read(root, "tinyimagenet")
    with pytest.raises(DataError, match="holds the logs of cifar100, not of cifar10"):
        Table.read(root / "CIFAR100", "cifar10")


def test_incomplete_logs_are_used_for_what_they_have(logs: Logs) -> None:
    whole = log_of(3002, [10.0, 20.0, 30.0], 80.0, 300.0)
    root = logs(
        {
            3002: whole,
            4002: log_of(4002, [11.0, 12.0], None, None),
            5002: whole.replace("id: 3002", "id: 5002")[: whole.index("\n2.000") + 24],  # ends within an accuracy
            6002: log_of(6002, [9.0, math.nan], None, 50.0),
            7002: "",
            8002: "architecture id: 8002\n",
        }
    )
    (root / "CIFAR10" / "9002").mkdir()
    table = Table.read(root)
    assert [(row.id, len(row.epochs)) for row in table.rows] == [(3002, 3), (4002, 2), (5002, 2), (6002, 1)]
    assert table.incomplete[:2] == (
        "CIFAR10/4002/train_process.txt: 2 epochs, no test accuracy, no firing rates, no elapsed time",
        "CIFAR10/5002/train_process.txt: 2 epochs, no test accuracy, no firing rates, no elapsed time",
    )
    assert len(table.incomplete) == 6
    assert table.incomplete[-1] == "CIFAR10/9002/train_process.txt: missing"
    assert table.lookup("epoch 1")(bench(4002)).score == 0.11
    assert table.lookup("epoch 2")(bench(4002)).seconds == pytest.approx(2 * (100 + 50) / 2)  # mean time of an epoch
    assert table.lookup("last")(bench(6002)).seconds == 50
    with pytest.raises(DataError, match=r"CIFAR10: no row of 0-1.* has the metric 'test'; Table\.having"):
        table.lookup("test")(bench(4002))
    assert [row.id for row in table.having("test").rows] == [3002]
    with pytest.raises(DataError, match="no row has the metric 'epoch 4'; epochs there: 1 to 3; a test accuracy"):
        table.lookup("epoch 4")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "1.000, 1.000, 2.000, 20.000",
            "1.000, 1.000, 2.000, 2O.000",
            "line 5: '2O.000' is not an accuracy in percent",
        ),
        ("1.000, 1.000, 2.000, 20.000", "1.000, 1.000, 20.000", "line 5: 4 values where the header names 5"),
        ("20.000", "120.000", "line 5: '120.000' is not an accuracy"),
        ("parameters: 1012", "parameters: many", "line 2: 'many' is not a number"),
        ("val_acc", "accuracy", "line 3: the header has no val_acc"),
        ("epoch, train_acc, train_loss, val_acc, val_loss\n", "", "line 3: 5 values where the header names 0"),
        ("architecture id: 12", "architecture id: 13", "line 1: architecture id 13 in the folder of 12"),
        ("test accuracy: 80.000", "test accuracy: n/a", "line 6: 'n/a' is not an accuracy"),
        (RATES, "0.1, 0.2", "line 7: 2 firing rates where 16 are expected"),
        ("test accuracy: 80.000", "Traceback", "line 6: cannot be read: 'Traceback'"),
    ],
)
def test_a_log_that_cannot_be_read_is_named(logs: Logs, old: str, new: str, message: str) -> None:
    text = log_of(12, [10.0, 20.0])
    assert old in text
    with pytest.raises(DataError, match=f"CIFAR10/12/train_process.txt, {message}"):
        Table.read(logs({12: text.replace(old, new)}))


def test_wrong_folders(logs: Logs, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        Table.read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no logs; expected DATASET/ID/train_process\.txt"):
        Table.read(tmp_path)
    root = logs({1: "", 2: ""})
    with pytest.raises(DataError, match="none of its 2 logs has an accuracy; the first is CIFAR10/1/"):
        Table.read(root)
    with pytest.raises(DataError, match="is the folder of one log; give the folder above"):
        Table.read(root / "CIFAR10" / "1")
    with pytest.raises(DataError, match=r"a table is a \.csv file or a folder"):
        Table.read(root / "CIFAR10" / "1" / "train_process.txt")
    with pytest.raises(DataError, match="ids are 0 to 15624"):
        Table.read(logs({222222: log_of(222222, [1.0])}, "CIFAR100"), "cifar100")


def test_unknown_ids_and_networks(logs: Logs) -> None:
    table = Table.read(logs({5002: log_of(5002, [10.0]), 5003: log_of(5003, [10.0])}))
    with pytest.raises(DataError, match="CIFAR10: no row of id 4; its 2 ids are 5002 to 5003"):
        table.row(4)
    with pytest.raises(DataError, match="CIFAR10: no row is the network 0-3:skip / 0-3:skip"):
        table.lookup("last")(Genotype.parse("0-3:skip / 0-3:skip"))
    assert bench(5002) in table
    assert Genotype(bench(5002).cells[:1]) not in table
    with pytest.raises(ConfigError, match="unknown metric 'epoch 0'"):
        table.lookup("epoch 0")


def test_a_lookup_has_one_value_for_equal_networks(logs: Logs) -> None:
    equal = [0, 1, 2]  # an edge out of the input alone leads nowhere
    root = logs({id: log_of(id, [10.0 + id, 50.0], 80.0 + id, 100.0 + 10 * id) for id in equal})
    table = Table.read(root)
    assert len(table.networks) == 1
    lookup = pickle.loads(pickle.dumps(table.lookup("test")))
    result = lookup(bench(3))  # not in the folder, but the same network
    assert (result.score, result.seconds, result.synops) == (pytest.approx(0.81), pytest.approx(110.0), None)
    assert table.lookup("epoch 1")(bench(0)).score == pytest.approx(0.11)
    assert table.lookup("epoch 1")(bench(0)).seconds == pytest.approx(55.0)


def test_the_space_of_logs_is_what_they_have(logs: Logs) -> None:
    space = Table.read(logs({id: log_of(id, [10.0]) for id in (5002, 5003, 1)})).space
    assert (space.ops, space.cells, space.nodes, space.feedback, space.shared) == (BENCH_OPS, 2, 4, False, True)
    assert space.members == {bench(id).cells[0].canonical for id in (5002, 5003, 1)}
    assert bench(5002) in space
    assert bench(6002) not in space


def write_csv(path: Path, rows: Iterable[Iterable[object]], header: str = "genotype,accuracy,seconds") -> Path:
    with path.open("w", newline="") as file:
        file.write(header + "\n")
        csv.writer(file).writerows(rows)
    return path


def test_a_table_of_other_networks(tmp_path: Path) -> None:
    texts = ("0-1:conv5x5 1-3:avgpool3x3", "0-2:conv5x5, 2-3:avgpool3x3", "0-3:conv3x3")
    rows = [(f"{text} / {text}", 0.5 + k / 10, 10 * k) for k, text in enumerate(texts)]
    table = Table.read(write_csv(tmp_path / "own.csv", rows))
    assert len(table.networks) == 2
    assert table.lookup()(Genotype.parse(rows[1][0])).score == pytest.approx(0.55)
    assert table.lookup()(Genotype.parse(rows[1][0])).seconds == pytest.approx(5)
    space = table.space
    assert space.ops == tuple(Op.parse(op) for op in ("none", "conv3x3", "avgpool3x3", "conv5x5"))
    assert space.shared
    assert table.network_values(adjusted=True) == table.network_values()
    assert not table.cohorts().effects
    assert table.spread() == table.spread(adjusted=True) == pytest.approx(0.1 / math.sqrt(2))
    with pytest.raises(DataError, match=r"own\.csv: no row has the metric 'epoch 5'; epochs there: none; a test"):
        table.lookup("epoch 5")
    with pytest.raises(DataError, match="no row of id 3; its rows have no ids"):
        table.row(3)


def test_a_csv_of_the_benchmark(tmp_path: Path) -> None:
    rows = [(5002, 7, 9, 80.0, 90.0, RATES.replace(",", ""), 10.0, 70.0), (5003, 7, 9, "", "", "", 20.0, "")]
    table = Table.read(write_csv(tmp_path / "a.csv", rows, BENCH_COLUMNS))
    first, second = table.rows
    assert (first.test, list(first.epochs), first.validation) == (0.8, [1, 9], pytest.approx((0.1, 0.7)))
    assert first.firing_rates["cell1 1-2"] == 0.3
    assert (second.test, second.seconds, second.validation, second.firing_rates) == (None, None, (0.2,), {})
    assert table.incomplete == ("a.csv, line 3: no accuracy",)
    assert table.lookup("epoch 1")(bench(5002)).seconds == pytest.approx(10)
    assert table.lookup("last")(bench(5002)).score == pytest.approx(0.7)


def test_a_table_whose_cells_differ_by_place(tmp_path: Path) -> None:
    rows = [("0-3:conv3x3 / 0-3:skip", 0.5), ("0-3:conv3x3 / 0-3:conv1x1 1-0:skip", 0.6)]
    table = Table.read(write_csv(tmp_path / "own.csv", rows, "genotype,accuracy"))
    space = table.space
    assert not space.shared
    assert space.feedback
    assert space.members is not None
    assert len(space.members) == 3
    assert table.lookup()(Genotype.parse(rows[0][0])).seconds == 0
    with pytest.raises(DataError, match="no row is the network 0-3:skip / 0-3:skip"):
        table.lookup()(Genotype.parse("0-3:skip / 0-3:skip"))


def test_networks_of_several_sizes_are_no_space(tmp_path: Path) -> None:
    table = Table.read(write_csv(tmp_path / "a.csv", [("0-3:skip", 0.5, 1), ("0-3:skip / 0-3:conv3x3", 0.5, 1)]))
    with pytest.raises(DataError, match=r"a\.csv: no one space has networks of 1, 2 cells"):
        _ = table.space


@pytest.mark.parametrize(
    ("row", "header", "message"),
    [
        (("0-3:skp", 0.5, 1), "genotype,accuracy,seconds", "a.csv, line 2: genotype '0-3:skp', cell 1: "),
        (("0-3:skip", 50.0, 1), "genotype,accuracy,seconds", "a.csv, line 2: accuracy 50; it must be a fraction"),
        (("0-3:skip", "x", 1), "genotype,accuracy,seconds", "a.csv, line 2: 'x' is not a number"),
        (("0-3:skip",), "genotype,accuracy", "a.csv, line 2: '' is not a number"),
        ((1, 2), "net,accuracy", "no column genotype; a table has genotype,accuracy"),
        ((1, 2), "arch_id,test_acc", "no column params, epochs, train_seconds, firing_rates; a table has"),
        ((20000, 1, 1, 50.0, 1, ""), BENCH_COLUMNS, "a.csv, line 2: id 20000; ids are 0 to 15624"),
        ((2, 1, 1, 50.0, 1, "0.1 0.2"), BENCH_COLUMNS, "a.csv, line 2: 2 firing rates where 16 are expected"),
        ((2, 1), BENCH_COLUMNS, "a.csv, line 2: '' is not a number"),
        (None, "genotype,accuracy", "no rows below its header"),
    ],
)
def test_csv_files_that_cannot_be_read(tmp_path: Path, row: tuple[object], header: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Table.read(write_csv(tmp_path / "a.csv", [row] if row else [], header))


def test_metrics_and_lists() -> None:
    assert [parse_metric(text) for text in ("test", "last", "epoch 20")] == ["test", "last", 20]
    assert runs_of_numbers([]) == "none"
    assert runs_of_numbers([5, 1, 2, 3, 7, 8, 5]) == "1 to 3, 5, 7, 8"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(2, 20))
def test_exact_effects_are_found(seed: int, cohorts: int, networks: int) -> None:
    rng = np.random.default_rng(seed)
    effect, quality = rng.normal(size=cohorts), rng.normal(size=networks)
    pairs = [(n, b) for n in range(networks) for b in range(cohorts) if b in (0, n % cohorts) or rng.random() < 0.3]
    values = [float(quality[n] + effect[b]) for n, b in pairs]
    found = estimate(values, [n for n, _ in pairs], [b for _, b in pairs])
    there = sorted({b for _, b in pairs})  # cohort 0 trained every network, so all can be compared
    shift = fmean(float(effect[b]) for _, b in pairs)
    assert [found.effects[b] for b in there] == pytest.approx([effect[b] - shift for b in there], abs=1e-8)
    assert found.estimated == len(there) - 1


def test_cohorts_that_cannot_be_compared_have_no_effect() -> None:
    found = estimate([1.0, 3.0, 7.0, 9.0, 50.0, 60.0], ["a", "a", "b", "b", "c", "d"], [0, 1, 2, 3, 4, 4])
    assert found.effects == pytest.approx({0: -1.0, 1: 1.0, 2: -1.0, 3: 1.0, 4: 0.0})
    assert found.estimated == 2
    assert estimate([], [], []).effects == {}
    assert estimate([1.0, 2.0], ["a", "a"], [3, 3]).effects == {3: 0.0}


def test_a_failed_training_does_not_move_its_cohort() -> None:
    rng = random.Random(0)
    pairs = [(n, b) for n in range(40) for b in range(3)]
    values = [80 + n / 10 + b + rng.gauss(0, 0.1) for n, b in pairs]
    values[4] = 10.0
    found = estimate(values, [n for n, _ in pairs], [b for _, b in pairs]).effects
    assert [found[b] - found[0] for b in (1, 2)] == pytest.approx([1, 2], abs=0.1)


def test_logs_are_adjusted_by_blocks_of_125_ids(logs: Logs) -> None:
    groups: dict[object, list[int]] = {}
    for id in range(3000, 12000, 50):
        groups.setdefault(network_key(bench(id)), []).append(id)
    several = {
        id: 60.0 + rank
        for rank, (network, ids) in enumerate(groups.items())
        if network_key(bench(ids[0]))[0].connected
        for id in ids
    }
    effect = {id: (id // 125 % 3) * 0.5 for id in several}
    texts = {id: log_of(id, [10.0], value + effect[id]) for id, value in several.items()} | {0: log_of(0, [9.8], 10.0)}
    table = Table.read(logs(texts))
    before, after = table.spread(), table.spread(adjusted=True)
    assert before is not None
    assert after is not None
    assert before > 0.003
    assert after < 1e-9
    assert table.lookup(adjusted=True)(bench(0)).score == 0.1  # nothing to adjust where no signal arrives


@pytest.mark.data
def test_networks_are_those_of_the_public_table(public: Table) -> None:
    with CSV.open() as file:
        groups: dict[str, set[int]] = {}
        for values in csv.DictReader(file):
            groups.setdefault(values["network"], set()).add(int(values["arch_id"]))
    ours = {frozenset(row.id for row in rows) for rows in public.networks.values()}
    assert ours == {frozenset(ids) for ids in groups.values()}
    assert len(ours) == 2675
    assert sum(not network[0].connected for network in public.networks) == 1
    assert public.space == Space(
        BENCH_OPS, cells=2, shared=True, members=frozenset(network[0] for network in public.networks)
    )


@pytest.mark.data
def test_adjusting_brings_equal_networks_together(public: Table) -> None:
    assert public.spread() == pytest.approx(0.00456, abs=1e-5)
    assert public.spread(adjusted=True) == pytest.approx(0.00351, abs=1e-5)
    for metric in ("epoch 1", "epoch 10", "epoch 100", "last"):
        before, after = public.spread(metric), public.spread(metric, adjusted=True)
        assert before is not None
        assert after is not None
        assert after < 0.86 * before
    with CSV.open() as file:
        theirs = [float(values["test_acc_adjusted"]) / 100 for values in csv.DictReader(file)]
    connected = [row.genotype.connected for row in public.rows]
    both = np.array([public.row_values(adjusted=True), theirs])[:, connected]
    assert np.corrcoef(both)[0, 1] > 0.999
    assert np.abs(both[0] - both[1]).max() < 0.002


@pytest.mark.data
def test_the_logs_say_what_the_csv_says(public: Table) -> None:
    compared = 0
    table = Table.read(BENCH / "logs", "cifar10")
    assert len(table.rows) == 40
    assert not table.incomplete
    for row in table.rows:
        with_id = [other for other in public.rows if other.id == row.id]
        for other in with_id:
            compared += 1
            assert (row.genotype, row.params, row.test, row.trained) == (
                other.genotype, other.params, other.test, other.trained,
            )  # fmt: skip
            assert row.seconds == pytest.approx(other.seconds, abs=0.11)
            assert row.firing_rates == other.firing_rates
            assert [row.accuracy(epoch) for epoch in other.epochs] == list(other.validation)
            assert row.accuracy("last") == other.accuracy("last")
    assert compared >= 10


@pytest.mark.data
@pytest.mark.parametrize(("dataset", "rows"), [("cifar100", 3), ("tinyimagenet", 2)])
def test_logs_of_other_data(public: Table, dataset: str, rows: int) -> None:
    table = Table.read(BENCH / "logs", dataset)
    assert len(table.rows) == rows
    assert all(len(row.epochs) == row.trained == 100 and row.test and row.test > 0.5 for row in table.rows)
