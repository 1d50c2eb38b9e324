"""Options that the commands which may take a table of trained networks share, and what these commands are about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikenas._util.errors import ConfigError, ScoreError
from spikenas.cli import options as opt
from spikenas.cli.options import Given, Option
from spikenas.config import BENCH, Config
from spikenas.pipeline.checking import check_settings
from spikenas.scores import SCORES, TRAINING

if TYPE_CHECKING:
    from spikenas.bench import Table
    from spikenas.space.genotype import Genotype
    from spikenas.space.plan import InputSpec

QUESTION = "Question"
ResultsFolder = Annotated[Path, typer.Option("--out", help="Folder of the results; what is there is not done again.")]
TABLE = (
    Option("table", None, "Trained networks: a SpikeNAS-Bench download, or a CSV.", Path, QUESTION),
    Option("dataset", None, "Of a download with several: cifar10, cifar100, tinyimagenet.", panel=QUESTION),
    Option("metric", None, "Of the table, what is true; test when absent.", panel=QUESTION),
    Option("as_trained", None, "Leave the effects of training cohorts in.", bool, QUESTION, default=False),
)
CONFIG = Option("config", None, "Start from a config.toml.", Path)
SETTINGS = (*opt.IMAGES, *opt.NETWORK, opt.SPACE, opt.OPS, *opt.EXECUTOR, opt.SEED, opt.DEVICE, opt.SET, *opt.OUTPUT)


@dataclass(frozen=True)
class Subject:
    """Tells what a command is about.

    Attributes:
        settings: The configuration.
        evaluators: Names, at least one.
        table: Trained networks, or None.
        input: What the table's networks see, where no data are given.
        read: Reads a genotype in a CSV of scores.
        metric: Metric of the table that counts as true.
        adjusted: Whether it is less the effect of the cohort.
    """

    settings: Config
    evaluators: tuple[str, ...]
    table: Table | None
    input: InputSpec | None
    read: Callable[[str], Genotype]
    metric: str
    adjusted: bool


def subject(given: Given, by: Sequence[str], data: str | None, default_space: str | None = None) -> Subject:
    """Find the subject of a command with the options `TABLE`, `CONFIG` and those of the configuration.

    Args:
        given: The options.
        by: Names of evaluators; none is the configuration's score.
        data: Name of the data; None where none are given.
        default_space: Name of the space where nothing else says it.
    Raises:
        ConfigError: They are no configuration, or a table whose images are not given though a score needs them.
        DataError: The table cannot be read.
    """
    from spikenas.bench import Table
    from spikenas.space.texts import bench_input, is_bench, read_genotype

    values = given.values
    file, dataset, config = values["table"], values["dataset"], values["config"]
    if file is None:
        idle = {"dataset": dataset, "metric": values["metric"], "as-trained": values["as_trained"] or None}
        for name, value in idle.items():
            if value is not None:
                raise ConfigError(f"--{name}: goes with --table alone")
    table = Table.read(file, dataset) if file else None
    of_bench = table is not None and any(row.id is not None for row in table.rows)
    words = dict(given.words)
    if data is not None:
        words["data.name"] = data
    named = words.get("space.name")
    if of_bench and not named:
        named = BENCH
    if not (named or "space.ops" in words or table or config):
        named = default_space
    if named:
        words["space.name"] = f"{named}:{dataset}" if named == BENCH and dataset else named
    if table and "network.cells" not in words:
        words["network.cells"] = len(table.rows[0].genotype.cells)
    base = Config.load(config) if config else Config()
    settings = base.but(words, given.sources)
    check_settings(settings)
    names = tuple(by) or (settings.search.score,)
    input = None
    if table is None:
        _check_evaluators(names)
    else:
        settings = settings.but({"network.channels": settings.network.free_channels})
        if data is None and config is None:
            of_cifar10 = of_bench and dataset in (None, "cifar10")
            if not of_cifar10 or any(name in SCORES or name == TRAINING for name in names):
                raise ConfigError(f"--table {file}: give --data too, the images that its networks see")
            input = bench_input(BENCH)
    return Subject(
        settings,
        names,
        table,
        input,
        lambda text: read_genotype(text, named if is_bench(named) else None, settings.network.cells),
        values["metric"] or "test",
        not values["as_trained"],
    )


def _check_evaluators(names: Sequence[str]) -> None:
    for name in names:
        try:
            SCORES.check(name, TRAINING)
        except ScoreError as error:
            raise ConfigError(f"--by: {error}; a CSV, or a metric such as 'epoch 20', needs --table") from None
