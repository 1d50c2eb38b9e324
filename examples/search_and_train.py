"""The steps of `spikenas run` in Python: digits, 64 KiB of flash.

Run it with `python examples/search_and_train.py`; `--epochs 1` for a quick look.
"""

import argparse
from pathlib import Path

from spikenas.config import Config
from spikenas.data import channel_statistics
from spikenas.memory import describe, footprint
from spikenas.nas import Problem, TrialStore, make_strategy, search
from spikenas.nas.executors import InProcess
from spikenas.task import make_scorer, prepare
from spikenas.training.checkpoint import load_model
from spikenas.training.evaluation import evaluate
from spikenas.training.loop import train

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--out", type=Path, default=Path("runs/example"))
options = parser.parse_args()

# What to do: every key has a default, docs/cli.md lists them.
config = Config.parse({"data": {"name": "digits"}, "budget": {"flash": "64KiB"}, "train": {"epochs": options.epochs}})

# Open the data; decide image size, width and augmentation from them and the budget.
task = prepare(config)
statistics = channel_statistics(task.dataset, config.seed)

# Search: candidates over budget cost nothing, the others a few forward passes.
problem = Problem(task.space, config.budget, lambda genotype: footprint(task.plan(genotype)), config.seed)
found = search(
    problem.space,
    make_strategy(config.search, problem),
    problem.budget,
    problem.cost,
    InProcess(make_scorer(task, statistics, "cmrr")),
    TrialStore(),
)
plan = task.plan(found.genotype)
print(f"{found.genotype}\nscore {found.score:.4g}, {describe(footprint(plan))}")

# Train it and look at the test images once.
epochs = train(plan, task.dataset, statistics, task.config, options.out)
result = evaluate(load_model(options.out / "model.safetensors"), task.dataset.test)
print(f"validation {epochs[-1].validation_accuracy:.1%}, test {result.test_accuracy:.1%}")
print(f"{result.synops:,.0f} synaptic operations an image; files in {options.out}")
