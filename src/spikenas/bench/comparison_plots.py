"""The plot of a comparison shows how searches get on, and where they end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spikenas._util.figures import save_figure
from spikenas.bench.results import ALL, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMN, _ROW = 4.6, 3.4  # inches


def draw_comparison(path: Path, summaries: Sequence[Summary]) -> None:
    """Draw, for each evaluator, the mean over evaluations on the left and the end with its interval on the right.

    Where there are several budgets, the means are over all of them. The regret is drawn, or the score where there is no
    regret.

    Args:
        path: The file; its ending says the format, such as .svg or .png.
        summaries: Summaries, as `summarise` makes them; those in which all searches failed are left out.
    Raises:
        RunError: The file cannot be written.
    """
    from matplotlib.figure import Figure

    several = any(summary.budget == ALL for summary in summaries)
    shown = [s for s in summaries if s.figures and (s.budget == ALL) == several]
    evaluators = list(dict.fromkeys(summary.evaluator for summary in shown))
    colours = {name: f"C{number}" for number, name in enumerate(dict.fromkeys(s.strategy for s in shown))}
    figure = Figure(figsize=(2 * _COLUMN, _ROW * max(1, len(evaluators))), layout="constrained")
    axes = figure.subplots(max(1, len(evaluators)), 2, squeeze=False)
    for (left, right), evaluator in zip(axes, evaluators, strict=False):
        own = [summary for summary in shown if summary.evaluator == evaluator]
        regret = all("regret" in summary.figures for summary in own)
        _draw_curves(left, own, colours)
        _draw_ends(right, own, colours, "regret" if regret else "score")
        left.set_title(f"evaluated by {evaluator}", loc="left", fontsize="medium")
        left.set_ylabel("regret, points of accuracy" if regret else "score of the best")
    save_figure(figure, path)


def _draw_curves(axes: Axes, summaries: Sequence[Summary], colours: dict[str, str]) -> None:
    for summary in summaries:
        known = [(k, interval) for k, interval in enumerate(summary.curve, 1) if interval]
        if known:
            xs, ys = [k for k, _ in known], [interval.mean for _, interval in known]
            axes.plot(xs, ys, color=colours[summary.strategy], label=summary.strategy, linewidth=1.3)
            axes.plot(xs[-1:], ys[-1:], "o", color=colours[summary.strategy], markersize=3)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("evaluations")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", ncols=2)


def _draw_ends(axes: Axes, summaries: Sequence[Summary], colours: dict[str, str], figure: str) -> None:
    best_on_top = -1 if figure == "regret" else 1
    ends = sorted(((s.strategy, s.figures[figure]) for s in summaries), key=lambda end: best_on_top * end[1].mean)
    for row, (name, interval) in enumerate(ends):
        low, high = (interval.mean if end is None else end for end in (interval.low, interval.high))
        axes.plot([low, high], [row, row], color=colours[name], linewidth=2.5, solid_capstyle="butt")
        axes.plot([interval.mean], [row], "o", color=colours[name], markersize=5)
        axes.annotate(f"{interval.mean:.2f}", (interval.mean, row), (0, 5), textcoords="offset points", fontsize=7)
    axes.set_yticks(range(len(ends)), [name for name, _ in ends])
    axes.set_xlabel(f"{figure} at the end, mean and 95% interval over seeds")
    axes.grid(alpha=0.3, axis="x")
    axes.margins(x=0.1, y=0.15)
