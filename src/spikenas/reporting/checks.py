"""Checks find what is wrong with a run, and say what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from spikenas._util.class_figures import listed
from spikenas._util.run_files import CONFIG
from spikenas.config import SPEED_LIMITS
from spikenas.memory import FIGURES, limits_of, violations
from spikenas.memory.fitting import fits, needs
from spikenas.memory.model import footprint
from spikenas.memory.width import LADDER
from spikenas.records import SIZE_KEYS
from spikenas.reporting.accuracy_checks import accuracy_checks
from spikenas.reporting.advice import Check, again, command
from spikenas.reporting.saved import SavedRun
from spikenas.space.building import make_plan
from spikenas.targets import TARGETS, find_target
from spikenas.training.epochs import is_complete, progress_of

SILENT, SATURATED = 0.005, 0.9  # neurons that fire at a timestep, of all; spikes, of those that there can be
_UNUSED = 0.5  # share of every limit below which a budget is hardly used
_LOST = 0.005  # accuracy that integers may lose
_SLOWER = 1.5  # times what the first tenth of the search let expect
_LINKED_BYTES, _LINKED_SHARE = 256, 0.01


def checks(run: SavedRun) -> list[Check]:
    """Make all checks of a run, what is wrong first."""
    found = [
        *(Check("problem", "files", *line.partition("; ")[::2]) for line in run.unreadable),
        *_budget(run), *_operations(run), *_search(run), *_training(run), *accuracy_checks(run), *_spikes(run),
        *_integers(run), *_firmware(run),
    ]  # fmt: skip
    order = ("problem", "warning", "unknown", "good")
    return sorted(found, key=lambda check: order.index(check.level))


def _budget(run: SavedRun) -> Iterator[Check]:
    if run.memory is None:
        return
    shares = []
    for name, limit in limits_of(run.config.budget).items():
        figure = FIGURES[name]
        used = run.figures.get(figure.key)
        if used is None:
            continue
        shares.append(used / limit)
        if used > limit:
            expected = figure.of(run.cost, run.config.budget) if run.cost else None
            yield Check(
                "problem",
                "budget",
                f"{name}: {figure.said(used - limit)} too much",
                f"search again with a limit that is lower by as much: {_lower(run, name, limit * expected / used)}"
                if name in SPEED_LIMITS and expected is not None and expected <= limit
                else f"search again with this budget: {again(run, 'smaller')}",
            )
    if shares and max(shares) <= 1:
        finding = f"met; the tightest limit is used to {max(shares):.0%}"
        if max(shares) < _UNUSED:
            yield Check("warning", "budget", f"hardly used: {finding}", _larger(run))
        else:
            yield Check("good", "budget", finding)


def _lower(run: SavedRun, name: str, limit: float) -> str:
    """Return the command that searches with a limit of instructions, time or energy a little below this one."""
    said = FIGURES[name].said(0.99 * limit).replace(" ", "").replace(",", "").replace("million", "M")
    return again(run, "smaller", f"--{name}", said)


def _larger(run: SavedRun) -> str:
    """Say how more of the budget is used: the widest network with the same cells that fits, or more cells."""
    plan = run.plan
    for channels in reversed(LADDER) if plan else ():
        if plan is None or channels <= plan.network.free_channels:
            break
        wider = make_plan(plan.genotype, plan.network.at_width(channels), plan.input)
        if not violations(footprint(wider), run.config.budget):
            return f"a network of {channels} channels fits: {again(run, 'wider', '--channels', channels)}"
    return f"more cells: {again(run, 'deeper', '--cells', run.config.network.cells + 1)}"


def _operations(run: SavedRun) -> Iterator[Check]:
    decided = next((d for d in (run.space["decisions"] if run.space else []) if d["key"] == "space.ops"), None)
    effects = decided["evidence"].get("effects", {}) if decided else {}
    added = {name.removeprefix("with "): e for name, e in effects.items() if name.startswith("with ")}
    if not added:
        if run.best:
            other = run.folder.with_name(f"{run.name}-ops")
            analyse = command("analyze", "--config", run.folder / CONFIG, "--out", other)
            yield Check("unknown", "ops left out", "not measured", f"what leaving out each op costs says {analyse}")
        return
    for op, effect in added.items():
        if effect["verdict"] == "open":
            gain = max(0.0, -effect["loss_sd"]["low"])
            yield Check(
                "warning",
                "ops left out",
                f"the op {op} might bring up to {gain:.2f} standard deviations of the networks' scores",
                f"search with it: {again(run, f'with-{op}', '--ops', ','.join([*decided_ops(run), op]))}",
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
    if not is_complete(run.epochs, run.config.train):
        remedy = f"{command('run', '--out', run.folder)} goes on"
        yield Check("warning", "training", f"only {progress_of(run.epochs, run.config.train)}", remedy)


def _spikes(run: SavedRun) -> Iterator[Check]:
    if run.evaluation is None:
        return
    rates, network = run.evaluation["firing_rates"], run.config.network
    active = run.evaluation.get("active_shares", rates)
    most = network.levels if network.neuron == "ilif" else 1
    threshold = network.v_threshold
    silent = [f"{name} ({share:.2%})" for name, share in active.items() if share < SILENT]
    saturated = [f"{name} ({rate / most:.0%})" for name, rate in rates.items() if rate > SATURATED * most]
    if silent:
        finding = f"nearly silent, by the share of neurons that fire at a timestep: {listed(silent)}"
        remedy = "what reads them computes next to nothing; a lower threshold: "
        lower = again(run, "lower-threshold", "--set", f"network.v_threshold={threshold / 2:g}")
        yield Check("warning", "spikes", finding, remedy + lower)
    if saturated:
        finding = f"saturated, by the spikes at a timestep of those that there can be: {listed(saturated)}"
        remedy = "they say next to nothing; a higher threshold: "
        higher = again(run, "higher-threshold", "--set", f"network.v_threshold={threshold * 2:g}")
        yield Check("warning", "spikes", finding, remedy + higher)
    if rates and not silent and not saturated:
        low, high = min(active.values()), max(active.values())
        yield Check(
            "good", "spikes", f"every layer fires, between {low:.1%} and {high:.1%} of its neurons at a timestep"
        )


def _integers(run: SavedRun) -> Iterator[Check]:
    found = run.evaluation
    if found is None or "quantised_test_accuracy" not in found:
        return
    lost = found["test_accuracy"] - found["quantised_test_accuracy"]
    finding = (
        f"weights of {found['weight_bits']} bits: {found['quantised_test_accuracy']:.2%} on the test images, "
        f"{found['test_accuracy']:.2%} in floating point"
    )
    if lost > _LOST:
        bits, said = found["weight_bits"], run.quantisation
        tuned, harmed = (said["epochs"], said["tuning_did_harm"]) if said else (0, False)
        how = "fine-tune longer" if tuned else "fine-tune in smaller steps" if harmed else "fine-tune"
        smaller = ("--set", f"quantise.lr={run.config.quantise.lr / 10:g}") if harmed else ()
        typed = command("quantise", "--out", run.folder, "--bits", bits, "--tuning", 2 * tuned or 6, *smaller)
        remedy = f"{how}: {typed}{', or more bits' if bits < 8 else ''}"
        yield Check("warning", "integers", finding, remedy)
    else:
        yield Check("good", "integers", finding)


def _firmware(run: SavedRun) -> Iterator[Check]:
    measured = {device: said for device, said in run.measured.items() if "linked" in said}
    if run.best is None:
        return
    if not measured:
        yield Check("unknown", "firmware", "not measured: memory is what the model says", _measuring(run))
    for device, said in measured.items():
        for key in SIZE_KEYS:
            predicted, linked = said["predicted"][key], said["linked"][key]
            finding = f"{device}, {key.removesuffix('_bytes')}: {predicted:,} bytes predicted, {linked:,} linked"
            if linked > predicted or predicted - linked > max(_LINKED_BYTES, _LINKED_SHARE * linked):
                yield Check("warning", "firmware", finding, "the compiler is another than the model was measured with")
            else:
                yield Check("good", "firmware", finding)


def _measuring(run: SavedRun) -> str:
    """Say how the firmware is built: for the device of the budget, or else for the first that holds the network."""
    if run.quantisation is None or run.plan is None:
        return f"{command('run', '--out', run.folder)} makes its integers first"
    asked, core = run.config.budget.target, run.config.network.core
    for target in sorted(map(find_target, [asked] if asked else TARGETS), key=lambda one: one.core != core):
        if target.kind == "microcontroller" and fits(needs(run.plan, target)):
            return f"{command('deploy', '--out', run.folder, '--target', target.name)} builds and measures it"
    return f"no device that is known holds it: {command('targets')} lists them"
