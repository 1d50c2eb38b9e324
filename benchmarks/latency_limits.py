"""How often a limit of latency changes which design is best by the score `capacity`, and what it costs in points.

    python benchmarks/latency_limits.py --data cifar10/ --target stm32f405 --flash 96KiB --ram 128KiB \
      --latency 10ms 50ms 200ms --times 10m 1h 10h --seeds 5

For each seed and limit designs that fit are drawn as a search draws them: half of usual cells, half of any. The best is
that of the highest score, once what can be computed in the training is known (its pace is measured here).
"""

from __future__ import annotations

import argparse
import random
from itertools import islice
from statistics import fmean

from spikenas.config import Config
from spikenas.memory import Estimator
from spikenas.nas import Problem
from spikenas.pipeline.outlook import reach
from spikenas.scores.baselines import capacity
from spikenas.space import Design
from spikenas.task import Task
from spikenas.task.designs import design_space_of, rule_of_thumb

DRAWS = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--flash", required=True)
    parser.add_argument("--ram", required=True)
    parser.add_argument("--latency", nargs="+", required=True)
    parser.add_argument("--times", nargs="+", required=True, help="of the training")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    budget = {"target": args.target, "flash": args.flash, "ram": args.ram}
    tasks = {
        (latency, time): Task.of(
            Config.parse(
                {
                    "data": {"name": args.data},
                    "budget": budget | ({"latency": latency} if latency else {}),
                    "train": {"time": time},
                }
            )
        )
        for latency in ("", *args.latency)
        for time in args.times
    }
    reaches = {time: reach(task, rule_of_thumb(task)) for (latency, time), task in tasks.items() if not latency}
    best: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for latency in ("", *args.latency):
        for seed in range(args.seeds):
            drawn = draws(tasks[latency, args.times[0]], seed)
            for time in args.times:
                task = tasks[latency, time]
                plans = ((design.plan(task.config.network, task.input), design) for design in drawn)
                scored = [(capacity(plan, reaches[time]), str(design)) for plan, design in plans]
                best.setdefault((latency, time), []).append(max(scored))
                task_cost = task.cost(Design.parse(max(scored)[1]))
                print(latency or "none", time, seed, *max(scored), f"{task_cost.instructions:,.0f}", flush=True)
    for latency in args.latency:
        for time in args.times:
            pairs = list(zip(best["", time], best[latency, time], strict=True))
            changed = sum(design != other for (_, design), (_, other) in pairs)
            lost = fmean(b - a for (a, _), (b, _) in pairs)
            print(f"{latency:6} {time:4} changed {changed} of {len(pairs)}, {lost:+.2f} points")


def draws(task: Task, seed: int) -> list[Design]:
    config, space, rng = task.config, design_space_of(task, task.asked), random.Random(seed)
    cost = Estimator(config.network, task.input, task.limits.limits_speed)
    fits = Problem(space, config.budget, cost, seed).fits
    usual = list(islice(space.usual(rng, fits), DRAWS // 2))
    any_ = (space.draw(rng, fits) for _ in range(DRAWS - len(usual)))
    return [*usual, *(design for design in any_ if design)]


if __name__ == "__main__":
    main()
