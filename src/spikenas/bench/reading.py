"""Readers take SpikeNAS-Bench's folder of logs, a CSV of it, or a CSV of any trained networks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from spikenas._util.errors import ConfigError, DataError, GenotypeError
from spikenas._util.files import open_csv
from spikenas.bench.rows import BENCH_LAYERS, Row
from spikenas.space.cell import parse_bench
from spikenas.space.genotype import Genotype
from spikenas.space.ops import BENCH_OPS

DATASETS = ("cifar10", "cifar100", "tinyimagenet")
LOG = "train_process.txt"
_CELLS, _IDS = 2, 5**6
_ELAPSED = re.compile(r"Elapsed time: *([\d.]+)hour([\d.]+)minute([\d.]+)second *")
_TEST = ("test accuracy:", "test top1:")
_BENCH_COLUMNS = ("arch_id", "params", "epochs", "test_acc", "train_seconds", "firing_rates")
_COLUMNS = ("genotype", "accuracy")


def find_logs(path: Path, dataset: str | None) -> Path:
    """Find the folder that holds a folder for each id.

    Args:
        path: That folder, or the one above it.
        dataset: One of `DATASETS`; None takes the only one there is.
    Raises:
        ConfigError: There are several data sets to choose from.
        DataError: There are no logs, or they are of another data set.
    """
    if (path / LOG).is_file():
        raise DataError(f"{path} is the folder of one log; give the folder above it")
    if _ids(path):
        if dataset is not None and _plain(path.resolve().name) in set(DATASETS) - {dataset}:
            raise DataError(f"{path} holds the logs of {_plain(path.resolve().name)}, not of {dataset}")
        return path
    found = {_plain(child.name): child for child in path.iterdir() if child.is_dir()}
    there = [name for name in DATASETS if name in found and _ids(found[name])]
    if not there:
        raise DataError(f"{path}: no logs; expected DATASET/ID/{LOG} or ID/{LOG} in it")
    if dataset is None and len(there) > 1:
        raise ConfigError(f"{path} has logs of {', '.join(there)}; say which (dataset)")
    if dataset is not None and dataset not in there:
        raise DataError(f"{path}: no logs of {dataset}; there are logs of {', '.join(there)}")
    return found[dataset or there[0]]


def read_logs(folder: Path) -> tuple[list[Row], list[str]]:
    """Read every log of a folder, in order of id.

    Returns:
        The rows, and a line for each log that lacks something; a log without any accuracy is no row.
    Raises:
        DataError: A log cannot be read, an id cannot be, or no log has an accuracy.
    """
    rows, incomplete = [], []
    for id in _ids(folder):
        log = folder / str(id) / LOG
        source = f"{folder.name}/{id}/{LOG}"
        genotype = _bench_genotype(id, source)
        if not log.is_file():
            incomplete.append(f"{source}: missing")
            continue
        row, lacks = _read_log(log.read_text(encoding="utf-8", errors="replace"), source, id, genotype)
        if row.validation or row.test is not None:
            rows.append(row)
        if lacks:
            incomplete.append(f"{source}: {len(row.epochs)} epochs, no {', no '.join(lacks)}")
    if not rows:
        raise DataError(f"{folder}: none of its {len(incomplete)} logs has an accuracy; the first is {incomplete[0]}")
    return rows, incomplete


def read_csv(path: Path) -> tuple[list[Row], list[str]]:
    """Read a CSV: of SpikeNAS-Bench by its columns, else `genotype,accuracy[,seconds][,params]`.

    Returns:
        The rows in order, and a line for each that lacks its accuracy.
    Raises:
        DataError: The file has other columns or no rows, or a genotype or number cannot be read.
    """
    with open_csv(path) as reader:
        columns = reader.fieldnames or ()
        bench = "arch_id" in columns
        wanted = _BENCH_COLUMNS if bench else _COLUMNS
        if missing := [name for name in wanted if name not in columns]:
            raise DataError(
                f"{path}: no column {', '.join(missing)}; a table has {','.join(_COLUMNS)}[,seconds][,params] or, of "
                f"SpikeNAS-Bench, {','.join(_BENCH_COLUMNS)} and val_acc_1, val_acc_5, ..."
            )
        read = _bench_row if bench else _plain_row
        rows = [read(values, f"{path.name}, line {reader.line_num}") for values in reader]
    if not rows:
        raise DataError(f"{path}: no rows below its header")
    return rows, [f"{row.source}: no accuracy" for row in rows if row.test is None]


def _bench_genotype(id: int, where: str) -> Genotype:
    """Return SpikeNAS-Bench's network of an id, which has one cell in both places."""
    if not 0 <= id < _IDS:
        raise DataError(f"{where}: id {id}; ids are 0 to {_IDS - 1}")
    return Genotype((parse_bench(str(id), BENCH_OPS),) * _CELLS)


def _read_log(text: str, source: str, id: int, genotype: Genotype) -> tuple[Row, list[str]]:
    *lines, last = text.split("\n")
    if _ELAPSED.fullmatch(last):  # any other line without its end may be cut off in a number
        lines.append(last)
    header, at_epoch, at_accuracy = list[str](), 0, 0
    accuracies: dict[int, float] = {}
    test = params = seconds = None
    rates: tuple[float | None, ...] = ()
    for number, line in enumerate(lines, start=1):
        where = f"{source}, line {number}"
        if line[:1].isdigit():
            values = line.split(",")
            if len(values) != len(header):
                raise DataError(f"{where}: {len(values)} values where the header names {len(header)}")
            epoch, accuracy = int(_number(values[at_epoch], where)) + 1, _percent(values[at_accuracy], where)
            if accuracy is not None:
                accuracies[epoch] = accuracy
        elif line.startswith("epoch,"):
            header = [name.strip() for name in line.split(",")]
            if "val_acc" not in header:
                raise DataError(f"{where}: the header has no val_acc")
            at_epoch, at_accuracy = header.index("epoch"), header.index("val_acc")
        elif line.startswith("architecture id:"):
            if (named := int(_number(line.partition(":")[2], where))) != id:
                raise DataError(f"{where}: architecture id {named} in the folder of {id}")
        elif line.startswith("model parameters:"):
            params = int(_number(line.partition(":")[2], where))
        elif line.startswith(_TEST):
            test = _percent(line.partition(":")[2].partition(",")[0], where)
        elif line.startswith("firing rate of layers:"):
            rates = _rates(line.partition(":")[2].split(","), where)
        elif match := _ELAPSED.fullmatch(line):
            hours, minutes, rest = (_number(part, where) for part in match.groups())
            seconds = 3600 * hours + 60 * minutes + rest
        elif line.strip() and ":" not in line:
            raise DataError(f"{where}: cannot be read: {line[:40]!r}")
    has = {"test accuracy": test, "firing rates": rates or None, "elapsed time": seconds, "params": params}
    epochs = sorted(accuracies)
    trained = epochs[-1] if epochs else 0
    row = Row(
        genotype,
        source,
        test=test,
        epochs=_span(trained) if len(epochs) == trained else tuple(epochs),
        validation=tuple(accuracies[epoch] for epoch in epochs),
        trained=trained,
        seconds=seconds,
        id=id,
        params=params,
        rates=rates,
    )
    return row, [name for name, value in has.items() if value is None]


def _bench_row(values: Mapping[str, str], where: str) -> Row:
    id = int(_number(values["arch_id"], where))
    trained = int(_number(values["epochs"], where))
    accuracies = dict(_validations(values, trained, where))
    return Row(
        _bench_genotype(id, where),
        where,
        test=_percent(values["test_acc"], where) if values["test_acc"] else None,
        epochs=tuple(sorted(accuracies)),
        validation=tuple(accuracies[epoch] for epoch in sorted(accuracies)),
        trained=trained,
        seconds=_number(values["train_seconds"], where) if values["train_seconds"] else None,
        id=id,
        params=int(_number(values["params"], where)),
        rates=_rates(values["firing_rates"].split(), where) if values["firing_rates"] else (),
    )


def _validations(values: Mapping[str, str], trained: int, where: str) -> Iterator[tuple[int, float]]:
    for name, text in values.items():
        if name and name.startswith("val_acc_") and text:
            epoch = name.removeprefix("val_acc_")
            accuracy = _percent(text, where)
            if accuracy is not None:
                yield trained if epoch == "last" else int(_number(epoch, where)), accuracy


def _plain_row(values: Mapping[str, str], where: str) -> Row:
    try:
        genotype = Genotype.parse(values["genotype"] or "")
    except GenotypeError as error:
        raise DataError(f"{where}: {error}") from None
    accuracy = _number(values["accuracy"], where)
    if not 0 <= accuracy <= 1:
        raise DataError(f"{where}: accuracy {accuracy:g}; it must be a fraction, 0 to 1")
    seconds, params = values.get("seconds"), values.get("params")
    return Row(
        genotype,
        where,
        test=accuracy,
        seconds=_number(seconds, where) if seconds else None,
        params=int(_number(params, where)) if params else None,
    )


def _ids(folder: Path) -> list[int]:
    """Return the ids that have a folder, ascending."""
    return sorted(int(child.name) for child in folder.iterdir() if re.fullmatch(r"0|[1-9]\d*", child.name))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_span = cache(lambda end: range(1, end + 1))  # logs of one length share their epochs


@cache  # printed with three digits, so there are few different ones
def _parsed(text: str) -> float:
    return float(text)


def _number(text: str | None, where: str) -> float:
    try:
        value = _parsed(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{where}: {(text or '').strip()!r} is not a number")
    return value


@cache
def _fraction(text: str) -> float | None:
    value = float(text)
    if math.isnan(value):
        return None
    if not 0 <= value <= 100:
        raise ValueError
    return value / 100


def _percent(text: str, where: str) -> float | None:
    """Read an accuracy in percent as a fraction; None for the nan of a training that failed."""
    try:
        return _fraction(text)
    except ValueError:
        raise DataError(f"{where}: {text.strip()!r} is not an accuracy in percent") from None


def _rates(texts: list[str], where: str) -> tuple[float | None, ...]:
    if len(texts) != len(BENCH_LAYERS):
        raise DataError(f"{where}: {len(texts)} firing rates where {len(BENCH_LAYERS)} are expected")
    rates = [_number(text, where) for text in texts]
    return tuple(None if rate < 0 else rate for rate in rates)
