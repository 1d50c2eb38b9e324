"""Tables and JSON values show footprints and results."""

from __future__ import annotations

import math
import shlex
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spikenas._util.class_figures import UNEQUAL, listed
from spikenas._util.units import format_duration, format_size
from spikenas.config import SPEED_LIMITS, BudgetConfig, neurons_in_words
from spikenas.memory import FIGURES, Footprint, speed, violations
from spikenas.memory.fitting import Need
from spikenas.pipeline.stages import STAGES
from spikenas.space.design import Design
from spikenas.space.plan import Plan
from spikenas.targets import Target


def footprint_table(plan: Plan, cost: Footprint, budget: BudgetConfig) -> RenderableType:
    """Show a footprint layer by layer, the program and the stack, the sums, and what an inference takes."""
    table = Table(title=str(plan.genotype), title_justify="left", box=None, pad_edge=False)
    for name in ("layer", "output"):
        table.add_column(name)
    for name in ("params", "flash B", "RAM B"):
        table.add_column(name, justify="right")
    for layer in cost.layers:
        if layer.params or layer.flash_bytes or layer.ram_bytes:
            shape = "x".join(map(str, layer.shape))
            table.add_row(layer.name, shape, *(f"{n:,}" for n in (layer.params, layer.flash_bytes, layer.ram_bytes)))
    table.add_row("program, stack", "", "", f"{cost.code_bytes:,}", f"{cost.stack_bytes:,}")
    table.add_section()
    table.add_row("total", "", *(f"{n:,}" for n in (cost.params, cost.flash_bytes, cost.ram_bytes)), style="bold")
    note = f"RAM is the peak, at {cost.peak_step}: maps that are never live together share memory."
    taken = speed(cost.instructions, budget)
    said = ", ".join(
        f"{figure.said(value)} {figure.title if figure.name == 'instructions' else ''}".strip()
        for figure in map(FIGURES.__getitem__, SPEED_LIMITS)
        if (value := taken[figure.key]) is not None
    )
    said = said or "a number of instructions that is not known"
    rates = " if neurons send as often as in trained networks" if plan.network.is_spiking else ""
    exceeded = [
        Text("Too much: {0} of {2}, {1} are allowed.".format(*map(FIGURES[name].said, both), FIGURES[name].title))
        for name, both in violations(cost, budget).items()
    ]
    return Group(
        table,
        Text(f"{note} Neurons: {plan.network.neurons}.", style="dim"),
        Text(f"An inference takes about {said} on {budget.target or plan.network.core}{rates}.", style="dim"),
        *exceeded,
    )


def footprint_json(plan: Plan, cost: Footprint, budget: BudgetConfig) -> dict[str, Any]:
    """Return a footprint as JSON values."""
    return {
        "genotype": str(plan.genotype),
        "neuron": plan.network.neuron,
        "levels": plan.network.levels if plan.network.neuron == "ilif" else None,
        "timesteps": plan.network.timesteps,
        "params": cost.params,
        "flash_bytes": cost.flash_bytes,
        "ram_bytes": cost.ram_bytes,
        **speed(cost.instructions, budget),
        "exceeds": sorted(violations(cost, budget)),
        "code_bytes": cost.code_bytes,
        "stack_bytes": cost.stack_bytes,
        "peak_step": cost.peak_step,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "shape": layer.shape,
                "params": layer.params,
                "flash_bytes": layer.flash_bytes,
                "ram_bytes": layer.ram_bytes,
            }
            for layer in cost.layers
        ],
        "buffers": [
            {
                "name": buffer.name,
                "kind": buffer.kind,
                "offset": cost.arena.offsets[buffer.name],
                "size_bytes": buffer.size_bytes,
                "first": buffer.first,
                "last": buffer.last,
            }
            for buffer in cost.program.buffers
        ],
        "steps": [
            {key: getattr(step, key) for key in ("kernel", "layer", "phase", "reads", "writes")}
            for step in cost.program.steps
        ],
    }


def run_summary(values: dict[str, Any], seconds: float) -> RenderableType:
    """Show what a run found, its accuracy, its memory against the budget, and where the files are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for number, cell in enumerate(values["genotype"].split(" / "), start=1):
        table.add_row(f"cell {number}", cell)
    neurons = neurons_in_words(values["neuron"], values["levels"], values["timesteps"])
    design = Design.parse(values["design"]) if "design" in values else None
    width = ", ".join(map(str, design.widths)) if design else values["channels"]
    table.add_row("width", f"{width} channels, {neurons}")
    best = "" if "race" in values else "best "
    table.add_row("score", f"{values['score']:.5g} ({values['score_name']}), {best}of {values['scored']} scored")
    if "race" in values:
        won, trained = values["race"], format_duration(values["race"]["trained"])
        table.add_row("design", str(design))
        table.add_row("race", f"won with {won['accuracy']:.1%} after {trained} of training")
    if "validation_accuracy" in values:
        table.add_row(
            "validation",
            f"{values['validation_accuracy']:.2%} after epoch {values['kept_epoch']} of {values['epochs']}",
        )
    if "test_accuracy" in values:
        spiking = values["synops"] is not None
        operations = f"{values['synops']:,.0f} synops" if spiking else f"{values['macs']:,.0f} multiplications"
        table.add_row("test", f"{_right(values['figures'])}, {operations} per inference")
    if "quantised_test_accuracy" in values:
        accuracy, bits = _right(values["quantised_figures"]), values["weight_bits"]
        table.add_row("on the device", f"{accuracy}, by integers with weights of {bits} bits")
    for figure in FIGURES.values():
        value, limit = values[figure.key], values["budget"][figure.name]
        if value is not None:
            allowed = "" if limit is None else f" of {figure.said(limit)}"
            expected = ", expected" if figure.name in SPEED_LIMITS else ""
            table.add_row(figure.title, figure.said(value) + allowed + expected)
    for device, found in values.get("firmware", {}).items():
        said = ", ".join(
            f"{format_size((found.get('linked') or found['predicted'])[f'{name}_bytes'])}"
            + (f" of {format_size(limit)}" if (limit := found["limits"][f"{name}_bytes"]) else "")
            + f" {name}"
            for name in ("flash", "ram")
        )
        table.add_row(device, said if "linked" in found else f"{said}, not built")
        if "linked" in found:
            run = [f"{found['instructions']:,} instructions per inference" + _allowed(found, "instructions")]
            run += [
                FIGURES[one].said(found[FIGURES[one].key]) + _allowed(found, one)
                for one in ("latency", "energy")
                if found[FIGURES[one].key]
            ]
            table.add_row("", f"{', '.join(run)}; {found['images']} outputs equal")
        if "verified" in found:
            said, (low, high) = found["verified"], found["verified"]["interval"]
            right = f"{said['accuracy']:.2%} ({low:.1%} to {high:.1%}) of {said['images']:,} test images right"
            table.add_row("verified", f"{right} by the firmware under QEMU, all outputs equal")
    if "twin" in values:
        _add_twin(table, values["twin"])
    for one in values.get("verdict", []):
        table.add_row("verdict", one["sentence"])
    table.add_row("files", values["folder"])
    table.add_row("report", f"{values['folder']}/report.html")
    if values["next"]:
        table.add_row("next", f"{STAGES[values['next']].typed} --out {shlex.quote(values['folder'])}")
    table.add_row("time", f"{seconds:.0f} s (this command)")
    return table


def _allowed(firmware: dict[str, Any], name: str) -> str:
    """Say the limit that an inference had, where it had one."""
    limit = firmware["limits"][FIGURES[name].key]
    return f" of {FIGURES[name].said(limit)}" if limit is not None else ""


def _add_twin(table: Table, twin: dict[str, Any]) -> None:
    """Say what the ordinary network of the same plan does, and what it takes."""
    figures = twin.get("quantised_figures") or twin.get("figures")
    said = [f"{figures['accuracy']:.2%}" if figures else "not evaluated yet"]
    said += [f"{format_size(twin[f'{name}_bytes'])} {name}" for name in ("flash", "ram")]
    said += [f"{one['instructions']:,} instructions" for one in twin.get("firmware", {}).values() if "linked" in one]
    table.add_row("with relu", ", ".join(said) + f", trained for {format_duration(twin.get('training_seconds', 0))}")


def _right(figures: dict[str, Any]) -> str:
    """Say the accuracy with its interval, where classes are unequal the balanced one, and classes never said."""
    items = [one["items"] for one in figures["classes"] if one["items"]]
    low, high = figures["interval"]
    said = [f"{figures['accuracy']:.2%} ({low:.1%} to {high:.1%})"]
    if max(items) > UNEQUAL * min(items):
        said.append(f"balanced {figures['balanced_accuracy']:.2%}")
    if figures["never_said"]:
        said.append(f"never said: {listed(figures['never_said'])}")
    return ", ".join(said)


def target_table(rows: list[tuple[Target, list[Need], dict[str, float | None]]]) -> RenderableType:
    """Show the devices, and for a network what it needs of each, and how long an inference is expected to take."""
    table = Table(box=None, pad_edge=False)
    for name in ("target", "device", "core"):
        table.add_column(name, no_wrap=name == "target")
    table.add_column("flash left", justify="right")
    table.add_column("RAM left", justify="right")
    checked = any(found for _, found, _ in rows)
    if checked:
        table.add_column("the network")
        for name in ("time", "energy"):
            table.add_column(name, justify="right")
    for target, found, taken in rows:
        left = [format_size(size) if size else "" for size in (target.flash_left, target.ram_left)]
        chip = f"{sum(core.count for core in target.cores)} cores"
        core = target.architecture or (target.core if target.kind == "microcontroller" else chip)
        over = [_over(need) for need in found if need.over]
        verdict = [Text(", ".join(over), style="red") if over else Text("fits", style="green")] if checked else []
        figures = [FIGURES[name] for name in ("latency", "energy")] if checked else []
        speeds = [figure.said(value) if (value := taken[figure.key]) else "not known" for figure in figures]
        table.add_row(target.name, target.title, core, *left, *verdict, *speeds)
    return table


def _over(need: Need) -> str:
    if need.what == "neurons":
        return "has neurons that send one spike or none alone"
    return f"{need.what} {format_size(need.over) if need.what in ('flash', 'ram') else need.over} over"


def front_table(rows: list[dict[str, Any]]) -> RenderableType:
    """Show the networks of a Pareto front, a line each."""
    table = Table(title="Pareto front", title_justify="left", box=None, pad_edge=False)
    table.add_column("genotype", overflow="fold")
    for name in ("score", "params", "flash", "RAM", "synops"):
        table.add_column(name, justify="right")
    for row in rows:
        synops = "" if row["synops"] is None else f"{row['synops']:,.0f}"
        memory = (f"{row['params']:,}", format_size(row["flash_bytes"]), format_size(row["ram_bytes"]))
        table.add_row(row["genotype"], f"{row['score']:.5g}", *memory, synops)
    return table


def rank_table(ranks: list[dict[str, Any]]) -> RenderableType:
    """Show rank correlations, an evaluator a line, the best first."""
    table = Table(title="Rank correlation with accuracy", title_justify="left", box=None, pad_edge=False)
    table.add_column("evaluator", no_wrap=True)
    for name in ("Spearman", "equal memory", "all rows", "Kendall", "ms"):
        table.add_column(name, justify="right", no_wrap=True)

    def figure(rank: dict[str, Any], coefficient: str, view: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = rank["figures"].get(coefficient, {}).get(view)
        return found

    def shown(rank: dict[str, Any], coefficient: str, view: str, spread: bool = False) -> str:
        found = figure(rank, coefficient, view)
        return "" if found is None else f"{found['mean']:.3f}" + (_spread(found) if spread else "")

    def order(rank: dict[str, Any]) -> float:
        found = figure(rank, "spearman", "networks")
        return -found["mean"] if found else math.inf

    for rank in sorted(ranks, key=order):
        table.add_row(
            rank["evaluator"],
            shown(rank, "spearman", "networks", spread=True),
            shown(rank, "spearman", "equal_memory", spread=True),
            shown(rank, "spearman", "rows"),
            shown(rank, "kendall", "networks"),
            f"{1000 * rank['seconds']:.3g}",
        )
    count = max(rank["networks"] for rank in ranks)
    note = f"Over {count:,} distinct networks; ± over initialisations, or [95% interval]; ms an evaluation."
    return Group(table, Text(note, style="dim"))


def _spread(figure: dict[str, Any]) -> str:
    spread = figure["spread"]
    return f" [{figure['low']:.2f}, {figure['high']:.2f}]" if spread is None else f" ±{spread:.3f}"


def summary_table(summaries: list[dict[str, Any]]) -> RenderableType:
    """Show the searches compared, the best first; over all budgets where there are several."""
    several = any(summary["budget"] == "all" for summary in summaries)
    shown = [summary for summary in summaries if (summary["budget"] == "all") == several]
    criterion = "regret" if any("regret" in summary["figures"] for summary in shown) else "score"
    sign = 1 if criterion == "regret" else -1
    table = Table(title=f"Searches by {criterion}", title_justify="left", box=None, pad_edge=False)
    for name in ("by", "strategy"):
        table.add_column(name, no_wrap=True)
    for name in (criterion, "accuracy", "pctile", "evals", "s", "eval s"):
        table.add_column(name, justify="right", no_wrap=True)

    def mean(summary: dict[str, Any], name: str, form: str) -> str:
        figure = summary["figures"].get(name)
        return "" if figure is None else form.format(figure["mean"])

    def order(summary: dict[str, Any]) -> tuple[str, float]:
        figure = summary["figures"].get(criterion)
        return summary["evaluator"], sign * figure["mean"] if figure else math.inf

    for summary in sorted(shown, key=order):
        figure = summary["figures"].get(criterion)
        interval = f" ±{figure['high'] - figure['mean']:.3f}" if figure and figure["high"] is not None else ""
        table.add_row(
            summary["evaluator"],
            summary["strategy"],
            (mean(summary, criterion, "{:.3f}") + interval) or f"failed {summary['failed']}",
            mean(summary, "accuracy", "{:.2%}"),
            mean(summary, "percentile", "{:.1f}"),
            mean(summary, "evaluations", "{:.0f}"),
            mean(summary, "wall_seconds", "{:.2f}"),
            mean(summary, "evaluation_seconds", "{:,.1f}"),
        )
    note = f"Means over seeds{' and budgets' if several else ''} ± 95% interval; s: search, eval s: its evaluations."
    return Group(table, Text(note, style="dim"))


def analysis_table(answer: dict[str, Any]) -> RenderableType:
    """Show which ops matter, those that cost most first; then added ones, and sets of ops."""
    title = f"{answer['data']}, evaluated by {answer['evaluator']}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("space", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for name in ("loss in sd", "best use", "flash/edge"):
        table.add_column(name, justify="right", no_wrap=True)
    effects = sorted(answer["effects"], key=lambda e: (bool(e["added"]), -e["loss"]["mean"]))
    for effect in [*effects, *answer["together"]]:
        loss, share, memory = effect["loss_sd"], effect["share"], effect["memory"]
        table.add_row(
            effect["name"],
            effect["verdict"],
            f"{loss['mean']:+.2f} [{loss['low']:+.2f}, {loss['high']:+.2f}]" if effect["seeds"] else "nothing fits",
            f"{share['share']:.0%} of {share['among_all']:.0%}" if share else "",
            format_size(round(memory["flash_bytes"])) if memory else "",
        )
    note = (
        f"Kept: {', '.join(answer['kept'])}. {answer['networks']:,} networks. Loss of the best of as many samples in "
        f"standard deviations of the networks ({answer['effects'][0]['spread']:.3g}); use of the op by the best tenth, "
        "and by all; flash of one more edge with it."
    )
    lines: list[RenderableType] = [table, Text(note, style="dim")]
    gains = [e for e in effects if e["gain_per_kib"] is not None]
    if gains:
        told = ", ".join(f"{', '.join(e['added'])} {e['gain_per_kib']:+.3g}" for e in gains)
        lines.append(Text(f"What an added op brings for each KiB more of flash: {told}.", style="dim"))
    return Group(*lines)


def agreement_table(agreement: dict[str, Any]) -> RenderableType:
    """Show verdicts by data set and evaluator."""
    table = Table(title="Agreement", title_justify="left", box=None, pad_edge=False)
    table.add_column("space", no_wrap=True)
    first = agreement["agreements"][0]
    for name in first["verdicts"]:
        table.add_column(name)
    table.add_column("together")
    for row in agreement["agreements"]:
        table.add_row(row["name"], *row["verdicts"].values(), row["agreed"])
    mean = agreement["mean_similarity"]
    note = "" if mean is None else f"Mean rank correlation of the losses between two columns: {mean:.2f}."
    return Group(table, Text(note, style="dim"))


def decision_table(space: dict[str, Any]) -> RenderableType:
    """Show what was decided of a space, and why."""
    table = Table(title="The space", title_justify="left", box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value")
    table.add_column("reason")
    for decision in space["decisions"]:
        value = decision["value"]
        shown = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
        table.add_row(decision["key"], shown, decision["reason"])
    return table
