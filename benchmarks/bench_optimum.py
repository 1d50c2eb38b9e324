"""Does a search cell by cell miss the optimum? {skip, conv3x3}, two cells, all pairs of distinct cells by score.

    python benchmarks/bench_optimum.py --data cifar10/ --out benchmarks/results/optimum.json

For each of several initialisations of the score: the best pair that fits each budget, and what Algorithm 1 finds with
`fixed` and `same` and 0 to 3 refining passes. The best five pairs of each budget, and what refine 0 and 3 find, are
trained shortly. The budgets are flash sizes at which a quarter, half and three quarters of the pairs fit, and none.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from statistics import fmean, stdev

from spikenas.config import BudgetConfig, Config, SearchConfig
from spikenas.memory import footprint, violations
from spikenas.nas import Problem, TrialStore, make_strategy, search
from spikenas.nas.cached import CachedExecutor
from spikenas.nas.executors import InProcess, open_executor
from spikenas.scores.batch import scorer_factory
from spikenas.scores.engine import ScoreResult
from spikenas.space import Genotype
from spikenas.task import Task
from spikenas.training.short import training_factory

SEARCHES = [("fixed", 0), ("same", 0), ("fixed", 1), ("fixed", 2), ("fixed", 3)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--initialisations", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-training", action="store_true")
    args = parser.parse_args()
    kept = args.out.with_suffix("")
    kept.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(args.initialisations):
        config = Config.parse({"seed": seed, "data": {"name": args.data}, "executor": {"workers": args.workers}})
        task = Task.of(config).sized()
        pairs = [Genotype(cells) for cells in product(task.space.distinct_cells, repeat=2)]
        costs = {pair.canonical: footprint(task.plan(pair)) for pair in pairs}
        make = scorer_factory(task, config.search.score)
        with CachedExecutor(
            lambda make=make, config=config: open_executor(config.executor, make), make.sharing_order,
            kept / f"scores-{seed}.csv",
        ) as executor:  # fmt: skip
            scores = dict(zip((p.canonical for p in pairs), (r.score for r in executor.evaluate(pairs)), strict=True))
        spread = stdev(scores.values())
        sizes = sorted(cost.flash_bytes for cost in costs.values())
        for share in (None, 0.25, 0.5, 0.75):
            flash = None if share is None else sizes[int(share * len(sizes))]
            budget = BudgetConfig(flash=flash)
            fitting = sorted(
                (p for p in pairs if not violations(costs[p.canonical], budget)), key=lambda p: -scores[p.canonical]
            )
            best = scores[fitting[0].canonical]
            row = {"seed": seed, "flash": flash, "pairs": len(fitting), "spread": spread, "searches": {}}
            ends = list(fitting[:5])
            for previous, refine in SEARCHES:
                settings = SearchConfig(previous=previous, refine=refine)
                problem = Problem(task.space, budget, lambda g, costs=costs: costs[g.canonical], seed)
                evaluator = InProcess(lambda g, scores=scores: ScoreResult(scores[g.canonical], 0.0))
                with TrialStore() as store:
                    result = search(
                        task.space, make_strategy(settings, problem), budget, problem.cost, evaluator, store
                    )
                row["searches"][f"{previous}, refine {refine}"] = {
                    "genotype": str(result.genotype),
                    "evaluations": result.scored,
                    "regret": best - result.score,
                    "regret_sd": (best - result.score) / spread,
                    "better": sum(scores[p.canonical] > result.score for p in fitting),
                }
                ends.append(result.genotype)
            if not args.no_training:
                train = training_factory(task)
                with CachedExecutor(
                    lambda train=train, config=config: open_executor(config.executor, train),
                    path=kept / f"train-{seed}.csv",
                ) as executor:
                    accuracies = [result.score for result in executor.evaluate(ends)]
                row["best_five"] = {
                    "genotypes": [str(p) for p in fitting[:5]],
                    "scores": [scores[p.canonical] for p in fitting[:5]],
                    "accuracies": accuracies[:5],
                }
                for name, accuracy in zip(row["searches"], accuracies[5:], strict=True):
                    row["searches"][name]["accuracy"] = accuracy
            found.append(row)
            args.out.write_text(json.dumps(found, indent=1) + "\n")
            for name, end in row["searches"].items():
                print(f"seed {seed} flash {flash} {name}: regret {end['regret_sd']:.2f} sd, {end['better']} better")
    for name in found[0]["searches"]:
        print(f"{name}: mean regret {fmean(row['searches'][name]['regret_sd'] for row in found):.3f} sd")


if __name__ == "__main__":
    main()
