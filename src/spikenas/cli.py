"""The command line."""

from __future__ import annotations

import csv
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from typer.exceptions import TyperException

from spikenas import options as opt
from spikenas.config import Config
from spikenas.errors import ConfigError, SpikeNASError
from spikenas.memory import footprint
from spikenas.space.plan import Plan, make_plan
from spikenas.tables import footprint_json, footprint_table, front_table, run_summary

app = typer.Typer(
    name="spikenas",
    help="Find a spiking neural network that fits the memory of a device, without training the candidates.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_messages = Console(stderr=True)


def main() -> None:
    """Run the command line; exit status 0 done, 1 a bug, 2 wrong input or an impossible request, 130 interrupted."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"] or ["--help"]
    try:
        sys.exit(app(arguments, standalone_mode=False))
    except (SpikeNASError, TyperException, OSError) as error:
        if debug:
            raise
        typer.echo(f"spikenas: {_one_line(error)}", err=True)
        sys.exit(2)


def _one_line(error: SpikeNASError | TyperException | OSError) -> str:
    if isinstance(error, TyperException):
        context = getattr(error, "ctx", None)
        return f"{error.format_message()} ('{context.command_path if context else 'spikenas'} --help' says more)"
    if isinstance(error, OSError):
        return f"{error.filename or 'files'}: {error.strerror or error}"
    return str(error)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"spikenas {version('spikenas')}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None: ...


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


@app.command()
def estimate(
    genotype: Annotated[str | None, typer.Argument(help="Such as '0-1:conv3x3 1-3:skip'.", show_default=False)] = None,
    genotypes: opt.GenotypeFile = None,
    out: opt.OutFile = None,
    config: Annotated[Path | None, typer.Option(help="Take the network's settings from a config.toml.")] = None,
    input_shape: Annotated[
        str | None, typer.Option("--input", help="Channels, height, width, such as 3x32x32.", show_default=False)
    ] = None,
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 10,
    as_written: Annotated[bool, typer.Option("--as-written", help="Keep dead edges, as the peers count.")] = False,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    space: opt.SpaceName = None,
    set_: opt.Set = None,
    as_json: opt.Json = False,
) -> None:
    """Parameters, flash and RAM of genotypes, without building them."""
    whole = opt.make_config(config, locals(), set_)
    settings = opt.network_of(whole)
    fixed = settings.cells if cells or config or settings.kind == "snasnet" else None
    if space == opt.BENCH:
        spec = opt.BENCH_INPUT
    elif input_shape is None and whole.data.image_size:
        size = whole.data.image_size
        spec = opt.parse_input(f"{whole.data.channels or 3}x{size}x{size}", classes)
    else:
        spec = opt.parse_input(input_shape or "3x32x32", classes)

    def plan_of(text: str) -> Plan:
        found = opt.read_genotype(text, space, fixed)
        return make_plan(found, settings.model_copy(update={"cells": len(found.cells)}), spec, as_written)

    if genotypes is not None and genotype is None:
        rows = []
        for text, plan in opt.read_genotypes(genotypes, plan_of):
            cost = footprint(plan)
            rows.append((text, cost.params, cost.flash_bytes, cost.ram_bytes))
        _write_csv(out, ("genotype", "params", "flash_bytes", "ram_bytes"), rows)
    elif genotype is not None and genotypes is None and out is None:
        plan = plan_of(genotype)
        if as_json:
            typer.echo(json.dumps(footprint_json(plan, footprint(plan)), indent=2))
        else:
            Console().print(footprint_table(plan, footprint(plan)))
    else:
        raise ConfigError("give one genotype, or --genotypes FILE with or without --out FILE")


@app.command()
def score(
    genotypes: Annotated[Path, typer.Option("--genotypes", help="File with one genotype a line.")],
    score: Annotated[str | None, typer.Option("--score", help="Training-free score, such as sahd.")] = None,
    data: opt.Data = None,
    out: opt.OutFile = None,
    config: Annotated[Path | None, typer.Option(help="Start from a config.toml.")] = None,
    image_size: opt.ImageSize = None,
    download: opt.Download = None,
    skip_broken: opt.SkipBroken = None,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    space: opt.SpaceName = None,
    executor: opt.ExecutorKind = None,
    workers: opt.Workers = None,
    ray_address: opt.RayAddress = None,
    seed: opt.Seed = None,
    device: opt.Device = None,
    set_: opt.Set = None,
    quiet: opt.Quiet = False,
) -> None:
    """Score genotypes without training; CSV with genotype, score, seconds in the order of the file."""
    settings = opt.make_config(config, locals(), set_)
    fixed = settings.network.cells if cells or config or settings.network.kind == "snasnet" else None
    lines = list(opt.read_genotypes(genotypes, lambda text: opt.read_genotype(text, space, fixed)))
    from spikenas.progress import Reporter
    from spikenas.stages import score_genotypes

    _log_messages(quiet)
    with _interruptible() as interrupted:
        report = Reporter(None if quiet else _messages, interrupted)
        rows = score_genotypes(settings.model_copy(update={"network": opt.network_of(settings)}), lines, report)
        _write_csv(out, ("genotype", "score", "seconds"), rows)


@app.command()
def show(
    genotype: Annotated[str, typer.Argument(help="Text or matrix form; in the benchmark's space also an id.")],
    space: opt.SpaceName = None,
    svg: Annotated[Path | None, typer.Option(help="Write an SVG picture to this file.")] = None,
) -> None:
    """Draw the cells of a genotype."""
    from spikenas.draw import draw_svg, draw_text

    if space:
        opt.named_ops(space)
    found = opt.read_genotype(genotype, space, None, default_cells=1)
    if svg:
        svg.write_text(draw_svg(found), encoding="utf-8")
        _messages.print(f"{svg} written", highlight=False)
    else:
        typer.echo(draw_text(found))


def _stages(names: tuple[str, ...], file: Path | None, out: Path | None, given: dict[str, Any]) -> None:
    """Run some stages on a run folder."""
    quiet, as_json = given["quiet"], given["as_json"]
    start = time.perf_counter()
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

    if not is_leader() and names != ("train",):
        raise ConfigError("several processes can only train: 'spikenas search' first, then launch 'spikenas train'")
    quiet = quiet or not is_leader()
    _log_messages(quiet)
    work = {"search": stages.run_search, "train": stages.run_train, "evaluate": stages.run_evaluate}
    task = stages.prepare(settings) if "search" in names else stages.open_data(settings)
    with Run(folder) as opened, _interruptible() as interrupted:
        opened.fix(task.config)
        report = Reporter(None if quiet else _messages, interrupted)
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


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Remember the first Ctrl-C, for the work to stop after its step; a second one stops it at once.

    Python drops a KeyboardInterrupt that arises while an object is finalised, which is often.
    """
    seen = False

    def remember(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        seen = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: seen
    finally:
        signal.signal(signal.SIGINT, before)


def _log_messages(quiet: bool) -> None:
    logger = logging.getLogger("spikenas")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.handlers = [RichHandler(console=_messages, show_time=False, show_level=False, show_path=False)]


def _write_csv(out: Path | None, header: tuple[str, ...], rows: Any) -> None:
    if out is None:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        return
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(row)
            file.flush()
