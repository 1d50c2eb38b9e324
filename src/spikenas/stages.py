"""The stages of a run. Each reads the files of those before it, writes its own, and does nothing when it is done."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from spikenas import train as training
from spikenas.checkpoint import MODEL, load_model
from spikenas.config import Config
from spikenas.data import DataSet, Statistics, channel_statistics, load, load_statistics, save_statistics
from spikenas.data.transforms import normalise
from spikenas.errors import ConfigError, RunError
from spikenas.evaluate import evaluate
from spikenas.files import write_atomically
from spikenas.memory import Footprint, footprint
from spikenas.progress import Reporter
from spikenas.run import BEST, EVALUATION, FRONT, STATISTICS, TRIALS, Run
from spikenas.score import Scorer, ScorerFactory, find_score
from spikenas.search import (
    Problem,
    Trial,
    TrialStore,
    front,
    make_strategy,
    most_evaluations,
    resolve_width,
    search,
)
from spikenas.search.executors import open_executor
from spikenas.search.front import Objective
from spikenas.seeding import seed_of
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.plan import InputSpec, Plan, make_plan
from spikenas.space.space import Space

_BEST_KEYS = ("genotype", "score", "score_name", "params", "flash_bytes", "ram_bytes", "channels", "trials", "scored")
_FRONTS: dict[str, Objective] = {
    "params": "params",
    "flash": "flash_bytes",
    "ram": "ram_bytes",
    "synops": "synops",
}
_FRONT_COLUMNS = ("genotype", "score", "params", "flash_bytes", "ram_bytes", "synops")
LAST_MAP = 8  # side of the last cell's maps at the automatic image size of a score
SCORED_TOGETHER = 512  # genotypes that are put in an order in which neighbours share layers
_NO_FLIP = ("digits", "idx")  # a mirrored digit is another sign, or none

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """A configuration with everything in it decided, and the data it speaks of."""

    config: Config
    dataset: DataSet

    @property
    def input(self) -> InputSpec:
        """What the network sees."""
        return InputSpec(*self.dataset.shape, len(self.dataset.classes), self.dataset.static)

    @property
    def space(self) -> Space:
        """Where the search looks."""
        settings = self.config.space
        return Space.of(settings.ops, self.config.network.cells, settings.nodes, settings.feedback, settings.shared)

    def plan(self, genotype: Genotype) -> Plan:
        """The network of a genotype."""
        return make_plan(genotype, self.config.network, self.input)


def prepare(config: Config) -> Task:
    """Open the data and decide what the configuration leaves open: image size and channels, T of
    events, augmentation, width.

    Raises:
        DataError: the data cannot be used.
        BudgetError: nothing of the space meets the budget.
        RunError: no such device.
    """
    task = open_data(config)
    network = resolve_width(task.config.network, task.input, task.space, config.budget)
    return Task(task.config.model_copy(update={"network": network}), task.dataset)


def open_data(config: Config) -> Task:
    """Open the data and write what follows from them into the configuration, the width still open.

    Raises:
        DataError: the data cannot be used.
        RunError: no such device.
    """
    check_device(config.device)
    dataset = load(config.data, config.seed)
    channels, height, width = dataset.shape
    network = config.network
    if dataset.static:
        size = {"channels": channels, "image_size": height if height == width else None}
        data = config.data.model_copy(update=size)
    else:
        data = config.data
        network = network.model_copy(update={"timesteps": dataset.timesteps})
    train = config.train
    if train.crop is None:
        train = train.model_copy(update={"crop": min(height, width) // 8})
    if train.flip is None:
        train = train.model_copy(update={"flip": dataset.static and config.data.name.partition(":")[0] not in _NO_FLIP})
    return Task(config.model_copy(update={"data": data, "network": network, "train": train}), dataset)


def check_device(device: str) -> None:
    """See that PyTorch can compute there.

    Raises:
        RunError: it cannot.
    """
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        available = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise RunError(f"device {device!r} cannot be used by PyTorch here; available: {', '.join(available)}") from None


def run_search(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    """Search, unless it is done; returns what best.json says. Writes front.csv where a front is asked for."""
    if not run.has(BEST):
        run.write_json(BEST, _search(run, task, report))
    if task.config.search.front:
        _write_front(run, search_front(run, task.config))
    return run.read_json(BEST, "search", *_BEST_KEYS)


def _search(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    config = task.config
    problem = Problem(task.space, config.budget, lambda genotype: footprint(task.plan(genotype)), config.seed)
    strategy = make_strategy(config.search, problem)
    limit = most_evaluations(config.search, strategy)
    make = scorer_factory(task, _statistics(run, task), config.search.score)
    with (
        TrialStore(run / TRIALS) as store,
        open_executor(config.executor, make, _log.warning, limit or strategy.expected) as executor,
        report.task("search") as progress,
    ):
        best_score = -math.inf

        def on_trial(trial: Trial, done: int, total: int) -> None:
            nonlocal best_score
            if trial.value is not None:
                best_score = max(best_score, trial.value)
            progress(done, total, f"best score {best_score:.4g}" if math.isfinite(best_score) else "")

        found = search(task.space, strategy, config.budget, problem.cost, executor, store, limit, on_trial)
    return {
        "genotype": str(found.genotype),
        "score": found.score,
        "score_name": config.search.score,
        **sizes(footprint(task.plan(found.genotype))),
        "channels": config.network.channels,
        "trials": found.trials,
        "scored": found.scored,
    }


def search_front(run: Run, config: Config) -> list[Trial]:
    """The Pareto front of a search that is done, among what fits, against `search.front`.

    Raises:
        ConfigError: no trial has that figure.
    """
    objective = config.search.front or "flash"
    with TrialStore(run / TRIALS) as store:
        found = front((trial for trial in store if trial.meets(config.budget)), _FRONTS[objective])
    if not found:
        raise ConfigError(f"search.front: {objective} asked, but no trial of {run / TRIALS} says it")
    return found


def _write_front(run: Run, trials: list[Trial]) -> None:
    def write(path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _FRONT_COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(map(asdict, trials))

    write_atomically(run / FRONT, write)


def run_train(run: Run, task: Task, report: Reporter) -> list[training.Epoch]:
    """Train the network found, unless it is done; returns its epochs."""
    best = run.read_json(BEST, "search", *_BEST_KEYS)
    plan = task.plan(Genotype.parse(best["genotype"]))
    statistics = _statistics(run, task)
    with report.task("training") as progress:

        def on_step(done: int, total: int, epochs: Any) -> None:
            last = f"epoch {len(epochs)}: validation {epochs[-1].validation_accuracy:.1%}" if epochs else ""
            progress(done, total, last)

        return training.train(plan, task.dataset, statistics, task.config, run.folder, on_step)


def run_evaluate(run: Run, task: Task, report: Reporter) -> dict[str, Any]:
    """Evaluate the trained network on the test set, unless it is done; returns what evaluation.json says.

    Raises:
        RunError: no trained network, or one of other classes than the data's.
    """
    model = load_model(run / MODEL)
    if model.classes != task.dataset.classes:
        raise RunError(
            f"{run / MODEL}: trained on {_names(model.classes)}, the data have {_names(task.dataset.classes)}"
        )
    digest = sha256((run / MODEL).read_bytes()).hexdigest()
    if run.has(EVALUATION) and (done := run.read_json(EVALUATION, "evaluate")).get("model_sha256") == digest:
        return done
    with report.task("evaluation") as progress:
        result = evaluate(
            model, task.dataset.test, task.config.device, progress=lambda done, total: progress(done, total, "")
        )
    values = {**asdict(result), "model_sha256": digest}
    run.write_json(EVALUATION, values)
    return values


def make_scorer(task: Task, statistics: Statistics, *names: str) -> Scorer:
    """A scorer on a seeded batch of training images, at the configuration's fidelity."""
    return scorer_factory(task, statistics, *names)()


def scorer_factory(task: Task, statistics: Statistics, *names: str) -> ScorerFactory:
    """The recipe of that scorer, for other processes."""
    config = task.config
    train = task.dataset.train
    if len(train) < config.fidelity.batch:
        raise ConfigError(f"fidelity.batch: {config.fidelity.batch} images asked, {len(train)} training images there")
    rng = np.random.default_rng(seed_of(config.seed, "score batch"))
    chosen = np.sort(rng.choice(len(train), config.fidelity.batch, replace=False))
    images = normalise(torch.from_numpy(train.fetch(chosen)), *statistics)
    if not task.dataset.static:
        T = config.fidelity.timesteps or config.network.timesteps
        if images.shape[1] < T:
            raise ConfigError(f"fidelity.timesteps: {T} asked, the event frames have {images.shape[1]}")
        images = images.transpose(0, 1)[:T]
    return ScorerFactory(
        names,
        config.network,
        task.input,
        _resized(images, _scored_size(config, images)).numpy(),
        train.labels[chosen].astype(np.int64),
        config.fidelity,
        config.seed,
        config.device,
    )


def score_genotypes(
    config: Config, genotypes: list[tuple[str, Genotype]], report: Reporter
) -> Iterator[tuple[str, float, float]]:
    """Score genotypes: text as given, score, seconds, in the order given. Equal networks are scored once.

    Args:
        config: `search.score`, `fidelity`, `network`, `data`, `executor`, `seed` and `device` are read.
        genotypes: Each with the text it is to be named by.
        report: Shows the progress.
    """
    task = open_data(config)
    find_score(config.search.score)
    make = scorer_factory(task, channel_statistics(task.dataset, config.seed), config.search.score)

    def rows() -> Iterator[tuple[str, float, float]]:
        scores: dict[tuple[CellGraph, ...], float] = {}
        with (
            open_executor(config.executor, make, _log.warning, len(genotypes)) as executor,
            report.task("score") as progress,
        ):
            for start in range(0, len(genotypes), SCORED_TOGETHER):
                part = genotypes[start : start + SCORED_TOGETHER]
                new = [*{g.canonical: g for _, g in part if g.canonical not in scores}.values()]
                ordered = [new[position] for position in make.sharing_order(new)]
                seconds: dict[tuple[CellGraph, ...], float] = {}
                for done, (genotype, result) in enumerate(zip(ordered, executor.evaluate(ordered), strict=True), 1):
                    scores[genotype.canonical], seconds[genotype.canonical] = result.score, result.seconds
                    progress(start + done, len(genotypes), "")
                for text, genotype in part:
                    yield text, scores[genotype.canonical], round(seconds.pop(genotype.canonical, 0.0), 6)
                progress(start + len(part), len(genotypes), "")

    return rows()


def summary(run: Run, task: Task) -> dict[str, Any]:
    """What a run has found so far."""
    values = run.read_json(BEST, "search", *_BEST_KEYS)
    epochs = training.read_log(run / training.LOG)
    if epochs:
        values["epochs"] = len(epochs)
        kept = training.kept_epoch(epochs, task.config.train.keep)
        values["validation_accuracy"] = kept.validation_accuracy
    if run.has(EVALUATION):
        evaluation = run.read_json(EVALUATION, "evaluate", "test_accuracy", "synops", "macs")
        values |= {key: evaluation[key] for key in ("test_accuracy", "synops", "macs")}
    budget = task.config.budget.model_dump()
    if task.config.search.front:
        rows = map(asdict, search_front(run, task.config))
        values["front"] = [{key: row[key] for key in _FRONT_COLUMNS} for row in rows]
    return values | {"timesteps": task.config.network.timesteps, "budget": budget, "folder": str(run.folder)}


def sizes(cost: Footprint) -> dict[str, int]:
    """The three memory figures."""
    return {"params": cost.params, "flash_bytes": cost.flash_bytes, "ram_bytes": cost.ram_bytes}


def _scored_size(config: Config, images: Tensor) -> tuple[int, int]:
    """Height and width of the images that a candidate is scored on."""
    height, width = images.shape[-2:]
    size = config.fidelity.image_size
    if size == "data":
        return height, width
    if size != "auto":
        return size, size
    stride = 2 if config.network.stem_stride == 2 else 1
    side = LAST_MAP * stride * 2 ** (config.network.cells - 1)
    scale = min(1.0, side / min(height, width))
    return round(height * scale), round(width * scale)


def _resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images.flatten(0, -4), size, mode="area").view(*images.shape[:-2], *size)


def _statistics(run: Run, task: Task) -> Statistics:
    if not run.has(STATISTICS):
        save_statistics(channel_statistics(task.dataset, task.config.seed), run / STATISTICS)
    return load_statistics(run / STATISTICS)


def _names(classes: tuple[str, ...]) -> str:
    shown = ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
    return f"{len(classes)} classes ({shown})"
