"""A training on an idle machine and beside busy processes: OpenMP's threads sleep while they wait, or spin.

    python benchmarks/busy.py --out busy.json [--rounds 3] [--neighbours 6] [--epochs 2]

Three variants of the same training of a small network on the digits: `sleep` as the package sets it, `spin` as it is
where PyTorch was imported before the package (OpenMP's own default), `one thread` with `threads = 1`. Each measurement
is a process of its own, which compiles and warms up before; the variants take turns in every round, first idle, then
beside the neighbours, which spin in pure Python. Wall and CPU time (user and system, of all threads) are medians.

A fair share is what one neighbour got of a core meanwhile, so it counts whatever else the machine does. The fair time
is the shortest idle wall time with as many threads, over the share; `over fair` is how much longer it took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
VARIANTS = ("sleep", "spin", "one thread")
NEIGHBOUR = """
import os, sys
while os.getppid() == int(sys.argv[1]):  # it ends with whoever started it, however that ends
    for _ in range(100_000):
        pass
"""
LEFT_OUT = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # would decide for all variants


def work(variant: str, count: int, epochs: int) -> dict[str, float]:
    """Train beside so many neighbours; wall and CPU time in seconds, and the share of a core that a neighbour got."""
    if variant == "spin":
        import torch  # noqa: F401 (OpenMP is loaded before the package says that threads sleep)
    import spikenas as sn

    task = sn.Task("digits", settings={"network.channels": 16, "threads": 1 if variant == "one thread" else None})
    sn.train(task, f"{CELL} / {CELL}", epochs=1, progress=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    processes = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(os.getpid())]) for _ in range(count)]
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        sn.train(task, f"{CELL} / {CELL}", epochs=epochs, progress=False)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        for process in processes:
            process.kill()
            process.wait()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return {"wall_s": wall, "cpu_s": cpu, "share": spent / wall / count if count else 1.0}


def measured(variant: str, count: int, epochs: int) -> dict[str, float]:
    environment = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
    command = [sys.executable, __file__, "--work", variant, "--neighbours", str(count), "--epochs", str(epochs)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def summary(found: dict[tuple[str, int], list[dict[str, float]]]) -> list[dict[str, Any]]:
    rows = []
    for (variant, count), values in found.items():
        alike = [name for name, _ in found if (name == "one thread") == (variant == "one thread")]
        idle_s = min(value["wall_s"] for name in alike for value in found[name, 0])
        row = {key: statistics.median(value[key] for value in values) for key in ("wall_s", "cpu_s", "share")}
        over = statistics.median(value["wall_s"] * value["share"] for value in values) / idle_s
        rows.append({"variant": variant, "neighbours": count, **row, "over_fair": over, "rounds": values})
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--neighbours", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--work", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        print(json.dumps(work(options.work, options.neighbours, options.epochs)))
        sys.exit()

    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for number in range(options.rounds):
        for count in sorted({0, options.neighbours}):
            for variant in VARIANTS:
                values = measured(variant, count, options.epochs)
                found.setdefault((variant, count), []).append(values)
                print(f"round {number + 1}, {count} neighbours, {variant}: {values}", file=sys.stderr, flush=True)
    rows = summary(found)
    print("| variant | neighbours | wall, s | CPU, s | share of a core | over fair |\n|---|---|---|---|---|---|")
    for row in rows:
        figures = f"{row['wall_s']:.1f} | {row['cpu_s']:.1f} | {row['share']:.2f} | {row['over_fair']:.2f}"
        print(f"| {row['variant']} | {row['neighbours']} | {figures} |")
    if options.out:
        from common import machine  # imports PyTorch, which the measured processes must not inherit

        content = {"machine": machine(), "epochs": options.epochs, "rows": rows}
        options.out.write_text(json.dumps(content, indent=1) + "\n")
