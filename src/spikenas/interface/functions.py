"""The package as a few functions: tasks, searches, training, integers, firmware, whole runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from spikenas._util.console import PlainConsole
from spikenas._util.errors import ConfigError
from spikenas._util.paths import user_path, weights_path
from spikenas._util.progress import Reporter, show_nothing
from spikenas._util.run_files import MODEL, QUANTISED, REPORT, TRIALS
from spikenas._util.sealed import read_sealed
from spikenas._util.threads import threads
from spikenas.config import Config, QuantiseConfig
from spikenas.data import Split
from spikenas.deployment import Verified, random_vectors, test_vectors
from spikenas.deployment import deploy as write_firmware
from spikenas.enhancement import Enhancer
from spikenas.integers import IntegerNetwork, Tuning, make_integers, tuning_of, with_bits
from spikenas.integers.integer_evaluation import IntegerEvaluation
from spikenas.interface.products import Firmware, Found, RunResult
from spikenas.nas import TrialStore, read_trials
from spikenas.pipeline.checking import check_device, check_machine
from spikenas.pipeline.data_of_run import hold_data
from spikenas.pipeline.designing import search_designs
from spikenas.pipeline.finishing import shown
from spikenas.pipeline.run_folder import RunFolder, is_leader
from spikenas.pipeline.running import run_stages
from spikenas.pipeline.searching import search_task
from spikenas.pipeline.settings import Settings, fix_training
from spikenas.records import RACE_FILE, raced
from spikenas.reporting import SavedRun, load_run, write_report
from spikenas.space import Design, Genotype
from spikenas.space.texts import parse_candidate
from spikenas.targets import find_target
from spikenas.task import Task, words_of
from spikenas.task.designs import settings_of
from spikenas.training import loop
from spikenas.training.checkpoint import Model, load_model
from spikenas.training.evaluation import Evaluation

_VECTORS = 20  # items that a firmware is tested with


def enhance(task: Task, *, progress: bool = True) -> Task:
    """Decide what the task leaves open of the space: ops, cells, sharing.

    Args:
        task: Its section `enhancement` says how.
        progress: Whether progress is shown on standard error.
    Returns:
        The task with the decisions.
    Raises:
        BudgetError: Nothing meets the limits.
    """
    expect(task, Task)
    check_machine(task.config)
    task = task.with_config(task.asked)
    with _reporting(progress) as report, TemporaryDirectory() as folder, threads(task.config.threads):
        return task.with_config(Enhancer(task, Path(folder), report).run().config)


def search(task: Task, *, time: str | float | None = None, progress: bool = True) -> Found:
    """Find the network with the best score that fits the limits; or, within a time, the best design by a race.

    Args:
        task: Its section `search` says how; the space is searched as it is configured (see `enhance`).
        time: Seconds, or a text such as "20m", for a search of designs, the best of which are trained for a short
            time; None searches cells, by score alone, unless the task says otherwise.
        progress: Whether progress is shown on standard error.
    Raises:
        BudgetError: Nothing meets the limits.
        NothingFoundError: Nothing that fits has a score.
        ScoreError: The score is unknown.
    """
    expect(task, Task)
    check_machine(task.config)
    if time is not None:
        task = task.but({"search.time": time})
    if task.config.searches_designs:
        return _search_designs(task, progress)
    task = task.sized()
    with _reporting(progress) as report, threads(task.config.threads), TrialStore() as store:
        found = search_task(task, store, report)
        return Found(task, found.best, found.score, tuple(store))


def _search_designs(task: Task, progress: bool) -> Found:
    with _reporting(progress) as report, threads(task.config.threads), TemporaryDirectory() as folder:
        with RunFolder(Path(folder)) as run:
            best = search_designs(run, task, report)
        design, record = Design.parse(best["design"]), RACE_FILE.read(Path(folder))
        found = task.but(settings_of(design, task.input.static, task.asked))
        return Found(found, design, best["score"], tuple(read_trials(Path(folder) / TRIALS)), tuple(raced(record)))


def train(
    task: Task,
    genotype: Genotype | Design | str,
    *,
    epochs: int | None = None,
    time: str | float | None = None,
    out: str | Path | None = None,
    again: bool = False,
    progress: bool = True,
) -> Model:
    """Train a network on the training split; its weights are chosen on the validation split.

    Args:
        task: Its section `train` says how.
        genotype: What to train, such as `found.best`, or a design.
        epochs: In the place of `train.epochs`.
        time: Seconds, or a text such as "20m", in the place of epochs.
        out: Keeps model, checkpoint and settings; a training that was stopped, or that had fewer epochs, goes on from
            there. None keeps nothing.
        again: Whether to train anew what was trained in `out`, with these settings; the former is set aside there.
        progress: Whether progress is shown on standard error.
    Returns:
        The trained network, ready for inference.
    Raises:
        DivergedError: The loss is no longer finite.
        GenotypeError: The genotype cannot be built.
        RunError: What is in `out` was trained with other settings.
    """
    expect(task, Task)
    expect(genotype, Genotype, Design, str)
    check_machine(task.config)
    if not isinstance(genotype, Design):
        task = task.sized()
    length = {"train.epochs": epochs, "train.time": time}
    task = task.but({key: value for key, value in length.items() if value is not None})
    if isinstance(genotype, str):
        genotype = parse_candidate(genotype)
    if isinstance(genotype, Design):
        task = task.but(settings_of(genotype, task.input.static, task.asked))
        genotype = genotype.genotype
    plan = task.plan(genotype)
    if out is not None:
        hold_data(user_path(out), task, again)
        fix_training(user_path(out), task.config, again)
    with _reporting(progress) as report, _folder(out) as folder, report.task("training") as advance:
        loop.train(plan, task.dataset, task.statistics, task.config, folder, shown(advance))
        return replace(load_model(folder / MODEL), task=task)


def quantise(
    model: Model,
    bits: int | None = None,
    *,
    tuning: int | None = None,
    task: Task | None = None,
    progress: bool = True,
) -> IntegerNetwork:
    """Make integers of a trained network, which compute what its firmware does, bit for bit.

    Args:
        model: The trained network.
        bits: Bits of a weight, 2, 4 or 8; None are those that it was planned for.
        tuning: Epochs of fine-tuning with rounded weights; None are as `quantise.epochs` of the task says, and none
            without a task.
        task: What the model was trained on, where it was not trained in this process.
        progress: Whether progress is shown on standard error.
    Raises:
        ConfigError: Other bits, or fine-tuning or event frames without a task.
        RunError: Integers cannot hold the network.
    """
    expect(model, Model)
    task = task or model.task
    if bits is not None:
        QuantiseConfig.parse({"weight_bits": bits}, given={"weight_bits": "bits"})
    else:
        bits = (task.config.quantise.weight_bits if task else None) or model.plan.network.weight_bits
    if tuning is not None:
        QuantiseConfig.parse({"epochs": tuning}, given={"epochs": "tuning"})
    planned = with_bits(model, bits)
    length = Tuning(tuning or 0) if tuning is not None or task is None else tuning_of(task.config, planned.plan)
    with (
        _reporting(progress) as report,
        threads(task.config.threads if task else None),
        report.task("fine-tuning") if length else nullcontext(show_nothing) as advance,
    ):
        made = make_integers(planned, task, bits, length, progress=shown(advance))
    return replace(made.network, task=task)


def evaluate(
    model: Model | IntegerNetwork, split: Split, *, device: str | None = None
) -> Evaluation | IntegerEvaluation:
    """Run every item of a split through a network.

    Args:
        model: A trained network or its integers.
        split: Labelled items, such as `task.test`.
        device: Where to compute; None is as the task says.
    Returns:
        `accuracy` and more.
    Raises:
        RunError: PyTorch cannot compute there.
    """
    expect(model, Model, IntegerNetwork)
    expect(split, Split)
    task = model.task
    device = device or (task.config.device if task else "cpu")
    check_device(device)
    return model.evaluate(split, device)


def deploy(
    integers: IntegerNetwork,
    folder: str | Path,
    *,
    target: str | None = None,
    split: Split | None = None,
    verify: int = 0,
    progress: bool = True,
) -> Firmware:
    """Write the C firmware of an integer network; build it and run it under QEMU where the tools for that are.

    Args:
        integers: The network.
        folder: Where the files go; it is replaced.
        target: The device; None is that of the task's limits, or any of the network's core.
        split: Items that the firmware is tested with; None are validation items of the task, or random ones.
        verify: Number of the task's test items that the firmware classifies too, for its own accuracy.
        progress: Whether progress is shown on standard error.
    Raises:
        ConfigError: The device is unknown, or there is no task to verify with.
        DeployError: It does not fit, does not compile, or computes something else than the integers.
    """
    expect(integers, IntegerNetwork)
    task = integers.task
    name = target or (task.limits.target if task else None)
    split = split or (task.validation if task else None)
    if verify:
        QuantiseConfig.parse({"verify": verify}, given={"verify": "verify"})
        if task is None:
            raise ConfigError("verify: the integers know no task; those of sn.quantise(model, task=task) do")
    warnings = PlainConsole(stderr=True, quiet=not progress)
    place = user_path(folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    with threads(task.config.threads if task else None):
        inputs = (
            test_vectors(integers, split, min(_VECTORS, len(split)))[0] if split else random_vectors(integers, _VECTORS)
        )
        device = task.limits if task and name == task.limits.target else None
        items = Verified(task.test, min(verify, len(task.test))) if verify and task else None
        measured = write_firmware(
            *(integers, inputs, find_target(name) if name else None, place, warnings.print),
            device=device,
            verified=items,
        )
    return Firmware(place, measured)


def run(
    data: str | Path | None = None,
    *,
    target: str | None = None,
    params: int | str | None = None,
    flash: int | str | None = None,
    ram: int | str | None = None,
    instructions: int | str | None = None,
    latency: float | str | None = None,
    energy: float | str | None = None,
    image_size: int | str | None = None,
    fit: str | None = None,
    out: str | Path | None = None,
    seed: int | None = None,
    device: str | None = None,
    time: str | float | None = None,
    twin: bool = False,
    settings: Config | str | Path | Mapping[str, Any] | None = None,
    progress: bool = True,
) -> RunResult:
    """Do all that `spikenas run` does; a run that was stopped goes on where it was.

    Args:
        data: See `Task`, as are all but `out` and `progress`.
        target: With one, firmware is written too.
        params: Most learnable parameters.
        flash: Most flash.
        ram: Most RAM.
        instructions: Most instructions of one inference.
        latency: Longest time of one inference on the device.
        energy: Most energy of one inference on the device.
        image_size: Side in pixels, or `WIDTHxHEIGHT`.
        fit: How the aspect ratio is changed to it.
        out: The run folder; `runs/DATA` when absent.
        seed: Seed of every random choice.
        device: Where PyTorch computes.
        time: Seconds, or a text such as "1h", for search and training together: designs are searched, by short
            trainings too.
        twin: Whether the same plan is trained with relu neurons too, for as long, for comparison.
        settings: Further settings.
        progress: Whether progress is shown on standard error.
    Raises:
        SpikeNASError: Something cannot be done; what is done is kept.
    """
    words = words_of(
        data=data,
        target=target,
        params=params,
        flash=flash,
        ram=ram,
        instructions=instructions,
        latency=latency,
        energy=energy,
        image_size=image_size,
        fit=fit,
        seed=seed,
        device=device,
    )
    words |= {"twin": True} if twin else {}
    words |= {"time": time} if time is not None else {}
    base: Config | Path | None = None
    if isinstance(settings, Mapping):
        words = {**settings, **words}
    elif settings is not None:
        expect(settings, Config, str, Path)
        base = user_path(settings) if isinstance(settings, str | Path) else settings
    resolved = Settings.of(None if out is None else user_path(out), base, words)
    with _reporting(progress) as report:
        run_and_report(resolved, None, report, f"spikenas.run(out={str(resolved.folder)!r})")
    return _run_result(resolved.folder)


def run_and_report(
    settings: Settings,
    names: Sequence[str] | None,
    report: Reporter,
    command: str,
    target: str | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """Run stages on a run folder (see `run_stages`), write its report, and add which network to take."""
    found = run_stages(settings, names, report, command, target, again)
    if is_leader():
        (saved,) = write_report([settings.folder], settings.folder / REPORT)
        if saved.verdict:
            found["verdict"] = [one.as_json() for one in saved.verdict]
    return found


def load(path: str | Path) -> RunResult | Model | IntegerNetwork:
    """Open what was saved: a run folder, a trained network or integers.

    Args:
        path: A run folder, or a file `model.safetensors` or `quantised.safetensors`.
    Returns:
        What it is; a network is ready for inference.
    Raises:
        ConfigError: There is no such file, or the folder is no run.
        RunError: The file is damaged.
    """
    expect(path, str, Path)
    path = weights_path(path)
    if path.is_dir():
        return _run_result(path)
    if not path.exists():
        raise ConfigError(f"{path}: no such file or folder")
    if path.suffix != ".safetensors":
        raise ConfigError(f"{path}: expected a run folder, {MODEL} or {QUANTISED}")
    of_integers = path.name == QUANTISED or "leak" in read_sealed(path, "train")[1]
    return IntegerNetwork.load(path) if of_integers else load_model(path)


def _run_result(folder: Path) -> RunResult:
    saved = load_run(folder)
    return RunResult(**{field.name: getattr(saved, field.name) for field in fields(SavedRun)})


def expect(what: object, *kinds: type) -> None:
    """Check what a function was given, since Python does not.

    Raises:
        ConfigError: It is of another kind.
    """
    if not isinstance(what, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ConfigError(f"expected a {names}, got a {type(what).__name__}")


@contextmanager
def _reporting(progress: bool) -> Iterator[Reporter]:
    yield Reporter(PlainConsole(stderr=True) if progress else None)


@contextmanager
def _folder(out: str | Path | None) -> Iterator[Path]:
    if out is not None:
        yield user_path(out)
        return
    with TemporaryDirectory() as name:
        yield Path(name)
