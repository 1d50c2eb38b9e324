"""Who judges candidates, by name: a score computed here, a short training, a table's accuracies, a file of scores."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from spikenas.config import Config, NetworkConfig
from spikenas.correlation import read_values
from spikenas.data import channel_statistics
from spikenas.errors import ConfigError, DataError
from spikenas.files import open_csv
from spikenas.names import TRAINING
from spikenas.score import SCORES
from spikenas.search.executors import Executor, InProcess, Remembering, open_executor
from spikenas.seeding import digest_of
from spikenas.short_training import training_factory
from spikenas.space.genotype import Genotype
from spikenas.tabular import Lookup, LookupResult, Network, Table, network_of
from spikenas.task import open_data, scorer_factory

VALUES_FOLDER = "scores"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judge:
    """Who says how good a candidate is.

    Attributes:
        name: For people, and in results.
        identity: Digest of all that its answers depend on.
        executor: Asks it.
        known: Networks that it has an answer for; None is all.
    """

    name: str
    identity: str
    executor: Executor
    known: Container[Network] | None = None


@dataclass(frozen=True)
class Court:
    """Calls the judges of a name.

    Args:
        config: Data, fidelity, executor and seed.
        folder: Keeps what scores and trainings said, each network once over all runs of a command.
        initialisations: Judges of one score, with the configuration's seed and those after it.
        table: Accuracies of trained networks, where there are any.
        read: Reads a genotype in a CSV of scores.
        candidates: About how many networks a score will be asked for; None where that is not known.
    """

    config: Config
    folder: Path
    initialisations: int = 1
    table: Table | None = None
    read: Callable[[str], Genotype] = Genotype.parse
    candidates: int | None = None

    def judges(self, name: str, network: NetworkConfig) -> list[Judge]:
        """The judges of a name: of a score or a training its initialisations, else one.

        Args:
            name: A score, `train`, a CSV of scores, or a metric of the table such as `epoch 20`.
            network: Settings of the network that will be built.
        Raises:
            ConfigError: an unknown name, or one that needs a table where there is none.
            DataError: the data or the CSV cannot be used.
        """
        if is_live(name):
            return [self._live(name, number, network) for number in range(self.initialisations)]
        known = f"{', '.join(SCORES)}, {TRAINING}"
        if self.table is None:
            raise ConfigError(f"evaluator {name!r}: no score; without a table there are only {known}")
        if name.lower().endswith(".csv"):
            return [lookup_judge(score_lookup(self.table, Path(name), self.read), short_name(name))]
        try:
            return [lookup_judge(self.table.lookup(name), name)]
        except ConfigError:
            raise ConfigError(
                f"evaluator {name!r}: neither a score, nor a .csv of scores, nor a metric of the table (test, last, "
                f"epoch K); scores: {known}"
            ) from None

    def _live(self, name: str, number: int, network: NetworkConfig) -> Judge:
        config = self.config.model_copy(update={"seed": self.config.seed + number, "network": network})
        task = open_data(config)
        statistics = channel_statistics(task.dataset, config.seed)
        make = training_factory(task, statistics) if name == TRAINING else scorer_factory(task, statistics, name)
        (self.folder / VALUES_FOLDER).mkdir(parents=True, exist_ok=True)
        path = self.folder / VALUES_FOLDER / f"{name}-{config.seed}-{make.digest}.csv"

        def open_() -> Executor:
            return open_executor(config.executor, make, _log.warning, None if name == TRAINING else self.candidates)

        return Judge(name, make.digest, Remembering(open_, make.sharing_order, path))


def is_live(name: str) -> bool:
    """Whether an evaluator looks at images, rather than into a table or file."""
    return name in SCORES or name == TRAINING


def short_name(name: str) -> str:
    """Of an evaluator: of a CSV its stem."""
    return Path(name).stem if name.lower().endswith(".csv") else name


def distinct_names(names: Sequence[str]) -> None:
    """See that no evaluator is there twice.

    Raises:
        ConfigError: one is.
    """
    short = [short_name(name) for name in names]
    if twice := [name for name in short if short.count(name) > 1]:
        raise ConfigError(f"evaluator {twice[0]!r} is there twice")


def lookup_judge(lookup: Lookup, name: str) -> Judge:
    """Answers from a table or a file."""
    return Judge(name, digest_of(*sorted(map(repr, lookup.results.items()))), InProcess(lookup), lookup.results.keys())


def score_lookup(table: Table, path: Path, read: Callable[[str], Genotype] = Genotype.parse) -> Lookup:
    """An evaluator that answers from a CSV `genotype,score[,seconds]`, as `spikenas score` writes it.

    A network has the mean of its genotypes that have a finite score, or -inf where none of those has one.

    Args:
        table: Whose networks they are.
        path: The file.
        read: Makes a genotype of a text.
    Raises:
        DataError: a file that cannot be read, or without a score of any network of the table.
    """
    scores = read_values(path, read=read)
    with open_csv(path) as reader:
        seconds = read_values(path, "seconds", read) if "seconds" in (reader.fieldnames or ()) else {}
    found: dict[Network, list[Genotype]] = {}
    for genotype, score in scores.items():
        found.setdefault(network_of(genotype), []).extend([genotype] if math.isfinite(score) else [])
    if not any(found[network] for network in found.keys() & table.networks.keys()):
        raise DataError(f"{path}: none of its {len(scores)} genotypes is in {table.name} and has a score")
    results = {}
    for network, genotypes in found.items():
        means = (fmean(values.get(genotype, 0.0) for genotype in genotypes) for values in (scores, seconds))
        results[network] = LookupResult(*means) if genotypes else LookupResult(-math.inf, 0.0)
    return Lookup(path.name, "score", results, frozenset())
