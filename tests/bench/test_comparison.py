import json
from pathlib import Path

import pytest
from filelock import FileLock

from spikenas._util.errors import ConfigError, RunError
from spikenas._util.progress import Reporter
from spikenas.bench import Row, Table
from spikenas.bench.arena import Limits
from spikenas.bench.comparison import Comparison, ComparisonSpec
from spikenas.config import Config
from spikenas.space import Genotype, InputSpec, Space


def comparison(folder: Path, spec: ComparisonSpec) -> Comparison:
    """On made-up accuracies of 3-node networks."""
    cells = Space.of(("none", "skip", "conv3x3"), cells=1, nodes=3).distinct_cells
    genotypes = [Genotype((cell, cell)) for cell in cells]
    rows = [Row(g, "row", test=0.4 + k / 100, epochs=(5,), validation=(k % 3 / 10,)) for k, g in enumerate(genotypes)]
    config = Config.parse({"network": {"channels": 4}})
    return Comparison(spec, config, folder, Reporter(None), Table("table", tuple(rows)), InputSpec(1, 8, 8, 10))


def test_the_table_itself_ranks_perfectly_and_finds_the_best(tmp_path: Path) -> None:
    found = comparison(tmp_path, ComparisonSpec(("test", "epoch 5"), ("exhaustive",), seeds=1, adjusted=False)).run()
    truth, early = found.ranks
    assert truth.figures["spearman"]["networks"].mean == 1 > early.figures["spearman"]["networks"].mean
    assert {(result.evaluator, result.regret == 0) for result in found.results} == {("test", True), ("epoch 5", False)}
    report = json.loads((tmp_path / "comparison.json").read_text())
    assert [rank["evaluator"] for rank in report["ranks"]] == ["test", "epoch 5"]
    assert report["question"]["strategies"] == ["exhaustive"]


def test_a_sample_of_networks_is_the_same_each_time(tmp_path: Path) -> None:
    spec = ComparisonSpec(("epoch 5",), (), ranked=6, adjusted=False)
    one, other = (comparison(tmp_path / name, spec).run().ranks[0] for name in "ab")
    assert one.networks == 6
    assert one == other


def test_what_was_asked_of_nothing_or_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown strategy 'randon', did you mean 'random'"):
        comparison(tmp_path, ComparisonSpec(("test",), ("randon",))).run()
    with pytest.raises(ConfigError, match="evaluator 'test' is there twice"):
        comparison(tmp_path, ComparisonSpec(("test", "test"))).run()
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match="in use by another spikenas process"):
        comparison(tmp_path, ComparisonSpec(("test",))).run()
    comparison(tmp_path, ComparisonSpec(("test",), ("random",), (Limits(1),), seeds=1)).run()
    other = comparison(tmp_path, ComparisonSpec(("test",), ("random",), (Limits(1),), seeds=1, adjusted=False))
    rows = tuple(Row(r.genotype, r.source, test=1 - (r.test or 0)) for r in other.table.rows) if other.table else ()
    changed = Comparison(other.spec, other.config, tmp_path, Reporter(None), Table("table", rows), other.input)
    with pytest.raises(RunError, match="its results are of other accuracies, scores or settings"):
        changed.run()


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [(None, (1024, 10)), ("cifar10", (1024, 10)), ("cifar100", (1024, 5)), ("tinyimagenet", (4096, 5))],
)
def test_the_benchmark_networks_of_each_data_set(dataset: str | None, expected: tuple[int, int]) -> None:
    name = f"spikenas-bench:{dataset}" if dataset else "spikenas-bench"
    network = Config.parse({"space": {"name": name}}).network
    assert (network.hidden, network.votes) == expected
    assert network.stem_stride == (2 if dataset == "tinyimagenet" else "auto")
