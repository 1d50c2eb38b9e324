"""The commands on a run folder: run, search, train, evaluate."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from spikenas import options as opt
from spikenas.cli.app import app, interruptible, log_messages, messages
from spikenas.config import Config
from spikenas.errors import ConfigError
from spikenas.tables import front_table, run_summary


@app.command()
def run(
    config: opt.ConfigFile = None,
    data: opt.Data = None,
    out: opt.Out = None,
    params: opt.Params = None,
    flash: opt.Flash = None,
    ram: opt.Ram = None,
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
    score: opt.ScoreName = None,
    strategy: opt.StrategyName = None,
    evaluations: opt.Evaluations = None,
    front: opt.Front = None,
    epochs: opt.Epochs = None,
    executor: opt.ExecutorKind = None,
    workers: opt.Workers = None,
    ray_address: opt.RayAddress = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
    as_json: opt.Json = False,
) -> None:
    """Search, train and evaluate: from images and a budget to a trained network that fits."""
    _stages(("search", "train", "evaluate"), config, out, locals())


@app.command()
def search(
    config: opt.ConfigFile = None,
    data: opt.Data = None,
    out: opt.Out = None,
    params: opt.Params = None,
    flash: opt.Flash = None,
    ram: opt.Ram = None,
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
    """Run the trained network of a run folder on the test set; writes evaluation.json."""
    _stages(("evaluate",), None, out, locals())


def _stages(names: tuple[str, ...], file: Path | None, out: Path | None, given: dict[str, Any]) -> None:
    """Run some stages on a run folder."""
    quiet, as_json = given["quiet"], given["as_json"]
    start = time.perf_counter()
    if file and not file.suffix and not file.exists():
        raise ConfigError(f"CONFIG {file}: no such file; a value of several words needs quotes, as in --flash '64 KiB'")
    stored = out / "config.toml" if out else None
    base = file or (stored if stored and stored.exists() else None)
    if base is None and names[0] in ("train", "evaluate"):
        raise ConfigError(f"{stored}: no such file; 'spikenas search --out {out}' makes a run folder")
    settings: Config = opt.make_config(base, given, given["set_"])
    if file and file.name == "config.toml" and out is None:
        out = file.parent
    folder = out or Path("runs") / Path(settings.data.name.rpartition(":")[2]).resolve().name

    from spikenas import stages
    from spikenas.progress import Reporter
    from spikenas.run import Run, is_leader
    from spikenas.task import open_data, prepare

    if not is_leader() and names != ("train",):
        raise ConfigError("several processes can only train: 'spikenas search' first, then launch 'spikenas train'")
    quiet = quiet or not is_leader()
    log_messages(quiet)
    work = {"search": stages.run_search, "train": stages.run_train, "evaluate": stages.run_evaluate}
    task = prepare(settings) if "search" in names else open_data(settings)
    with Run(folder) as opened, interruptible() as interrupted:
        opened.fix(task.config)
        report = Reporter(None if quiet else messages, interrupted)
        try:
            for name in names:
                work[name](opened, task, report)
        except KeyboardInterrupt:
            typer.echo(f"spikenas: interrupted; the same command goes on from {folder}", err=True)
            raise typer.Exit(130) from None
        found = stages.summary(opened, task)
    if as_json and is_leader():
        typer.echo(json.dumps(found, indent=2))
    elif not quiet:
        Console().print(run_summary(found, time.perf_counter() - start))
        if "front" in found:
            Console().print(front_table(found["front"]))
