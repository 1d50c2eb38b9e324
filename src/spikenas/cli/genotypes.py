"""The commands on genotypes: estimate, score, show."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from spikenas import options as opt
from spikenas.cli.app import app, interruptible, log_messages, messages, write_csv
from spikenas.errors import ConfigError
from spikenas.memory import footprint
from spikenas.memory.fitting import fits, needs
from spikenas.space.building import make_plan
from spikenas.space.plan import Plan
from spikenas.tables import footprint_json, footprint_table, target_table
from spikenas.targets import targets

_Config = Annotated[Path | None, typer.Option(help="Take the network's settings from a config.toml.")]
_Input = Annotated[
    str | None, typer.Option("--input", help="Channels, height, width, such as 3x32x32.", show_default=False)
]
_Classes = Annotated[int, typer.Option(help="Number of classes.")]


@app.command()
def estimate(
    genotype: Annotated[str | None, typer.Argument(help="Such as '0-1:conv3x3 1-3:skip'.", show_default=False)] = None,
    genotypes: opt.GenotypeFile = None,
    out: opt.OutFile = None,
    config: _Config = None,
    input_shape: _Input = None,
    classes: _Classes = 10,
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
    plan_of = _planner(locals(), as_written)
    if genotypes is not None and genotype is None:
        rows = []
        for text, plan in opt.read_genotypes(genotypes, plan_of):
            cost = footprint(plan)
            rows.append((text, cost.params, cost.flash_bytes, cost.ram_bytes))
        write_csv(out, ("genotype", "params", "flash_bytes", "ram_bytes"), rows)
    elif genotype is not None and genotypes is None and out is None:
        plan = plan_of(genotype)
        if as_json:
            typer.echo(json.dumps(footprint_json(plan, footprint(plan)), indent=2))
        else:
            Console().print(footprint_table(plan, footprint(plan)))
    else:
        raise ConfigError("give one genotype, or --genotypes FILE with or without --out FILE")


@app.command("targets")
def targets_(
    genotype: Annotated[
        str | None, typer.Argument(help="A network; without it the devices are listed.", show_default=False)
    ] = None,
    config: _Config = None,
    input_shape: _Input = None,
    classes: _Classes = 10,
    network: opt.NetworkKind = None,
    cells: opt.Cells = None,
    channels: opt.Channels = None,
    stem_stride: opt.StemStride = None,
    timesteps: opt.Timesteps = None,
    weight_bits: opt.WeightBits = None,
    space: opt.SpaceName = None,
    set_: opt.Set = None,
    as_json: opt.Json = False,
) -> None:
    """List the devices; with a genotype, say which of them it fits, or by how much it does not."""
    plan = _planner(locals(), False)(genotype) if genotype else None
    rows = [(target, needs(plan, target) if plan else []) for target in targets().values()]
    if as_json:
        values = [
            {**target.model_dump(exclude={"cores"}), "needs": [asdict(need) for need in found], "fits": fits(found)}
            for target, found in rows
        ]
        typer.echo(json.dumps(values if plan else [{**row, "fits": None} for row in values], indent=2))
    else:
        Console().print(target_table(rows))


def _planner(given: dict[str, Any], as_written: bool) -> Callable[[str], Plan]:
    """Reads a genotype and plans it, by the options of a command."""
    config, space, classes = given["config"], given["space"], given["classes"]
    whole = opt.make_config(config, given, given["set_"])
    settings = opt.network_of(whole)
    fixed = settings.cells if given["cells"] or config or settings.kind == "snasnet" else None
    if space == opt.BENCH:
        spec = opt.BENCH_INPUT
    elif given["input_shape"] is None and whole.data.image_size:
        size = whole.data.image_size
        spec = opt.parse_input(f"{whole.data.channels or 3}x{size}x{size}", classes)
    else:
        spec = opt.parse_input(given["input_shape"] or "3x32x32", classes)

    def plan_of(text: str) -> Plan:
        found = opt.read_genotype(text, space, fixed)
        return make_plan(found, settings.model_copy(update={"cells": len(found.cells)}), spec, as_written)

    return plan_of


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
    opt.check_names(settings)
    from spikenas.progress import Reporter
    from spikenas.stages import score_genotypes

    log_messages(quiet)
    with interruptible() as interrupted:
        report = Reporter(None if quiet else messages, interrupted)
        rows = score_genotypes(settings.model_copy(update={"network": opt.network_of(settings)}), lines, report)
        write_csv(out, ("genotype", "score", "seconds"), rows)


@app.command()
def show(
    genotype: Annotated[str, typer.Argument(help="Text or matrix form; in the benchmark's space also an id.")],
    space: opt.SpaceName = None,
    svg: Annotated[Path | None, typer.Option(help="Write an SVG picture to this file.")] = None,
) -> None:
    """Draw the cells of a genotype."""
    from spikenas.space.drawing import draw_svg, draw_text

    if space:
        opt.named_ops(space)
    found = opt.read_genotype(genotype, space, None, default_cells=1)
    if svg:
        svg.write_text(draw_svg(found), encoding="utf-8")
        messages.print(f"{svg} written", highlight=False)
    else:
        typer.echo(draw_text(found))
