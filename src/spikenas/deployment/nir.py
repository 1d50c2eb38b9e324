"""Writes and reads networks as NIR graphs (neuroir.org), which neuromorphic toolchains read.

BatchNorms are folded; one that does not fold is a 1x1 convolution, and a depthwise convolution a full one. The input
is the image less the channels' means, in the data's scale. Sums are edges into one node. The network's output is the
mean of the graph's over the timesteps. NIR fires above the threshold, we at it. A LIF is forward Euler of NIR's
equation with a step of `DT_S`. Integer-valued neurons at T = 1 are D threshold nodes, at half a spike and then one
apart, whose spikes are added; at more timesteps NIR has nothing that they could be: its neurons reset to a value.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from spikenas._util.errors import ConfigError, DeployError, GenotypeError
from spikenas._util.files import read_regular, write_atomically
from spikenas.config import NetworkConfig
from spikenas.data import Statistics
from spikenas.integers.folding import Folded, fold, pooled_before
from spikenas.snn.network import Network, module_key
from spikenas.space.building import make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.plan import InputSpec, LayerSpec
from spikenas.training.checkpoint import Model

if TYPE_CHECKING:
    import nir

DT_S = 1e-4
_METADATA = "spikenas"
_SEAL = b"spikenas-sha256:"  # with the digest of all before it the end of a file, which readers of HDF5 pass over


def to_nir(model: Model) -> nir.NIRGraph:
    """Return the graph of a trained network.

    Raises:
        DeployError: The network has feedback, on whose delays NIR's readers do not agree, or neurons that NIR has not.
        ConfigError: The package nir is not installed.
    """
    return _Graph(model).build()


def from_nir(graph: nir.NIRGraph) -> Model:
    """Return the network of a graph that `to_nir` made: the same function, its BatchNorms folded.

    Raises:
        DeployError: It is another graph, or its weights are damaged or not those of its genotype.
    """
    try:
        header = json.loads(graph.metadata[_METADATA])
        settings = NetworkConfig.of_header(header["network"])
        plan = make_plan(Genotype.parse(header["genotype"]), settings, InputSpec(**header["input"]))
        classes, mean = tuple(header["classes"]), tuple(header["mean"])
    except (AttributeError, KeyError, TypeError, ValueError, GenotypeError, ConfigError):
        raise DeployError("not a graph that SpikeNAS has written") from None
    network = Network(plan)
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
        for layer in plan.layers:
            node = graph.nodes.get(module_key(layer.name))
            if layer.kind == "conv":
                weight = _array(node, "weight", layer)
                _copy(network, layer, "weight", _diagonal(weight)[:, None] if layer.groups > 1 else weight)
                norms = [reader for reader, _ in plan.readers[layer.name] if reader.kind == "batchnorm"]
                for norm_layer in norms:
                    _set(network, norm_layer, "bias", node)
            elif layer.kind == "batchnorm" and not plan.folds(layer):
                _copy(network, layer, "weight", _diagonal(_array(node, "weight", layer))[:, 0, 0])
                _set(network, layer, "bias", node)
            elif layer.kind == "linear":
                group = plan.network.votes if any(r.kind == "vote" for r, _ in plan.readers[layer.name]) else 1
                for key in ("weight", "bias") if layer.bias else ("weight",):
                    _copy(network, layer, key, np.repeat(_array(node, key, layer), group, axis=0))
    return Model(network, classes, Statistics(mean, (1.0,) * len(mean)))


def write_nir(path: Path, model: Model) -> None:
    """Write the graph of a network as HDF5.

    Raises:
        DeployError: NIR cannot describe the network.
        ConfigError: The package nir is not installed.
    """
    graph = to_nir(model)

    def write(partial: Path) -> None:
        _nir().write(str(partial), graph)
        content = partial.read_bytes()
        partial.write_bytes(content + _SEAL + sha256(content).hexdigest().encode())

    write_atomically(path, write)


def read_nir(path: Path) -> Model:
    """Read what `write_nir` wrote.

    Raises:
        DeployError: The file is not there, is damaged, or was not written by `write_nir`.
        ConfigError: The package nir is not installed.
    """
    nir = _nir()
    content, _, digest = read_regular(path, DeployError).rpartition(_SEAL)
    if digest != sha256(content).hexdigest().encode():  # a damaged file can keep HDF5 busy for ever
        raise DeployError(f"{path}: damaged, or not written by SpikeNAS; 'spikenas deploy' writes one")
    try:
        return from_nir(nir.read(str(path)))
    except DeployError as error:
        raise DeployError(f"{path}: {error}") from None
    except Exception:  # of h5py and nir, whatever a damaged file makes of them
        raise DeployError(f"{path}: not a NIR file that can be read; 'spikenas deploy' writes one") from None


def _nir() -> Any:
    try:
        import nir
    except ImportError:
        raise ConfigError("NIR needs the package nir: pip install 'spikenas[nir]'") from None
    return nir


def _array(node: Any, key: str, layer: LayerSpec) -> Any:
    value = getattr(node, key, None)
    if value is None:
        raise DeployError(f"the graph has no {key} of {layer.name}")
    return value


def _diagonal(weight: Any) -> Any:
    """[C, k, k] of a convolution's [C, C, k, k] that mixes no channels."""
    return weight[np.arange(len(weight)), np.arange(len(weight))]


def _set(network: Network, layer: LayerSpec, key: str, node: Any) -> None:
    _copy(network, layer, key, _array(node, key, layer))


def _copy(network: Network, layer: LayerSpec, key: str, value: Any) -> None:
    own = getattr(network.layers[module_key(layer.name)], key)
    if own.shape != value.shape:
        raise DeployError(f"the graph's {key} of {layer.name} is {list(value.shape)} instead of {list(own.shape)}")
    own.copy_(torch.from_numpy(np.array(value)))


class _Graph:
    def __init__(self, model: Model) -> None:
        self.model, self.plan = model, model.network.plan
        if any(term.delayed for layer in self.plan.layers for term in layer.terms):
            raise DeployError(
                "a network with feedback cannot be written as NIR, whose readers delay cycles differently"
            )
        network = self.plan.network
        if network.neuron == "relu":
            raise DeployError("a network of relu neurons cannot be written as NIR, which has spiking neurons alone")
        if network.neuron == "ilif" and network.timesteps > 1:
            raise DeployError(
                f"ilif neurons at T = {network.timesteps} cannot be written as NIR, whose neurons send one spike and "
                "reset to a value; at T = 1 they can"
            )
        self.nir = _nir()
        self.folded: Folded = fold(model)
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.made: dict[str, Counter[str]] = {}  # by layer, the nodes whose sum it is
        self.given: set[str] = set()  # maps whose biases a convolution has taken

    def build(self) -> nir.NIRGraph:
        for layer in self.plan.layers:
            nodes = self._nodes(layer)
            if nodes:
                inputs = self._flattened(layer) if layer.kind == "linear" else self._inputs(layer)
                for name, node in nodes.items():
                    self._add(name, node, inputs)
                self.made[layer.name] = Counter(nodes.keys())
        last = self.plan.layers[-1]
        outputs = self._sources(last)
        self._add("output", self.nir.Output(output_type={"output": np.array([self.plan.input.classes])}), outputs)
        header = {
            "genotype": str(self.plan.genotype),
            "network": self.plan.network.model_dump(mode="json"),
            "input": asdict(self.plan.input),
            "classes": self.model.classes,
            "mean": self.model.statistics.mean,
        }
        metadata = {_METADATA: json.dumps(header), "dt_s": str(DT_S)}
        return self.nir.NIRGraph(nodes=self.nodes, edges=self.edges, metadata=metadata)

    def _add(self, name: str, node: Any, sources: Counter[str]) -> None:
        self.nodes[name] = node
        for source, times in sources.items():
            if times > 1:
                factor, source = source, f"{name}_{source}_x{times}"
                self.nodes[source] = self._scaling(factor, times)
                self.edges.append((factor, source))
            self.edges.append((source, name))

    def _inputs(self, layer: LayerSpec) -> Counter[str]:
        found: Counter[str] = Counter()
        for term in layer.terms:
            for source, times in self._sources(self.plan.by_name[term.layer]).items():
                found[source] += term.times * times
        return found

    def _sources(self, layer: LayerSpec) -> Counter[str]:
        """The nodes whose sum is a layer's result."""
        return self.made[layer.name] if layer.name in self.made else self._inputs(layer)

    def _scaling(self, source: str, times: int) -> Any:
        layer = next(layer for layer in self.plan.layers if source in self.made.get(layer.name, ()))
        channels, *sides = layer.shape
        return self._conv(times * np.eye(channels)[:, :, None, None], np.zeros(channels), sides)

    def _conv(self, weight: Any, bias: Any, sides: Any, stride: int = 1, padding: int = 0) -> Any:
        weight, bias = (np.asarray(one, dtype=np.float32) for one in (weight, bias))
        return self.nir.Conv2d(tuple(sides), weight, (stride,) * 2, (padding,) * 2, (1, 1), 1, bias)

    def _pool(self, kernel: tuple[int, ...], stride: tuple[int, ...], padding: int = 0) -> Any:
        return self.nir.AvgPool2d(*(np.array(one) for one in (kernel, stride, (padding,) * 2)))

    def _nodes(self, layer: LayerSpec) -> dict[str, Any]:
        """What a layer is in NIR, nodes by name; none where it is part of others or an edge."""
        name, network = module_key(layer.name), self.plan.network
        if layer.kind == "neuron" and network.neuron == "ilif":
            return {
                f"{name}_{n + 1}": self.nir.Threshold(np.full(layer.shape, (n + 0.5) * layer.threshold, np.float32))
                for n in range(network.levels)
            }
        node = self._node(layer)
        return {} if node is None else {name: node}

    def _node(self, layer: LayerSpec) -> Any:
        network = self.plan.network
        match layer.kind:
            case "input":
                return self.nir.Input(input_type={"input": np.array(layer.shape)})
            case "conv":
                return self._convolution(layer)
            case "batchnorm" if not self.plan.folds(layer):
                scale, bias = next(iter(self.folded.scales[lif.name] for lif, _ in self.plan.readers[layer.name]))
                return self._conv(np.diag(scale)[:, :, None, None], bias, layer.shape[1:])
            case "neuron":
                tau, threshold, reset = (
                    np.full(layer.shape, value, dtype=np.float32)
                    for value in (network.tau * DT_S, layer.threshold, network.v_reset)
                )
                return self.nir.LIF(tau, np.ones_like(tau), reset, threshold, reset.copy())
            case "avgpool":
                padding = layer.kernel // 2 if layer.stride == 1 else 0
                return self._pool((layer.kernel,) * 2, (layer.stride,) * 2, padding)
            case "globalpool":
                return self._pool(layer.in_shape[1:], layer.in_shape[1:])
            case "linear":
                return self._linear(layer)
        return None

    def _convolution(self, layer: LayerSpec) -> Any:
        home = self.folded.program.homes[layer.name]
        pooled = self.plan.by_name[home]
        weight = self.folded.weights[layer.name]
        if pooled.kind == "avgpool" and pooled.stride > 1:
            weight = weight * pooled.kernel**2  # averaged by a node of its own
        bias = np.zeros(layer.shape[0])
        if home in self.folded.biases and home not in self.given and layer.groups == 1:
            self.given.add(home)
            bias = self.folded.biases[home]
        if layer.groups > 1:  # NIR's type check knows no groups
            weight = np.eye(layer.groups)[:, :, None, None] * weight
        return self._conv(weight, bias, layer.in_shape[1:], layer.stride, layer.kernel // 2)

    def _flattened(self, layer: LayerSpec) -> Counter[str]:
        """What a linear layer reads: features, or maps through a node that flattens them."""
        inputs = self._inputs(layer)
        shape = self.plan.by_name[layer.terms[0].layer].shape
        before = self.plan.by_name[layer.terms[0].layer]
        if before.kind == "neuron":
            return inputs
        sides = shape if len(shape) == 3 else (*shape, 1, 1)
        name = f"{module_key(layer.name)}_flatten"
        self._add(name, self.nir.Flatten({"input": np.array(sides)}, 0, -1), inputs)
        return Counter({name: 1})

    def _linear(self, layer: LayerSpec) -> Any:
        """Votes are averaged into the weights."""
        weight, bias = self.folded.weights[layer.name], self.folded.biases.get(layer.name)
        if pool := pooled_before(self.plan, layer):
            weight = weight * pool.kernel**2
        vote = next((reader for reader, _ in self.plan.readers[layer.name] if reader.kind == "vote"), None)
        if vote:
            weight = weight.reshape(vote.shape[0], vote.kernel, -1).mean(1)
            bias = None if bias is None else bias.reshape(vote.shape[0], vote.kernel).mean(1)
        both = [np.asarray(one, dtype=np.float32) for one in (weight, bias) if one is not None]
        return self.nir.Linear(*both) if bias is None else self.nir.Affine(*both)
