"""How long the report of a run takes to open in Chromium, with as many trials as SpikeNAS-Bench has cells.

    python benchmarks/bench_report.py --run runs/digits --out benchmarks/results/report.json

Medians of several openings in a new page each: until the page is there, until the plots can be drawn, until the plot of
all candidates is drawn after it was scrolled to.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from common import machine
from playwright.sync_api import sync_playwright

from spikenas.reporting import write_report
from support import write_trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=15625)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        run = Path(shutil.copytree(args.run, Path(name) / "run"))
        (run / "trials.db").unlink()
        write_trials(run / "trials.db", args.trials)
        page = run / "report.html"
        start = time.perf_counter()
        write_report([run], page)
        written = time.perf_counter() - start
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        times: dict[str, list[float]] = {"page": [], "ready": [], "drawn": []}
        for _ in range(args.rounds):
            opened = browser.new_page(viewport={"width": 1280, "height": 900})
            start = time.perf_counter()
            opened.goto(page.as_uri())
            opened.locator(".headline").wait_for()
            times["page"].append(time.perf_counter() - start)
            opened.wait_for_selector("html[data-ready]", state="attached")
            times["ready"].append(time.perf_counter() - start)
            opened.locator("#trials-0").scroll_into_view_if_needed()
            opened.wait_for_selector("#trials-0 .canvas[data-drawn]")
            times["drawn"].append(time.perf_counter() - start)
            opened.close()
        browser.close()
        result = {
            "trials": args.trials,
            "bytes": page.stat().st_size,
            "write_s": written,
            **{f"{key}_s": statistics.median(values) for key, values in times.items()},
            "machine": machine(),
        }
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
