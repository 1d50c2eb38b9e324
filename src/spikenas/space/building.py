"""Make the plan of a genotype; this module alone decides what layers a network has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas.config import DEFAULT_THRESHOLD, NetworkConfig
from spikenas.space.cell import Cell
from spikenas.space.genotype import Genotype
from spikenas.space.graph import Atom, CellGraph
from spikenas.space.ops import SKIP
from spikenas.space.plan import InputSpec, LayerKind, LayerSpec, Plan, Term


def make_plan(genotype: Genotype, network: NetworkConfig, input: InputSpec, as_written: bool = False) -> Plan:
    """Make the plan of a network from its genotype and settings.

    Args:
        genotype: Cells of the network; cell k of the genotype is cell k of the network.
        network: Settings with `channels` resolved to a number.
        input: Shape and classes of what the network is given.
        as_written: Whether dead edges are kept, as SNASNet and SpikeNAS-Bench count them.

    Returns:
        The plan, with the layers in the order in which they are computed.

    Raises:
        ConfigError: Some settings do not go together, or the image is too small for the number of cells.
        GenotypeError: A cell has no path from input to output, or the number of cells is wrong.
    """
    if not isinstance(network.channels, int):
        raise ConfigError("network.channels: the width 'auto' must be resolved before a plan is made")
    if network.kind == "snasnet" and network.cells != 2:
        raise ConfigError(f"network.cells: snasnet has 2 cells, got {network.cells}")
    check_timesteps(network, input.static)
    if len(genotype.cells) != network.cells:
        raise GenotypeError(
            f"the network has {network.cells} cells (network.cells), the genotype {len(genotype.cells)}: {genotype}"
        )
    builder, widths = _Builder(network, input), network.cell_widths
    value = builder.stem(network.channels)
    for number, cell in enumerate(genotype.at_threshold(network.v_threshold).cells, start=1):
        if number > 1:
            value = builder.reduction(f"reduction{number - 1}", value, widths[number - 1])
        value = builder.cell(f"cell{number}", value, _graph(genotype, number, cell, as_written))
    (builder.compact_head if network.kind == "compact" else builder.snasnet_head)(value)
    named = {layer.stage for layer in builder.layers} | {layer.name for layer in builder.layers if layer.weights}
    if unknown := sorted(layer_bits(network).keys() - named):
        known = ", ".join(sorted(named))
        raise ConfigError(f"network.layer_bits: {unknown[0]!r} is no stage and no layer with weights; known: {known}")
    return Plan(genotype, network, input, tuple(builder.layers))


def layer_bits(network: NetworkConfig) -> dict[str, int]:
    """Return the weight bits that are set for single stages and layers, by name."""
    pairs = (text.partition("=") for text in network.layer_bits)
    return {name: int(bits) for name, _, bits in pairs}


def _graph(genotype: Genotype, number: int, cell: Cell, as_written: bool) -> CellGraph:
    graph = cell.written if as_written else cell.canonical
    if not graph.connected:
        raise GenotypeError(f"cell {number} has no path from its input to its output: {genotype}")
    return graph


def _digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def check_timesteps(network: NetworkConfig, static: bool, key: str = "network.timesteps") -> None:
    """Check that T is one that the neurons can have.

    Args:
        network: Settings of the network.
        static: Whether its input is an image rather than event frames.
        key: Setting that T is from, for the message.

    Raises:
        ConfigError: They are ReLUs, and T is not 1.
    """
    if network.neuron == "relu" and static and network.timesteps != 1:
        raise ConfigError(f"{key}: relu neurons have no memory; images take 1, got {network.timesteps}")


@dataclass
class _Builder:
    network: NetworkConfig
    input: InputSpec
    layers: list[LayerSpec] = field(default_factory=list)
    stage: str = "stem"
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    static: dict[str, bool] = field(default_factory=dict)
    lineages: dict[str, str] = field(default_factory=dict)
    occurrences: Counter[str] = field(default_factory=Counter)
    feedback_lineage: str = ""

    @property
    def stride(self) -> int:
        """Stride of the stem; 1 where it has not been decided yet."""
        return 1 if self.network.stem_stride == "auto" else self.network.stem_stride

    def add(
        self,
        name: str,
        kind: LayerKind,
        terms: str | tuple[Term, ...],
        shape: tuple[int, ...] | None = None,
        **settings: object,
    ) -> str:
        name = f"{self.stage}.{name}"
        if isinstance(terms, str):
            terms = (Term(terms),)
        in_shape = self.shapes[terms[0].layer] if terms else shape or ()
        static = kind != "neuron" and all(self.static[term.layer] and not term.delayed for term in terms)
        lineage = self.lineage(name, kind, terms, shape, settings)
        layer = LayerSpec(
            name,
            kind,
            terms,
            in_shape,
            shape or in_shape,
            self.stage,
            static,
            bits=self.bits(name, kind),
            lineage=lineage,
            **settings,  # type: ignore[arg-type]
        )
        self.append(layer)
        return name

    def bits(self, name: str, kind: LayerKind) -> int:
        """Return the bits of a layer's weights.

        These are the layer's own, else its stage's, else 8 for the first and the last layer, else the network's.
        """
        given = layer_bits(self.network)
        if found := given.get(name) or given.get(self.stage):
            return found
        ends = self.stage == "stem" or name == "head.linear"
        return 8 if ends or kind not in ("conv", "linear") else self.network.weight_bits

    def append(self, layer: LayerSpec) -> None:
        self.layers.append(layer)
        self.shapes[layer.name], self.static[layer.name] = layer.shape, layer.static
        self.lineages[layer.name] = layer.lineage

    def lineage(
        self,
        name: str,
        kind: LayerKind,
        terms: tuple[Term, ...],
        shape: tuple[int, ...] | None,
        settings: dict[str, object],
    ) -> str:
        """Return the lineage of a layer that is about to be added; convolutions that are otherwise alike are numbered.

        In a cell with feedback, what a layer computes depends on the whole cell.
        """
        if self.feedback_lineage:
            return _digest(self.feedback_lineage, name)
        read = [(self.lineages[term.layer], term.times) for term in terms]
        computed = self.network.neuron if kind == "neuron" else kind
        found = _digest(computed, shape, sorted(settings.items()), read)
        if kind not in ("conv", "linear"):
            return found
        self.occurrences[found] += 1
        return _digest(found, self.occurrences[found])

    def conv(self, name: str, source: str, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> str:
        _, height, width = self.shapes[source]
        shape = (channels, -(-height // stride), -(-width // stride))
        return self.add(name, "conv", source, shape, kernel=kernel, stride=stride, groups=groups)

    def neurons(self, part: str, source: str, threshold: float | None = None) -> str:
        """Add neurons; `part` is what stands before the kind of neuron in their name."""
        name = f"{part}{self.network.neuron}"
        threshold = threshold or self.network.v_threshold
        if self.network.neuron == "lif" and threshold <= self.network.v_reset:
            raise ConfigError(
                f"{self.stage}.{name}: threshold {threshold} must be above v_reset {self.network.v_reset}"
            )
        return self.add(name, "neuron", source, threshold=threshold)

    def pool(self, name: str, source: str, kernel: int) -> str:
        channels, height, width = self.shapes[source]
        if min(height, width) < kernel:
            raise ConfigError(
                f"{self.input.height}x{self.input.width} images are too small for {self.network.cells} cells with stem "
                f"stride {self.stride}: {height}x{width} is left at {self.stage}.{name}, which pools "
                f"{kernel}x{kernel}; use fewer cells, a smaller stride or larger images (data.image_size)"
            )
        return self.add(
            name,
            "avgpool",
            source,
            (channels, height // kernel, width // kernel),
            kernel=kernel,
            stride=kernel,
        )

    def stem(self, channels: int) -> str:
        shape = (self.input.channels, self.input.height, self.input.width)
        self.append(LayerSpec("input", "input", (), shape, shape, "stem", self.input.static, lineage="input"))
        conv = self.conv("conv", "input", channels, kernel=3, stride=self.stride)
        return self.add("bn", "batchnorm", conv)

    def reduction(self, stage: str, source: str, channels: int) -> str:
        self.stage = stage
        spikes = self.neurons("", self.add("bn", "batchnorm", source))
        return self.pool("pool", self.add("bn2", "batchnorm", self.conv("conv", spikes, channels, 3)), 2)

    def cell(self, stage: str, source: str, graph: CellGraph) -> str:
        self.stage = stage
        self.feedback_lineage = _digest(self.lineages[source], graph) if graph.has_feedback else ""
        values = {0: source}
        done: dict[int, str] = {}
        neurons: dict[tuple[int, float], str] = {}
        fed_back = {atom.source for atom in graph.atoms if atom.feedback and atom.op == SKIP}

        def compute(number: int, atom: Atom) -> str:
            if number not in done:
                done[number] = self._atom(f"op{number}", values[atom.source], atom, neurons)
            return done[number]

        def delayed(number: int, atom: Atom) -> str:
            if atom.op == SKIP:
                return f"{stage}.value{atom.source}" if atom.source else source
            return f"{stage}.op{number}.{'bn' if atom.op.spiking else 'pool'}"

        for value, terms in enumerate(graph.values, start=1):
            refs = []
            for number, times in terms:
                atom = graph.atoms[number - 1] if number else None
                if atom is None:
                    refs.append(Term(source, times))
                elif not atom.feedback:
                    refs.append(Term(compute(number, atom), times))
                else:
                    refs.append(Term(delayed(number, atom), times, delayed=True))
            alias = len(refs) == 1 and refs[0] == Term(refs[0].layer) and value not in fed_back
            values[value] = refs[0].layer if alias else self._sum(f"value{value}", refs, self.shapes[source])
        for number, atom in enumerate(graph.atoms, start=1):
            if atom.op != SKIP:
                compute(number, atom)
        self.feedback_lineage = ""
        return values[graph.output or 0]

    def _atom(self, name: str, source: str, atom: Atom, neurons: dict[tuple[int, float], str]) -> str:
        """Add one op; convolutions that read one value at one threshold share their neurons, which would be equal."""
        channels = self.shapes[source][0]
        kernel = atom.op.info.kernel
        if atom.op.kind == "avgpool":
            return self.add(f"{name}.pool", "avgpool", source, kernel=kernel)
        key = (atom.source, atom.op.threshold or DEFAULT_THRESHOLD)
        if key not in neurons:
            neurons[key] = self.neurons(f"{name}.", source, key[1])
        spikes = neurons[key]
        if atom.op.kind == "dwconv":
            spikes = self.conv(f"{name}.depthwise", spikes, channels, kernel, groups=channels)
            kernel = 1
        return self.add(f"{name}.bn", "batchnorm", self.conv(f"{name}.conv", spikes, channels, kernel))

    def _sum(self, name: str, terms: list[Term], shape: tuple[int, ...]) -> str:
        for term in terms:
            self.shapes.setdefault(term.layer, shape)  # a delayed term names a layer that comes later
            self.static.setdefault(term.layer, False)
        return self.add(name, "sum", tuple(terms), shape)

    def compact_head(self, source: str) -> None:
        self.stage = "head"
        spikes = self.neurons("", self.add("bn", "batchnorm", source))
        pooled = self.add("pool", "globalpool", spikes, (self.shapes[source][0],))
        self.add("linear", "linear", pooled, (self.input.classes,), bias=True)

    def snasnet_head(self, source: str) -> None:
        network = self.network
        self.stage = "head"
        spikes = self.neurons("", self.add("bn", "batchnorm", source))
        kept = self.add("dropout", "dropout", self.pool("pool", spikes, network.pool))
        hidden = self.add("hidden", "linear", kept, (network.hidden,))
        spikes = self.neurons("hidden_", hidden)
        votes = self.add("linear", "linear", spikes, (self.input.classes * network.votes,), bias=True)
        self.add("vote", "vote", votes, (self.input.classes,), kernel=network.votes)
