"""The command compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spikenas import options as opt
from spikenas.cli.app import app, interruptible, log_messages, messages
from spikenas.cli.tabular import listed, subject
from spikenas.errors import ConfigError
from spikenas.tables import rank_table, summary_table

_QUESTION = "Question"
_Text = str | None


def _option(text: str, *names: str, **settings: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_QUESTION, show_default=False, **settings)


@app.command()
def compare(
    table: Annotated[Path | None, _option("Trained networks: a SpikeNAS-Bench download, or a CSV.")] = None,
    dataset: Annotated[_Text, _option("Of a download with several: cifar10, cifar100, tinyimagenet.")] = None,
    by: Annotated[_Text, _option("Evaluators: scores, CSVs of scores, metrics such as 'epoch 20'.")] = None,
    strategies: Annotated[_Text, _option("Search strategies; all or none.")] = None,
    seeds: Annotated[int, _option("Seeds of the strategies, 5 when absent.", min=1)] = 5,
    initialisations: Annotated[int, _option("Initialisations of each score, 1 when absent.", min=1)] = 1,
    evaluations: Annotated[int | None, _option("Most evaluations of a search, 100 when absent.", min=1)] = None,
    convs: Annotated[_Text, _option("Budgets: most live convolutions of a cell, such as 0-6.")] = None,
    params: Annotated[_Text, _option("Budgets: most parameters.")] = None,
    flash: Annotated[_Text, _option("Budgets: most flash, such as 48KiB,96KiB.")] = None,
    ram: Annotated[_Text, _option("Budgets: most RAM.")] = None,
    networks: Annotated[
        int | None, _option("Networks for the rank correlations; 0: none; all when absent.", min=0)
    ] = None,
    metric: Annotated[_Text, _option("Of the table, what is true; test when absent.")] = None,
    as_trained: Annotated[bool, _option("Leave the effects of training cohorts in.", "--as-trained")] = False,
    data: opt.Data = None,
    out: Annotated[Path, typer.Option(help="Folder of the results; what is there is not done again.")] = Path(
        "runs/compare"
    ),
    config: Annotated[Path | None, typer.Option(help="Start from a config.toml.", show_default=False)] = None,
    image_size: opt.ImageSize = None,
    download: opt.Download = None,
    skip_broken: opt.SkipBroken = None,
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
    """Compare search strategies by any evaluators, and evaluators by rank correlation; lists are separated by commas.

    With a table of trained networks, searches are judged by true accuracies, which they do not see, and the evaluators
    are correlated with them.
    """
    given = locals() | {"params": None, "flash": None, "ram": None, "evaluations": None}
    budgets = {"params": params, "flash": flash, "ram": ram}

    about = subject(table, dataset, listed("by", by), config, given, set_)
    settings = about.settings
    asked = listed("strategies", strategies) or ["all"]
    if table is None:
        idle = {"dataset": dataset, "metric": metric, "networks": networks, "as-trained": as_trained or None}
        for name, value in idle.items():
            if value is not None:
                raise ConfigError(f"--{name}: goes with --table alone")
    if asked == ["none"] and (table is None or networks == 0):
        raise ConfigError(
            "--strategies none: nothing is left to compare; name strategies, or rank evaluators on the networks of a "
            "--table"
        )
    from spikenas.search.strategies import find_strategy

    for name in {*asked} - {"all", "none"}:
        find_strategy(name)

    from spikenas.compare import Limits, Question, Study
    from spikenas.config import Config
    from spikenas.progress import Reporter

    limits = [Limits(convs=number) for number in _numbers(convs)]
    for name, sizes in budgets.items():
        for size in listed(name, sizes):
            parsed = Config.parse({"budget": {name: size}}, given={f"budget.{name}": f"--{name}"})
            limits.append(Limits(memory=parsed.budget))
    question = Question(
        evaluators=about.evaluators,
        strategies=None if asked == ["all"] else () if asked == ["none"] else tuple(dict.fromkeys(asked)),
        limits=tuple(dict.fromkeys(limits)) or (Limits(memory=settings.budget),),
        seeds=seeds,
        initialisations=initialisations,
        evaluations=evaluations,
        metric=metric or "test",
        adjusted=not as_trained,
        ranked=networks,
    )
    log_messages(quiet)
    with interruptible() as interrupted:
        report = Reporter(None if quiet else messages, interrupted)
        study = Study(question, settings, out, report, about.table, about.input, about.read)
        try:
            found = study.run()
        except KeyboardInterrupt:
            typer.echo(f"spikenas: interrupted; the same command goes on from {out}", err=True)
            raise typer.Exit(130) from None
    if as_json:
        content = {"ranks": [asdict(r) for r in found.ranks], "summaries": [asdict(s) for s in found.summaries]}
        typer.echo(json.dumps(content, indent=2))
    elif not quiet:
        console = Console()
        if found.ranks:
            console.print(rank_table([asdict(rank) for rank in found.ranks]))
        if found.summaries:
            console.print(summary_table([asdict(summary) for summary in found.summaries]))
        messages.print(f"the files are in {out}", highlight=False)


def _numbers(text: str | None) -> Iterator[int]:
    for part in listed("convs", text):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part)
        if not match:
            raise ConfigError(f"--convs {text}: expected numbers such as 0-6 or 2,4")
        first, last = int(match[1]), int(match[2] or match[1])
        if first > last:
            raise ConfigError(f"--convs {text}: {first} is more than {last}")
        yield from range(first, last + 1)
