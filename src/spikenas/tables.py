"""Footprints and results as tables and JSON values."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spikenas.memory import Footprint
from spikenas.space.plan import Plan
from spikenas.units import format_size


def footprint_table(plan: Plan, cost: Footprint) -> RenderableType:
    """Layer by layer, the program and the stack, and the three figures."""
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
    note = Text(f"RAM is the peak, at {cost.peak_step}: maps that are never live together share memory.", style="dim")
    return Group(table, note)


def footprint_json(plan: Plan, cost: Footprint) -> dict[str, Any]:
    """The same as values."""
    return {
        "genotype": str(plan.genotype),
        "params": cost.params,
        "flash_bytes": cost.flash_bytes,
        "ram_bytes": cost.ram_bytes,
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
                "layer": buffer.layer,
                "kind": buffer.kind,
                "size_bytes": buffer.size_bytes,
                "first": buffer.first,
                "last": buffer.last,
                "persistent": buffer.persistent,
            }
            for buffer in cost.schedule.buffers
        ],
    }


def run_summary(values: dict[str, Any], seconds: float) -> RenderableType:
    """What a run found, its accuracy, its memory against the budget, and where the files are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for number, cell in enumerate(values["genotype"].split(" / "), start=1):
        table.add_row(f"cell {number}", cell)
    table.add_row("width", f"{values['channels']} channels, T = {values['timesteps']}")
    table.add_row("score", f"{values['score']:.5g} ({values['score_name']}), best of {values['scored']} scored")
    if "validation_accuracy" in values:
        table.add_row("validation", f"{values['validation_accuracy']:.2%} after {values['epochs']} epochs")
    if "test_accuracy" in values:
        table.add_row("test", f"{values['test_accuracy']:.2%}, {values['synops']:,.0f} synops per inference")
    for name, unit in (("params", str), ("flash", format_size), ("ram", format_size)):
        value = values[name if name == "params" else f"{name}_bytes"]
        limit = values["budget"][name]
        shown = f"{value:,}" if unit is str else format_size(value)
        allowed = "" if limit is None else f" of {f'{limit:,}' if unit is str else format_size(limit)}"
        table.add_row(name, shown + allowed)
    table.add_row("files", values["folder"])
    table.add_row("time", f"{seconds:.0f} s")
    return table


def front_table(rows: list[dict[str, Any]]) -> RenderableType:
    """The networks of a Pareto front, a line each."""
    table = Table(title="Pareto front", title_justify="left", box=None, pad_edge=False)
    table.add_column("genotype", overflow="fold")
    for name in ("score", "params", "flash", "RAM", "synops"):
        table.add_column(name, justify="right")
    for row in rows:
        synops = "" if row["synops"] is None else f"{row['synops']:,.0f}"
        memory = (f"{row['params']:,}", format_size(row["flash_bytes"]), format_size(row["ram_bytes"]))
        table.add_row(row["genotype"], f"{row['score']:.5g}", *memory, synops)
    return table
