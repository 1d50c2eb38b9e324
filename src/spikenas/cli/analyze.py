"""The command analyze."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer

from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas.cli import options as opt
from spikenas.cli.app import messages, progress
from spikenas.cli.options import Given, Option, command, listed
from spikenas.cli.tabular import CONFIG, QUESTION, SETTINGS, TABLE, ResultsFolder, subject
from spikenas.config import MOST_DRAWS, MOST_REPETITIONS

_ASKED = (
    Option("data", None, "As of 'spikenas run'; repeatable: data sets are compared.", list[str], QUESTION),
    Option("by", None, "Evaluators: scores, train, CSVs of scores, metrics of the table.", panel=QUESTION),
    Option("add", None, "Ops that the space lacks, to see what they bring: conv5x5,conv3x3@0.5.", panel=QUESTION),
    Option("seeds", None, "Repetitions, 20 when absent.", int, QUESTION, least=5, most=MOST_REPETITIONS, default=20),
    Option(
        "draws",
        None,
        "Networks of each space and seed, 16 when absent.",
        int,
        QUESTION,
        least=2,
        most=MOST_DRAWS,
        default=16,
    ),
    Option(
        "initialisations",
        None,
        "Of a score or training; one a seed when absent.",
        int,
        QUESTION,
        least=2,
        most=MOST_REPETITIONS,
    ),
    Option("strategy", None, "Repeat this search, of DRAWS evaluations, instead of drawing networks.", panel=QUESTION),
    Option(
        "tolerance",
        None,
        "Loss that is accepted, in standard deviations of the networks, 0.25 when absent.",
        float,
        QUESTION,
        default=0.25,
    ),
    Option(
        "confidence",
        None,
        "Of all intervals together, 0.95 when absent.",
        float,
        QUESTION,
        default=0.95,
    ),
)


@command(_ASKED, TABLE, opt.SIZES, CONFIG, SETTINGS)
def analyze(
    given: Given,
    out: ResultsFolder = Path("runs/analysis"),
) -> None:
    """Say which operations of a space matter: each is left out, and what is found without it is compared.

    The space is SNASNet's five ops unless --ops, --space or --table say otherwise. With several data sets or
    evaluators, their verdicts are compared.
    """
    asked = given.values
    table, data = asked["table"], asked["data"]
    if table and asked["ops"]:
        raise ConfigError(f"--ops {asked['ops']}: the space is that of --table {table}")
    if table and data and len(data) > 1:
        raise ConfigError(f"--table {table}: is of one data set, --data was given {len(data)} times")
    about = [subject(given, listed("by", asked["by"]), name, "snasnet") for name in data or (None,)]
    evaluators = about[0].evaluators

    from spikenas._util.threads import threads
    from spikenas.bench.subject import table_subject
    from spikenas.cli.tables import agreement_table, analysis_table
    from spikenas.enhancement import Analysis, AnalysisSpec, AnalysisSubject, Rule, write_agreement
    from spikenas.task import Task
    from spikenas.training.evaluators import require_distinct, short_name

    require_distinct(evaluators)
    rule = Rule(asked["tolerance"], asked["confidence"])
    specs = [
        AnalysisSpec(
            evaluator,
            tuple(listed("add", asked["add"])),
            asked["seeds"],
            asked["draws"],
            asked["initialisations"],
            asked["strategy"],
            rule,
            about[0].metric,
            about[0].adjusted,
        )
        for evaluator in evaluators
    ]
    several = len(about) * len(specs) > 1
    with progress(given.quiet, out) as report, threads(about[0].settings.threads):
        analyses = []
        for one in about:
            task = None if one.table else Task.of(one.settings)
            for spec in specs:
                about_it = (
                    table_subject(one.table, spec, one.settings, one.input, one.read)
                    if one.table
                    else AnalysisSubject.of(task or Task.of(one.settings))
                )
                folder = out / f"{about_it.name}-{short_name(spec.evaluator)}" if several else out
                analyses.append(Analysis(spec, about_it, folder, report))
        folders = [each.folder for each in analyses]
        if twice := [folder.name for folder in folders if folders.count(folder) > 1]:
            raise ConfigError(f"two analyses are called {twice[0]!r}; results are kept by that name")
        for each in analyses:
            each.check()
        answers = []
        for each in analyses:
            if several and not given.quiet:
                messages.print(f"{each.name} by {each.spec.evaluator}")
            answers.append(each.run())
    agreement = write_agreement(out, answers, rule) if several else None
    if given.as_json:
        content = {"analyses": [asdict(answer) for answer in answers], "agreement": agreement and asdict(agreement)}
        typer.echo(json.dumps(content, indent=2))
    elif not given.quiet:
        console = PlainConsole()
        for answer in answers:
            console.print(analysis_table(asdict(answer)))
        if agreement:
            console.print(agreement_table(asdict(agreement)))
        messages.print(f"the files are in {out}")
