"""These plots show the search: candidates, its course, the ops it had, runs beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter

from spikenas._util.units import format_size
from spikenas.nas import Trial, front
from spikenas.nas.front import Objective
from spikenas.reporting.saved import SavedRun
from spikenas.reporting.style import COLOURS, FAINT, GOOD, KIB, LIMIT, Plot, Spec

_MEMORY: dict[str, Objective] = {"flash": "flash_bytes", "ram": "ram_bytes", "params": "params"}
_MOST_DRAWN = 3000  # candidates in the order of the search; against memory all are drawn
_CHANGE = 1e-12  # of a best score that counts


def trials_plot(run: SavedRun) -> Plot | None:
    """Plot score against memory: every scored candidate, the front and the budget; the tightest memory comes first."""
    scored = [trial for trial in run.trials if trial.value is not None]
    if not scored:
        return None
    groups = {step: [trial for trial in scored if trial.step == step] for step in dict.fromkeys(t.step for t in scored)}
    best = run.best and run.best.get("design", run.best["genotype"])
    found = [trial for trial in scored if trial.genotype == best][:1]
    data: list[Spec] = []
    for number, (name, own) in enumerate([*groups.items(), ("found", found)]):
        marker: Spec = {"size": 6, "opacity": 0.7, "color": COLOURS[number % len(COLOURS)]}
        if name == "found":
            marker = {"size": 15, "symbol": "star", "color": LIMIT, "line": {"width": 1, "color": "#fff"}}
        data.append({
            "type": "scatter", "mode": "markers", "name": name, "y": [_rounded(trial.value) for trial in own],
            "text": [trial.genotype for trial in own], "customdata": [_details(trial) for trial in own],
            "marker": marker,
            "hovertemplate": "%{text}<br>score %{y}<br>%{customdata[0]}<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    data.append({
        "type": "scatter", "mode": "lines", "name": "Pareto front", "line": {"color": GOOD, "shape": "hv", "width": 2},
        "hoverinfo": "skip",
    })  # fmt: skip
    fitting = [trial for trial in scored if trial.meets(run.config.budget)]
    views: dict[str, Spec] = {}
    for which in sorted(_MEMORY, key=lambda which: -_used(run, which)):
        unbeaten = front(fitting, _MEMORY[which])
        views[which] = {
            "x": [[_memory(trial, which) for trial in own] for own in (*groups.values(), found, unbeaten)],
            "front": [_rounded(trial.value) for trial in unbeaten],
            "layout": _budget_line(run, which) | {"xaxis": {"title": {"text": _axis(which)}}},
        }
    first, view = next(iter(views.items()))
    for trace, x in zip(data, view["x"], strict=True):
        trace["x"] = x
    data[-1]["y"] = view["front"]
    left_out = sum(trial.status == "over budget" for trial in run.trials)
    top = sorted(scored, key=lambda t: -(t.value or 0))[:20]
    return Plot(
        "trials",
        "Every candidate: score against memory",
        f"{len(scored):,} candidates were scored; {left_out:,} were left out by the memory filter. "
        "Choose a point for its genotype.",
        {"data": data, "layout": {"yaxis": {"title": {"text": run.config.search.score}}, **view["layout"]}},
        ("score", first, "step", "genotype"),
        [(f"{t.value:.4g}", _shown(t, first), t.step, t.genotype) for t in top],
        460,
        views,
    )


def search_plot(run: SavedRun) -> Plot | None:
    """Plot the scores in the order of the search, and the best so far."""
    scored = [(trial.position + 1, trial.value, trial) for trial in run.trials if trial.value is not None]
    if len(scored) < 2:
        return None
    best, steps = -math.inf, []
    for position, value, trial in scored:
        if value > best + _CHANGE:
            best = value
            steps.append((position, value, trial))
    steps.append((scored[-1][0], best, scored[-1][2]))
    drawn = scored[:: 1 + len(scored) // _MOST_DRAWN]
    thinned = "" if len(drawn) == len(scored) else f" {len(drawn):,} of {len(scored):,} are drawn."
    data = [
        {
            "type": "scatter", "mode": "markers", "name": "candidate", "x": [p for p, _, _ in drawn],
            "y": [_rounded(v) for _, v, _ in drawn], "text": [t.genotype for _, _, t in drawn],
            "marker": {"size": 4, "color": FAINT},
            "hovertemplate": "%{text}<br>score %{y}<extra>candidate %{x}</extra>",
        },
        {
            "type": "scatter", "mode": "lines", "name": "best so far", "x": [p for p, _, _ in steps],
            "y": [_rounded(v) for _, v, _ in steps], "line": {"shape": "hv", "color": COLOURS[0]}, "hoverinfo": "skip",
        },
    ]  # fmt: skip
    layout = {"xaxis": {"title": {"text": "candidate"}}, "yaxis": {"title": {"text": run.config.search.score}}}
    rows = [(str(position), f"{value:.4g}", trial.genotype) for position, value, trial in steps[:-1]]
    return Plot(
        "search",
        "The search over time",
        f"The best score is {best:.4g}, found by candidate {steps[-2][0]:,} of {len(run.trials):,}.{thinned}",
        {"data": data, "layout": layout},
        ("candidate", "score", "genotype"),
        rows[-20:],
        300,
    )


def operations_plot(run: SavedRun) -> Plot | None:
    """Plot what leaving out or adding each op costs, by the analysis that the space was made from."""
    if run.analysis is None:
        return None
    effects = [effect for effect in reversed(run.analysis["effects"]) if effect["seeds"]]
    if not effects:
        return None
    colour = {"removable": GOOD, "useless": GOOD, "needed": LIMIT, "worthwhile": LIMIT}
    names = [effect["name"] for effect in effects]
    losses = [effect["loss_sd"] for effect in effects]
    data = [{
        "type": "scatter", "mode": "markers", "y": names, "x": [round(loss["mean"], 4) for loss in losses],
        "error_x": {"type": "data", "symmetric": False, "array": [round(e["high"] - e["mean"], 4) for e in losses],
                    "arrayminus": [round(e["mean"] - e["low"], 4) for e in losses], "color": FAINT},
        "marker": {"size": 10, "color": [colour.get(effect["verdict"], FAINT) for effect in effects]},
        "text": [effect["verdict"] for effect in effects],
        "hovertemplate": "%{y}: %{text}, loss %{x}<extra></extra>",
    }]  # fmt: skip
    layout = {"xaxis": {"title": {"text": "loss, standard deviations"}, "zeroline": True},
              "yaxis": {"automargin": True}, "showlegend": False}  # fmt: skip
    rows = [
        (effect["name"], effect["verdict"], f"{loss['mean']:+.2f}", f"{loss['low']:+.2f} to {loss['high']:+.2f}")
        for effect, loss in zip(reversed(effects), reversed(losses), strict=True)
    ]
    said = ", ".join(f"{effect['name']}: {effect['verdict']}" for effect in reversed(effects))
    return Plot("operations", "Which operations matter", f"By {run.analysis['evaluator']}: {said}.",
                {"data": data, "layout": layout}, ("space", "verdict", "loss", "interval"), rows,
                max(220, 90 + 36 * len(names)))  # fmt: skip


def comparison_plot(runs: Sequence[SavedRun]) -> Plot | None:
    """Plot accuracy against flash of several runs."""
    shown = [(run, run.memory, run.accuracy) for run in runs if run.memory and run.accuracy is not None]
    if len(shown) < 2:
        return None
    data = [
        {
            "type": "scatter", "mode": "markers+text", "name": run.name, "text": [run.name],
            "textposition": "top center", "x": [round(memory["flash_bytes"] / KIB, 2)],
            "y": [round(100 * accuracy, 3)],
            "marker": {"size": 12, "color": COLOURS[number % len(COLOURS)]},
            "hovertemplate": "%{text}: %{y}% at %{x} KiB<extra></extra>",
        }
        for number, (run, memory, accuracy) in enumerate(shown)
    ]  # fmt: skip
    layout = {"xaxis": {"title": {"text": "flash, KiB"}}, "yaxis": {"title": {"text": "test accuracy, %"}},
              "showlegend": False}  # fmt: skip
    best = max(shown, key=itemgetter(2))[0]
    return Plot("comparison", "Accuracy against memory", f"The most accurate is {best.name}.",
                {"data": data, "layout": layout})  # fmt: skip


def _used(run: SavedRun, which: str) -> float:
    """Return the share of a limit that the network found takes; without a limit, a value that sorts behind."""
    limit = getattr(run.config.budget, which)
    used = (run.memory or {}).get(which if which == "params" else f"{which}_bytes", 0)
    return used / limit if limit else {"flash": 0.0, "ram": -1.0, "params": -2.0}[which]


def _memory(trial: Trial, which: str) -> float | None:
    if which == "params":
        return trial.params
    size_bytes = trial.flash_bytes if which == "flash" else trial.ram_bytes
    return None if size_bytes is None else round(size_bytes / KIB, 2)


def _shown(trial: Trial, which: str) -> str:
    value = _memory(trial, which)
    return "" if value is None else f"{value:,}" if which == "params" else f"{value:,.1f} KiB"


def _details(trial: Trial) -> list[str]:
    memory = [f"{trial.params:,} params"] if trial.params is not None else []
    for name, size_bytes in (("flash", trial.flash_bytes), ("RAM", trial.ram_bytes)):
        if size_bytes is not None:
            memory.append(f"{format_size(size_bytes)} {name}")
    return [", ".join(memory)]


def _axis(which: str) -> str:
    return {"params": "params", "flash": "flash, KiB", "ram": "RAM, KiB"}[which]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _budget_line(run: SavedRun, which: str) -> Spec:
    limit = getattr(run.config.budget, which)
    if limit is None:
        return {"shapes": [], "annotations": []}
    x = limit if which == "params" else limit / KIB
    return {
        "shapes": [{"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1,
                    "line": {"color": LIMIT, "dash": "dash"}}],
        "annotations": [{"x": x, "yref": "paper", "y": 1, "yanchor": "bottom", "text": "budget", "showarrow": False}],
    }  # fmt: skip
