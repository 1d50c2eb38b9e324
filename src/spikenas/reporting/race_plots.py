"""These plots show a race: how accurate each design was when, who was left out when, and accuracy against memory."""

from __future__ import annotations

from spikenas._util.units import format_duration, format_size
from spikenas.records import RaceRecord, raced, trained_front
from spikenas.reporting.saved import SavedRun
from spikenas.reporting.style import COLOURS, FAINT, GOOD, KIB, LIMIT, Plot, Spec


def race_plot(run: SavedRun) -> Plot | None:
    """Plot validation accuracy over the training of each design; the winner stands out."""
    race = run.race
    if race is None or not race["trained"]:
        return None
    winner = run.best["race"]["entrant"] if run.best and "race" in run.best else None
    data: list[Spec] = []
    for number, entrant in enumerate(race["entrants"]):
        own = [one for one in race["trained"] if one["entrant"] == number and one["accuracy"] is not None]
        if not own:
            continue
        colour = LIMIT if number == winner else FAINT if len(own) == 1 else COLOURS[number % len(COLOURS)]
        data.append({
            "type": "scatter", "mode": "lines+markers", "name": f"design {number + 1}",
            "x": [round(one["length"], 1) for one in own], "y": [round(100 * (one["accuracy"] or 0), 2) for one in own],
            "text": [entrant["design"]] * len(own), "line": {"color": colour, "width": 4 if number == winner else 2},
            "marker": {"size": 11 if number == winner else 7, "color": colour},
            "hovertemplate": "%{text}<br>%{y}% after %{x}<extra>%{fullData.name}</extra>",
        })  # fmt: skip
    unit = "seconds of training" if race["timed"] else "epochs of training"
    layout = {"xaxis": {"title": {"text": unit}, "type": "log"},
              "yaxis": {"title": {"text": f"validation {_figure(run)}, %"}}, "showlegend": False}  # fmt: skip
    rows = [
        (*(f"{share:.1%}" if share is not None else "" for share in (one.accuracy, one.outlook)),
         _length(race, one.length), format_size(one.flash_bytes), format_size(one.ram_bytes), one.design)
        for one in raced(race)
    ]  # fmt: skip
    return Plot("race", "The race", _course(race, winner), {"data": data, "layout": layout},
                (_figure(run), "expected in the end", "trained for", "flash", "RAM", "design"), rows, 380)  # fmt: skip


def _figure(run: SavedRun) -> str:
    """What the trainings of a race were judged by."""
    return "balanced accuracy" if run.config.train.class_weights == "balanced" else "accuracy"


def trained_plot(run: SavedRun) -> Plot | None:
    """Plot the last accuracy of every design that was trained against its flash, and those that none beats."""
    found = [one for one in raced(run.race) if one.accuracy is not None] if run.race else []
    if len(found) < 2 or run.race is None:
        return None
    front = trained_front(found)
    data: list[Spec] = [
        {
            "type": "scatter", "mode": "markers", "name": "trained",
            "x": [round(one.flash_bytes / KIB, 2) for one in found],
            "y": [round(100 * (one.accuracy or 0), 2) for one in found], "text": [one.design for one in found],
            "customdata": [[_length(run.race, one.length)] for one in found],
            "marker": {"size": 9, "color": COLOURS[0]},
            "hovertemplate": "%{text}<br>%{y}% after %{customdata[0]}, %{x} KiB<extra></extra>",
        },
        {
            "type": "scatter", "mode": "lines", "name": "Pareto front",
            "line": {"color": GOOD, "shape": "hv", "width": 2},
            "x": [round(one.flash_bytes / KIB, 2) for one in front],
            "y": [round(100 * (one.accuracy or 0), 2) for one in front], "hoverinfo": "skip",
        },
    ]  # fmt: skip
    layout = {"xaxis": {"title": {"text": "flash, KiB"}}, "yaxis": {"title": {"text": f"validation {_figure(run)}, %"}}}
    rows = [(f"{one.accuracy:.1%}", format_size(one.flash_bytes), one.design) for one in front]
    said = "Designs that came farther were trained longer, so that their points stand higher for that too."
    return Plot("trained", "Accuracy against memory, of all that was trained", said,
                {"data": data, "layout": layout}, (_figure(run), "flash", "design"), rows, 380)  # fmt: skip


def _course(race: RaceRecord, winner: int | None) -> str:
    rungs = ", then ".join(f"{rung['entrants']} for {_length(race, rung['length'])}" for rung in race["rungs"])
    left = sum(rung["entrants"] for rung in race["rungs"]) - len(race["trained"])
    end = f" Design {winner + 1} won." if winner is not None else f" {left} trainings are left."
    by = "by the accuracy that is expected after the final training"
    return f"{len(race['entrants'])} designs raced, {by}: {rungs} in all.{end}"


def _length(race: RaceRecord, length: float) -> str:
    return format_duration(length) if race["timed"] else f"{length:g} epochs"
