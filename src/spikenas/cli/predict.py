"""The command predict."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from spikenas._util.class_figures import Figures, listed
from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas._util.run_files import MANIFEST, MODEL, QUANTISED
from spikenas.cli import options as opt
from spikenas.cli.app import progress
from spikenas.cli.options import Given, command
from spikenas.pipeline.stages import (
    STAGES,
    State,
    load_config,
    require_input,
    require_integers,
    require_run,
    require_whole_integers,
)

if TYPE_CHECKING:
    from spikenas.integers import IntegerNetwork
    from spikenas.training.checkpoint import Model

_BATCH = 128


@command(opt.OUTPUT)
def predict(
    given: Given,
    what: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER", help="What to classify.")],
    out: Annotated[Path, typer.Option("--out", help="Run folder.")],
    integers: Annotated[
        bool | None,
        typer.Option(
            "--integers/--float",
            help="The device's arithmetic, or the trained network's; the device's where its integers are current.",
            show_default=False,
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with the probabilities of all classes.")] = False,
) -> None:
    """Say the class of files, with its probability; of folders with classes in them accuracy and confusion too."""
    if given.as_json and as_csv:
        raise ConfigError("--json --csv: one of them")
    require_run(out)
    require_input(STAGES["evaluate"], out)
    settings = load_config(out)
    state = State(out, settings)
    if integers is None:
        require_whole_integers(state)
        integers = state.integers is not None
    if integers:
        require_input(STAGES["deploy"], out)
        require_integers(state)

    from spikenas._util.threads import threads
    from spikenas.interface.functions import load

    model: Any = load(out / (QUANTISED if integers else MODEL))
    rows: list[dict[str, Any]] = []
    tested: list[dict[str, Any]] = []
    with threads(settings.threads), progress(given.quiet) as report, report.task("predict") as advance:
        found = [_items(path, model) for path in what]
        total = sum(len(items) for items, _ in found)
        for (items, labels), path in zip(found, what, strict=True):
            first = len(rows)
            for start in range(0, len(items), _BATCH):
                for file, one in zip(items[start:], model.predict(items[start : start + _BATCH]), strict=False):
                    label = {"true": labels[file]} if labels else {}
                    rows.append({"file": file, "label": one.label, "probability": one.probability, **label})
                    rows[-1]["probabilities"] = one.probabilities
                    advance(len(rows), total, "")
            if labels:
                tested.append(_test(path, rows[first:], model.classes) | {"trained_on": _trained_on(out, items)})
    if given.as_json:
        typer.echo(json.dumps({"integers": integers, "predictions": rows, "folders": tested}, indent=2))
    elif as_csv:
        _write_csv(rows, model.classes)
    else:
        _print(rows, tested, model.classes)


def _items(path: Path, model: Model | IntegerNetwork) -> tuple[list[str], dict[str, str]]:
    """The files of a path, and their classes where it is a folder with a folder for each class."""
    from spikenas.data.items import files_of, labelled_folder

    if path.is_dir() and (split := labelled_folder(path, model.classes, model.decoder)):
        files = list(split.items)
        return files, {file: model.classes[label] for file, label in zip(files, split.labels, strict=True)}
    return files_of(path, model.decoder), {}


def _trained_on(out: Path, items: list[str]) -> int:
    """Return how many files are those that the network of a run was trained or chosen with."""
    from spikenas._util.files import digest_file
    from spikenas.data import Manifest

    if not (out / MANIFEST).exists():
        return 0
    entries = Manifest.load(out / MANIFEST).entries.values()
    known = {entry.digest for entry in entries if entry.split in ("train", "validation")}
    return sum(digest_file(file)[1] in known for file in items)


def _test(path: Path, rows: list[dict[str, Any]], classes: tuple[str, ...]) -> dict[str, Any]:
    confusion = [[0] * len(classes) for _ in classes]
    for row in rows:
        confusion[classes.index(row["true"])][classes.index(row["label"])] += 1
    figures = Figures.of(confusion, classes).as_json()
    return {
        "folder": str(path),
        "items": len(rows),
        "accuracy": figures["accuracy"],
        "figures": figures,
        "classes": classes,
        "confusion": confusion,
    }


def _write_csv(rows: list[dict[str, Any]], classes: tuple[str, ...]) -> None:
    labelled = any("true" in row for row in rows)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", "label", "probability", *(["true"] if labelled else []), *classes])
    for row in rows:
        true = [row.get("true", "")] if labelled else []
        shares = (f"{row['probabilities'][name]:.6f}" for name in classes)
        writer.writerow([row["file"], row["label"], f"{row['probability']:.6f}", *true, *shares])


def _print(rows: list[dict[str, Any]], tested: list[dict[str, Any]], classes: tuple[str, ...]) -> None:
    console = PlainConsole()
    table = Table(box=None, pad_edge=False)
    for name in ("file", "label"):
        table.add_column(name, overflow="fold")
    table.add_column("probability", justify="right")
    for row in rows:
        if "true" not in row:
            table.add_row(row["file"], row["label"], f"{row['probability']:.1%}")
    if table.row_count:
        console.print(table)
    for folder in tested:
        figures = Figures.of(folder["confusion"], classes)
        console.print(f"{folder['folder']}: {figures}")
        if folder["trained_on"]:
            console.print(f"{folder['trained_on']:,} of these files were trained on or chosen with: no test of these")
        if figures.never_said:
            console.print(f"never said: {listed(figures.never_said)}")
        console.print(_confusion(folder["confusion"], figures))


def _confusion(counts: list[list[int]], figures: Figures) -> Table:
    """Rows are the true classes that there are items of, columns what was said."""
    table = Table(title="true class by rows, what was said by columns", title_justify="left", box=None, pad_edge=False)
    said = [k for k, one in enumerate(figures.classes) if one.said]
    table.add_column("", no_wrap=True)
    for k in said:
        table.add_column(figures.classes[k].name, justify="right")
    for name in ("recall", "precision"):
        table.add_column(name, justify="right")
    for one, row in zip(figures.classes, counts, strict=True):
        if one.items:
            shares = ("" if share is None else f"{share:.0%}" for share in (one.recall, one.precision))
            table.add_row(one.name, *(f"{row[j]:,}" if row[j] else "" for j in said), *shares)
    return table
