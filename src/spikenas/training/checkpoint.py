"""Networks are kept in safetensors files, whose headers hold all that is needed to build the networks again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from spikenas._util.errors import GenotypeError, RunError
from spikenas._util.files import write_atomically
from spikenas._util.sealed import metadata_of, read_sealed, seal
from spikenas._util.threads import threads
from spikenas.config import NetworkConfig
from spikenas.data import Split, Statistics
from spikenas.data.decode import ImageDecoder
from spikenas.data.event_files import EventDecoder
from spikenas.data.items import as_items, decoder_of
from spikenas.data.transforms import normalise
from spikenas.memory import footprint
from spikenas.snn.network import Network
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, Plan
from spikenas.task import Task
from spikenas.training.prediction import Prediction, predictions_of

if TYPE_CHECKING:
    from spikenas.training.evaluation import Evaluation


@dataclass(frozen=True)
class Model:
    """A model is a trained network with the preprocessing that its inputs need.

    Attributes:
        network: The network, ready for inference.
        classes: Names of the classes, in the order of the outputs.
        statistics: Mean and standard deviation of each channel of the training images.
        task: The task it was trained on, where that is at hand.
    """

    network: Network
    classes: tuple[str, ...]
    statistics: Statistics
    task: Task | None = field(default=None, compare=False)

    @property
    def plan(self) -> Plan:
        """Return the layers of the network."""
        return self.network.plan

    @property
    def decoder(self) -> ImageDecoder | EventDecoder:
        """Return the decoder that brings items to the network's input as training did."""
        return decoder_of(self.plan.input, self.plan.network.timesteps)

    def predict(self, what: Any) -> Prediction | list[Prediction]:
        """Predict the class of one item or several, with the preprocessing of training.

        Args:
            what: A path, an image of Pillow, an array or tensor, a batch or a list, as `spikenas.data.items.as_items`
                takes it.
        Returns:
            A prediction; for several items a list of them.
        Raises:
            DataError: An item cannot be decoded, or is of another shape or type.
        """
        items, single = as_items(what, self.decoder)
        with torch.no_grad(), threads(self.task.config.threads if self.task else None):
            device = next(self.network.parameters()).device
            x = normalise(torch.from_numpy(items).to(device), *self.statistics)
            outputs = self.network.eval()(x if self.plan.input.static else x.transpose(0, 1))
        found = predictions_of(outputs.float().cpu(), self.classes)
        return found[0] if single else found

    def evaluate(self, split: Split, device: str = "cpu") -> Evaluation:
        """Run every item of a split through the network, as `spikenas.training.evaluation.evaluate` does."""
        from spikenas.training.evaluation import evaluate

        with threads(self.task.config.threads if self.task else None):
            return evaluate(self, split, device)

    def __repr__(self) -> str:
        spec, network = self.plan.input, self.plan.network
        return (
            f"Model of {len(self.classes)} classes, {footprint(self.plan).params:,} parameters\n"
            f"{self.plan.genotype}\n"
            f"{network.channels} channels, {network.neurons}, input {spec.channels}x{spec.height}x{spec.width}"
        )


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
    """Write tensors and a header of JSON values under a digest of both, whole or not at all.

    Raises:
        RunError: The file cannot be written.
    """
    kept = {key: tensor.detach().contiguous() for key, tensor in tensors.items()}
    content = seal(save(kept, metadata_of(header)))
    write_atomically(path, lambda partial: partial.write_bytes(content))


def load_tensors(path: Path, written_by: str = "train") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote, by the command `written_by`.

    Returns:
        The tensors by name, and the header.
    Raises:
        RunError: The file is not there, truncated or damaged, was not written by SpikeNAS, or has numbers that are not
            finite.
    """
    content, header = read_sealed(path, written_by)
    tensors = load(content)
    for key in sorted(tensors):
        if not tensors[key].isfinite().all():
            raise RunError(f"{path}: {key} has values that are not finite; remove it, and 'spikenas {written_by}' anew")
    return tensors, header


def model_header(plan: Plan, classes: tuple[str, ...], statistics: Statistics) -> dict[str, Any]:
    """Return the header that `load_model` builds a network from."""
    return {
        "genotype": str(plan.genotype),
        "network": plan.network.model_dump(mode="json"),
        "input": asdict(plan.input),
        "classes": classes,
        "statistics": statistics._asdict(),
    }


def load_model(path: Path) -> Model:
    """Build the network that a file describes, with its weights.

    Raises:
        RunError: The file is not there, damaged or foreign, or its weights are not finite or not those of its genotype.
    """
    tensors, header = load_tensors(path)
    try:
        plan = make_plan(
            Genotype.parse(header["genotype"]),
            NetworkConfig.of_header(header["network"]),
            InputSpec(**header["input"]),
        )
        model = Model(Network(plan), tuple(header["classes"]), Statistics(*map(tuple, header["statistics"].values())))
    except (AttributeError, KeyError, TypeError, ValueError, GenotypeError):
        raise RunError(f"{path}: its header does not describe a network") from None
    load_weights(model.network, tensors, path)
    model.network.eval()
    return model


def load_weights(network: Network, tensors: dict[str, Tensor], path: Path) -> None:
    """Put tensors into a network.

    Raises:
        RunError: A tensor is missing, left over or of another shape; the message names the first.
    """
    own = network.state_dict()
    for key in sorted(own.keys() | tensors.keys()):
        here, there = own.get(key), tensors.get(key)
        if here is None or there is None:
            raise RunError(f"{path}: does not fit the network, {key} is {'missing' if there is None else 'left over'}")
        if here.shape != there.shape:
            raise RunError(
                f"{path}: does not fit the network, {key} is {list(there.shape)} instead of {list(here.shape)}"
            )
    with torch.no_grad():
        network.load_state_dict(tensors)
