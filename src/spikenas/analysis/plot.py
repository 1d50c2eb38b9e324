"""Pictures of an analysis: losses with intervals, edges and ops, memory with and without an op, candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spikenas.analysis.effects import Effect, Rule
from spikenas.analysis.looks import Look
from spikenas.analysis.variants import Variant
from spikenas.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from spikenas.analysis.study import Significance

COLOURS = {
    "removable": "#2a7f3f",
    "needed": "#b3261e",
    "open": "#8a8a8a",
    "worthwhile": "#2a7f3f",
    "useless": "#8a8a8a",
}
_WIDTH, _HEIGHT, _PANEL = 11.0, 3.8, 2.6  # inches


def draw_analysis(
    path: Path, answer: Significance, variants: Sequence[Variant], looks: Sequence[Look], rule: Rule
) -> None:
    """Draw all of an analysis.

    Args:
        path: Its ending says the format, such as .svg or .png.
        answer: What is drawn.
        variants: The whole space first.
        looks: Distinct networks.
        rule: Its tolerance is drawn.
    Raises:
        RunError: it cannot be written.
    """
    from matplotlib.figure import Figure

    removed = [variant for variant in variants if variant.removed]
    rows = math.ceil(len(removed) / 4)
    figure = Figure(figsize=(_WIDTH, 2 * _HEIGHT + rows * _PANEL), layout="constrained")
    heights = [_HEIGHT, _HEIGHT, max(1, rows) * _PANEL]
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=heights)[:, 0]
    left, right = top.subplots(1, 2, width_ratios=[3, 2])
    draw_losses(left, [*answer.effects, *answer.together], rule)
    _draw_candidates(right, answer)
    _draw_edges(middle.subplots(1, 1), answer)
    panels = bottom.subplots(max(1, rows), 4, squeeze=False, sharex=True, sharey=True)
    for axes, variant in zip(panels.flat, removed, strict=False):
        _draw_memory(axes, variant, looks)
    for axes in list(panels.flat)[len(removed) :]:
        axes.set_visible(False)
    bottom.supxlabel("flash, KiB", fontsize="small")
    bottom.supylabel(answer.evaluator, fontsize="small")
    figure.suptitle(f"{answer.data}, judged by {answer.evaluator}", x=0.01, ha="left")
    write_atomically(path, lambda partial: figure.savefig(partial, format=path.suffix[1:], dpi=130))


def draw_losses(axes: Axes, effects: Sequence[Effect], rule: Rule) -> None:
    """The loss of each variant with its interval, and the tolerance."""
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
    axes.margins(x=0.12, y=0.12)


def _draw_candidates(axes: Axes, answer: Significance) -> None:
    bars = [("all ops", answer.candidates)]
    bars += [(effect.name, effect.candidates) for effect in answer.effects if effect.removed]
    bars.append((f"kept: {', '.join(answer.kept)}", answer.candidates_kept))
    axes.barh(range(len(bars)), [count for _, count in bars], color=["C7", *["C0"] * (len(bars) - 2), "C2"])
    for row, (name, count) in enumerate(bars):
        axes.annotate(f" {name}: {count:,}", (1, row), va="center", fontsize=7)
    axes.set_xscale("log")
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_title("candidates: distinct cells", loc="left", fontsize="medium")


def _draw_edges(axes: Axes, answer: Significance) -> None:
    axes.set_title("effect of an op on an edge, standard deviations ± error", loc="left", fontsize="medium")
    if not answer.edges:
        axes.set_axis_off()
        axes.annotate("too few networks", (0.4, 0.5), xycoords="axes fraction")
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


def _draw_memory(axes: Axes, variant: Variant, looks: Sequence[Look]) -> None:
    """Value against flash of networks that use the op and of those that do not."""
    uses = [look.genotype.cells[0].canonical not in variant.forms for look in looks]
    for wanted, label, colour in ((True, "with", "C1"), (False, "without", "C0")):
        own = [look for look, use in zip(looks, uses, strict=True) if use == wanted]
        xs, ys = [look.cost.flash_bytes / 1024 for look in own], [look.value for look in own]
        axes.plot(xs, ys, ".", color=colour, label=label, markersize=2.5, alpha=0.6)
    axes.set_title(", ".join(map(str, variant.removed)), fontsize="small", loc="left")
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="xx-small", loc="lower right", markerscale=3)
