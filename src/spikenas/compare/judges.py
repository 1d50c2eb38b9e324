"""The evaluators of a comparison: a table's short trainings, files of scores, and scores computed here."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from spikenas.compare.arena import Judge
from spikenas.correlation import read_values
from spikenas.errors import DataError
from spikenas.files import open_csv
from spikenas.search.executors import InProcess
from spikenas.seeding import digest_of
from spikenas.space.genotype import Genotype
from spikenas.tabular import Lookup, LookupResult, Network, Table, network_of


def lookup_judge(lookup: Lookup, name: str) -> Judge:
    """Answers from a table or a file."""
    return Judge(name, digest_of(sorted(map(repr, lookup.results.items()))), InProcess(lookup), lookup.results.keys())


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
