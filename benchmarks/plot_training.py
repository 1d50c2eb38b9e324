"""Draw the accuracy of a training over its epochs.

python benchmarks/plot_training.py runs/NAME/train.csv docs/NAME.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from spikenas.training.epochs import read_log

if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    epochs = read_log(source)
    mpl.rcParams["svg.hashsalt"] = "spikenas"
    figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
    for name, label in (("train_accuracy", "training, augmented"), ("validation_accuracy", "validation")):
        axes.plot([e.epoch for e in epochs], [100 * getattr(e, name) for e in epochs], marker=".", label=label)
    axes.set(xlabel="epoch", ylabel="accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(target, metadata={"Date": None})
