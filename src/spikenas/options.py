"""Command-line options that several commands share, and how they become a configuration."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from spikenas.config import Config, NetworkConfig, read_toml
from spikenas.data import check_name
from spikenas.errors import ConfigError, GenotypeError
from spikenas.files import read_text
from spikenas.names import check_score
from spikenas.space.genotype import Genotype, parse_bench
from spikenas.space.ops import BENCH_OPS, Op
from spikenas.space.plan import InputSpec
from spikenas.space.space import NAMED_OPS
from spikenas.targets import aimed

T = TypeVar("T")

BENCH = "spikenas-bench"
BENCH_INPUT = InputSpec(3, 32, 32, 10)
_BENCH_NETWORKS: dict[str, dict[str, Any]] = {
    "cifar10": {},
    "cifar100": {"votes": 5},
    "tinyimagenet": {"stem_stride": 2, "hidden": 4096, "votes": 5},
}

_DATA = "Data"
_BUDGET = "Budget"
_NETWORK = "Network and space"
_EXECUTOR = "Executor"

ConfigFile = Annotated[
    Path | None, typer.Argument(help="Configuration to start from, such as a run's config.toml.", show_default=False)
]
Data = Annotated[
    str | None,
    typer.Option(
        help="digits, cifar10, cifar100, tinyimagenet:FOLDER, idx:FOLDER, events:FOLDER, or a folder of images.",
        rich_help_panel=_DATA,
        show_default=False,
    ),
]
ImageSize = Annotated[
    int | None, typer.Option(help="Side in pixels that images are brought to.", rich_help_panel=_DATA)
]
Download = Annotated[bool | None, typer.Option("--download", help="Fetch cifar10 or cifar100.", rich_help_panel=_DATA)]
SkipBroken = Annotated[
    bool | None, typer.Option("--skip-broken", help="Leave out images that cannot be read.", rich_help_panel=_DATA)
]
Params = Annotated[str | None, typer.Option(help="Most learnable parameters, such as 1.2M.", rich_help_panel=_BUDGET)]
Flash = Annotated[str | None, typer.Option(help="Most flash, such as 96KiB.", rich_help_panel=_BUDGET)]
Ram = Annotated[str | None, typer.Option(help="Most RAM, such as 128KiB.", rich_help_panel=_BUDGET)]
Target = Annotated[
    str | None,
    typer.Option(help="A device, which sets flash, RAM and core: spikenas targets.", rich_help_panel=_BUDGET),
]
NetworkKind = Annotated[
    str | None,
    typer.Option("--network", metavar="<compact|snasnet>", help="Macro structure.", rich_help_panel=_NETWORK),
]
Cells = Annotated[int | None, typer.Option(help="Number of cells.", rich_help_panel=_NETWORK)]
Channels = Annotated[str | None, typer.Option(help="Width C1, or auto.", rich_help_panel=_NETWORK)]
StemStride = Annotated[str | None, typer.Option(help="1, 2 or auto.", rich_help_panel=_NETWORK)]
WeightBits = Annotated[
    str | None,
    typer.Option(metavar="<2|4|8>", help="Bits of a weight on the device.", rich_help_panel=_NETWORK),
]
Timesteps = Annotated[int | None, typer.Option(help="T.", rich_help_panel=_NETWORK)]
SpaceName = Annotated[
    str | None,
    typer.Option(
        "--space",
        help=f"Named ops: {', '.join(NAMED_OPS)}; {BENCH} also sets its network.",
        rich_help_panel=_NETWORK,
    ),
]
Ops = Annotated[str | None, typer.Option(help="Ops of an edge, such as skip,conv3x3.", rich_help_panel=_NETWORK)]
ScoreName = Annotated[str | None, typer.Option("--score", help="Training-free score, such as sahd.")]
StrategyName = Annotated[
    str | None, typer.Option("--strategy", help="How candidates are chosen, such as spikenas, evolution or random.")
]
Evaluations = Annotated[int | None, typer.Option(help="Most candidates that are scored.")]
Front = Annotated[
    str | None,
    typer.Option(
        metavar="<params|flash|ram|synops>", help="Write the Pareto front of the score against this to front.csv."
    ),
]
ExecutorKind = Annotated[
    str | None,
    typer.Option(
        "--executor",
        metavar="<auto|in-process|pool|ray>",
        help="Where candidates are evaluated.",
        rich_help_panel=_EXECUTOR,
    ),
]
Workers = Annotated[
    int | None, typer.Option(help="Candidates evaluated at a time; a core each when absent.", rich_help_panel=_EXECUTOR)
]
RayAddress = Annotated[
    str | None, typer.Option(help="Ray cluster to join, such as 10.0.0.1:6379.", rich_help_panel=_EXECUTOR)
]
Epochs = Annotated[int | None, typer.Option(help="Epochs of training.")]
Seed = Annotated[int | None, typer.Option(help="Of every random choice.")]
Device = Annotated[str | None, typer.Option(help="cpu or cuda, as PyTorch names it.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key of config.toml, such as train.lr=0.05; repeatable."),
]
Out = Annotated[Path | None, typer.Option(help="Run folder; runs/DATA when absent.", show_default=False)]
RunFolder = Annotated[Path, typer.Option("--out", help="Run folder.")]
OutFile = Annotated[Path | None, typer.Option("--out", help="File to write; standard output when absent.")]
GenotypeFile = Annotated[
    Path | None, typer.Option("--genotypes", help="File with one genotype a line.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_NUMBERS_OR_WORDS = ("channels", "stem_stride", "weight_bits", "bits")
_KEYS = {
    "data": "data.name",
    "image_size": "data.image_size",
    "download": "data.download",
    "skip_broken": "data.skip_broken",
    "params": "budget.params",
    "flash": "budget.flash",
    "ram": "budget.ram",
    "network": "network.kind",
    "cells": "network.cells",
    "channels": "network.channels",
    "stem_stride": "network.stem_stride",
    "target": "budget.target",
    "weight_bits": "network.weight_bits",
    "timesteps": "network.timesteps",
    "score": "search.score",
    "strategy": "search.strategy",
    "evaluations": "search.evaluations",
    "front": "search.front",
    "executor": "executor.kind",
    "workers": "executor.workers",
    "ray_address": "executor.address",
    "epochs": "train.epochs",
    "bits": "quantise.weight_bits",
    "tuning": "quantise.epochs",
    "seed": "seed",
    "device": "device",
}


def make_config(base: Path | None, options: dict[str, Any], assignments: list[str] | None) -> Config:
    """A configuration from a file, the named options over it, and `--set` over both.

    Args:
        base: TOML file; None starts from the defaults.
        options: Values by option; None where an option was not given.
        assignments: `key=value` texts.
    Raises:
        ConfigError: something of it is not a configuration.
    """
    values: dict[str, Any] = read_toml(base) if base else {}
    if base:
        Config.parse(values, str(base))
    given: dict[str, str] = {}
    if space := options.get("space"):
        _put(values, "space.ops", list(named_ops(space)))
        if space == BENCH:
            benchmark = {"kind": "snasnet", "channels": 128, "cells": 2}
            benchmark |= _BENCH_NETWORKS[options.get("dataset") or "cifar10"]
            values["network"] = values.get("network", {}) | benchmark
    if ops := options.get("ops"):
        _put(values, "space.ops", [op.strip() for op in ops.split(",")])
        given["space.ops"] = "--ops"
    for option, key in _KEYS.items():
        if options.get(option) is not None:
            _put(values, key, _number(options[option]) if option in _NUMBERS_OR_WORDS else options[option])
            given[key] = f"--{option.replace('_', '-')}"
    for assignment in assignments or []:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected KEY=VALUE, such as train.lr=0.05")
        _put(values, key.strip(), _toml_value(text.strip()))
        given[key.strip()] = f"--set {key.strip()}"
    return aimed(Config.parse(values, "options", given))


def check_names(config: Config) -> None:
    """See that what is named is there: ops, strategy, score, data; before what takes seconds to import.

    Raises:
        ConfigError: an unknown strategy.
        DataError: no such data.
        GenotypeError: an unknown op.
        ScoreError: an unknown score.
    """
    from spikenas.search.strategies import find_strategy

    for op in config.space.ops:
        Op.parse(op)
    find_strategy(config.search.strategy)
    check_score(config.search.score)
    check_name(config.data.name)


def network_of(config: Config) -> NetworkConfig:
    """The network's settings, an automatic width as without a budget."""
    from spikenas.search.width import FREE_WIDTH

    channels = FREE_WIDTH if config.network.channels == "auto" else config.network.channels
    return config.network.model_copy(update={"channels": channels})


def parse_input(shape: str, classes: int) -> InputSpec:
    """Read `3x32x32`.

    Raises:
        ConfigError: it is not three positive numbers.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", shape)
    if not match or classes < 1:
        raise ConfigError(f"--input {shape} --classes {classes}: expected CHANNELSxHEIGHTxWIDTH such as 3x32x32")
    channels, height, width = map(int, match.groups())
    return InputSpec(channels, height, width, classes)


def read_genotype(text: str, space: str | None, cells: int | None, default_cells: int = 2) -> Genotype:
    """A genotype from its text; one cell alone is put in all places.

    Args:
        text: Text or matrix form; in SpikeNAS-Bench's space also an id or six op digits.
        space: Name of the space; None for the text forms alone.
        cells: Number of cells that the network must have; None takes those of the text.
        default_cells: Places of a cell alone where `cells` is None.
    Raises:
        GenotypeError: it cannot be read, or has another number of cells.
    """
    if space == BENCH and text.strip().isdecimal():
        genotype = Genotype((parse_bench(text.strip(), BENCH_OPS),))
    else:
        genotype = Genotype.parse(text)
    if len(genotype.cells) == 1:
        genotype = Genotype(genotype.cells * (cells or default_cells))
    if cells and len(genotype.cells) != cells:
        raise GenotypeError(f"genotype {text.strip()!r}: has {len(genotype.cells)} cells, the network {cells}")
    return genotype


def read_genotypes(path: Path, read: Callable[[str], T]) -> Iterator[tuple[str, T]]:
    """The lines of a file and what `read` makes of them; empty lines and those that begin with # are passed over.

    Raises:
        ConfigError: the file cannot be read, or holds nothing.
        GenotypeError: a line cannot be read; names it.
    """
    found = False
    for number, line in enumerate(read_text(path, ConfigError).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            found = True
            try:
                yield line.strip(), read(line)
            except GenotypeError as error:
                raise GenotypeError(f"{path}, line {number}: {error}") from None
    if not found:
        raise ConfigError(f"{path}: no genotypes in it; expected one a line")


def named_ops(name: str) -> tuple[str, ...]:
    """The ops of a named space.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in NAMED_OPS:
        raise ConfigError(f"--space {name}: no such space; known: {', '.join(NAMED_OPS)}")
    return NAMED_OPS[name]


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{key}: {section} is not a section")
    values[last] = value


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text


def _toml_value(text: str) -> Any:
    """A TOML value; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
