import csv
from pathlib import Path

import pytest

from spikenas.bench import Row, Table
from spikenas.bench.correlation import Correlation, Estimate, correlate
from spikenas.bench.ranks import Figure, rank_of, write_ranks
from spikenas.space import Genotype, Space


def correlation(slope: float) -> Correlation:
    """Of values that are the accuracies times a slope."""
    cells = Space.of(("none", "skip", "conv3x3"), cells=1, nodes=3).distinct_cells
    genotypes = [Genotype((cell, cell)) for cell in cells]
    rows = [Row(g, "row", test=0.4 + k / 100, trained=10) for k, g in enumerate(genotypes)]
    values = {genotype: slope * k for k, genotype in enumerate(genotypes)}
    return correlate(Table("table", tuple(rows)), values, "test", adjusted=False, sample=True)


def test_mean_and_spread_over_initialisations() -> None:
    figure = Figure.of([Estimate(0.4, 0.2, 0.5), Estimate(0.6, 0.4, 0.9)])
    assert (figure.mean, figure.low, figure.high) == pytest.approx((0.5, 0.3, 0.7))
    assert figure.spread == pytest.approx(0.02**0.5)
    assert Figure.of([Estimate(0.4, 0.2, 0.5)]).spread is None


def test_a_perfect_and_an_inverted_ranking(tmp_path: Path) -> None:
    ranks = [rank_of("good", [correlation(1)] * 2, 0.5), rank_of("bad", [correlation(-1)], 0.1)]
    assert ranks[0].figures["spearman"]["networks"].mean == 1
    assert ranks[0].figures["kendall"]["networks"].mean == pytest.approx(1)
    assert ranks[1].figures["spearman"]["networks"].mean == -1
    assert [rank.initialisations for rank in ranks] == [2, 1]
    write_ranks(tmp_path / "ranks.csv", ranks)
    with (tmp_path / "ranks.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["view"] == "networks"]
    assert [(row["evaluator"], row["coefficient"], round(float(row["mean"]), 9), row["spread"]) for row in rows] == [
        ("good", "spearman", 1, "0.0"),
        ("good", "kendall", 1, "0.0"),
        ("bad", "spearman", -1, ""),
        ("bad", "kendall", -1, ""),
    ]


def test_what_is_not_defined_is_left_out() -> None:
    rank = rank_of("constant", [correlation(0)], 0.1)
    assert rank.figures == {}
