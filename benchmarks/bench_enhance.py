"""Is an enhanced space better than SNASNet's, and a cell of its own for each place better than one for all?

    python benchmarks/bench_enhance.py --data cifar10/ --runs runs/enhance --out benchmarks/results/enhance.json

For each flash budget and seed three networks are searched, then trained equally and evaluated on the test set:
`snasnet`, Algorithm 1 over all cells of SNASNet's five ops; `shared` and `separate`, Algorithm 1 in the space that
`spikenas enhance` made, with one cell for all places, and with cells of their own and one refining pass. Searches run
one after the other with all cores, trainings side by side with one thread each. What is done is not done again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from common import machine

from spikenas.config import Config
from spikenas.space.ops import SNASNET_OPS

KINDS = ("snasnet", "shared", "separate")
NETWORK = ("--stem-stride", "2", "--timesteps", "2")
TRAINING = ("train.precision=bf16", "train.keep=last", "train.warmup=0.05", "threads=1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--flash", default="48KiB,192KiB")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--side-by-side", type=int, default=2, help="trainings")
    args = parser.parse_args()
    cases = list(product(args.flash.split(","), range(args.seeds)))
    for flash, seed in cases:
        _search(args, flash, seed)
    runs = [(args.runs / f"{flash}-{seed}-{kind}", args.epochs) for flash, seed in cases for kind in KINDS]
    with ThreadPoolExecutor(args.side_by_side) as threads:
        list(threads.map(_train, *zip(*runs, strict=True)))
    rows = [_row(args.runs, flash, seed, kind) for flash, seed in cases for kind in KINDS]
    args.out.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n")


def _search(args: argparse.Namespace, flash: str, seed: int) -> None:
    common = ("--data", args.data, "--flash", flash, "--seed", str(seed), *NETWORK)
    enhanced = args.runs / f"{flash}-{seed}-enhance"
    _timed(enhanced, "enhance", *common)
    config = Config.load(enhanced / "config.toml")
    found = ("--ops", ",".join(config.space.ops), "--cells", str(config.network.cells))
    found += ("--channels", str(config.network.channels))
    sets = {"shared": ("space.shared=true", "search.refine=0"), "separate": ("space.shared=false", "search.refine=1")}
    for kind, settings in sets.items():
        _timed(args.runs / f"{flash}-{seed}-{kind}", "search", *common, *found, *_sets(*settings))
    _timed(args.runs / f"{flash}-{seed}-snasnet", "search", *common, "--ops", ",".join(map(str, SNASNET_OPS)))


def _sets(*settings: str) -> tuple[str, ...]:
    return tuple(part for setting in settings for part in ("--set", setting))


def _timed(folder: Path, command: str, *options: str) -> None:
    """Run a command on a run folder and keep its seconds, unless that is done."""
    kept = folder / f"{command}.seconds"
    if kept.exists():
        return
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "spikenas", command, "--out", str(folder), "--quiet", *options], check=True)
    kept.write_text(str(time.perf_counter() - start))


def _train(folder: Path, epochs: int) -> None:
    _timed(folder, "train", "--epochs", str(epochs), *_sets(*TRAINING))
    _timed(folder, "evaluate")
    print(folder.name, json.loads((folder / "evaluation.json").read_text())["test_accuracy"], flush=True)


def _row(runs: Path, flash: str, seed: int, kind: str) -> dict[str, object]:
    folder = runs / f"{flash}-{seed}-{kind}"
    best = json.loads((folder / "best.json").read_text())
    seconds = {name: round(float((folder / f"{name}.seconds").read_text()), 1) for name in ("search", "train")}
    enhance_s = float((runs / f"{flash}-{seed}-enhance" / "enhance.seconds").read_text())
    return {
        "flash": flash,
        "seed": seed,
        "kind": kind,
        **{key: best[key] for key in ("genotype", "channels", "params", "flash_bytes", "ram_bytes", "score", "scored")},
        "enhance_s": None if kind == "snasnet" else round(enhance_s, 1),
        "search_s": seconds["search"],
        "train_s": seconds["train"],
        "test_accuracy": json.loads((folder / "evaluation.json").read_text())["test_accuracy"],
    }


if __name__ == "__main__":
    main()
