"""The commands on a run folder: run, search, train, evaluate."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spikenas import options as opt
from spikenas.cli.app import app, interruptible, log_messages, messages
from spikenas.config import Config
from spikenas.errors import ConfigError, RunError
from spikenas.names import TRAINING, check_score
from spikenas.run import ASKED, CONFIG, NEEDS, TRIALS, Run, is_leader
from spikenas.tables import decision_table, front_table, run_summary

_SPACE = "Network and space"
_ENHANCE = ("analysis", "by", "seeds", "draws", "tolerance", "confidence")


@app.command()
def run(
    config: opt.ConfigFile = None,
    data: opt.Data = None,
    out: opt.Out = None,
    params: opt.Params = None,
    flash: opt.Flash = None,
    ram: opt.Ram = None,
    target: opt.Target = None,
    image_size: opt.ImageSize = None,
    download: opt.Download = None,
    skip_broken: opt.SkipBroken = None,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    weight_bits: opt.WeightBits = None,
    space: opt.SpaceName = None,
    ops: opt.Ops = None,
    score: opt.ScoreName = None,
    strategy: opt.StrategyName = None,
    evaluations: opt.Evaluations = None,
    front: opt.Front = None,
    epochs: opt.Epochs = None,
    executor: opt.ExecutorKind = None,
    workers: opt.Workers = None,
    ray_address: opt.RayAddress = None,
    no_enhance: Annotated[
        bool,
        typer.Option(
            "--no-enhance",
            help="Search the space as configured: decide no ops, cells and sharing.",
            rich_help_panel=_SPACE,
        ),
    ] = False,
    seed: opt.Seed = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """All stages: from images and a budget to a trained network of integers that fits, with a target to firmware."""
    stages = ("search", "train", "quantise", "evaluate")
    _stages(stages if no_enhance else ("enhance", *stages), config, out, locals(), deploys=True)


@app.command()
def enhance(
    config: opt.ConfigFile = None,
    data: opt.Data = None,
    out: opt.Out = None,
    analysis: Annotated[
        Path | None,
        typer.Option(help="Folder of 'spikenas analyze', whose ops are taken.", show_default=False, exists=True),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who judges: a score, or train; the score when absent.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions.", min=5)] = 30,
    draws: Annotated[int, typer.Option(help="Networks of each space and seed.", min=2)] = 12,
    tolerance: Annotated[float, typer.Option(help="Loss that is accepted, in standard deviations.")] = 0.25,
    confidence: Annotated[float, typer.Option(help="Of all intervals together.")] = 0.95,
    params: opt.Params = None,
    flash: opt.Flash = None,
    ram: opt.Ram = None,
    target: opt.Target = None,
    image_size: opt.ImageSize = None,
    download: opt.Download = None,
    skip_broken: opt.SkipBroken = None,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    weight_bits: opt.WeightBits = None,
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
    """Decide the space of a run folder: ops, cells, width, head, sharing; writes space.json with the reasons."""
    _stages(("enhance",), config, out, locals())


@app.command()
def search(
    config: opt.ConfigFile = None,
    data: opt.Data = None,
    out: opt.Out = None,
    params: opt.Params = None,
    flash: opt.Flash = None,
    ram: opt.Ram = None,
    target: opt.Target = None,
    image_size: opt.ImageSize = None,
    download: opt.Download = None,
    skip_broken: opt.SkipBroken = None,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    weight_bits: opt.WeightBits = None,
    space: opt.SpaceName = None,
    ops: opt.Ops = None,
    score: opt.ScoreName = None,
    strategy: opt.StrategyName = None,
    evaluations: opt.Evaluations = None,
    front: opt.Front = None,
    executor: opt.ExecutorKind = None,
    workers: opt.Workers = None,
    ray_address: opt.RayAddress = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Find the network with the best score that fits the budget; writes best.json."""
    _stages(("search",), config, out, locals())


@app.command()
def train(
    out: opt.RunFolder,
    epochs: opt.Epochs = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Train the network that the search of a run folder found; writes model.safetensors and train.csv."""
    _stages(("train",), None, out, locals())


@app.command()
def evaluate(
    out: opt.RunFolder,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Run the trained network of a run folder, and its integers, on the test set; writes evaluation.json."""
    _stages(("evaluate",), None, out, locals())


@app.command("quantise")
def quantise_(
    out: opt.RunFolder,
    bits: Annotated[
        str | None,
        typer.Option(metavar="<2|4|8>", help="Bits of a weight; network.weight_bits when absent.", show_default=False),
    ] = None,
    tuning: Annotated[
        int | None, typer.Option(help="Epochs of fine-tuning with rounded weights.", min=0, show_default=False)
    ] = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Make integers of the trained network of a run folder; writes quantised.safetensors and quantise.json."""
    _stages(("quantise",), None, out, locals())


@app.command("deploy")
def deploy_(
    out: opt.RunFolder,
    target: Annotated[
        str | None, typer.Option(help="Device; that of the budget when absent: spikenas targets.", show_default=False)
    ] = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Write the C firmware of a run folder, build it, run it under QEMU; writes firmware/ and footprint.json."""
    given = locals()
    _stages(("deploy",), None, out, {**given, "target": None}, device_name=target)


def _stages(
    names: tuple[str, ...],
    file: Path | None,
    out: Path | None,
    given: dict[str, Any],
    deploys: bool = False,
    device_name: str | None = None,
) -> None:
    """Run some stages on a run folder; with `deploys` firmware too, where a target is set."""
    quiet, as_json = given["quiet"], given["as_json"]
    start = time.perf_counter()
    if file and not file.suffix and not file.exists():
        raise ConfigError(f"CONFIG {file}: no such file; a value of several words needs quotes, as in --flash '64 KiB'")
    stored = out / CONFIG if out else None
    base = file or (stored if stored and stored.exists() else None)
    if base is None and names[0] in NEEDS:
        raise ConfigError(f"{out}: no run folder; 'spikenas search --out {out}' makes one")
    for name in NEEDS.keys() & {names[0]}:
        needed, writer = NEEDS[name]
        if out and not (out / needed).exists():
            raise RunError(f"{out / needed}: no such file; 'spikenas {writer} --out {out}' writes it")
    asked = _asked(out, given) if names[0] == "enhance" and not file else None
    settings = asked if asked and base is None else opt.make_config(base, given, given["set_"])
    if file and file.name == CONFIG and out is None:
        out = file.parent
    folder = out or Path("runs") / settings.data.short_name
    opt.check_names(settings)
    if given.get("by"):
        check_score(given["by"], TRAINING)

    from spikenas import finishing, stages
    from spikenas.progress import Reporter
    from spikenas.report import REPORT, write_report
    from spikenas.task import open_data, prepare

    if not is_leader() and names != ("train",):
        raise ConfigError("several processes can only train: 'spikenas search' first, then launch 'spikenas train'")
    quiet = quiet or not is_leader()
    log_messages(quiet)
    if deploys and settings.budget.target:
        names = (*names, "deploy")
    work: dict[str, Callable[..., Any]] = {
        "search": stages.run_search,
        "train": stages.run_train,
        "quantise": finishing.run_quantise,
        "evaluate": finishing.run_evaluate,
        "deploy": partial(finishing.run_deploy, target=device_name),
    }
    command = shlex.join(["spikenas", *sys.argv[1:]])
    with interruptible() as interrupted:
        report = Reporter(None if quiet else messages, interrupted)
        try:
            if asked:
                chosen = {key: given[key] for key in _ENHANCE if key in given}
                with Run(folder) as opened, opened.recording("enhance", command):
                    settings = stages.run_enhance(opened, asked, settings, report, names == ("enhance",), **chosen)
            task = prepare(settings) if {"enhance", "search"} & set(names) else open_data(settings)
            with Run(folder) as opened:
                if "quantise" in names:
                    finishing.check_integers(opened, task)
                opened.fix(task.config)
                if is_leader():
                    stages.describe_data(opened, task)
                for name in names:
                    if name in work:
                        with opened.recording(name, command):
                            work[name](opened, task, report)
                found = stages.decisions(opened) if names == ("enhance",) else stages.summary(opened, task)
                if is_leader():
                    write_report([folder], folder / REPORT)
        except KeyboardInterrupt:
            typer.echo(f"spikenas: interrupted; the same command goes on from {folder}", err=True)
            raise typer.Exit(130) from None
    if as_json and is_leader():
        typer.echo(json.dumps(found, indent=2))
    elif quiet:
        return
    elif names == ("enhance",):
        Console().print(decision_table(found))
        messages.print(f"the next step: spikenas run --out {folder}", highlight=False)
    else:
        Console().print(run_summary(found, time.perf_counter() - start))
        if "front" in found:
            Console().print(front_table(found["front"]))


def _asked(out: Path | None, given: dict[str, Any]) -> Config | None:
    """What the space is to be decided from; None once a search has begun, or where it was configured without."""
    if out and ((out / TRIALS).exists() or ((out / CONFIG).exists() and not (out / ASKED).exists())):
        return None
    base = out / ASKED if out and (out / ASKED).exists() else None
    return opt.make_config(base, given, given["set_"])
