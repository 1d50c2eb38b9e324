"""These plots show the network found: its training, its mistakes, its spikes, its memory."""

from __future__ import annotations

from collections.abc import Sequence

from spikenas._util.units import format_size
from spikenas.reporting.saved import SavedRun
from spikenas.reporting.style import COLOURS, GOOD, KIB, LIMIT, SCALE, Plot, Spec

_MOST_ROWS = 20  # of a table of confusions


def training_plot(runs: Sequence[SavedRun]) -> Plot | None:
    """Plot accuracy and loss over the epochs; None where no run has any."""
    shown = [run for run in runs if run.epochs]
    if not shown:
        return None
    data: list[Spec] = []
    for number, run in enumerate(shown):
        epochs = [epoch.epoch for epoch in run.epochs]
        for part, dash in (("train", "dot"), ("validation", "solid")):
            label = f"{run.name}, {part}" if len(shown) > 1 else part
            for axis, what, scale in (("y", "accuracy", 100), ("y2", "loss", 1)):
                data.append({
                    "type": "scatter", "mode": "lines", "name": label, "legendgroup": label, "yaxis": axis,
                    "xaxis": axis.replace("y", "x"), "showlegend": axis == "y", "x": epochs,
                    "y": [round(scale * getattr(epoch, f"{part}_{what}"), 4) for epoch in run.epochs],
                    "line": {"dash": dash, "color": COLOURS[number % len(COLOURS)], "width": 2},
                    "hovertemplate": f"epoch %{{x}}: {what} %{{y}}<extra>%{{fullData.name}}</extra>",
                })  # fmt: skip
    layout = {
        "grid": {"rows": 1, "columns": 2, "pattern": "independent"},
        "xaxis": {"title": {"text": "epoch"}}, "xaxis2": {"title": {"text": "epoch"}},
        "yaxis": {"title": {"text": "accuracy, %"}}, "yaxis2": {"title": {"text": "loss, nats"}},
    }  # fmt: skip
    told = [
        f"{run.name}: {run.kept.validation_accuracy:.2%} validation accuracy at epoch {run.kept.epoch}"
        for run in shown
        if run.kept
    ]
    rows = [
        (str(e.epoch), f"{e.train_accuracy:.2%}", f"{e.validation_accuracy:.2%}", f"{e.validation_loss:.4f}")
        for e in shown[0].epochs
    ]
    header = ("epoch", "train accuracy", "validation accuracy", "validation loss")
    several = len(shown) > 1
    return Plot(
        "training", "Training", f"{'; '.join(told)}.", {"data": data, "layout": layout},
        () if several else header, () if several else rows, 340,
    )  # fmt: skip


def confusion_plot(run: SavedRun) -> Plot | None:
    """Plot which class is taken for which; None without an evaluation."""
    if run.tested is None:
        return None
    counts, classes = run.tested.confusion, run.tested.figures.classes
    names = [one.name for one in classes]
    totals = [max(1, sum(row)) for row in counts]
    shares = [[round(100 * n / total, 2) for n in row] for row, total in zip(counts, totals, strict=True)]
    wrong = sorted(
        ((counts[i][j], names[i], names[j]) for i in range(len(names)) for j in range(len(names)) if i != j),
        reverse=True,
    )
    data = [{
        "type": "heatmap", "x": names, "y": names, "z": shares, "customdata": counts,
        "colorscale": SCALE, "zmin": 0, "zmax": 100, "xgap": 1, "ygap": 1,
        "colorbar": {"title": {"text": "% of class"}, "thickness": 12},
        "hovertemplate": "%{y} taken for %{x}: %{customdata} images, %{z}%<extra></extra>",
    }]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "taken for"}, "type": "category"},
        "yaxis": {"title": {"text": "class"}, "type": "category", "autorange": "reversed"},
    }
    said = (
        f"Most often {wrong[0][1]} is taken for {wrong[0][2]}: {wrong[0][0]} images." if wrong[0][0] else "No mistake."
    )
    rows = [(right, taken, str(count)) for count, right, taken in wrong[:_MOST_ROWS] if count]
    return Plot("confusion", "Confusion of classes", said, {"data": data, "layout": layout},
                ("class", "taken for", "images"), rows, 460)  # fmt: skip


def spikes_plot(run: SavedRun) -> Plot | None:
    """Plot how often the neurons of each layer fire, and what their spikes cost; None without spikes."""
    if run.evaluation is None or not run.evaluation["firing_rates"]:
        return None
    rates, synops = run.evaluation["firing_rates"], run.evaluation["synops_by_layer"]
    active = run.evaluation.get("active_shares", rates)
    names = list(rates)
    data: list[Spec] = [{
        "type": "bar", "orientation": "h", "y": names, "x": [round(100 * active[name], 3) for name in names],
        "customdata": [round(rates[name], 4) for name in names], "marker": {"color": COLOURS[0]},
        "hovertemplate": "%{y}: %{x}% fire at a timestep, %{customdata} spikes a neuron<extra></extra>",
    }, {
        "type": "bar", "orientation": "h", "y": names, "x": [round(synops[name]) for name in names],
        "xaxis": "x2", "yaxis": "y2", "marker": {"color": COLOURS[1]},
        "hovertemplate": "%{y}: %{x:,} additions an inference<extra></extra>",
    }]  # fmt: skip
    layout: Spec = {
        "grid": {"rows": 1, "columns": 2, "pattern": "independent"}, "showlegend": False,
        "xaxis": {"title": {"text": "% that fire"}}, "xaxis2": {"title": {"text": "synops an inference"}},
        "yaxis": {"autorange": "reversed", "automargin": True},
        "yaxis2": {"autorange": "reversed", "showticklabels": False},
    }  # fmt: skip
    rows = [(name, f"{active[name]:.2%}", f"{rates[name]:.3f}", f"{synops[name]:,.0f}") for name in names]
    total = f"{run.evaluation['synops']:,.0f} synaptic operations an inference"
    return Plot(
        "spikes", "Spikes", f"{total}, of {len(names)} layers of neurons.", {"data": data, "layout": layout},
        ("layer", "neurons that fire", "spikes a neuron and timestep", "synops"), rows,
        max(260, 60 + 26 * len(names)),
    )  # fmt: skip


def flash_plot(run: SavedRun) -> Plot | None:
    """Plot flash by layer; None where no network is known."""
    cost = run.cost
    if cost is None:
        return None
    labels, parents, values, ids = ["flash"], [""], [cost.flash_bytes], ["flash"]
    stages: dict[str, int] = {"code": cost.code_bytes}
    for layer in cost.layers:
        stage = layer.name.partition(".")[0]
        stages[stage] = stages.get(stage, 0) + layer.flash_bytes
    for stage, size_bytes in stages.items():
        if size_bytes:
            labels.append(stage)
            parents.append("flash")
            values.append(size_bytes)
            ids.append(stage)
    for layer in cost.layers:
        stage, _, rest = layer.name.partition(".")
        if layer.flash_bytes and rest:
            labels.append(rest)
            parents.append(stage)
            values.append(layer.flash_bytes)
            ids.append(layer.name)
    data = [{
        "type": "treemap", "labels": labels, "parents": parents, "values": values, "ids": ids, "branchvalues": "total",
        "hovertemplate": "%{id}: %{value:,} bytes, %{percentRoot:.1%} of all<extra></extra>",
        "texttemplate": "%{label}<br>%{value:,} B", "tiling": {"pad": 2}, "pathbar": {"visible": False},
        "marker": {"colorscale": SCALE, "cmin": 0, "colors": values}, "textfont": {"size": 13},
    }]  # fmt: skip
    largest = max(cost.layers, key=lambda layer: layer.flash_bytes)
    rows = [
        (
            layer.name,
            "x".join(map(str, layer.shape)),
            f"{layer.params:,}",
            f"{layer.flash_bytes:,}",
            f"{layer.ram_bytes:,}",
        )
        for layer in cost.layers
        if layer.params or layer.flash_bytes or layer.ram_bytes
    ]
    return Plot(
        "flash", "Flash by layer",
        f"{format_size(cost.flash_bytes)} in all, {format_size(cost.code_bytes)} of it code; the largest layer is "
        f"{largest.name} with {format_size(largest.flash_bytes)}.",
        {"data": data, "layout": {"margin": {"l": 0, "r": 0, "t": 0, "b": 0}}},
        ("layer", "output", "params", "flash, bytes", "RAM, bytes"),
        [*rows, ("code", "", "", f"{cost.code_bytes:,}", "")],
    )  # fmt: skip


def ram_plot(run: SavedRun) -> Plot | None:
    """Plot RAM in use at each step of an inference; None where no network is known."""
    cost = run.cost
    if cost is None:
        return None
    steps, live = cost.program.steps, cost.arena.live_bytes
    labels = [f"{step.layer}: {step.kernel}" for step in steps]
    kib = [round(size_bytes / KIB, 3) for size_bytes in live]
    data = [{
        "type": "bar", "name": "in use", "x": list(range(1, len(steps) + 1)), "y": kib, "text": labels,
        "textposition": "none", "marker": {"color": COLOURS[0]},
        "hovertemplate": "%{text}<br>%{y} KiB in use<extra>step %{x}</extra>",
    }]  # fmt: skip
    layout: Spec = {"xaxis": {"title": {"text": "step of the program"}}, "yaxis": {"title": {"text": "KiB in use"}},
                    "bargap": 0, "showlegend": False}  # fmt: skip
    lines = [(cost.arena.size_bytes / KIB, "arena", GOOD, 0, "left")]
    if run.config.budget.ram is not None:
        lines.append(((run.config.budget.ram - cost.stack_bytes) / KIB, "budget less stack", LIMIT, 1, "right"))
    layout["shapes"] = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": {"color": colour, "dash": "dash"}}
        for y, _, colour, _, _ in lines
    ]
    layout["annotations"] = [
        {"xref": "paper", "x": x, "xanchor": side, "y": y, "yanchor": "bottom", "text": text, "showarrow": False}
        for y, text, _, x, side in lines
    ]
    rows = [(str(n), label, step.phase, f"{size_bytes:,}") for n, (label, step, size_bytes) in
            enumerate(zip(labels, steps, live, strict=True), start=1)]  # fmt: skip
    return Plot(
        "ram", "RAM over the program",
        f"The most is in use at {cost.peak_step}: {format_size(max(live))}; "
        f"with the stack {format_size(cost.ram_bytes)}.",
        {"data": data, "layout": layout}, ("step", "kernel", "phase", "bytes in use"), rows, 320,
    )  # fmt: skip
