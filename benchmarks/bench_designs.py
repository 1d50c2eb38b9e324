"""Draw random designs, keep those that fit, and say how long a million take.

    python benchmarks/bench_designs.py --designs 1000000 [--ops none,skip,conv3x3] [--flash 96KiB] [--ram 128KiB]

One thread; CPU time, so that other work on the machine counts little. Beside it stands what the memory model takes for
a design, as the median of some, and how many of the fitting designs of a sample it finds to fit too.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import time
from pathlib import Path

from common import machine

from spikenas._util.errors import SpikeNASError
from spikenas._util.units import format_size, parse_size
from spikenas.config import BudgetConfig, NetworkConfig
from spikenas.memory import Estimator, footprint, violations
from spikenas.space import Design, DesignSpace, InputSpec, Space

INPUT = InputSpec(3, 32, 32, 10)
CHECKED = 500


def space_of(ops: str) -> DesignSpace:
    return DesignSpace(
        Space.of(ops.split(",")),
        ((32, 32), (24, 24), (16, 16)),
        (3, 1),
        neurons=(("ilif", 1), ("relu", 1)),
        levels=(0, 3, 1),
        bits=(8, 4, 2),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", type=int, default=100_000)
    parser.add_argument("--ops", default="skip,conv3x3")
    parser.add_argument("--flash", type=parse_size, default=96 * 1024)
    parser.add_argument("--ram", type=parse_size, default=128 * 1024)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    network, space = NetworkConfig(), space_of(args.ops)
    estimate, rng, limits = Estimator(network, INPUT), random.Random(0), BudgetConfig(flash=args.flash, ram=args.ram)
    connected = fitting = 0
    kept: list[Design] = []
    start = time.process_time()
    for _ in range(args.designs):
        design = space.sample(rng)
        if not design.connected:
            continue
        connected += 1
        try:
            found = estimate(design)
        except SpikeNASError:  # too few pixels for its cells
            continue
        if not violations(found, limits):
            fitting += 1
            if len(kept) < CHECKED:
                kept.append(design)
    seconds = time.process_time() - start
    times, agreed = [], 0
    for design in kept:
        start = time.process_time()
        whole = footprint(design.plan(network, INPUT))
        times.append(time.process_time() - start)
        agreed += not violations(whole, limits)
    result = {
        "machine": machine(),
        "ops": args.ops,
        "space": space.size,
        "designs": args.designs,
        "connected": connected,
        "fitting": fitting,
        "seconds": seconds,
        "microseconds_each": 1e6 * seconds / args.designs,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "memory_model_milliseconds": 1e3 * statistics.median(times),
        "checked": len(kept),
        "fit_by_the_memory_model": agreed,
    }
    limits_in_words = f"{format_size(args.flash)} and {format_size(args.ram)}"
    print(
        f"{args.designs:,} of {space.size:.2g} designs in {seconds:.1f} s of CPU: {connected:,} connected, {fitting:,}"
    )
    print(f"fit {limits_in_words}; {result['peak_memory_mib']:.0f} MiB at the peak; the memory model takes")
    print(f"{result['memory_model_milliseconds']:.1f} ms each, and of {len(kept)} says that {agreed} fit")
    if args.out:
        args.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
