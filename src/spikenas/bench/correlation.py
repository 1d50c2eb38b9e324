"""Rank correlations with intervals say how well a predictor ranks the networks of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from spikenas._util.errors import DataError, GenotypeError
from spikenas._util.files import open_csv
from spikenas._util.paths import user_path
from spikenas.bench.rows import Row
from spikenas.bench.table import Table
from spikenas.space.genotype import Genotype, NetworkKey, network_key

_Floats = NDArray[np.float64]
_Indices = NDArray[np.intp]
_Statistic = Callable[[_Floats, _Floats], float]  # neither argument is constant


@dataclass(frozen=True)
class Estimate:
    """An estimate is a correlation and its 95% interval, from resampled networks.

    Attributes:
        value: Correlation, -1 to 1.
        low: 2.5th percentile.
        high: 97.5th percentile.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Views:
    """Views are three ways to compute one correlation coefficient; None stands where it is not defined.

    Attributes:
        networks: Correlation over the distinct connected networks.
        equal_memory: Correlation among networks with the same number of live convolutions: the mean over these groups,
            weighted by their size. A group whose values or accuracies are all equal is left out. None where the
            convolutions of the table differ in size.
        rows: Correlation over all rows, disconnected ones too, as the literature reports. None for a sample of the
            networks.
    """

    networks: Estimate | None
    equal_memory: Estimate | None
    rows: Estimate | None


@dataclass(frozen=True)
class Correlation:
    """A correlation says how well a predictor agrees with a table.

    Attributes:
        networks: Number of distinct connected networks.
        rows: Number of rows.
        missing: Number of those networks without a finite value. They are ranked last, all alike.
        spearman: Spearman's rho.
        kendall: Kendall's tau-b.
    """

    networks: int
    rows: int
    missing: int
    spearman: Views
    kendall: Views


def live_convs(network: NetworkKey) -> int:
    """Count the ops with neurons that the output depends on."""
    return sum(atom.op.spiking for graph in network for atom in graph.atoms)


def depth(network: NetworkKey) -> int:
    """Count the ops with neurons on the longest path from the first cell's input to the last cell's output."""
    return sum(graph.depth for graph in network)


def predict(table: Table, name: str) -> dict[Genotype, float]:
    """Compute a predictor that needs no network: `convs`, `depth` or `params` (as the table counts them).

    Returns:
        The value of each genotype that has one.
    Raises:
        DataError: The name is another, or `params` is asked of a table without them.
    """
    if name not in PREDICTORS:
        raise DataError(f"unknown predictor {name!r}; those without a network are {', '.join(PREDICTORS)}")
    values = {row.genotype: PREDICTORS[name](row) for row in table.rows}
    known = {genotype: value for genotype, value in values.items() if value is not None}
    if not known:
        raise DataError(f"{table.name}: its rows have no {name}")
    return known


PREDICTORS: dict[str, Callable[[Row], float | None]] = {
    "convs": lambda row: live_convs(network_key(row.genotype)),
    "depth": lambda row: depth(network_key(row.genotype)),
    "params": lambda row: row.params,
}


def read_values(
    path: str | Path, column: str = "score", read: Callable[[str], Genotype] = Genotype.parse
) -> dict[Genotype, float]:
    """Read a predictor's values, or another column of numbers, from a CSV with the columns `genotype,score`.

    -inf and nan are allowed.

    Args:
        path: The file.
        column: Name of the column of numbers.
        read: Makes a genotype of a text.
    Returns:
        The number of each genotype.
    Raises:
        DataError: There is no such file, it has other columns, or a line cannot be read; the message names the line.
    """
    path = user_path(path)
    values: dict[Genotype, float] = {}
    with open_csv(path) as reader:
        if not {"genotype", column} <= set(reader.fieldnames or ()):
            raise DataError(f"{path}: a predictor's values have the columns genotype,{column}")
        for line in reader:
            try:
                values[read(line["genotype"] or "")] = float(line[column] or "")
            except GenotypeError as error:
                raise DataError(f"{path}, line {reader.line_num}: {error}") from None
            except ValueError:
                raise DataError(f"{path}, line {reader.line_num}: {line[column] or ''!r} is not a number") from None
    return values


def correlate(
    table: Table,
    values: Mapping[Genotype, float],
    metric: str = "test",
    adjusted: bool = True,
    resamples: int = 300,
    seed: int = 0,
    sample: bool = False,
) -> Correlation:
    """Correlate a predictor with accuracy.

    A network's value is the mean over those of its genotypes that have a finite one; a row takes that of its own
    genotype, else its network's. Without one it is ranked below all others.

    Args:
        table: The table; rows without the metric are left out.
        values: Values of genotypes; higher predicts better. Those that are not in the table are ignored.
        metric: Metric of the accuracy, as in `Table.lookup`.
        adjusted: Whether the effect of the cohort is subtracted from accuracies.
        resamples: Number of bootstrap samples of networks for the intervals.
        seed: Seed of the bootstrap.
        sample: Whether connected networks none of whose genotypes are in `values` are left out, not ranked last.
    Returns:
        The correlations with their intervals.
    Raises:
        ConfigError: The metric is unknown.
        DataError: No row has the metric, or no value is of a network of the table.
    """
    pairs = [(row, y) for row, y in zip(table.rows, table.row_values(metric, adjusted), strict=True) if y is not None]
    partial = False
    if sample:
        asked = {network_key(genotype) for genotype in values}
        kept = [(row, y) for row, y in pairs if network_key(row.genotype) in asked or not row.genotype.connected]
        partial, pairs = len(kept) < len(pairs), kept
    networks = [network_key(row.genotype) for row, _ in pairs]
    members: dict[NetworkKey, list[int]] = {}
    for number, network in enumerate(networks):
        members.setdefault(network, []).append(number)
    known: dict[NetworkKey, list[float]] = {}
    for genotype, value in values.items():
        known.setdefault(network_key(genotype), []).extend([value] if math.isfinite(value) else [])
    if not members.keys() & known.keys():
        raise DataError(f"{table.name}: none of the {len(values)} genotypes with a value is in the table")

    of_network = {network: fmean(found) for network, found in known.items() if found}
    own = [values.get(row.genotype, math.nan) for row, _ in pairs]
    x = [o if math.isfinite(o) else of_network.get(n, -math.inf) for o, n in zip(own, networks, strict=True)]
    y = [accuracy for _, accuracy in pairs]
    rows = _View(np.array(x), np.array(y), np.zeros(len(y), dtype=np.intp), [np.array(m) for m in members.values()])

    connected = [network for network in members if network[0].connected]
    distinct = _View(
        np.array([of_network.get(network, -math.inf) for network in connected]),
        np.array([fmean(y[number] for number in members[network]) for network in connected]),
        np.zeros(len(connected), dtype=np.intp),
        [np.array([number]) for number in range(len(connected))],
    )
    ops = {atom.op for network in connected for graph in network for atom in graph.atoms if atom.op.spiking}
    alike = len({(op.kind, op.info.kernel) for op in ops}) <= 1
    by_memory = replace(distinct, groups=np.array([live_convs(network) for network in connected], dtype=np.intp))

    def views(statistic: _Statistic) -> Views:
        return Views(
            distinct.estimate(statistic, resamples, seed),
            by_memory.estimate(statistic, resamples, seed) if alike else None,
            None if partial else rows.estimate(statistic, resamples, seed),
        )

    missing = sum(network not in of_network for network in connected)
    return Correlation(len(connected), len(y), missing, views(_spearman), views(_kendall))


@dataclass(frozen=True)
class _View:
    """A view pairs a predictor `x` and an accuracy `y`, correlated within `groups`; `units` are resampled as wholes."""

    x: _Floats
    y: _Floats
    groups: _Indices
    units: list[_Indices]

    def estimate(self, statistic: _Statistic, resamples: int, seed: int) -> Estimate | None:
        """Correlate all pairs, and take percentiles of resampled ones; None where the correlation is not defined."""
        value = self._correlation(statistic, np.arange(len(self.y)))
        if value is None:
            return None
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(resamples):
            sample = rng.integers(len(self.units), size=len(self.units))
            found.append(self._correlation(statistic, np.concatenate([self.units[unit] for unit in sample])))
        defined = [other for other in found if other is not None] or [value]
        low, high = np.percentile(defined, [2.5, 97.5])
        return Estimate(value, float(low), float(high))

    def _correlation(self, statistic: _Statistic, sample: _Indices) -> float | None:
        """Average the correlation over groups, weighted by size."""
        x, y, groups = self.x[sample], self.y[sample], self.groups[sample]
        total, weight = 0.0, 0
        for group in np.unique(groups):
            chosen = groups == group
            a, b = x[chosen], y[chosen]
            if (a != a[0]).any() and (b != b[0]).any():
                total += len(b) * statistic(a, b)
                weight += len(b)
        return total / weight if weight else None


def _spearman(x: _Floats, y: _Floats) -> float:
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def _kendall(x: _Floats, y: _Floats) -> float:
    return float(kendalltau(rankdata(x), y).statistic)
