"""The training loop trains by surrogate gradient, with a checkpoint after each epoch and exact resume."""

from __future__ import annotations

import gc
import importlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast

from spikenas._util.errors import DivergedError, RunError, TooShortError
from spikenas._util.run_files import CHECKPOINT, LOG, MODEL
from spikenas._util.seeding import seed_of
from spikenas._util.threads import threads
from spikenas._util.units import format_duration
from spikenas.config import Config, TrainConfig, usual_batch
from spikenas.data import DataSet, Statistics
from spikenas.snn.network import Network
from spikenas.space.plan import Plan
from spikenas.training.checkpoint import load_tensors, load_weights, model_header, save_tensors
from spikenas.training.epochs import Epoch, asked_of, behind, is_complete, is_logged, kept_epoch, write_log
from spikenas.training.learner import Learner, class_weights
from spikenas.training.optimiser import make_optimiser
from spikenas.training.precision import precision_of
from spikenas.training.rounds import Progressed, further, learning_rate

LEAST_STEPS = 20  # of the first round of a training whose time is limited
_SEEN, _SURELY = 0.2, 0.7  # share of the time after which it shows, and of the steps that are too few even so
_STEPS_BETWEEN_CHECKS = 50  # whether the loss is finite; each waits for a GPU

Clock = Callable[[], float]
Progress = Callable[[int, int, Sequence[Epoch]], None]


def train(
    plan: Plan,
    dataset: DataSet,
    statistics: Statistics,
    config: Config,
    folder: Path | None,
    progress: Progress = lambda done, total, epochs: None,
    network: Network | None = None,
    clock: Clock = time.perf_counter,
) -> list[Epoch]:
    """Train a network on the training split, and choose its weights on the validation split.

    The loop writes `model.safetensors`, `checkpoint.safetensors` and `train.csv` to the folder after every epoch, and
    goes on from the checkpoint where there is one. On a CPU with the same number of threads, among which `Replicas`
    divide a batch, an interrupted training ends with the same bits. Where more epochs are asked for than the checkpoint
    was made for, they are a further round, with a schedule of its own; the weights kept are chosen among the epochs of
    all rounds.

    With `train.time` the schedule follows the share of the time that is used, also by what a resumed training did
    before. The step in which it is over is the last; the model is whole then, after a last validation. More time is a
    further round. Such a training cannot be repeated bit for bit: how many steps it has is up to the machine.

    Args:
        plan: The network.
        dataset: The images; the test split is not touched.
        statistics: Mean and standard deviation of each channel, for normalisation.
        config: The configuration; `train`, `seed`, `device` and `threads` are read.
        folder: Folder for the files; None writes none.
        progress: Called after each step with the steps done, the steps of the whole training and the epochs done; with
            `train.time` it is seconds in the place of steps.
        network: A network of that plan whose training goes on from its weights; None begins with new ones.
        clock: Function that returns the seconds since any time, which `train.time` and `Epoch.seconds` are measured by.
    Returns:
        All epochs.
    Raises:
        DivergedError: The loss is not finite.
        RunError: A checkpoint does not fit, there are fewer images than processes, the device lacks the precision, or
            the time is too short for a few steps.
    """
    with threads(config.threads):
        epochs = _train(plan, dataset, statistics, config, folder, progress, network, clock)
    if _is_launched():
        gc.collect()  # the threads of the group of processes have to end before the interpreter does, or it may abort
    return epochs


def _train(
    plan: Plan,
    dataset: DataSet,
    statistics: Statistics,
    config: Config,
    folder: Path | None,
    progress: Progress,
    network: Network | None,
    clock: Clock,
) -> list[Epoch]:
    settings = config.train
    accelerator = _accelerator(config, plan, folder)
    accelerator.wait_for_everyone()  # the first may have set a former training aside
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    is_new = network is None
    network = network or Network(plan, config.seed)
    images_here, held_out = dataset.train.load(), dataset.validation.load()
    share = len(images_here) // accelerator.num_processes
    batch = min(settings.batch or usual_batch(len(images_here)), share)
    if not batch:
        raise RunError(f"{accelerator.num_processes} processes cannot share {len(images_here)} training images")
    optimiser = make_optimiser(network, settings, batch * accelerator.num_processes)
    before = _resume(network, optimiser, plan, folder, settings) if folder else None
    epochs = list(before.epochs) if before else []
    rounds = further(before.rounds if before else (), settings)
    header = model_header(plan, dataset.classes, statistics)
    weights = class_weights(images_here, len(dataset.classes), settings.class_weights, accelerator.device)
    network.to(accelerator.device).to(memory_format=torch.channels_last)
    learner = Learner(accelerator, network, optimiser, plan, statistics, settings, batch, weights)
    steps_per_epoch = share // batch
    measure = _Measure(accelerator, settings, epochs, clock)
    with learner.replicas.side_by_side():
        while not is_complete(epochs, settings):
            epoch, lr = len(epochs), 0.0
            learner.begin(config.seed, epoch)
            order = torch.randperm(
                len(images_here), generator=torch.Generator().manual_seed(seed_of(config.seed, "order", epoch))
            )
            sums = torch.zeros(3, dtype=torch.float64, device=accelerator.device)
            own = order.numpy()[accelerator.process_index :: accelerator.num_processes][: steps_per_epoch * batch]
            for step, (images, labels) in enumerate(learner.batches(images_here, own), start=1):
                lr = learning_rate(measure(epoch + (step - 1) / steps_per_epoch), settings, rounds)
                sums += learner.learn(images, labels, lr)
                if step % _STEPS_BETWEEN_CHECKS == 0:
                    _check_finite(float(sums[0]), epoch, settings)
                done = measure(epoch + step / steps_per_epoch)
                if measure.timed and is_new and len(rounds) == 1:
                    _check_pace(epoch * steps_per_epoch + step, done, batch, settings)
                if done >= asked_of(settings):
                    break
                if step < steps_per_epoch:
                    progress(*measure.shown(done, steps_per_epoch), epochs)
            _check_finite(float(sums[0]), epoch, settings)
            validation, balanced = learner.validate(held_out)
            learnt = accelerator.reduce(sums).tolist()
            epochs.append(
                Epoch(
                    epoch + 1,
                    lr,
                    learnt[0] / learnt[2],
                    learnt[1] / learnt[2],
                    validation[0] / validation[2],
                    validation[1] / validation[2],
                    measure.seconds() - behind(epochs, timed=True),
                    balanced,
                )
            )
            accelerator.log(
                {f.name: getattr(epochs[-1], f.name) for f in fields(Epoch) if f.name != "epoch"}, step=epoch + 1
            )
            if folder and accelerator.is_main_process:
                progressed = Progressed(epochs, rounds, measure.timed)
                _save(network, learner.optimiser, progressed, header, folder, settings)
            accelerator.wait_for_everyone()
            progress(*measure.shown(behind(epochs, measure.timed), steps_per_epoch), epochs)
    if folder and accelerator.is_main_process and not is_logged(folder / LOG, epochs):
        write_log(folder / LOG, epochs)  # a kill may have come between it and the checkpoint
    accelerator.end_training()
    return epochs


class _Measure:
    """Says how much of a training is done: in epochs, or in the seconds that it took where its time is limited.

    Several processes go by the clock of the first.
    """

    def __init__(self, accelerator: Accelerator, settings: TrainConfig, epochs: Sequence[Epoch], clock: Clock) -> None:
        self.timed = settings.time is not None
        self._accelerator, self._asked, self._clock = accelerator, asked_of(settings), clock
        self._start = clock() - behind(epochs, timed=True)

    def seconds(self) -> float:
        """Return the seconds of this training, also those before it was resumed."""
        seconds = self._clock() - self._start
        if self._accelerator.num_processes == 1:
            return seconds
        told = torch.tensor(seconds, dtype=torch.float64, device=self._accelerator.device)
        return float(broadcast(told))

    def __call__(self, epochs: float) -> float:
        """Return how much is done where so many epochs are."""
        return self.seconds() if self.timed else epochs

    def shown(self, done: float, steps_per_epoch: int) -> tuple[int, int]:
        """Return what is done and what is asked for as progress shows it, in seconds or steps."""
        unit = 1 if self.timed else steps_per_epoch
        return round(min(done, self._asked) * unit), round(self._asked * unit)


def _check_pace(steps: int, seconds: float, batch: int, settings: TrainConfig) -> None:
    """Check that the time given suffices for more than a few steps: once a part of it is over, and at its end.

    Raises:
        TooShortError: It does not, or surely will not.
    """
    share = min(1.0, seconds / asked_of(settings))
    slow = _SURELY * LEAST_STEPS if share < 1 else LEAST_STEPS
    if share >= _SEEN and steps < share * slow:
        given, many = format_duration(asked_of(settings)), round(steps / share)
        raise TooShortError(
            f"train.time: {given} suffice for {many} step{'s' * (many != 1)} of {batch} images, and learning takes at "
            f"least {LEAST_STEPS}; give more time, or a smaller image, network or batch"
        )


def _check_finite(loss: float, epoch: int, settings: TrainConfig) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"the training loss became {loss} in epoch {epoch + 1}; try a smaller learning rate than {settings.lr:g}"
        )


def _is_launched() -> bool:
    """Say whether a launcher started this process beside others."""
    return "WORLD_SIZE" in os.environ


def _accelerator(config: Config, plan: Plan, folder: Path | None) -> Accelerator:
    AcceleratorState._reset_state(True)  # another training in this process may have had other settings
    if _is_launched():
        importlib.import_module(
            "torch.distributed.nn"
        )  # where it comes after the group, its defaults hold that for ever
    device = torch.device(config.device)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=precision_of(config.train.precision, device, plan.network.neuron),
        log_with="tensorboard" if config.train.tensorboard else None,
        project_dir=str(folder) if folder else None,
    )
    if config.train.tensorboard:
        accelerator.init_trackers("tensorboard")
    return accelerator


def _save(
    network: Network,
    optimiser: torch.optim.Optimizer,
    done: Progressed,
    header: dict[str, Any],
    folder: Path,
    settings: TrainConfig,
) -> None:
    """Write the model where it is the best so far, then the checkpoint that makes the epoch count, then the log."""
    weights = network.state_dict()
    if kept_epoch(done.epochs, settings) is done.epochs[-1]:
        save_tensors(folder / MODEL, weights, header)
    momentum = {
        f"momentum.{name}": optimiser.state[parameter]["momentum_buffer"]
        for name, parameter in network.named_parameters()
        if "momentum_buffer" in optimiser.state[parameter]
    }
    tensors = {f"model.{name}": tensor for name, tensor in weights.items()} | momentum
    save_tensors(folder / CHECKPOINT, tensors, {"genotype": header["genotype"], **done.header()})
    write_log(folder / LOG, done.epochs)


def _resume(
    network: Network, optimiser: torch.optim.Optimizer, plan: Plan, folder: Path, settings: TrainConfig
) -> Progressed | None:
    """Load the checkpoint, if it and its model are there, and return what it has behind it."""
    path = folder / CHECKPOINT
    if not path.exists() or not (folder / MODEL).exists():
        return None
    tensors, header = load_tensors(path)
    if header.get("genotype") != str(plan.genotype):
        raise RunError(f"{path}: a checkpoint of {header.get('genotype')!r}, not of {str(plan.genotype)!r}")
    done = Progressed.parse(header, path)
    done.check(settings, path)
    weights = {key.removeprefix("model."): t for key, t in tensors.items() if key.startswith("model.")}
    load_weights(network, weights, path)
    for name, parameter in network.named_parameters():
        if f"momentum.{name}" in tensors:
            optimiser.state[parameter]["momentum_buffer"] = tensors[f"momentum.{name}"]
    return done
