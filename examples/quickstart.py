"""From digits to firmware in ten lines. `python examples/quickstart.py --epochs 1` is a quick look."""

import argparse
from pathlib import Path

import spikenas as sn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--out", type=Path, default=Path("runs/quickstart"))
options = parser.parse_args()

task = sn.Task("digits", target="stm32f103", settings={"train.epochs": options.epochs})
print(task)
found = sn.search(task)  # no candidate is trained
print(found)
model = sn.train(found.task, found.best)
print(model.predict(task.test.fetch([0, 1, 2])))
device = sn.quantise(model, bits=4)  # the arithmetic of the firmware
print(f"float {model.evaluate(task.test).accuracy:.1%}, integers {device.evaluate(task.test).accuracy:.1%}")
print(sn.deploy(device, options.out / "firmware"))
