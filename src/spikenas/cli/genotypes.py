"""The commands on genotypes: estimate, targets, score, show."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas._util.files import write_text
from spikenas.cli import options as opt
from spikenas.cli.app import messages, progress, write_csv
from spikenas.cli.options import Given, Option, command
from spikenas.config import MOST_CLASSES, Config, find_space
from spikenas.pipeline.checking import check_settings
from spikenas.targets import TARGETS, Target

if TYPE_CHECKING:
    from spikenas.config import NetworkConfig
    from spikenas.space.plan import InputSpec, Plan

_CONFIG = Option("config", None, "Take the network's settings from a config.toml.", Path)
_SEEN = (
    Option("input_shape", None, "Channels, height, width, such as 3x32x32.", flags=("--input",)),
    Option("classes", None, "Number of classes, 10 when absent.", int, least=1, most=MOST_CLASSES),
)
_PLANNED = (_CONFIG, *_SEEN, *opt.NETWORK, opt.SPACE, opt.SET)
_Genotypes = Annotated[
    Path | None, typer.Option("--genotypes", help="File with one genotype a line.", show_default=False)
]
_OutFile = Annotated[Path | None, typer.Option("--out", help="File to write; standard output when absent.")]


@command(_PLANNED, opt.TARGET, opt.JSON)
def estimate(
    given: Given,
    genotype: Annotated[
        str | None, typer.Argument(help="Such as '0-1:conv3x3 1-3:skip', or a design.", show_default=False)
    ] = None,
    genotypes: _Genotypes = None,
    out: _OutFile = None,
    as_written: Annotated[bool, typer.Option("--as-written", help="Keep dead edges, as the peers count.")] = False,
) -> None:
    """Parameters, flash, RAM and instructions of genotypes or designs, without building them."""
    from spikenas.cli.tables import footprint_json, footprint_table
    from spikenas.memory import footprint, sizes, speed
    from spikenas.space.texts import read_genotypes

    plan_of, budget = _planner(given, as_written), _settings(given).budget
    if genotypes is not None and given.as_json:
        raise ConfigError("--json: goes with one genotype; --genotypes writes CSV")
    if genotypes is not None and genotype is None:
        rows = []
        for text, plan in read_genotypes(genotypes, plan_of):
            cost = footprint(plan)
            figures = (*sizes(cost).values(), speed(cost.instructions, budget)["instructions"])
            rows.append((text, *figures))
        write_csv(out, ("genotype", "params", "flash_bytes", "ram_bytes", "instructions"), rows)
    elif genotype is not None and genotypes is None and out is None:
        plan = plan_of(genotype)
        if given.as_json:
            typer.echo(json.dumps(footprint_json(plan, footprint(plan), budget), indent=2))
        else:
            PlainConsole().print(footprint_table(plan, footprint(plan), budget))
    else:
        raise ConfigError("give one genotype, or --genotypes FILE with or without --out FILE")


@command(_PLANNED, opt.WEIGHT_BITS, opt.JSON)
def targets(
    given: Given,
    genotype: Annotated[
        str | None, typer.Argument(help="A network; without it the devices are listed.", show_default=False)
    ] = None,
) -> None:
    """List the devices; with a genotype, say which of them it fits, or by how much it does not, and how fast it is."""
    from spikenas.cli.tables import target_table
    from spikenas.memory.fitting import fits, needs, speed_on

    if limited := next((key for key in given.words if key.startswith("budget.")), None):
        raise ConfigError(f"{given.sources.get(limited, limited)}: each device has its own; leave it out")
    plan = _planner(given, False)(genotype) if genotype else None
    rows = [
        (target, needs(plan, target) if plan else [], speed_on(plan, target) if plan else {})
        for target in _loaded_targets()
    ]
    if given.as_json:
        values = [
            {
                **target.model_dump(exclude={"cores"}),
                "needs": [asdict(need) for need in found],
                "fits": fits(found),
                **taken,
            }
            for target, found, taken in rows
        ]
        typer.echo(json.dumps(values if plan else [{**row, "fits": None} for row in values], indent=2))
    else:
        PlainConsole().print(target_table(rows))


def _loaded_targets() -> Iterator[Target]:
    """The devices; one whose package cannot be imported is named and left out."""
    for name in TARGETS:
        try:
            yield TARGETS.find(name)
        except ConfigError as error:
            messages.print(f"left out: {error}", soft_wrap=True)


def _planner(given: Given, as_written: bool) -> Callable[[str], Plan]:
    """Return a function that reads a genotype and plans it, by the options of a command."""
    from spikenas.space.building import make_plan
    from spikenas.space.texts import bench_input, is_bench, is_design, parse_input, read_genotype

    whole = _settings(given)
    space, asked, shape = whole.space.name, given.values["classes"], given.values["input_shape"]
    classes = 10 if asked is None else asked
    settings = whole.network.but({"channels": whole.network.free_channels})
    fixed = _fixed_cells(given, whole)
    if space is not None and is_bench(space) and shape is None and asked is None:
        spec = bench_input(space)
    elif shape is None and whole.data.image_size:
        size = whole.data.image_size
        spec = parse_input(f"{whole.data.channels or 3}x{size}x{size}", classes)
    else:
        spec = parse_input(shape or "3x32x32", classes)

    def plan_of(text: str) -> Plan:
        if is_design(text):
            return _design_plan(text, given, settings, spec)
        found = read_genotype(text, space, fixed)
        return make_plan(found, settings.of_cells(len(found.cells)), spec, as_written)

    return plan_of


def _design_plan(text: str, given: Given, settings: NetworkConfig, spec: InputSpec) -> Plan:
    """Plan a design, which says itself what options say of genotypes."""
    from spikenas.space.design import Design

    design = Design.parse(text)
    said = {**design.settings(), "space.name": None}
    twice = next((key for key in given.words if key in said), None)
    if twice or given.values["input_shape"] is not None:
        raise ConfigError(
            f"{given.sources.get(twice, '--input') if twice else '--input'}: the design says it; leave it out"
        )
    return design.plan(settings, spec)


def _settings(given: Given) -> Config:
    file = given.values["config"]
    return (Config.load(file) if file else Config()).but(given.words, given.sources)


def _fixed_cells(given: Given, settings: Config) -> int | None:
    """The number of cells that a genotype must have; None where its text says it."""
    said = "network.cells" in given.words or given.values["config"] or settings.network.kind == "snasnet"
    return settings.network.cells if said else None


@command(
    opt.SCORE,
    opt.DATASET,
    _CONFIG,
    opt.IMAGES,
    opt.NETWORK,
    opt.SPACE,
    opt.EXECUTOR,
    opt.SEED,
    opt.DEVICE,
    opt.SET,
    opt.QUIET,
)
def score(
    given: Given,
    genotypes: Annotated[Path, typer.Option("--genotypes", help="File with one genotype a line.")],
    out: _OutFile = None,
) -> None:
    """Score genotypes without training; CSV with genotype, score, seconds in the order of the file."""
    from spikenas.space.texts import read_genotype, read_genotypes

    settings = _settings(given)
    space, threshold = settings.space.name, settings.network.v_threshold
    fixed = _fixed_cells(given, settings)
    lines = list(read_genotypes(genotypes, lambda text: read_genotype(text, space, fixed).at_threshold(threshold)))
    check_settings(settings)
    from spikenas._util.threads import threads
    from spikenas.scores.genotype_scores import score_genotypes
    from spikenas.task import Task

    with progress(given.quiet) as report, threads(settings.threads):
        task = Task.of(settings.but({"network.channels": settings.network.free_channels}))
        write_csv(out, ("genotype", "score", "seconds"), score_genotypes(task, lines, report))


@command(opt.SPACE)
def show(
    given: Given,
    genotype: Annotated[str, typer.Argument(help="Text or matrix form; in the benchmark's space also an id.")],
    svg: Annotated[Path | None, typer.Option(help="Write an SVG picture to this file.")] = None,
) -> None:
    """Draw the cells of a genotype."""
    from spikenas.space.drawing import draw_svg, draw_text
    from spikenas.space.texts import read_genotype

    space = given.words.get("space.name")
    if space:
        find_space(space)
    found = read_genotype(genotype, space, None, default_cells=1)
    if svg:
        write_text(svg, draw_svg(found))
        messages.print(f"{svg} written")
    else:
        typer.echo(draw_text(found))
