"""A network of integers: the constants of its kernels, and their file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikenas._util.errors import GenotypeError, RunError
from spikenas._util.threads import threads
from spikenas.config import NetworkConfig
from spikenas.data import Split
from spikenas.data.decode import ImageDecoder
from spikenas.data.event_files import EventDecoder
from spikenas.data.items import as_items, decoder_of
from spikenas.integers.integer_evaluation import IntegerEvaluation, as_bytes, evaluate_integers
from spikenas.integers.machine import Integers
from spikenas.integers.tensors import run_batch
from spikenas.memory.kernels import tables, weight_steps
from spikenas.memory.lowering import make_program
from spikenas.memory.program import MAP_MAX, Program
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan
from spikenas.task import Task
from spikenas.training.checkpoint import load_tensors, save_tensors
from spikenas.training.prediction import Prediction, predictions_of


@dataclass(frozen=True)
class Leak:
    """1 / tau as mul / 2^shift."""

    mul: int
    shift: int


@dataclass(frozen=True, eq=False)
class IntegerNetwork:
    """The constants of a program, all integers; `reference` says what they do.

    Attributes:
        program: The kernels.
        constants: By layer and name:

            - `weight` of convolutions and linear layers, as PyTorch lays them out: multiples of `weight_steps`, 8 bits;
            - `mul`, `shift` [outputs] of the stem, pointwise and dense convolutions, outputs: to the scale of what they
              write; of integer-valued neurons and ReLUs: from their map to spikes or steps of the activation;
            - `bias` [C] of a map that has biases, of the outputs, and of these neurons where their input is scaled;
            - `threshold` [C] of a LIF, and `reset`, `sign` [C] where its input is scaled or its reset is not 0;
            - `drop` [1] of a LIF: bits that a membrane of 8 bits leaves out; `shift` [1] of one that reads 32-bit sums.
        leak: Leak of all neurons; 1, which keeps nothing, where no membranes are.
        zero: What of the input, per channel, stands for 0.
        input_scale: What one step of the 8-bit input stands for, in the data's scale.
        score_scale: What one step of the outputs stands for.
        classes: Names, in the order of the outputs.
        task: What the network was trained on, where that is at hand.
    """

    program: Program
    constants: dict[str, dict[str, Integers]]
    leak: Leak
    zero: tuple[int, ...]
    input_scale: float
    score_scale: float
    classes: tuple[str, ...]
    task: Task | None = field(default=None, compare=False)

    @property
    def plan(self) -> Plan:
        """The network."""
        return self.program.plan

    @property
    def decoder(self) -> ImageDecoder | EventDecoder:
        """Return the decoder that brings items to the network's input as training did."""
        return decoder_of(self.plan.input, self.plan.network.timesteps)

    def predict(self, what: Any) -> Prediction | list[Prediction]:
        """Say the class of one item or several as the firmware does, bit for bit.

        Args:
            what: As of `Model.predict`.
        Returns:
            A prediction; of several items a list. The probabilities are those of the scores in their real scale.
        Raises:
            DataError: An item cannot be decoded, or is of another shape or type.
        """
        items, single = as_items(what, self.decoder)
        with threads(self.task.config.threads if self.task else None):
            scores = run_batch(self, torch.from_numpy(as_bytes(items, self.input_scale)))
        found = predictions_of(scores.double() * self.score_scale, self.classes)
        return found[0] if single else found

    def evaluate(self, split: Split, device: str = "cpu") -> IntegerEvaluation:
        """Run every item of a split; see `evaluate_integers`."""
        with threads(self.task.config.threads if self.task else None):
            return evaluate_integers(self, split, device)

    def __repr__(self) -> str:
        spec, network = self.plan.input, self.plan.network
        return (
            f"Integers of {len(self.classes)} classes, weights of {network.weight_bits} bits\n"
            f"{self.plan.genotype}\n"
            f"{network.channels} channels, {network.neurons}, input {spec.channels}x{spec.height}x{spec.width}"
        )

    def save(self, path: Path) -> None:
        """Write a file that `load` reads, whole or not at all.

        Raises:
            RunError: it cannot be written, or a constant is not in its range.
        """
        self.check(path)
        header = {
            "genotype": str(self.plan.genotype),
            "network": self.plan.network.model_dump(mode="json"),
            "input": asdict(self.plan.input),
            "leak": asdict(self.leak),
            **{key: getattr(self, key) for key in ("zero", "input_scale", "score_scale", "classes")},
        }
        tensors = {
            f"{layer}.{name}": torch.from_numpy(value.astype(_dtype(name)))
            for layer, named in self.constants.items()
            for name, value in named.items()
        }
        save_tensors(path, tensors, header)

    @classmethod
    def load(cls, path: Path) -> IntegerNetwork:
        """Read what `save` wrote.

        Raises:
            RunError: not there, truncated, foreign, or its constants are not those of its genotype.
        """
        tensors, header = load_tensors(path, "quantise")
        try:
            plan = make_plan(
                Genotype.parse(header["genotype"]),
                NetworkConfig.of_header(header["network"]),
                InputSpec(**header["input"]),
            )
            found: dict[str, dict[str, Integers]] = {}
            for key, tensor in tensors.items():
                layer, _, name = key.rpartition(".")
                found.setdefault(layer, {})[name] = tensor.numpy().astype(np.int64)
            network = cls(
                make_program(plan),
                found,
                Leak(**header["leak"]),
                tuple(map(int, header["zero"])),
                float(header["input_scale"]),
                float(header["score_scale"]),
                tuple(map(str, header["classes"])),
            )
        except (AttributeError, KeyError, TypeError, ValueError, GenotypeError):
            raise RunError(f"{path}: its header does not describe an integer network") from None
        network.check(path)
        return network

    def check(self, path: Path | str) -> None:
        """Check that every constant is there, of the right shape and range.

        Raises:
            RunError: names the first that is not.
        """
        spec, leak = self.plan.input, self.leak
        for name, right in {
            "zero": len(self.zero) == spec.channels and all(0 <= zero <= 255 for zero in self.zero),
            "classes": len(self.classes) == spec.classes,
            "leak": isinstance(leak.mul, int)
            and isinstance(leak.shift, int)
            and 0 < leak.mul < 256
            and 0 <= leak.shift < 15,
            "input_scale": 0 < self.input_scale < math.inf,
            "score_scale": 0 < self.score_scale < math.inf,
        }.items():
            if not right:
                raise RunError(f"{path}: {name} is {getattr(self, name)!r}, which cannot be")
        wanted, steps = dict(constant_shapes(self.program)), weight_steps(self.program)
        given = {(layer, name): value for layer, named in self.constants.items() for name, value in named.items()}
        for key in sorted(wanted.keys() | given.keys()):
            name = ".".join(key)
            if key not in given or key not in wanted:
                raise RunError(f"{path}: {name} is {'missing' if key not in given else 'left over'}")
            if given[key].shape != wanted[key]:
                raise RunError(f"{path}: {name} is {list(given[key].shape)} instead of {list(wanted[key])}")
            low, high = _RANGES[key[1]]
            if key[1] == "shift" and (key[0], "mul") in wanted:
                low = 1
            if key[1] == "bias" and (key[0], "mul") not in wanted:
                low, high = -MAP_MAX, MAP_MAX
            if key[1] == "bias" and self.plan.by_name[key[0]].kind == "neuron":
                low, high = -NEURON_BIAS_MAX, NEURON_BIAS_MAX
            if key[1] == "drop" and self.plan.network.membrane_bits == 16:
                high = 0
            if given[key].size and not low <= given[key].min() <= given[key].max() <= high:
                raise RunError(f"{path}: {name} has values outside {low} to {high}")
            if key[1] == "weight":
                bits, step = self.plan.by_name[key[0]].bits, steps[key[0]]
                if (given[key] % step).any() or np.abs(given[key] // step).max(initial=0) > 1 << bits - 1:
                    raise RunError(f"{path}: {name} has weights that are not of {bits} bits")


NEURON_BIAS_MAX = 1 << 30  # with a product of 15 bits each it stays within 32 bits

_RANGES = {
    "weight": (-128, 127),
    "mul": (-MAP_MAX, MAP_MAX),
    "shift": (0, 31),
    "bias": (-(2**31), 2**31 - 1),
    "threshold": (-MAP_MAX, MAP_MAX),
    "reset": (-MAP_MAX, MAP_MAX),
    "sign": (-1, 1),
    "drop": (0, 15),
}


def _dtype(name: str) -> type[np.integer[Any]]:
    return np.int8 if name == "weight" else np.int32


def constant_shapes(program: Program) -> Iterator[tuple[tuple[str, str], tuple[int, ...]]]:
    """The constants that a program needs: ((layer, name), shape)."""
    for step in program.steps:
        for table in tables(program.plan, step).values():
            yield from (((table.layer, name), table.shape) for name in table.integers)
        yield from (((step.layer, name), (1,)) for name in step.record.scalars)
