"""Plots of an analysis show losses with intervals, edges and ops, memory with and without an op, and candidates."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spikenas._util.figures import save_figure
from spikenas.enhancement.effects import Effect, Rule
from spikenas.enhancement.samples import Sample
from spikenas.enhancement.variants import Variant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spikenas.enhancement.analysis import AnalysisResult
    from spikenas.space.genotype import NetworkKey
    from spikenas.space.graph import CellGraph

COLOURS = {
    "removable": "#2a7f3f",
    "needed": "#b3261e",
    "open": "#8a8a8a",
    "worthwhile": "#2a7f3f",
    "useless": "#8a8a8a",
}
_WIDTH, _HEIGHT, _PANEL = 11.0, 3.8, 2.6  # inches
_COLUMNS = 4


def draw_analysis(
    path: Path,
    answer: AnalysisResult,
    variants: Sequence[Variant],
    base: Mapping[NetworkKey, Sample],
    networks: Mapping[NetworkKey, Sample],
    rule: Rule,
) -> None:
    """Draw all of an analysis.

    Args:
        path: The file; its ending says the format, such as .svg or .png.
        answer: The result that is drawn.
        variants: All variants, the whole space first.
        base: Distinct networks drawn from the whole space.
        networks: Distinct networks of all variants.
        rule: Rule whose tolerance is drawn.
    Raises:
        RunError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    rows = math.ceil((len(variants) - 1) / _COLUMNS)
    figure = Figure(figsize=(_WIDTH, 2 * _HEIGHT + rows * _PANEL), layout="constrained")
    heights = [_HEIGHT, _HEIGHT, rows * _PANEL]
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=heights)[:, 0]
    left, right = top.subplots(1, 2, width_ratios=[3, 2])
    draw_losses(left, [*answer.effects, *answer.together], rule)
    _draw_candidates(right, answer)
    _draw_edges(middle.subplots(1, 1), answer)
    panels = list(bottom.subplots(rows, _COLUMNS, squeeze=False, sharex=True, sharey=True).flat)
    for axes, variant in zip(panels, variants[1:], strict=False):
        samples, others = (networks, variants[0].forms) if variant.added else (base, variant.forms)
        _draw_memory(axes, ", ".join(map(str, variant.added or variant.removed)), list(samples.values()), others)
    for axes in panels[len(variants) - 1 :]:
        axes.set_visible(False)
    bottom.supxlabel("flash, KiB", fontsize="small")
    bottom.supylabel(answer.evaluator, fontsize="small")
    figure.suptitle(f"{answer.data}, evaluated by {answer.evaluator}", x=0.01, ha="left")
    save_figure(figure, path)


def draw_losses(axes: Axes, effects: Sequence[Effect], rule: Rule) -> None:
    """Draw the loss of each variant with its interval, and the tolerance."""
    for row, effect in enumerate(reversed(effects)):
        loss, colour = effect.loss_sd, COLOURS[effect.verdict]
        axes.plot([loss.low, loss.high], [row, row], color=colour, linewidth=2.5, solid_capstyle="butt")
        axes.plot([loss.mean], [row], "o", color=colour, markersize=5)
        axes.annotate(effect.verdict, (loss.high, row), (4, -3), textcoords="offset points", fontsize=7, color=colour)
    axes.axvline(0, color="black", linewidth=0.6)
    tolerances = {rule.tolerance for e in effects if e.removed} | {-rule.tolerance for e in effects if e.added}
    for tolerance in tolerances:
        axes.axvline(tolerance, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(effects)), [effect.name for effect in reversed(effects)], fontsize="small")
    axes.set_xlabel("loss of what is found, standard deviations of the networks", fontsize="small")
    axes.set_title(
        f"without the op ({rule.confidence:.0%} intervals; dotted: tolerance)", loc="left", fontsize="medium"
    )
    axes.grid(alpha=0.3, axis="x")
    axes.margins(x=0.2, y=0.12)


def _draw_candidates(axes: Axes, answer: AnalysisResult) -> None:
    bars = [("all", answer.candidates)]
    bars += [(effect.name, effect.candidates) for effect in answer.effects]
    bars.append(("kept ops", answer.candidates_kept))
    axes.barh(range(len(bars)), [count for _, count in bars], color=["C7", *["C0"] * (len(bars) - 2), "C2"])
    for row, (_, count) in enumerate(bars):
        axes.annotate(f"{count:,}", (count, row), (3, 0), textcoords="offset points", va="center", fontsize=7)
    axes.set_xscale("log")
    axes.set_xlim(0.8, 4 * max(count for _, count in bars))
    axes.set_yticks(range(len(bars)), [name for name, _ in bars], fontsize="small")
    axes.invert_yaxis()
    axes.set_title("candidates: distinct cells", loc="left", fontsize="medium")


def _draw_edges(axes: Axes, answer: AnalysisResult) -> None:
    axes.set_title("effect of an op on an edge, standard deviations ± error", loc="left", fontsize="medium")
    if not answer.edges:
        axes.set_axis_off()
        axes.annotate("too few networks for it", (0.4, 0.5), xycoords="axes fraction")
        return
    edges = list(dict.fromkeys(effect.edge for effect in answer.edges))
    ops = list(dict.fromkeys(effect.op for effect in answer.edges))
    values = np.array([effect.effect for effect in answer.edges]).reshape(len(edges), len(ops)).T
    errors = np.array([effect.error for effect in answer.edges]).reshape(len(edges), len(ops)).T
    most = float(np.abs(values).max())
    image = axes.imshow(values, cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value) > 0.6 * most else "black"
        text = f"{value:+.2f} ±{errors[row, column]:.2f}"
        axes.annotate(text, (column, row), ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(edges)), edges, fontsize="small")
    axes.set_yticks(range(len(ops)), ops, fontsize="small")
    axes.figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01)


def _draw_memory(axes: Axes, title: str, samples: Sequence[Sample], others: Container[CellGraph]) -> None:
    """Draw value against flash of networks that use an op and of the others."""
    uses = [sample.genotype.cells[0].canonical not in others for sample in samples]
    for wanted, label, colour in ((True, "with", "C1"), (False, "without", "C0")):
        own = [sample for sample, use in zip(samples, uses, strict=True) if use == wanted]
        xs, ys = [sample.cost.flash_bytes / 1024 for sample in own], [sample.value for sample in own]
        axes.plot(xs, ys, ".", color=colour, label=label, markersize=2.5, alpha=0.6)
    axes.set_title(title, fontsize="small", loc="left")
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="xx-small", loc="lower right", markerscale=3)
