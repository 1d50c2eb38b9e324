"""The page shows what was found as HTML, with the plots as compressed data. Nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import gzip
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from spikenas._util.errors import SpikeNASError
from spikenas._util.files import write_text
from spikenas._util.provenance import versions
from spikenas._util.units import format_size
from spikenas.config import Config
from spikenas.memory import FIGURES, Footprint, limits_of
from spikenas.records import SIZE_KEYS
from spikenas.reporting.advice import Check
from spikenas.reporting.checks import checks
from spikenas.reporting.explained import explained
from spikenas.reporting.loading import load_run
from spikenas.reporting.network_plots import confusion_plot, flash_plot, ram_plot, spikes_plot, training_plot
from spikenas.reporting.race_plots import race_plot, trained_plot
from spikenas.reporting.saved import SavedRun
from spikenas.reporting.search_plots import comparison_plot, operations_plot, search_plot, trials_plot
from spikenas.reporting.style import Plot
from spikenas.reporting.verdict import Comparison
from spikenas.space.drawing import draw_svg
from spikenas.space.genotype import Genotype
from spikenas.space.plan import Plan
from spikenas.targets import find_target

_NOT_COMPARED = ("score", "search", "width", "time")  # of a network with its twin
_FEW_CLASSES = 12  # whose tables are open


@dataclass(frozen=True)
class Bar:
    """A bar shows one kind of memory against its limit.

    Attributes:
        name: Kind of memory.
        used: Amount that is used, in words.
        limit: Limit in words; empty without one.
        share: Share of the limit that is used, 0 to 1 where it is met; None without a limit.
    """

    name: str
    used: str
    limit: str
    share: float | None


@dataclass(frozen=True)
class Section:
    """A section shows one run on the page."""

    number: int
    run: SavedRun
    bars: list[Bar]
    checks: list[Check]
    cells: Markup
    plots: dict[str, Plot]
    page: str = ""


def write_report(folders: Sequence[Path], path: Path) -> list[SavedRun]:
    """Write a page about runs, and return them.

    Args:
        folders: Run folders, at least one, also of runs that are not done.
        path: The file.
    Raises:
        ConfigError: A folder is no run folder.
        RunError: The file cannot be written.
    """
    runs = [load_run(folder) for folder in folders]
    write_text(path, render(runs, path.parent))
    return runs


def render(runs: Sequence[SavedRun], place: Path | None = None) -> str:
    """Return the page as text, with links from the folder that it is for."""
    sections = [_section(number, run, place or run.folder) for number, run in enumerate(runs)]
    shared = [plot for plot in (comparison_plot(runs), training_plot(runs)) if plot and len(runs) > 1]
    drawn = [*shared, *(plot for section in sections for plot in section.plots.values())]
    specs = {plot.name: _finite({**plot.spec, "views": plot.views}) for plot in drawn}
    return str(
        _environment()
        .get_template("report.html.j2")
        .render(
            sections=sections,
            shared=shared,
            versions=versions(),
            style=_asset("report.css"),
            script=_asset("report.js"),
            library=_library(),
            specs=Markup(_packed(json.dumps(specs, separators=(",", ":"), allow_nan=False))),
        )
    )


def _finite(values: Any) -> Any:
    """Return the same values with None for those that JSON has no number for."""
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _section(number: int, run: SavedRun, place: Path) -> Section:
    made = (
        race_plot(run), trained_plot(run), trials_plot(run), search_plot(run), training_plot([run]),
        confusion_plot(run), spikes_plot(run), flash_plot(run), ram_plot(run), operations_plot(run),
    )  # fmt: skip
    plots = {plot.name: replace(plot, name=f"{plot.name}-{number}") for plot in made if plot}
    page = quote(Path(os.path.relpath(run.folder / run.page, place)).as_posix()) if run.page else ""
    return Section(number, run, _bars(run), checks(run), _cells(run, number), plots, page)


def _bars(run: SavedRun) -> list[Bar]:
    if run.memory is None:
        return []
    found, limits = [], limits_of(run.config.budget)
    for figure in FIGURES.values():
        used, limit = run.figures.get(figure.key), limits.get(figure.name)
        if used is not None:
            share = used / limit if limit else None
            found.append(Bar(figure.title, figure.said(used), figure.said(limit) if limit else "", share))
    return found


def _cells(run: SavedRun, number: int) -> Markup:
    if run.best is None:
        return Markup("")
    genotype = Genotype.parse(run.best["genotype"])
    notes = edge_notes(run.plan, run.cost) if run.plan and run.cost else {}
    return Markup(draw_svg(genotype, notes, f"run{number}"))


def edge_notes(plan: Plan, cost: Footprint) -> dict[tuple[int, str], str]:
    """Describe what an edge computes and what it takes, by number of the cell and op."""
    costs = {layer.name: layer for layer in cost.layers}
    found: dict[tuple[int, str], str] = {}
    for number, cell in enumerate(plan.genotype.cells, start=1):
        for position, atom in enumerate(cell.canonical.atoms, start=1):
            layers = [layer for name, layer in costs.items() if name.startswith(f"cell{number}.op{position}.")]
            if (number, str(atom.op)) in found or not layers:
                continue
            shape = "x".join(map(str, layers[-1].shape))
            params, flash = sum(layer.params for layer in layers), sum(layer.flash_bytes for layer in layers)
            found[number, str(atom.op)] = f"gives {shape}; {params:,} params, {format_size(flash)} of flash"
    return found


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("spikenas.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "headline": _headline,
        "comparison_names": _comparison_names,
        "measured_rows": _measured_rows,
        "decision_rows": _decision_rows,
        "history_rows": _history_rows,
        "label": _label,
        "explained": explained,
        "class_rows": _class_rows,
        "share_rows": _share_rows,
        "twin_rows": _twin_rows,
        "aim_rows": _aim_rows,
        "few": _FEW_CLASSES,
    }
    environment.filters |= {"toml": Config.dump, "device": _device, "short_file": _short_file}
    return environment


def _short_file(file: str) -> str:
    """The name of a file, with the folder it is in."""
    return "/".join(file.split("/")[-2:])


def _asset(name: str) -> Markup:
    text = (resources.files("spikenas.reporting") / "templates" / name).read_text(encoding="utf-8")
    return Markup(text)


def _device(name: str) -> str:
    try:
        return find_target(name).title
    except SpikeNASError:  # a file of the user's that is gone
        return name


@cache
def _library() -> Markup:
    return Markup(_packed(get_plotlyjs()))


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")


def _headline(section: Section) -> str:
    """Return the answer in a sentence."""
    run = section.run
    if run.memory is None:
        return f"No network yet: {run.status}."
    memory = f"{format_size(run.memory['flash_bytes'])} of flash and {format_size(run.memory['ram_bytes'])} of RAM"
    if not run.config.network.is_spiking:
        memory += "; not a spiking network but a twin of one, with ReLUs"
    if run.accuracy is None:
        return f"A network of {memory}, not evaluated yet."
    right = f"{run.accuracy:.2%} of the test images right"
    if run.tested and run.tested.figures.unequal:
        right += f" ({run.tested.figures.balanced_accuracy:.2%} balanced over classes)"
    return f"{right}, in {memory}."


def _comparison_names(sections: Sequence[Section]) -> list[str]:
    return list(dict.fromkeys(name for section in sections for name in section.run.summary))


def _measured_rows(run: SavedRun) -> list[tuple[str, ...]]:
    rows = []
    for device, said in run.measured.items():
        for key in SIZE_KEYS:
            limit, predicted = said["limits"][key], said["predicted"][key]
            linked = said["linked"][key] if "linked" in said else None
            numbers = (f"{number:,}" if number is not None else "" for number in (limit, predicted, linked))
            difference = f"{linked - predicted:+,}" if linked is not None else ""
            rows.append((device, key.removesuffix("_bytes"), *numbers, difference))
    return rows


def _decision_rows(run: SavedRun) -> list[tuple[str, str, str]]:
    rows = []
    for decision in run.space["decisions"] if run.space else []:
        value = decision["value"]
        shown = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        rows.append((decision["key"], shown, decision["reason"]))
    return rows


def _history_rows(run: SavedRun) -> list[tuple[str, str, str, str]]:
    return [(line["ended"], line["stage"], f"{line['seconds']:,.1f}", line["command"]) for line in run.history]


def _class_rows(run: SavedRun) -> list[tuple[str, ...]]:
    """Number of images of each class and split, as data.json has them under `counts`; none where it does not."""
    if run.data is None:
        return []
    counts = run.data["counts"]
    by_split = (counts["train"], counts["validation"], counts["test"])
    return [(name, *(f"{numbers[n]:,}" for numbers in by_split)) for n, name in enumerate(run.data["classes"])]


def _share_rows(run: SavedRun) -> list[tuple[str, str, str, str]]:
    """Items, recall and precision of each class."""
    found = run.tested.figures.classes if run.tested else ()
    return [(one.name, f"{one.items:,}", _share(one.recall), _share(one.precision)) for one in found]


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _twin_rows(run: SavedRun) -> list[tuple[str, str, str]]:
    """What the network and its twin do and take, where it is known of either."""
    if run.twin is None:
        return []
    own, beside = run.summary, [aim for one in run.verdict if not one.other.source for aim in one.aims]
    on_device = {f"{aim.name} an inference": aim.other for aim in beside if aim.name in ("time", "energy")}
    other = {**on_device, **run.twin.summary}
    names = [name for name in (*own, *(name for name in other if name not in own)) if name not in _NOT_COMPARED]
    return [(name, own.get(name, ""), other.get(name, "")) for name in names]


def _aim_rows(found: Comparison) -> list[tuple[str, str, str]]:
    return [(aim.name, aim.own, aim.other) for aim in found.aims]


def _label(run: SavedRun, number: int) -> str:
    return run.classes[number] if number < len(run.classes) else f"class {number}"
