"""A table of trained networks can be the subject of an analysis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from spikenas._util.errors import DataError
from spikenas.bench.table import Table
from spikenas.bench.table_evaluators import TableEvaluators
from spikenas.config import Config, NetworkConfig
from spikenas.enhancement.analysis import AnalysisSpec, AnalysisSubject
from spikenas.memory import Footprint, footprint
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec
from spikenas.task import Task


def table_subject(
    table: Table,
    spec: AnalysisSpec,
    config: Config,
    input: InputSpec | None = None,
    read: Callable[[str], Genotype] = Genotype.parse,
) -> AnalysisSubject:
    """Make a subject of a table, whose true accuracies are known.

    Args:
        table: Accuracies of trained networks, whose space is analysed.
        spec: Specification whose `metric` and `adjusted` say which accuracies are true.
        config: Network, budget and seed; data where an evaluator needs images.
        input: Shape of the inputs of the table's networks; None is as the data.
        read: Reads a genotype in a CSV of scores.
    Raises:
        DataError: The networks of the table have several cells.
    """
    space = table.having(spec.metric).space
    if not space.shared:
        raise DataError(f"{table.name}: an analysis needs one cell in all places of a network")
    truth = {
        network: value
        for network, value in table.network_values(spec.metric, spec.adjusted).items()
        if network[0].connected
    }
    return AnalysisSubject(
        Path(table.name).stem,
        config,
        space,
        cost_of(config.network, input or Task.of(config).input),
        TableEvaluators(table, read, partial(Task.of, config)),
        truth,
    )


def cost_of(network: NetworkConfig, input: InputSpec) -> Callable[[Genotype], Footprint]:
    """Return the function that gives the footprint of a genotype in a network of these settings."""
    return lambda genotype: footprint(make_plan(genotype, network, input))
