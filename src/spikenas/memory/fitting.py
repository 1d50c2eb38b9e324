"""Compares what a network needs of a device with what that has."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2, prod

from spikenas.config import BudgetConfig
from spikenas.memory.budget import speed
from spikenas.memory.model import footprint
from spikenas.space.building import make_plan
from spikenas.space.plan import LayerSpec, Plan
from spikenas.targets import CoreMemory, Target


@dataclass(frozen=True)
class Need:
    """Describes one limit of a device.

    Attributes:
        what: `flash` or `ram` in bytes, `cores`, `layers` that no core holds, or `neurons` of a kind that is not there.
        needed: What the network takes.
        limit: What there is for it.
    """

    what: str
    needed: int
    limit: int

    @property
    def over(self) -> int:
        """Return by how much it does not fit; 0 where it does."""
        return max(0, self.needed - self.limit)


def fits(found: list[Need]) -> bool:
    """Return whether no limit is exceeded."""
    return not any(need.over for need in found)


def needs(plan: Plan, target: Target) -> list[Need]:
    """Return what a network takes of each limit of a device.

    For a microcontroller these are the memory model's flash and RAM, with the code of its core. For a chip with limits
    on neurons and synapses they are cores: a layer takes as many as its neurons, or the synapses of the convolutions
    that it feeds, need. On a chip with a memory for each layer's kernel and neurons (`words`), each layer with weights
    takes a core. The neurons of these chips send one spike or none, so they have no `ilif` and no `relu`.
    """
    if target.kind == "microcontroller":
        settings = plan.network.but({"core": target.core})
        cost = footprint(make_plan(plan.genotype, settings, plan.input))
        figures = (("flash", cost.flash_bytes, target.flash_left), ("ram", cost.ram_bytes, target.ram_left))
        return [Need(what, needed, limit) for what, needed, limit in figures if limit is not None]
    if plan.network.neuron != "lif":
        return [Need("neurons", sum(layer.size for layer in plan.neurons), 0)]
    cores = tuple(core for core in target.cores for _ in range(core.count))
    if cores[0].kernel_words:
        return _layers(plan, cores)
    return [Need("cores", sum(_cores(plan, layer, cores[0]) for layer in plan.layers), len(cores))]


def speed_on(plan: Plan, target: Target) -> dict[str, float | None]:
    """Return instructions, seconds and joules of an inference on a device, with the rates of trained networks.

    None is what is not known: of chips that run no firmware, and of processors whose code is not measured here.
    """
    if target.kind != "microcontroller" or not target.emulated:
        return dict.fromkeys(("instructions", "seconds", "joules"))
    cost = footprint(make_plan(plan.genotype, plan.network.but({"core": target.core}), plan.input))
    return speed(cost.instructions, device_of(target))


def device_of(target: Target, budget: BudgetConfig | None = None) -> BudgetConfig:
    """Return what is known of a device's speed, as a budget has it, with the limits of another budget."""
    known = {"target": None, "clock": target.clock, "cycles": target.cycles, "power": target.power}
    return (budget or BudgetConfig()).model_copy(update=known)


def _cores(plan: Plan, layer: LayerSpec, core: CoreMemory) -> int:
    """Cores of a layer of neurons, or of the outputs; synapses lie with the neurons that send."""
    if layer.kind != "neuron":
        return 1 if layer is plan.layers[-1] else 0
    synapses = sum(_synapses(plan, layer, reader) for reader, _ in plan.readers[layer.name])
    by_neurons = ceil(layer.size / core.neurons) if core.neurons else 1
    by_synapses = ceil(synapses / core.synapse_bytes) if core.synapse_bytes else 1
    return max(by_neurons, by_synapses)


def _synapses(plan: Plan, lif: LayerSpec, reader: LayerSpec) -> int:
    """Connections of neurons to what reads them, also through a pooling, each counted; those over the border too."""
    if reader.kind == "conv":
        return reader.weights * prod(reader.shape[1:])
    if reader.kind == "linear":
        return lif.size * reader.shape[0]
    return sum(_synapses(plan, lif, behind) for behind, _ in plan.readers[reader.name])


def _layers(plan: Plan, cores: tuple[CoreMemory, ...]) -> list[Need]:
    """A core for each layer with weights, as many as can be placed; the words by the vendor's formulas."""
    layers = [layer for layer in plan.layers if layer.weights]
    taken: dict[int, int] = {}

    def place(layer: int, seen: set[int]) -> bool:
        for number, core in enumerate(cores):
            if number in seen or not _holds(core, layers[layer]):
                continue
            seen.add(number)
            if number not in taken or place(taken[number], seen):
                taken[number] = layer
                return True
        return False

    placed = sum(place(layer, set()) for layer in range(len(layers)))
    return [Need("layers", len(layers), placed)]


def _holds(core: CoreMemory, layer: LayerSpec) -> bool:
    window = layer.kernel**2 if layer.kind == "conv" else prod(layer.in_shape[1:])
    height, width = (*layer.shape, 1, 1)[1:3]
    kernel_words = layer.in_shape[0] << ceil(log2(window)) + ceil(log2(layer.shape[0]))
    neuron_words = layer.shape[0] << ceil(log2(height)) + ceil(log2(width))
    return kernel_words <= (core.kernel_words or 0) and neuron_words <= (core.neuron_words or 0)
