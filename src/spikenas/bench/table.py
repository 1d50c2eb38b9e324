"""A table holds trained networks; its lookup answers as training would."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean

import numpy as np

from spikenas._util.cohorts import Cohorts, estimate
from spikenas._util.errors import ConfigError, DataError
from spikenas._util.paths import user_path
from spikenas.bench.reading import DATASETS, find_logs, read_csv, read_logs
from spikenas.bench.rows import Metric, Row, parse_metric, runs_of_numbers
from spikenas.nas.candidates import RecordedEvaluation
from spikenas.space.genotype import Genotype, NetworkKey, network_key
from spikenas.space.ops import BENCH_OPS, OPS, Op
from spikenas.space.space import Space

COHORT = 125  # ids that SpikeNAS-Bench's authors trained in one go


@dataclass(frozen=True)
class Lookup:
    """A lookup is an evaluator that answers from a table.

    It is small and can be pickled: it holds two numbers for each network.
    """

    table: str
    metric: str
    results: Mapping[NetworkKey, RecordedEvaluation]
    others: frozenset[NetworkKey]  # in the table, but without that metric

    def __call__(self, genotype: Genotype) -> RecordedEvaluation:
        """Return the mean accuracy and the mean seconds of the rows that are this network.

        Raises:
            DataError: The network is not in the table, or only in logs that stop before.
        """
        network = network_key(genotype)
        if network in self.results:
            return self.results[network]
        if network in self.others:
            raise DataError(
                f"{self.table}: no row of {genotype} has the metric {self.metric!r}; Table.having finds those"
            )
        raise DataError(f"{self.table}: no row is the network {genotype}")


@dataclass(frozen=True, eq=False)
class Table:
    """A table holds trained networks. Accuracies are fractions, 0 to 1.

    Attributes:
        name: Name of the file or folder, for messages.
        rows: The rows, in order of id, or of the file.
        incomplete: A line for each log that lacks something, with what it lacks.
    """

    name: str
    rows: tuple[Row, ...]
    incomplete: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str | Path, dataset: str | None = None) -> Table:
        """Read a SpikeNAS-Bench download, a CSV of it, or a CSV with `genotype,accuracy[,seconds][,params]`.

        Args:
            path: The download's folder, one data set's folder in it, or a CSV file.
            dataset: `cifar10`, `cifar100` or `tinyimagenet`, where a folder has several. A CSV is of one data set.
        Raises:
            ConfigError: The dataset is unknown, or none is given where there are several.
            DataError: There are no logs, other columns, or a line that cannot be read; the message names file and line.
        """
        path = user_path(path)
        if dataset is not None and dataset not in DATASETS:
            raise ConfigError(f"unknown dataset {dataset!r} of a table; known: {', '.join(DATASETS)}")
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        if path.is_file() and path.suffix.lower() != ".csv":
            raise DataError(f"{path}: a table is a .csv file or a folder of logs")
        source = path if path.is_file() else find_logs(path, dataset)
        rows, incomplete = read_csv(source) if path.is_file() else read_logs(source)
        return cls(source.name, tuple(rows), tuple(incomplete))

    @cached_property
    def networks(self) -> dict[NetworkKey, tuple[Row, ...]]:
        """Return the rows of each distinct network, in order of first row."""
        found: dict[NetworkKey, list[Row]] = {}
        for row, network in zip(self.rows, self._key_of_row, strict=True):
            found.setdefault(network, []).append(row)
        return {network: tuple(rows) for network, rows in found.items()}

    @cached_property
    def _key_of_row(self) -> tuple[NetworkKey, ...]:
        return tuple(network_key(row.genotype) for row in self.rows)

    def __contains__(self, genotype: object) -> bool:
        return isinstance(genotype, Genotype) and network_key(genotype) in self.networks

    def row(self, id: int) -> Row:
        """Return the row of a SpikeNAS-Bench id.

        Raises:
            DataError: There is no such row.
        """
        if id not in self._by_id:
            known = (
                f"its {len(self._by_id):,} ids are {min(self._by_id)} to {max(self._by_id)}"
                if self._by_id
                else ("its rows have no ids")
            )
            raise DataError(f"{self.name}: no row of id {id}; {known}")
        return self._by_id[id]

    @cached_property
    def _by_id(self) -> dict[int, Row]:
        return {row.id: row for row in self.rows if row.id is not None}

    def having(self, metric: str) -> Table:
        """Return the table of the rows that have a metric.

        Raises:
            ConfigError: The metric is unknown.
            DataError: No row has it; the message names the metrics that are there.
        """
        parsed = self._known(metric)
        return replace(self, rows=tuple(row for row in self.rows if row.accuracy(parsed) is not None))

    def row_values(self, metric: str = "test", adjusted: bool = False) -> tuple[float | None, ...]:
        """Return the accuracy of each row, None where it has none.

        Args:
            metric: `test`, `last` (validation accuracy after the last epoch) or `epoch K`.
            adjusted: Whether the effect of the cohort, as `cohorts` estimates it, is subtracted. A disconnected network
                stays as it is.
        Raises:
            ConfigError: The metric is unknown.
            DataError: No row has it; the message names the metrics that are there.
        """
        parsed = self._known(metric)
        values = tuple(row.accuracy(parsed) for row in self.rows)
        if not adjusted:
            return values
        effects = self.cohorts(metric).effects
        return tuple(
            value if value is None or cohort is None else value - effects[cohort]
            for value, cohort in zip(values, self._cohort_of_row, strict=True)
        )

    def network_values(self, metric: str = "test", adjusted: bool = False) -> dict[NetworkKey, float]:
        """Return the mean accuracy over the rows of each network that has any.

        Arguments and errors are as in `row_values`.
        """
        found: dict[NetworkKey, list[float]] = {}
        for network, value in zip(self._key_of_row, self.row_values(metric, adjusted), strict=True):
            if value is not None:
                found.setdefault(network, []).append(value)
        return {network: fmean(values) for network, values in found.items()}

    def cohorts(self, metric: str = "test") -> Cohorts:
        """Estimate the effects of the blocks of 125 ids on a metric; there are none in a table without ids.

        Errors are as in `row_values`.
        """
        rows = zip(self.row_values(metric), self._key_of_row, self._cohort_of_row, strict=True)
        kept = [(v, network, cohort) for v, network, cohort in rows if v is not None and cohort is not None]
        values, networks, cohorts = zip(*kept, strict=True) if kept else ((), (), ())
        return estimate(values, networks, cohorts)

    @cached_property
    def _cohort_of_row(self) -> tuple[int | None, ...]:
        """Return the block of each row; None without an id, or where training had nothing to work on."""
        networks = self._key_of_row
        return tuple(
            row.id // COHORT if row.id is not None and network[0].connected else None
            for row, network in zip(self.rows, networks, strict=True)
        )

    def spread(self, metric: str = "test", adjusted: bool = False) -> float | None:
        """Return the standard deviation between rows of equal, connected networks; None where nothing is left for it.

        Effects of cohorts are counted as estimated from the same rows. Arguments and errors are as in `row_values`.
        """
        groups: dict[NetworkKey, list[float]] = {}
        for network, value in zip(self._key_of_row, self.row_values(metric, adjusted), strict=True):
            if value is not None and network[0].connected:
                groups.setdefault(network, []).append(value)
        free = sum(len(values) - 1 for values in groups.values())
        free -= self.cohorts(metric).estimated if adjusted else 0
        squares = sum(len(values) * float(np.var(values)) for values in groups.values())
        return math.sqrt(squares / free) if free > 0 else None

    def lookup(self, metric: str = "test", adjusted: bool = False) -> Lookup:
        """Make an evaluator that answers from the table, with one value for each distinct network.

        Seconds are those of the whole training in proportion to the epochs that the metric takes; rows without a time
        count with the table's mean time of an epoch, 0 in a table without times.

        Args:
            metric: `test`, `last` or `epoch K`.
            adjusted: Whether the effect of the cohort is subtracted.
        Raises:
            ConfigError: The metric is unknown.
            DataError: No row has it; the message names the metrics that are there.
        """
        parsed = self._known(metric)
        seconds: dict[NetworkKey, list[float]] = {}
        for row, network in zip(self.rows, self._key_of_row, strict=True):
            if row.accuracy(parsed) is not None:
                seconds.setdefault(network, []).append(self._seconds(row, parsed))
        values = self.network_values(metric, adjusted)
        results = {network: RecordedEvaluation(value, fmean(seconds[network])) for network, value in values.items()}
        return Lookup(self.name, metric, results, frozenset(self.networks.keys() - results.keys()))

    def _seconds(self, row: Row, metric: Metric) -> float:
        if row.seconds is None:
            return self._seconds_per_epoch * max(1, row.epochs_for(metric))
        return row.seconds * row.epochs_for(metric) / row.trained if row.trained else row.seconds

    @cached_property
    def _seconds_per_epoch(self) -> float:
        timed = [row.seconds / max(1, row.trained) for row in self.rows if row.seconds is not None]
        return fmean(timed) if timed else 0.0

    def _known(self, metric: str) -> Metric:
        """Parse a metric, and check that at least one row has it."""
        parsed = parse_metric(metric)
        if all(row.accuracy(parsed) is None for row in self.rows):
            epochs = runs_of_numbers(epoch for row in self.rows for epoch in row.epochs)
            test = "a" if any(row.test is not None for row in self.rows) else "no"
            raise DataError(
                f"{self.name}: no row has the metric {metric!r}; epochs there: {epochs}; {test} test accuracy"
            )
        return parsed

    @cached_property
    def space(self) -> Space:
        """Return the space whose networks the table has.

        Its ops are SpikeNAS-Bench's, else those that occur, `none` among them where an edge is missing. Where each
        network has one cell in every place, the space is shared and its members are exactly the table's networks. Where
        cells differ by place, members are the cells that occur anywhere, and not every combination need be in the
        table.

        Raises:
            DataError: The networks have different numbers of cells or nodes.
        """
        genotypes = [row.genotype for row in self.rows]
        for what, sizes in (
            ("cells", {len(genotype.cells) for genotype in genotypes}),
            ("nodes", {cell.nodes for genotype in genotypes for cell in genotype.cells}),
        ):
            if len(sizes) > 1:
                raise DataError(f"{self.name}: no one space has networks of {runs_of_numbers(sizes)} {what}")
        edges = {edge for genotype in genotypes for cell in genotype.cells for edge in cell.edges}
        ops = {edge.op for edge in edges}
        return Space(
            BENCH_OPS if self._by_id else tuple(sorted(ops, key=_op_order)),
            cells=len(genotypes[0].cells),
            nodes=genotypes[0].cells[0].nodes,
            feedback=any(edge.feedback for edge in edges),
            shared=all(len(set(genotype.cells)) == 1 for genotype in genotypes),
            members=frozenset(cell.canonical for genotype in genotypes for cell in genotype.cells),
        )


def _op_order(op: Op) -> tuple[int, float]:
    return list(OPS).index(op.name), op.threshold or 0.0
