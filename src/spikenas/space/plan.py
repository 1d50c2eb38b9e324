"""Describe a network: its genotype and settings as a tuple of layers, in the order in which they are computed.

Whoever needs to know what a network consists of walks a plan: the memory model, the network builder and the
exporters. A plan holds no weights and knows nothing of torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

from spikenas._util.markup import html_table
from spikenas.config import Fit, NetworkConfig
from spikenas.space.genotype import Genotype

RELU_LEVELS = 255  # of a byte, which reach from 0 to RELU_BOUND
RELU_BOUND = 6.0

LayerKind = Literal["input", "conv", "batchnorm", "neuron", "avgpool", "globalpool", "sum", "dropout", "linear", "vote"]


@dataclass(frozen=True)
class InputSpec:
    """An input specification describes what a network is given, [C, H, W], and how many classes it tells apart.

    Attributes:
        channels: Number of channels.
        height: Height in pixels.
        width: Width in pixels.
        classes: Number of classes.
        static: Whether the input is an image, given once; event frames are given at every timestep.
        fit: How an image of another aspect ratio is brought to height and width.
        value_range: Values of pixels of more than 8 bits that become 0 and 255; None where images have no such pixels.
    """

    channels: int
    height: int
    width: int
    classes: int
    static: bool = True
    fit: Fit = "stretch"
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.value_range is not None:  # a list in JSON
            object.__setattr__(self, "value_range", tuple(map(float, self.value_range)))


@dataclass(frozen=True)
class Term:
    """A term says what a layer reads.

    Attributes:
        layer: Name of the layer whose output is read.
        times: Factor that the output is multiplied by.
        delayed: Whether the output of the previous timestep is read, which is 0 at the first.
    """

    layer: str
    times: int = 1
    delayed: bool = False


@dataclass(frozen=True)
class LayerSpec:
    """A layer specification describes one layer; its sizes are per sample and timestep.

    Attributes:
        name: Name that is unique in the plan, such as `cell1.op2.conv`.
        kind: What the layer computes: `conv` has same padding and no bias, `avgpool` counts its padding, `sum` adds its
            terms, `vote` averages groups of neighbouring outputs.
        terms: What the layer reads: one undelayed layer, or for a `sum` any number.
        in_shape: Shape of what the layer reads, (C, H, W) or (features,).
        shape: Shape of the layer's output, (C, H, W) or (features,).
        stage: Part of the network that the layer belongs to, such as `stem`, `cell1`, `reduction1`, `head`.
        static: Whether the output is the same at every timestep.
        kernel: Side of the window in pixels of `conv` and `avgpool`; group size of `vote`.
        stride: Stride in pixels of `conv` and `avgpool`.
        groups: Number of groups of a `conv`; its channels when it is depthwise.
        bias: Whether a `linear` has a bias.
        threshold: Firing threshold of a `neuron`; of the integer-valued one what a spike stands for.
        bits: Number of bits of each weight of `conv` and `linear` on the device.
        lineage: Digest of what the layer computes. Two layers of equal lineage, of any two plans of the same settings
            and input, are the same function of the input, with the same weights before training.
    """

    name: str
    kind: LayerKind
    terms: tuple[Term, ...]
    in_shape: tuple[int, ...]
    shape: tuple[int, ...]
    stage: str
    static: bool
    kernel: int = 0
    stride: int = 1
    groups: int = 1
    bias: bool = False
    threshold: float = 0.0
    bits: int = 8
    lineage: str = ""

    @property
    def size(self) -> int:
        """Number of elements of the output, per sample and timestep."""
        return prod(self.shape)

    @property
    def weights(self) -> int:
        """Number of elements of the weight tensor of a `conv` or `linear`, without bias; 0 for other kinds."""
        if self.kind == "conv":
            return self.kernel**2 * self.in_shape[0] * self.shape[0] // self.groups
        return prod(self.in_shape) * self.shape[0] if self.kind == "linear" else 0


@dataclass(frozen=True, repr=False)
class Plan:
    """A plan describes a network by its layers in computable order, the last one its output.

    Attributes:
        genotype: Genotype of the network.
        network: Settings of the network, with `channels` as a number.
        input: Shape and classes of what the network is given.
        layers: Layers in the order in which they are computed.
    """

    genotype: Genotype
    network: NetworkConfig
    input: InputSpec
    layers: tuple[LayerSpec, ...]

    def __repr__(self) -> str:
        spec = self.input
        shape = f"{spec.channels}x{spec.height}x{spec.width}"
        return f"Plan of {self.genotype}: {len(self.layers)} layers, input {shape}, {spec.classes} classes"

    def _repr_html_(self) -> str:
        rows = [(layer.name, layer.kind, "x".join(map(str, layer.shape)), layer.weights) for layer in self.layers]
        return html_table(("layer", "kind", "output", "weights"), rows, str(self.genotype))

    @property
    def levels(self) -> int:
        """Most that a neuron sends in one timestep: spikes, or as the twin steps of its activation on a device."""
        return {"lif": 1, "ilif": self.network.levels, "relu": RELU_LEVELS}[self.network.neuron]

    @cached_property
    def neurons(self) -> tuple[LayerSpec, ...]:
        """Layers of neurons, in the plan's order."""
        return tuple(layer for layer in self.layers if layer.kind == "neuron")

    @cached_property
    def by_name(self) -> dict[str, LayerSpec]:
        """Layers of the plan by their names."""
        return {layer.name: layer for layer in self.layers}

    @cached_property
    def readers(self) -> dict[str, tuple[tuple[LayerSpec, Term], ...]]:
        """Readers of each layer, by its name: the layers that read it, each with the term that says how."""
        found: dict[str, list[tuple[LayerSpec, Term]]] = {layer.name: [] for layer in self.layers}
        for layer in self.layers:
            for term in layer.terms:
                found[term.layer].append((layer, term))
        return {name: tuple(readers) for name, readers in found.items()}

    def edges(self, lif: LayerSpec) -> int:
        """Return the number of ops that read a LIF layer; 1 where dead edges are kept and nothing does."""
        return max(1, len(self.readers[lif.name]))

    @cached_property
    def stages(self) -> dict[str, tuple[LayerSpec, ...]]:
        """Layers by the names of their stages, in order."""
        found: dict[str, list[LayerSpec]] = {}
        for layer in self.layers:
            found.setdefault(layer.stage, []).append(layer)
        return {stage: tuple(layers) for stage, layers in found.items()}

    def steps_through_time(self, stage: str) -> bool:
        """Say whether a stage has feedback, so that its timesteps cannot be computed side by side."""
        return any(term.delayed for layer in self.stages[stage] for term in layer.terms)

    @cached_property
    def only_fed_back(self) -> frozenset[str]:
        """Names of the layers whose result is used by their own stage alone, a timestep later.

        Nothing needs these layers at the last timestep.
        """
        found: set[str] = set()
        for layer in reversed(self.layers):
            readers = self.readers[layer.name]
            if readers and all(
                reader.stage == layer.stage and (term.delayed or reader.name in found) for reader, term in readers
            ):
                found.add(layer.name)
        return frozenset(found)

    def folds(self, layer: LayerSpec) -> bool:
        """Say whether a BatchNorm disappears into the convolutions before it.

        It does behind a convolution, and behind a sum of normalised convolutions of the same timestep that nothing
        else reads.
        """
        before = self.by_name[layer.terms[0].layer]
        if before.kind == "conv":
            return True
        if len(self.readers[before.name]) > 1:
            return False
        if before.kind == "batchnorm":
            return self.folds(before)
        parts = [self.by_name[term.layer] for term in before.terms]
        return before.kind == "sum" and all(
            part.kind == "batchnorm" and len(self.readers[part.name]) == 1 and not term.delayed
            for part, term in zip(parts, before.terms, strict=True)
        )
