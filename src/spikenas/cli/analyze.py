"""The command analyze."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spikenas import options as opt
from spikenas.cli.app import app, interruptible, log_messages, messages
from spikenas.cli.tabular import listed, subject
from spikenas.errors import ConfigError
from spikenas.tables import agreement_table, significance_table

_QUESTION = "Question"
_Text = str | None


def _option(text: str, *names: str, **settings: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_QUESTION, show_default=False, **settings)


@app.command()
def analyze(
    data: Annotated[
        list[str] | None,
        typer.Option(help="As of 'spikenas run'; repeatable: data sets are compared.", show_default=False),
    ] = None,
    table: Annotated[Path | None, _option("Trained networks: a SpikeNAS-Bench download, or a CSV.")] = None,
    dataset: Annotated[_Text, _option("Of a download with several: cifar10, cifar100, tinyimagenet.")] = None,
    by: Annotated[_Text, _option("Evaluators: scores, train, CSVs of scores, metrics of the table.")] = None,
    add: Annotated[_Text, _option("Ops that the space lacks, to see what they bring: conv5x5,conv3x3@0.5.")] = None,
    seeds: Annotated[int, _option("Repetitions, 20 when absent.", min=5)] = 20,
    draws: Annotated[int, _option("Networks of each space and seed, 16 when absent.", min=2)] = 16,
    initialisations: Annotated[int | None, _option("Of a score or training; one a seed when absent.", min=2)] = None,
    strategy: Annotated[
        _Text, _option("Repeat this search, of DRAWS evaluations, instead of drawing networks.")
    ] = None,
    tolerance: Annotated[
        float, _option("Loss that is accepted, in standard deviations of the networks, 0.25 when absent.")
    ] = 0.25,
    confidence: Annotated[float, _option("Of all intervals together, 0.95 when absent.")] = 0.95,
    metric: Annotated[_Text, _option("Of the table, what is true; test when absent.")] = None,
    as_trained: Annotated[bool, _option("Leave the effects of training cohorts in.", "--as-trained")] = False,
    out: Annotated[Path, typer.Option(help="Folder of the results; what is there is not done again.")] = Path(
        "runs/analysis"
    ),
    config: Annotated[Path | None, typer.Option(help="Start from a config.toml.", show_default=False)] = None,
    image_size: opt.ImageSize = None,
    download: opt.Download = None,
    skip_broken: opt.SkipBroken = None,
    params: opt.Params = None,
    flash: opt.Flash = None,
    ram: opt.Ram = None,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    space: opt.SpaceName = None,
    ops: opt.Ops = None,
    executor: opt.ExecutorKind = None,
    workers: opt.Workers = None,
    ray_address: opt.RayAddress = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Say which operations of a space matter: each is left out, and what is found without it is compared.

    The space is SNASNet's five ops unless --ops, --space or --table say otherwise. With several data sets or
    evaluators, their verdicts are compared.
    """
    given = locals() | {"data": None, "strategy": None}
    if not (space or ops or table or config):
        given["space"] = "snasnet"

    if table is None:
        for name, value in {"dataset": dataset, "metric": metric, "as-trained": as_trained or None}.items():
            if value is not None:
                raise ConfigError(f"--{name}: goes with --table alone")
    elif ops:
        raise ConfigError(f"--ops {ops}: the space is that of --table {table}")
    elif data and len(data) > 1:
        raise ConfigError(f"--table {table}: is of one data set, --data was given {len(data)} times")
    about = [
        subject(table, dataset, listed("by", by), config, given | {"data": name}, set_) for name in data or (None,)
    ]

    from spikenas.analysis import Analysis, Inquiry, Rule, write_agreement
    from spikenas.judges import distinct_names, short_name
    from spikenas.progress import Reporter

    inquiries = [
        Inquiry(
            evaluator,
            tuple(listed("add", add)),
            seeds,
            draws,
            initialisations,
            strategy,
            Rule(tolerance, confidence),
            metric or "test",
            not as_trained,
        )
        for evaluator in about[0].evaluators
    ]
    distinct_names(about[0].evaluators)
    log_messages(quiet)
    with interruptible() as interrupted:
        report = Reporter(None if quiet else messages, interrupted)
        several = len(about) * len(inquiries) > 1
        analyses = [
            Analysis(inquiry, one.settings, out, report, one.table, one.input, one.read)
            for one, inquiry in product(about, inquiries)
        ]
        if several:
            analyses = [
                replace(each, folder=out / f"{each.name}-{short_name(each.inquiry.evaluator)}") for each in analyses
            ]
        folders = [each.folder for each in analyses]
        if several and (twice := [folder.name for folder in folders if folders.count(folder) > 1]):
            raise ConfigError(f"two analyses are called {twice[0]!r}; results are kept by that name")
        answers = []
        try:
            for each in analyses:
                each.check()
            for each in analyses:
                if several and not quiet:
                    messages.print(f"{each.name} by {each.inquiry.evaluator}", highlight=False)
                answers.append(each.run())
        except KeyboardInterrupt:
            typer.echo(f"spikenas: interrupted; the same command goes on from {out}", err=True)
            raise typer.Exit(130) from None
    agreement = write_agreement(out, answers, inquiries[0].rule) if several else None
    if as_json:
        content = {"analyses": [asdict(answer) for answer in answers], "agreement": agreement and asdict(agreement)}
        typer.echo(json.dumps(content, indent=2))
    elif not quiet:
        console = Console()
        for answer in answers:
            console.print(significance_table(asdict(answer)))
        if agreement:
            console.print(agreement_table(asdict(agreement)))
        messages.print(f"the files are in {out}", highlight=False)
