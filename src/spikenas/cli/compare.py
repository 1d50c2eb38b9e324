"""The command compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import typer

from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas.cli import options as opt
from spikenas.cli.app import messages, progress
from spikenas.cli.options import Given, Option, command, listed
from spikenas.cli.tabular import CONFIG, QUESTION, SETTINGS, TABLE, ResultsFolder, subject
from spikenas.config import MOST_ITEMS, MOST_REPETITIONS

_ASKED = (
    Option("by", None, "Evaluators: scores, CSVs of scores, metrics such as 'epoch 20'.", panel=QUESTION),
    Option("designs", None, "Search designs rather than cells; without --table.", bool, QUESTION, default=False),
    Option("strategies", None, "Search strategies, or race, asha; all or none.", panel=QUESTION),
    Option(
        "seeds",
        None,
        "Seeds of the strategies, 5 when absent.",
        int,
        QUESTION,
        least=1,
        most=MOST_REPETITIONS,
        default=5,
    ),
    Option(
        "initialisations",
        None,
        "Initialisations of each score, 1 when absent.",
        int,
        QUESTION,
        least=1,
        most=MOST_REPETITIONS,
        default=1,
    ),
    Option(
        "evaluations", None, "Most evaluations of a search, 100 when absent.", int, QUESTION, least=1, most=MOST_ITEMS
    ),
    Option("convs", None, "Budgets: most live convolutions of a cell, such as 0-6.", panel=QUESTION),
    Option("params", None, "Budgets: most parameters.", panel=QUESTION),
    Option("flash", None, "Budgets: most flash, such as 48KiB,96KiB.", panel=QUESTION),
    Option("ram", None, "Budgets: most RAM.", panel=QUESTION),
    Option(
        "networks",
        None,
        "Networks for the rank correlations; 0: none; all when absent.",
        int,
        QUESTION,
        least=0,
        most=MOST_ITEMS,
    ),
)


@command(_ASKED, TABLE, opt.DATASET, CONFIG, SETTINGS)
def compare(
    given: Given,
    out: ResultsFolder = Path("runs/compare"),
) -> None:
    """Compare search strategies by any evaluators, and evaluators by rank correlation; lists are separated by commas.

    With a table of trained networks, searches are compared by true accuracies, which they do not see, and evaluators
    are correlated with them.
    """
    asked = given.values
    if asked["designs"]:
        if asked["table"]:
            raise ConfigError("--designs: a table has no designs; leave --table out")
        given.words.setdefault("race.epochs", 1)
    about = subject(given, listed("by", asked["by"]), asked["data"])
    names = listed("strategies", asked["strategies"]) or ["all"]
    if about.table is None and asked["networks"] is not None:
        raise ConfigError("--networks: goes with --table alone")
    if names == ["none"] and (about.table is None or asked["networks"] == 0):
        raise ConfigError(
            "--strategies none: nothing is left to compare; name strategies, or rank evaluators on the networks of a "
            "--table"
        )
    from spikenas.bench.races import RACES
    from spikenas.nas.strategies import STRATEGIES

    for name in {*names} - {"all", "none", *RACES}:
        STRATEGIES.check(name)

    from spikenas._util.threads import threads
    from spikenas.bench.arena import Limits
    from spikenas.bench.comparison import Comparison, ComparisonSpec
    from spikenas.cli.tables import rank_table, summary_table

    limits = [Limits(convs=number) for number in _numbers(asked["convs"])]
    for name in ("params", "flash", "ram"):
        for size in listed(name, asked[name]):
            besides = about.settings.but({f"budget.{name}": size}, {f"budget.{name}": f"--{name}"})
            limits.append(Limits(memory=besides.budget))
    spec = ComparisonSpec(
        evaluators=about.evaluators,
        strategies=None if names == ["all"] else () if names == ["none"] else tuple(dict.fromkeys(names)),
        limits=tuple(dict.fromkeys(limits)) or (Limits(memory=about.settings.budget),),
        seeds=asked["seeds"],
        initialisations=asked["initialisations"],
        evaluations=asked["evaluations"],
        metric=about.metric,
        adjusted=about.adjusted,
        ranked=asked["networks"],
    )
    with progress(given.quiet, out) as report, threads(about.settings.threads):
        found = Comparison(spec, about.settings, out, report, about.table, about.input, about.read).run()
    if given.as_json:
        content = {"ranks": [asdict(r) for r in found.ranks], "summaries": [asdict(s) for s in found.summaries]}
        typer.echo(json.dumps(content, indent=2))
    elif not given.quiet:
        console = PlainConsole()
        if found.ranks:
            console.print(rank_table([asdict(rank) for rank in found.ranks]))
        if found.summaries:
            console.print(summary_table([asdict(summary) for summary in found.summaries]))
        messages.print(f"the files are in {out}")


def _numbers(text: str | None) -> Iterator[int]:
    for part in listed("convs", text):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part)
        if not match:
            raise ConfigError(f"--convs {text}: expected numbers such as 0-6 or 2,4")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ConfigError(f"--convs {text}: {first} is more than {last}")
        yield from range(first, last + 1)
