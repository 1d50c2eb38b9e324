"""The table of a campaign, for a terminal and for the page on reliability."""

from __future__ import annotations

import platform
from collections import Counter
from pathlib import Path

from attacks.record import FINDINGS, OUTCOMES, Record

BEGIN, END = "<!-- campaign: written by benchmarks/attack.py --table -->", "<!-- end of campaign -->"
ENOUGH = 50  # attacks of a kind, of which one has to work
HEADINGS = (
    "kind",
    "inputs",
    "worked",
    "one clear line",
    "tracebacks",
    "hangs > 10 s",
    "over 2 GB",
    "silent wrong results",
)


def rows_of(record: Record) -> list[tuple[str, ...]]:
    """Return a row for each kind, and one of all."""
    counts: dict[str, Counter[str]] = {}
    for step in record:
        counts.setdefault(step.kind, Counter())[step.outcome] += 1
    counts = dict(sorted(counts.items()))
    counts["all"] = sum(counts.values(), Counter())
    return [
        (kind, f"{found.total():,}", *(f"{found[outcome]:,}" for outcome in OUTCOMES)) for kind, found in counts.items()
    ]


def report(record: Record, seconds: float) -> int:
    """Print the table and each finding, and write both to the campaign's folder; returns the number of findings."""
    rows = [HEADINGS, *rows_of(record)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    lines = [
        "  ".join(f"{cell:>{w}}" if k else f"{cell:<{w}}" for k, (cell, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    found = list(record.findings())
    for step, count in found:
        lines.append(f"\n{step.outcome}: {step.kind}, {count} times, the first is number {step.number}")
        lines.append(f"    {step.where}  {step.message}")
    if never := [row[0] for row in rows[1:-1] if int(row[1].replace(",", "")) >= ENOUGH and row[2] == "0"]:
        lines.append(f"\nnever worked, so what they begin from may be wrong: {', '.join(never)}")
    total = sum(count for _, count in found)
    lines.append(f"\n{total:,} findings of {len(found)} kinds, {seconds:,.0f} s, seed {record.seed}")
    text = "\n".join(lines)
    (record.folder / "report.txt").write_text(text + "\n", errors="replace")
    print(text.encode(errors="replace").decode())
    return total


def write_table(page: Path, record: Record) -> None:
    """Put the table in the marked place of a page."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page}: no marked place; expected {BEGIN} and {END}")
    table = [f"| {' | '.join(row)} |" for row in (HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *rows_of(record))]
    source = f"Commit {record.commit}, seed {record.seed}, Python {platform.python_version()}, {platform.system()}."
    page.write_text(f"{before}{begin}\n\n" + "\n".join(table) + f"\n\n{source}\n\n{end}{after}")
    if any(step.outcome in FINDINGS for step in record):
        print(f"{page}: written, with findings")
