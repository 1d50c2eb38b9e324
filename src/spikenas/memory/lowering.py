"""Makes the program of a plan.

- A *map* is a sum that is accumulated in place, 16 bits an element: of biases, other maps, convolutions of spikes. What
  only a `sum` reads, once and undelayed, is accumulated into the sum's map; what only an average pooling without
  overlap reads, into the pooled map. A BatchNorm that folds is in its convolution's weights and its map's biases; one
  that does not is in the thresholds of the LIF behind it.
- As soon as a map is complete, each layer of neurons that reads it is computed, once for all ops that read its spikes.
  Spikes are kept as one bit a neuron, numbers of spikes as a few and activations as 8, so that the map can go before
  the convolutions of its spikes begin.
- A sum is written over one of its terms where nothing else needs that any more.
- Static layers are computed once, before the first timestep; what is read at every timestep stays for all of them, and
  so do membranes, the sums over time, and what is fed back. Membranes take the place of what was needed before; with
  one timestep integer-valued neurons have none, and nothing stays.
- What a delayed term reads is written when its stage ends, after all that read the last timestep's: straight into the
  buffer that stays where nothing else reads it, else as a copy, the copies last. A static layer is always copied: what
  is fed back is 0 at the first timestep, and the layer's own map is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from spikenas.memory.program import Phase, Program, Step
from spikenas.space.plan import LayerSpec, Plan, Term


def make_program(plan: Plan) -> Program:
    """Make the kernels and buffers of a plan, by the rules above."""
    return _Lowering(plan).program()


@dataclass
class _Lowering:
    plan: Plan
    steps: list[Step] = field(default_factory=list)
    homes: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    def program(self) -> Program:
        for layer in self.plan.layers:
            if (home := self._home(layer)) is not None:
                self.homes[layer.name] = home
        self.left = Counter(self._reads())
        stay: set[str] = set()
        for layers in self.plan.stages.values():
            for layer in layers:
                if not self._stays(layer):
                    self._emit(layer)
            fed_back = {term.layer: None for layer in layers for term in layer.terms if term.delayed}
            ending = [self.plan.by_name[name] for name in fed_back]
            stay.update(self._carrier(layer) for layer in ending)
            for layer in ending:
                if self._stays(layer):
                    self._emit(self.plan.by_name[self.homes[layer.name]])
            for layer in ending:
                if not self._stays(layer):
                    self.left[self.homes[layer.name]] -= 1
                    self._add("copy", layer, (self.homes[layer.name],), self._carrier(layer))
        order = {"once": 0, "each": 1, "last": 2}
        steps = sorted(self.steps, key=lambda step: order[step.phase])
        return Program(self.plan, tuple(steps), self.homes, self.aliases, frozenset(stay))

    @property
    def _dense(self) -> bool:
        """Whether neurons send activations, which are multiplied by weights, rather than spikes."""
        return self.plan.network.neuron == "relu"

    def _sent(self, neurons: LayerSpec) -> str:
        """The buffer of what a layer of neurons sends."""
        return f"{neurons.name}.{'activations' if self._dense else 'spikes'}"

    def _home(self, layer: LayerSpec) -> str | None:
        """The layer in whose map a result is; None where it is no map."""
        if layer.kind in ("input", "neuron", "globalpool", "dropout", "linear", "vote"):
            return None
        before = self.plan.by_name[layer.terms[0].layer] if layer.terms else None
        if before and layer.kind == "batchnorm" and not self.plan.folds(layer):
            return self._home(before)
        if before and layer.kind == "avgpool" and before.kind == "neuron":
            return None
        readers = self.plan.readers[layer.name]
        if len(readers) == 1 and not readers[0][1].delayed and self._passes_on(layer, *readers[0]):
            return self._home(readers[0][0])
        return layer.name

    def _passes_on(self, layer: LayerSpec, reader: LayerSpec, term: Term) -> bool:
        """Whether a layer is accumulated into its only reader's map."""
        if reader.kind == "batchnorm":
            return layer.kind in ("conv", "sum", "batchnorm") and self.plan.folds(reader)
        if reader.kind == "sum":
            return (
                (
                    (layer.kind == "avgpool" and layer.stride == 1)
                    or (layer.kind == "batchnorm" and not self._is_stem(layer))
                )
                and term.times == 1
                and reader.static == layer.static
            )
        return reader.kind == "avgpool" and reader.stride > 1 and layer.kind == "batchnorm"

    def _is_stem(self, layer: LayerSpec) -> bool:
        while layer.kind in ("batchnorm", "conv"):
            layer = self.plan.by_name[layer.terms[0].layer]
        return layer.kind == "input"

    def _delayed(self, layer: LayerSpec) -> bool:
        return any(term.delayed for _, term in self.plan.readers[layer.name])

    def _only_delayed(self, name: str) -> bool:
        readers = self.plan.readers[name]
        return bool(readers) and all(term.delayed for _, term in readers)

    def _stays(self, layer: LayerSpec) -> bool:
        """Whether a layer's own map carries it into the next timestep.

        It is then written when its stage ends, and whoever reads it is written before.
        """
        return (
            layer.name in self.homes
            and not layer.static
            and self._only_delayed(layer.name)
            and not any(self._only_delayed(self.homes[reader.name]) for reader, _ in self.plan.readers[layer.name])
        )

    def _carrier(self, layer: LayerSpec) -> str:
        """The buffer that carries a layer's result into the next timestep."""
        return self.homes[layer.name] if self._stays(layer) else f"{layer.name}.last"

    def _map_of(self, term: Term) -> str:
        """The buffer that a term of a sum is read from."""
        return self._carrier(self.plan.by_name[term.layer]) if term.delayed else self.homes[term.layer]

    def _reads(self) -> Iterator[str]:
        """The maps that are read, once for each time."""
        for layer in self.plan.layers:
            if layer.kind == "neuron" and layer.terms[0].layer in self.homes:
                yield self.homes[layer.terms[0].layer]
            elif layer.kind == "sum":
                yield from (self._map_of(term) for term in layer.terms if not self._inside(term, layer))
            elif layer.kind == "avgpool" and layer.name in self.homes and layer.stride == 1:
                yield self.homes[layer.terms[0].layer]
            if self._delayed(layer) and not self._stays(layer):
                yield self.homes[layer.name]

    def _inside(self, term: Term, reader: LayerSpec) -> bool:
        return not term.delayed and self.homes[term.layer] == self.homes[reader.name]

    def _emit(self, layer: LayerSpec) -> None:
        """The steps that end in a layer, if it is where results are."""
        if self.homes.get(layer.name) == layer.name and layer.kind != "conv":
            self._emit_map(layer)
        elif layer.kind == "neuron" and layer.terms[0].layer not in self.homes:
            self._add("lif_wide", layer, (layer.terms[0].layer,), self._sent(layer))
        elif layer.kind == "globalpool":
            kernel = "total" if self._dense else "count"
            self._add(kernel, layer, (self._sent(self.plan.by_name[layer.terms[0].layer]),), layer.name)
        elif layer.kind == "linear":
            self._emit_linear(layer)
        elif layer.kind == "vote":
            self._add("votes", layer, (layer.terms[0].layer,), layer.name, phase="last")

    def _emit_linear(self, layer: LayerSpec) -> None:
        before = self.plan.by_name[layer.terms[0].layer]
        if before.kind == "globalpool":
            self._add("scores", layer, (before.name,), layer.name, phase="last")
            return
        while before.kind != "neuron":
            before = self.plan.by_name[before.terms[0].layer]
        if any(reader.kind == "neuron" for reader, _ in self.plan.readers[layer.name]):
            self._add("zero", layer, (), layer.name)
        self._add("linear", layer, (self._sent(before),), layer.name)

    def _emit_map(self, layer: LayerSpec) -> None:
        """Begin a map, accumulate what it is the sum of, then let the LIFs read it."""
        terms, poured = self._parts(layer)
        phase: Phase = "once" if layer.static else "each"
        biased = any(
            self.homes.get(other.name) == layer.name and other.kind == "batchnorm" and self.plan.folds(other)
            for other in self.plan.layers
        )
        if poured and poured[0].kind == "conv" and self._is_stem(poured[0]):
            self._add("stem", poured[0], ("input",), layer.name, biases=True, phase=phase)
            poured = poured[1:]
        else:
            base = next((term for term in terms if self._dies(layer, term)), None)
            if base is None:
                self._add("fill", layer, (), layer.name, biases=biased, phase=phase)
            else:
                terms.remove(base)
                source = self._map_of(base)
                self.left[source] -= 1
                self.aliases[layer.name] = source
                if base.times > 1 or biased:
                    self._add("add", layer, (source,), layer.name, base.times - 1, biases=biased, phase=phase)
        for term in terms:
            source = self._map_of(term)
            self.left[source] -= 1
            self._add("add", layer, (source,), layer.name, term.times, phase=phase)
        for part in poured:
            self._pour(part, layer, phase)
        self._read(layer)

    def _parts(self, layer: LayerSpec) -> tuple[list[Term], list[LayerSpec]]:
        """What ends in a map: terms that are maps of their own, and convolutions and poolings."""
        if layer.kind == "conv" or (layer.kind == "avgpool" and layer.stride == 1):
            return [], [layer]
        if layer.kind != "sum":
            return self._parts(self.plan.by_name[layer.terms[0].layer])
        terms, poured = [], []
        for term in layer.terms:
            if self._inside(term, layer):
                more, parts = self._parts(self.plan.by_name[term.layer])
                terms.extend(more)
                poured.extend(parts)
            else:
                terms.append(term)
        return terms, poured

    def _dies(self, layer: LayerSpec, term: Term) -> bool:
        """Whether a sum may be written over one of its terms: nothing else needs that, now or at the next timestep."""
        source = self.plan.by_name[term.layer]
        return (
            not term.delayed
            and self.left[self._map_of(term)] == 1
            and (source.static == layer.static or self.plan.network.timesteps == 1)
            and not self._delayed(source)
            and not self._delayed(layer)
        )

    def _pour(self, part: LayerSpec, into: LayerSpec, phase: Phase) -> None:
        """Accumulate a convolution or pooling into a map."""
        source = self.plan.by_name[part.terms[0].layer]
        if part.kind == "avgpool":
            self.left[self.homes[source.name]] -= 1
            self._add("avgpool", part, (self.homes[source.name],), into.name, phase=phase)
        elif source.kind == "conv":
            self._add("fill", source, (), source.name, phase=phase)
            kernel = "dense_depthwise" if self._dense else "depthwise"
            neurons = self.plan.by_name[source.terms[0].layer]
            self._add(kernel, source, (self._sent(neurons),), source.name, phase=phase)
            self._add("pointwise", part, (source.name,), into.name, phase=phase)
        else:
            kernel = ("dense" if self._dense else "conv") + ("_pool" if into.kind == "avgpool" else "")
            self._add(kernel, part, (self._sent(source),), into.name, phase=phase)

    def _read(self, layer: LayerSpec) -> None:
        """The layers of neurons that read a complete map, each through a BatchNorm where one does not fold."""
        network = self.plan.network
        neuron = "ilif_once" if network.neuron == "ilif" and network.timesteps == 1 else network.neuron
        for reader in self.plan.layers:
            if reader.kind != "neuron" or self.homes.get(reader.terms[0].layer) != layer.name:
                continue
            self.left[layer.name] -= 1
            scaled = self.plan.by_name[reader.terms[0].layer]
            unfolded = scaled.kind == "batchnorm" and not self.plan.folds(scaled)
            self._add(f"{neuron}_bn" if unfolded else neuron, reader, (layer.name,), self._sent(reader))

    def _add(
        self,
        kernel: str,
        layer: LayerSpec,
        reads: tuple[str, ...],
        writes: str,
        times: int = 1,
        biases: bool = False,
        phase: Phase = "each",
    ) -> None:
        self.steps.append(Step(kernel, layer.name, reads, writes, times, biases, phase))
