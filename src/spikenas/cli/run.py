"""The commands on a run folder: run, enhance, search, train, quantise, evaluate, deploy."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas.cli import options as opt
from spikenas.cli.app import messages, progress
from spikenas.cli.options import Given, command
from spikenas.pipeline.checking import check_settings
from spikenas.pipeline.run_folder import is_leader
from spikenas.pipeline.settings import Settings
from spikenas.pipeline.stages import STAGES, require_input, require_run

_ConfigFile = Annotated[
    Path | None, typer.Argument(help="Configuration to start from, such as a run's config.toml.", show_default=False)
]
_Out = Annotated[Path | None, typer.Option(help="Run folder; runs/DATA when absent.", show_default=False)]
_RunFolder = Annotated[Path, typer.Option("--out", help="Run folder.")]
_SPACE = (*opt.NETWORK, opt.WEIGHT_BITS, opt.SPACE, opt.OPS)
_LEARNT_FROM = (opt.DATASET, *opt.IMAGES, *opt.SIZES, opt.TARGET)
_TRAINED = (opt.WHOLE_TIME, opt.EPOCHS, opt.CLASS_WEIGHTS)
_ALL = (opt.SEED, opt.DEVICE, opt.SET, *opt.OUTPUT)


@command(
    _LEARNT_FROM,
    _SPACE,
    opt.NO_ENHANCE,
    opt.SEARCH,
    _TRAINED,
    opt.TWIN,
    opt.EXECUTOR,
    _ALL,
)
def run(given: Given, config: _ConfigFile = None, out: _Out = None) -> None:
    """All stages: from images and a budget to a trained network of integers that fits, with a target to firmware."""
    _run_stages(None, given, out, config)


@command(_LEARNT_FROM, _SPACE, opt.ENHANCEMENT, opt.EXECUTOR, _ALL)
def enhance(given: Given, config: _ConfigFile = None, out: _Out = None) -> None:
    """Decide the space of a run folder: ops, cells, width, head, sharing; writes space.json with the reasons."""
    _run_stages(("enhance",), given, out, config)


@command(_LEARNT_FROM, _SPACE, opt.SEARCH, opt.SEARCH_TIME, opt.EXECUTOR, _ALL)
def search(given: Given, config: _ConfigFile = None, out: _Out = None) -> None:
    """Find the network with the best score that fits the budget; writes best.json."""
    _run_stages(("search",), given, out, config)


@command(opt.DATASET, opt.SKIP_BROKEN, opt.TRAIN, opt.DEVICE, opt.SET, opt.OUTPUT)
def train(
    given: Given,
    out: _RunFolder,
    again: Annotated[bool, typer.Option("--again", help="Train anew; sets aside what is there.")] = False,
) -> None:
    """Train the network that the search of a run folder found; writes model.safetensors and train.csv.

    With more epochs than it was trained for, it goes on.
    """
    _run_stages(("train",), given, out, again=again)


@command(opt.DATASET, opt.SKIP_BROKEN, opt.QUANTISE, opt.DEVICE, opt.SET, opt.OUTPUT)
def quantise(given: Given, out: _RunFolder) -> None:
    """Make integers of the trained network of a run folder; writes quantised.safetensors and quantise.json."""
    _run_stages(("quantise",), given, out)


@command(opt.DATASET, opt.SKIP_BROKEN, opt.DEVICE, opt.SET, opt.OUTPUT)
def evaluate(given: Given, out: _RunFolder) -> None:
    """Run the trained network of a run folder, and its integers, on the test set; writes evaluation.json."""
    _run_stages(("evaluate",), given, out)


@command(opt.DATASET, opt.SKIP_BROKEN, opt.VERIFY, opt.SET, opt.OUTPUT)
def deploy(
    given: Given,
    out: _RunFolder,
    target: Annotated[
        str | None, typer.Option(help="Device; that of the budget when absent: spikenas targets.", show_default=False)
    ] = None,
) -> None:
    """Write the C firmware of a run folder, build it, run it under QEMU; writes firmware/ and footprint.json."""
    _run_stages(("deploy",), given, out, target=target)


def _run_stages(
    names: Sequence[str] | None,
    given: Given,
    out: Path | None,
    file: Path | None = None,
    target: str | None = None,
    again: bool = False,
) -> None:
    """Run some stages on a run folder, or all that its settings want, and print what was found."""
    start = time.perf_counter()
    if file and not file.suffix and not file.exists():
        raise ConfigError(f"CONFIG {file}: no such file; a value of several words needs quotes, as in --flash '64 KiB'")
    first = STAGES[names[0]] if names else None
    if first and first.needs and out:
        require_run(out)
        require_input(first, out)
    settings = Settings.of(out, file, given.words, given.sources)
    check_settings(settings.config)

    from spikenas.interface.functions import run_and_report

    quiet = given.quiet or not is_leader()
    typed = shlex.join(["spikenas", *sys.argv[1:]])
    with progress(quiet, settings.folder) as report:
        found = run_and_report(settings, names, report, typed, target, again)
    if given.as_json and is_leader():
        typer.echo(json.dumps(found, indent=2))
    elif not quiet:
        _show(found, settings.folder, time.perf_counter() - start)


def _show(found: dict[str, Any], folder: Path, seconds: float) -> None:
    from spikenas.cli.tables import decision_table, front_table, run_summary

    console = PlainConsole()
    if "decisions" in found:
        console.print(decision_table(found))
        messages.print(f"the next step: spikenas run --out {shlex.quote(str(folder))}")
        return
    console.print(run_summary(found, seconds))
    if "front" in found:
        console.print(front_table(found["front"]))
