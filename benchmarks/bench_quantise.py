"""Accuracy of a trained network on its whole test set: floating point, 8 and 4 bits, rounded and after fine-tuning.

    python benchmarks/bench_quantise.py --runs runs/a runs/b --work FOLDER --out benchmarks/results/quantise.json

Each row is `spikenas quantise` and `spikenas evaluate` in a copy of the run, which stays in `--work`; what is there
already is not made again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

from common import machine

from spikenas._util.run_files import EVALUATION, QUANTISATION
from spikenas.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 4])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rows = []
    for run in args.runs:
        tenth = max(1, round(Config.load(run / "config.toml").train.epochs / 10))
        for bits in args.bits:
            for epochs in (0, tenth):
                rows.append({"network": run.name, **measured(run, args.work, bits, epochs)})
                print(rows[-1], flush=True)
                args.out.write_text(json.dumps({"rows": rows, "machine": machine()}, indent=1) + "\n", encoding="utf-8")


def measured(run: Path, work: Path, bits: int, epochs: int) -> dict[str, object]:
    """The accuracies of one run with weights of so many bits, after so many epochs of fine-tuning."""
    folder = work / f"{run.name}-{bits}bits-{epochs}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(run, partial, ignore=shutil.ignore_patterns("tuning", "firmware"))
        partial.rename(folder)
    spikenas = [sys.executable, "-m", "spikenas"]
    subprocess.run(
        [*spikenas, "quantise", "--out", str(folder), "--bits", str(bits), "--tuning", str(epochs)], check=True
    )
    subprocess.run([*spikenas, "evaluate", "--out", str(folder)], check=True)
    evaluation = json.loads((folder / EVALUATION).read_text(encoding="utf-8"))
    quantised = json.loads((folder / QUANTISATION).read_text(encoding="utf-8"))
    return {
        "bits": bits,
        "epochs": epochs,
        "images": evaluation["images"],
        "float": evaluation["test_accuracy"],
        "integers": evaluation["quantised_test_accuracy"],
        "validation": quantised["validation_accuracy"],
        "clipped": max(quantised["clipped"].values(), default=0),
    }


if __name__ == "__main__":
    main()
