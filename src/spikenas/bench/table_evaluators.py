"""These evaluators answer from a table of trained networks, or from a CSV of scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from spikenas._util.errors import ConfigError, DataError
from spikenas._util.files import open_csv
from spikenas._util.paths import user_path
from spikenas._util.seeding import digest_of
from spikenas.bench.correlation import read_values
from spikenas.bench.table import Lookup, Table
from spikenas.config import NetworkConfig
from spikenas.nas.candidates import RecordedEvaluation
from spikenas.nas.executors import InProcess
from spikenas.space.genotype import Genotype, NetworkKey, network_key
from spikenas.task import Task
from spikenas.training.evaluators import Evaluator, EvaluatorFactory, known_evaluators, needs_images, short_name


@dataclass(frozen=True)
class TableEvaluators:
    """The evaluators of a table are its metrics, CSVs of scores, and those that need images.

    Args:
        table: Accuracies of trained networks.
        read: Reads a genotype in a CSV of scores.
        open_task: Opens the data, when an evaluator needs images.
    """

    table: Table
    read: Callable[[str], Genotype]
    open_task: Callable[[], Task]

    def make(
        self, name: str, network: NetworkConfig, folder: Path, initialisations: int = 1, candidates: int | None = None
    ) -> list[Evaluator]:
        """Make the evaluators of a score, `train`, a CSV of scores, or a metric such as `epoch 20`.

        The arguments are those of `EvaluatorFactory.make`.

        Raises:
            ConfigError: The name is unknown.
            DataError: The data or the CSV cannot be used.
        """
        if needs_images(name):
            return EvaluatorFactory(self.open_task()).make(name, network, folder, initialisations, candidates)
        if name.lower().endswith(".csv"):
            return [lookup_evaluator(score_lookup(self.table, user_path(name), self.read), short_name(name))]
        try:
            return [lookup_evaluator(self.table.lookup(name), name)]
        except ConfigError:
            raise ConfigError(
                f"evaluator {name!r}: neither a score, nor a .csv of scores, nor a metric of the table (test, last, "
                f"epoch K); scores: {known_evaluators()}"
            ) from None


def lookup_evaluator(lookup: Lookup, name: str) -> Evaluator:
    """Make the evaluator that answers from a table or a file."""
    identity = digest_of(*sorted(map(repr, lookup.results.items())))
    return Evaluator(name, identity, InProcess(lookup), lookup.results.keys())


def score_lookup(table: Table, path: Path, read: Callable[[str], Genotype] = Genotype.parse) -> Lookup:
    """Read a lookup from a CSV `genotype,score[,seconds]`, as `spikenas score` writes it.

    A network has the mean of its genotypes that have a finite score, or -inf where none of those has one.

    Args:
        table: The table of the networks.
        path: The file.
        read: Makes a genotype of a text.
    Raises:
        DataError: The file cannot be read, or has no score of any network of the table.
    """
    scores = read_values(path, read=read)
    with open_csv(path) as reader:
        seconds = read_values(path, "seconds", read) if "seconds" in (reader.fieldnames or ()) else {}
    found: dict[NetworkKey, list[Genotype]] = {}
    for genotype, score in scores.items():
        found.setdefault(network_key(genotype), []).extend([genotype] if math.isfinite(score) else [])
    if not any(found[network] for network in found.keys() & table.networks.keys()):
        raise DataError(f"{path}: none of its {len(scores)} genotypes is in {table.name} and has a score")
    results = {}
    for network, genotypes in found.items():
        means = (fmean(values.get(genotype, 0.0) for genotype in genotypes) for values in (scores, seconds))
        results[network] = RecordedEvaluation(*means) if genotypes else RecordedEvaluation(-math.inf, 0.0)
    return Lookup(path.name, "score", results, frozenset())
