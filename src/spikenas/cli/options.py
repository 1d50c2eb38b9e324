"""The options that commands share: each is declared once, with its key, help and group; a command names its groups."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from spikenas._util.errors import ConfigError
from spikenas._util.files import parse_toml
from spikenas._util.paths import user_path
from spikenas._util.registry import names_of
from spikenas.cli.app import app
from spikenas.config import BENCH, NAMED_SPACES
from spikenas.scores import TRAINING


@dataclass(frozen=True)
class Option:
    """An option of the command line.

    Attributes:
        name: Name of the parameter; the option is called the same, with hyphens.
        key: Key of the configuration; None where it is none of it.
        help: One line.
        type: Type of the value.
        panel: Heading under which `--help` lists it.
        metavar: What stands for the value in `--help`.
        is_word: Whether the value is a number or a word.
        value: What a flag sets the key to; None where the option has a value of its own.
        least: Smallest number.
        most: Largest number.
        flags: How it is written; from the name where it is empty.
        default: Value where it is not given.
    """

    name: str
    key: str | None
    help: str
    type: Any = str
    panel: str | None = None
    metavar: str | None = None
    is_word: bool = False
    value: Any = None
    least: int | None = None
    most: int | None = None
    flags: tuple[str, ...] = ()
    default: Any = None

    @property
    def flag(self) -> str:
        """Return how the option is written."""
        return self.flags[0] if self.flags else f"--{self.name.rstrip('_').replace('_', '-')}"

    def parameter(self) -> inspect.Parameter:
        """Return the parameter that typer reads."""
        info = typer.Option(
            *(self.flags or (self.flag,)),
            help=self.help,
            rich_help_panel=self.panel,
            metavar=self.metavar,
            min=self.least,
            max=self.most,
            show_default=False,
        )
        kind = self.type if self.default is not None else self.type | None
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=Annotated[kind, info]
        )


def _registered(group: str) -> str:
    return ", ".join(names_of(f"spikenas.{group}"))


_DATA, _BUDGET, _NETWORK, _EXECUTOR = "Data", "Budget", "Network and space", "Executor"

DATASET = Option(
    "data",
    "data.name",
    f"A folder of images, or NAME or NAME:FOLDER of {_registered('data')}.",
    panel=_DATA,
)
SKIP_BROKEN = Option(
    "skip_broken", "data.skip_broken", "Leave out images that cannot be read.", bool, _DATA, value=True
)
IMAGES = (
    Option(
        "image_size",
        "data.image_size",
        "Side in pixels that images are brought to, or WIDTHxHEIGHT; chosen when absent.",
        panel=_DATA,
        metavar="<24|48x24>",
    ),
    Option("fit", "data.fit", "How the aspect ratio is changed to it.", panel=_DATA, metavar="<stretch|crop|pad>"),
    Option("download", "data.download", "Fetch cifar10 or cifar100.", bool, _DATA, value=True),
    SKIP_BROKEN,
)
TARGET = Option(
    "target",
    "budget.target",
    f"A device, which sets flash, RAM and core: {_registered('targets')}, or BOARD.toml.",
    panel=_BUDGET,
)
SIZES = (
    Option("params", "budget.params", "Most learnable parameters, such as 1.2M.", panel=_BUDGET),
    Option("flash", "budget.flash", "Most flash, such as 96KiB.", panel=_BUDGET),
    Option("ram", "budget.ram", "Most RAM, such as 128KiB.", panel=_BUDGET),
    Option("instructions", "budget.instructions", "Most instructions of one inference, such as 20M.", panel=_BUDGET),
    Option("latency", "budget.latency", "Longest time of one inference on the target, such as 50ms.", panel=_BUDGET),
    Option("energy", "budget.energy", "Most energy of one inference on the target, such as 2mJ.", panel=_BUDGET),
)
NETWORK = (
    Option("network", "network.kind", "Macro structure.", panel=_NETWORK, metavar="<compact|snasnet>"),
    Option("cells", "network.cells", "Number of cells.", int, _NETWORK),
    Option("channels", "network.channels", "Width C1, or auto.", panel=_NETWORK, is_word=True),
    Option("stem_stride", "network.stem_stride", "1, 2 or auto.", panel=_NETWORK, is_word=True),
    Option(
        "neuron",
        "network.neuron",
        "lif, ilif (sends up to D spikes at a time) or relu (the twin, which sends none).",
        panel=_NETWORK,
        metavar="<lif|ilif|relu>",
    ),
    Option("levels", "network.levels", "D, most spikes of an ilif neuron in a timestep.", int, _NETWORK),
    Option("timesteps", "network.timesteps", "T; 1 for ilif and relu when absent, 5 for lif.", int, _NETWORK),
)
WEIGHT_BITS = Option(
    "weight_bits",
    "network.weight_bits",
    "Bits of a weight on the device.",
    panel=_NETWORK,
    metavar="<2|4|8>",
    is_word=True,
)
SPACE = Option(
    "space", "space.name", f"Named ops: {', '.join(NAMED_SPACES)}; {BENCH} also sets its network.", panel=_NETWORK
)
OPS = Option("ops", "space.ops", "Ops of an edge, such as skip,conv3x3.", panel=_NETWORK)
SCORE = Option("score", "search.score", f"Training-free score: {_registered('scores')}.")
SEARCH = (
    SCORE,
    Option("strategy", "search.strategy", f"How candidates are chosen: {_registered('strategies')}."),
    Option("evaluations", "search.evaluations", "Most candidates that are scored.", int),
    Option(
        "front",
        "search.front",
        "Write the Pareto front of the score against this to front.csv.",
        metavar="<params|flash|ram|synops>",
    ),
)
EXECUTOR = (
    Option(
        "executor",
        "executor.kind",
        "Where candidates are evaluated.",
        panel=_EXECUTOR,
        metavar="<auto|in-process|pool|ray>",
    ),
    Option("workers", "executor.workers", "Candidates evaluated at a time; a core each when absent.", int, _EXECUTOR),
    Option("ray_address", "executor.address", "Ray cluster to join, such as 10.0.0.1:6379.", panel=_EXECUTOR),
)
ENHANCEMENT = (
    Option("analysis", "enhancement.analysis", "Folder of 'spikenas analyze', whose ops are taken."),
    Option("by", "enhancement.by", f"Evaluator: a score, or {TRAINING}; the score when absent."),
    Option("seeds", "enhancement.seeds", "Repetitions, 30 when absent.", int),
    Option("draws", "enhancement.draws", "Networks of each space and seed, 12 when absent.", int),
    Option("tolerance", "enhancement.tolerance", "Loss that is accepted, in standard deviations.", float),
    Option("confidence", "enhancement.confidence", "Of all intervals together.", float),
)
NO_ENHANCE = Option(
    "no_enhance",
    "enhancement.enabled",
    "Search the space as configured: decide no ops, cells and sharing.",
    bool,
    _NETWORK,
    value=False,
)
EPOCHS = Option("epochs", "train.epochs", "Epochs of training.", int)
TIME = Option(
    "time", "train.time", "Time of training, such as 90s, 20m, 1h, in the place of epochs.", metavar="DURATION"
)
WHOLE_TIME = Option(
    "time",
    "time",
    "Time of search and training together, such as 10m, 1h: searches designs, by short trainings too.",
    metavar="DURATION",
)
SEARCH_TIME = Option(
    "time", "search.time", "Time of a search of designs, by short trainings too, such as 10m, 1h.", metavar="DURATION"
)
CLASS_WEIGHTS = Option(
    "class_weights",
    "train.class_weights",
    "balanced: in the loss each class counts the same.",
    metavar="<none|balanced>",
)
TWIN = Option("twin", "twin", "Train the same plan with relu neurons too, for comparison.", bool, value=True)
TRAIN = (EPOCHS, TIME, CLASS_WEIGHTS)
QUANTISE = (
    Option(
        "bits",
        "quantise.weight_bits",
        "Bits of a weight; network.weight_bits when absent.",
        metavar="<2|4|8>",
        is_word=True,
    ),
    Option("tuning", "quantise.epochs", "Epochs of fine-tuning with rounded weights.", int),
)
VERIFY = Option("verify", "quantise.verify", "Test images that the firmware under QEMU classifies too.", int)
SEED = Option("seed", "seed", "Of every random choice.", int)
DEVICE = Option("device", "device", "cpu or cuda, as PyTorch names it.")
SET = Option(
    "set_",
    None,
    "Any key of config.toml, such as train.lr=0.05; repeatable.",
    list[str],
    metavar="KEY=VALUE",
    flags=("--set",),
)
QUIET = Option("quiet", None, "No progress, warnings alone.", bool, flags=("--quiet", "-q"), default=False)
JSON = Option("as_json", None, "Print JSON.", bool, flags=("--json",), default=False)
OUTPUT = (QUIET, JSON)


@dataclass(frozen=True)
class Given:
    """Holds what was given on the command line, of the options that commands share.

    Attributes:
        words: Values by key of the configuration, `--set` over the others.
        sources: By key how it was given, for messages.
        quiet: Whether nothing is to be shown.
        as_json: Whether JSON is to be printed.
        values: Values by option.
    """

    words: dict[str, Any]
    sources: dict[str, str]
    quiet: bool
    as_json: bool
    values: dict[str, Any]

    @classmethod
    def of(cls, options: Iterable[Option], values: dict[str, Any]) -> Given:
        """Read the values of options.

        Raises:
            ConfigError: A text cannot be read.
        """
        words: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for option in options:
            value = values[option.name]
            if option.key is None or value is None or value is False:
                continue
            words[option.key] = option.value if option.type is bool else _read(option, value)
            sources[option.key] = option.flag
        for assignment in values.get("set_") or ():
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"--set {assignment}: expected KEY=VALUE, such as train.lr=0.05")
            words[key.strip()] = _toml_value(text.strip())
            sources[key.strip()] = f"--set {key.strip()}"
        return cls(words, sources, values.get("quiet", False), values.get("as_json", False), values)


def command(*groups: Option | tuple[Option, ...], name: str | None = None) -> Callable[[Callable[..., None]], None]:
    """Add a command to the application, with the options of some groups.

    The function takes its own parameters by keyword, and what was given of the groups as `given`.
    """
    options = [option for group in groups for option in (group if isinstance(group, tuple) else (group,))]

    def add(function: Callable[..., None]) -> None:
        signature = inspect.signature(function, eval_str=True)
        own = [parameter for parameter in signature.parameters.values() if parameter.name != "given"]

        @wraps(function)
        def run(**values: Any) -> None:
            values = {name: _expanded(value) for name, value in values.items()}
            shared = {option.name: values.pop(option.name) for option in options}
            function(**values, given=Given.of(options, shared))

        parameters = [
            *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
            *(option.parameter() for option in options),
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name)(run)

    return add


def listed(option: str, text: str | None) -> list[str]:
    """Return the parts of a list that is separated by commas; none where the option is absent.

    Raises:
        ConfigError: A part is empty.
    """
    parts = [part.strip() for part in text.split(",")] if text is not None else []
    if not all(parts):
        raise ConfigError(f"--{option} {text}: an empty entry; expected entries with a comma between them")
    return parts


def _expanded(value: Any) -> Any:
    """A value, with the home folder for the ~ of paths."""
    if isinstance(value, Path):
        return user_path(value)
    return [_expanded(part) for part in value] if isinstance(value, list) else value


def _read(option: Option, value: Any) -> Any:
    if option.key == "space.ops":
        return [op.strip() for op in value.split(",")]
    if option.is_word and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value


def _toml_value(text: str) -> Any:
    """A TOML value; what is none is a text."""
    try:
        return parse_toml(f"value = {text}", "--set")["value"]
    except ConfigError:
        return text
