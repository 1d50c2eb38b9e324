"""Checks find what is wrong with a run, and say what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from spikenas._util.units import format_size
from spikenas.reporting.saved import SavedRun

SILENT, SATURATED = 0.005, 0.9  # spikes per neuron and timestep
_UNUSED = 0.5  # share of every limit below which a budget is hardly used
_LOST = 0.005  # accuracy that integers may lose
_OVERFITTED = 0.15  # by which training accuracy may exceed that of validation
_SLOWER = 1.5  # times what the first tenth of the search let expect
_LINKED_BYTES, _LINKED_SHARE = 256, 0.01

Level = Literal["problem", "warning", "good", "unknown"]


@dataclass(frozen=True)
class Check:
    """A check examines one property of a run.

    Attributes:
        level: How good or bad the finding is.
        subject: What was checked.
        finding: What was found.
        remedy: What to do, where something is to be done.
    """

    level: Level
    subject: str
    finding: str
    remedy: str = ""


def checks(run: SavedRun) -> list[Check]:
    """Make all checks of a run, what is wrong first."""
    found = [
        *(Check("problem", "files", line, "remove the file; the stage that writes it does so again")
          for line in run.unreadable),
        *_budget(run), *_operations(run), *_search(run), *_training(run), *_spikes(run), *_integers(run),
        *_firmware(run),
    ]  # fmt: skip
    order = ("problem", "warning", "unknown", "good")
    return sorted(found, key=lambda check: order.index(check.level))


def _budget(run: SavedRun) -> Iterator[Check]:
    if run.memory is None:
        return
    budget, shares = run.config.budget, []
    for name, limit in (("params", budget.params), ("flash", budget.flash), ("ram", budget.ram)):
        if limit is None:
            continue
        used = run.memory[name if name == "params" else f"{name}_bytes"]
        shares.append(used / limit)
        if used > limit:
            size = f"{used - limit:,}" if name == "params" else format_size(used - limit)
            yield Check("problem", "budget", f"{name}: {size} too much", "search again with this budget")
    if shares and max(shares) <= 1:
        finding = f"met; the tightest limit is used to {max(shares):.0%}"
        if max(shares) < _UNUSED:
            yield Check("warning", "budget", finding, "a wider network may fit: --channels, or more cells: --cells")
        else:
            yield Check("good", "budget", finding)


def _operations(run: SavedRun) -> Iterator[Check]:
    decided = next((d for d in (run.space or {}).get("decisions", []) if d["key"] == "space.ops"), None)
    effects = ((decided or {}).get("evidence") or {}).get("effects", {})
    added = {name.removeprefix("with "): e for name, e in effects.items() if name.startswith("with ")}
    if not added:
        if run.best:
            yield Check(
                "unknown", "ops left out", "not measured", "'spikenas analyze' says what leaving out each op costs"
            )
        return
    for op, effect in added.items():
        if effect["verdict"] == "open":
            gain = max(0.0, -effect["loss_sd"]["low"])
            yield Check(
                "warning",
                "ops left out",
                f"the op {op} might bring up to {gain:.2f} standard deviations of the networks' scores",
                f"search with it: --ops {','.join([*decided_ops(run), op])}",
            )
    useless = [op for op, effect in added.items() if effect["verdict"] == "useless"]
    if useless:
        yield Check("good", "ops left out", f"{', '.join(useless)} would bring nothing, by the score")


def decided_ops(run: SavedRun) -> list[str]:
    """Return the ops that were searched."""
    return [str(op) for op in run.config.space.ops]


def _search(run: SavedRun) -> Iterator[Check]:
    seconds = [trial.seconds for trial in run.trials if trial.status == "scored"]
    first = seconds[: max(1, len(seconds) // 10)]
    if len(seconds) < 20:
        return
    expected, took = sum(first) / len(first) * len(seconds), sum(seconds)
    finding = f"candidates took {took:.1f} s in all; after the first tenth {expected:.1f} s were to be expected"
    if took > _SLOWER * expected and took - expected > 10:
        yield Check("warning", "search time", finding, "the machine was busy, or later candidates are deeper")
    else:
        yield Check("good", "search time", finding)


def _training(run: SavedRun) -> Iterator[Check]:
    if not run.epochs:
        return
    left = run.config.train.epochs - len(run.epochs)
    if left:
        again = f"'spikenas run --out {run.folder}' goes on"
        yield Check("warning", "training", f"{left} of {run.config.train.epochs} epochs are missing", again)
    last = run.epochs[-1]
    gap = last.train_accuracy - last.validation_accuracy
    finding = f"{last.train_accuracy:.1%} on the training images, {last.validation_accuracy:.1%} on those held out"
    if gap > _OVERFITTED:
        yield Check("warning", "generalisation", finding, "more images, or train.weight_decay, or a smaller network")
    else:
        yield Check("good", "generalisation", finding)


def _spikes(run: SavedRun) -> Iterator[Check]:
    if run.evaluation is None:
        return
    rates = run.evaluation["firing_rates"]
    for name, rate in rates.items():
        if rate < SILENT:
            finding = f"{name} is nearly silent: {rate:.2%} of its neurons fire at a timestep"
            yield Check(
                "warning", "spikes", finding, "its convolutions compute next to nothing: a lower network.v_threshold"
            )
        elif rate > SATURATED:
            finding = f"{name} is saturated: {rate:.0%} of its neurons fire at every timestep"
            yield Check("warning", "spikes", finding, "it says next to nothing: a higher network.v_threshold")
    if rates and all(SILENT <= rate <= SATURATED for rate in rates.values()):
        low, high = min(rates.values()), max(rates.values())
        yield Check(
            "good", "spikes", f"every layer fires, between {low:.1%} and {high:.1%} of its neurons at a timestep"
        )


def _integers(run: SavedRun) -> Iterator[Check]:
    found = run.evaluation or {}
    if "quantised_test_accuracy" not in found:
        return
    lost = found["test_accuracy"] - found["quantised_test_accuracy"]
    finding = (
        f"weights of {found['weight_bits']} bits: {found['quantised_test_accuracy']:.2%} on the test images, "
        f"{found['test_accuracy']:.2%} in floating point"
    )
    if lost > _LOST:
        bits, tuned = found["weight_bits"], (run.quantisation or {}).get("epochs", 0)
        again = f"'spikenas quantise --out {run.folder} --bits {bits} --tuning {2 * tuned or 6}'"
        remedy = f"{'fine-tune longer' if tuned else 'fine-tune'}: {again}{', or more bits' if bits < 8 else ''}"
        yield Check("warning", "integers", finding, remedy)
    else:
        yield Check("good", "integers", finding)


def _firmware(run: SavedRun) -> Iterator[Check]:
    measured = {device: said for device, said in run.measured.items() if "linked" in said}
    if run.best is None:
        return
    if not measured:
        remedy = f"'spikenas deploy --out {run.folder} --target DEVICE' builds and measures it"
        yield Check("unknown", "firmware", "not measured: memory is what the model says", remedy)
    for device, said in measured.items():
        for name in ("flash", "ram"):
            predicted, linked = said["predicted"][f"{name}_bytes"], said["linked"][f"{name}_bytes"]
            finding = f"{device}, {name}: {predicted:,} bytes predicted, {linked:,} linked"
            if linked > predicted or predicted - linked > max(_LINKED_BYTES, _LINKED_SHARE * linked):
                yield Check("warning", "firmware", finding, "the compiler is another than the model was measured with")
            else:
                yield Check("good", "firmware", finding)
