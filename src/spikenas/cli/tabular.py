"""What the commands that take a table of trained networks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikenas import options as opt
from spikenas.config import Config
from spikenas.errors import ConfigError, ScoreError
from spikenas.names import TRAINING, check_score
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec

if TYPE_CHECKING:
    from spikenas.tabular import Table


@dataclass(frozen=True)
class Subject:
    """What a command is about.

    Attributes:
        settings: The configuration.
        evaluators: Names, at least one.
        table: Trained networks, or None.
        input: What the table's networks see, where no data are given.
        read: Reads a genotype in a CSV of scores.
    """

    settings: Config
    evaluators: tuple[str, ...]
    table: Table | None
    input: InputSpec | None
    read: Callable[[str], Genotype]


def subject(
    path: Path | None,
    dataset: str | None,
    by: Sequence[str],
    config: Path | None,
    given: dict[str, Any],
    assignments: list[str] | None,
) -> Subject:
    """The subject of a command with `--table`, `--dataset`, `--by`, `--data` and the options of the configuration.

    Args:
        path: Of the table.
        dataset: Of a download with several.
        by: Evaluators; none is the configuration's score.
        config: TOML file to start from.
        given: Values by option.
        assignments: Of `--set`.
    Raises:
        ConfigError: no configuration, or a table whose images are not given though a score needs them.
        DataError: the table cannot be read.
    """
    from spikenas.tabular import Table

    table = Table.read(path, dataset) if path else None
    is_bench = table is not None and any(row.id is not None for row in table.rows)
    options = dict(given)
    if is_bench and not options["space"]:
        options["space"] = opt.BENCH
    if table:
        options["cells"] = options["cells"] or len(table.rows[0].genotype.cells)
    settings = opt.make_config(config, options, assignments)
    names = tuple(by) or (settings.search.score,)
    opt.check_names(settings)
    if table is None:
        _check_evaluators(names)
    input = None
    if table:
        from spikenas.judges import is_live

        settings = settings.model_copy(update={"network": opt.network_of(settings)})
        if given["data"] is None and config is None:
            of_cifar10 = is_bench and dataset in (None, "cifar10")
            if not of_cifar10 or any(map(is_live, names)):
                raise ConfigError(f"--table {path}: give --data too, the images that its networks see")
            input = opt.BENCH_INPUT
    return Subject(
        settings,
        names,
        table,
        input,
        lambda text: opt.read_genotype(text, options["space"], settings.network.cells),
    )


def _check_evaluators(names: Sequence[str]) -> None:
    for name in names:
        try:
            check_score(name, TRAINING)
        except ScoreError as error:
            raise ConfigError(f"--by: {error}; a CSV, or a metric such as 'epoch 20', needs --table") from None


def listed(option: str, text: str | None) -> list[str]:
    """The parts of a list that is separated by commas; none where the option is absent.

    Raises:
        ConfigError: a part is empty.
    """
    parts = [part.strip() for part in text.split(",")] if text is not None else []
    if not all(parts):
        raise ConfigError(f"--{option} {text}: an empty entry; expected entries with a comma between them")
    return parts
