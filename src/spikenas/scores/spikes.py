"""Measure the spikes of candidates that share layers; what an earlier candidate computed is not computed again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from spikenas._util.seeding import seed_of
from spikenas.config import Neuron
from spikenas.scores.probe import Measured, SpikeScore
from spikenas.snn.network import Network, use_batch_statistics
from spikenas.space.plan import LayerSpec, Plan

_SMALL_BYTES = 64  # of a number or a tuple


class Store:
    """A store keeps values by key in bounded memory; the least recently used go first.

    Args:
        capacity_bytes: Size of the store; a value that is larger is not kept.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def __getitem__(self, key: Hashable) -> Any:
        self._values.move_to_end(key)
        return self._values[key][0]

    def __setitem__(self, key: Hashable, value: Any) -> None:
        size = _bytes(value)
        if key in self._values:
            self.used_bytes -= self._values.pop(key)[1]
        if size > self.capacity_bytes:
            return
        self._values[key] = value, size
        self.used_bytes += size
        while self.used_bytes > self.capacity_bytes:
            self.used_bytes -= self._values.popitem(last=False)[1][1]


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.untyped_storage().nbytes() + _SMALL_BYTES
    if isinstance(value, tuple | list):
        return _SMALL_BYTES + sum(map(_bytes, value))
    return _SMALL_BYTES


class _MeasuredLayer(NamedTuple):
    """This class holds what is kept of a layer of neurons."""

    summaries: tuple[Any, ...]
    rate: float


class SpikeRun:
    """A spike run runs candidates on one batch and measures their spikes.

    Args:
        scores: Scores that measure; all have the same `copies`.
        images: Normalised images, [B, C, H, W] or [T, B, C, H, W].
        seed: Seed of weights and noise.
        store_bytes: Memory for values that later candidates may need; an eighth of it is for what was measured.
    """

    def __init__(self, scores: Sequence[SpikeScore], images: Tensor, seed: int, store_bytes: int) -> None:
        self.scores = scores
        self.images = images
        self.seed = seed
        self._values = Store(store_bytes - store_bytes // 8)
        self._measured = Store(store_bytes // 8)
        self._batches: dict[int, Tensor] = {}

    @torch.no_grad()
    def measure(self, plan: Plan, repeat: int) -> tuple[list[list[Measured]], dict[str, float]]:
        """Measure a candidate; only what is not known of it is run.

        Args:
            plan: Plan of the candidate.
            repeat: Number of the initialisation.

        Returns:
            For each score what it measured on all layers of neurons, and the firing rate on the images without noise by
            layer: spikes per neuron and timestep, or of ReLUs the share that is above 0.
        """
        known: dict[str, _MeasuredLayer | None] = {}
        for layer in plan.neurons:
            if (repeat, layer.lineage) in self._measured:
                known[layer.name] = self._measured[repeat, layer.lineage]
        wanted = {layer.name for layer in plan.neurons} - known.keys()
        if wanted:
            known |= dict.fromkeys(wanted)  # nothing is emitted by what only feeds back when T is 1
            self._run(plan, repeat, wanted, known)
        emitted = [(layer, kept) for layer in plan.neurons if (kept := known[layer.name])]
        measured = [
            [Measured(layer, plan.edges(layer), kept.summaries[number]) for layer, kept in emitted]
            for number in range(len(self.scores))
        ]
        return measured, {layer.name: kept.rate for layer, kept in emitted}

    def _run(self, plan: Plan, repeat: int, wanted: Collection[str], known: dict[str, _MeasuredLayer | None]) -> None:
        stored = {layer.name for layer in plan.layers if (repeat, layer.lineage) in self._values}
        needed = needed_layers(plan, wanted, stored)
        network = Network(plan, self.seed, repeat, only=needed)
        network.to(self.images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        use_batch_statistics(network)
        values = {"input": network.checked(self._batch(repeat))}
        for name in needed:
            for term in plan.by_name[name].terms:
                if term.layer not in needed and term.layer not in values:
                    values[term.layer] = self._values[repeat, plan.by_name[term.layer].lineage]

        def keep(layer: LayerSpec, value: Tensor) -> None:
            if layer.name in wanted:
                known[layer.name] = self._summarise(value, plan.network.neuron)
            elif _is_read_by_cells(layer):
                self._values[repeat, layer.lineage] = value

        network.compute(values, keep)
        for name in wanted:
            self._measured[repeat, plan.by_name[name].lineage] = known[name]

    def _summarise(self, sent: Tensor, neuron: Neuron) -> _MeasuredLayer:
        fired = sent if neuron == "lif" else (sent > 0).to(sent.dtype)
        counts = fired if neuron == "relu" else sent
        rate = float(counts[:, : self._clean_images].mean())
        summaries = (score.measure(counts if score.counts else fired) for score in self.scores)
        return _MeasuredLayer(tuple(summaries), rate)

    @property
    def _clean_images(self) -> int:
        return self.images.shape[-4]

    def _batch(self, repeat: int) -> Tensor:
        """Return the images, and copies of them with noise that depends on seed, repeat and the copy's number."""
        if repeat not in self._batches:
            parts = [self.images]
            for number, level in enumerate(self.scores[0].copies):
                generator = torch.Generator().manual_seed(seed_of(self.seed, repeat, "noise", number))
                noise = torch.randn(self.images.shape, generator=generator).to(self.images)
                parts.append(self.images + level * noise)
            batch = torch.cat(parts, dim=-4)
            maps = batch.flatten(0, -4).contiguous(memory_format=torch.channels_last)  # PyTorch is faster on these
            self._batches[repeat] = maps.view(batch.shape)
        return self._batches[repeat]


def needed_layers(plan: Plan, wanted: Collection[str], stored: Collection[str]) -> set[str]:
    """Return the layers that have to run so that the wanted ones do.

    Args:
        plan: Plan of the candidate.
        wanted: Names of the layers whose output is wanted.
        stored: Names of the layers whose output is stored and need not be computed.
    """
    needed: set[str] = set()
    for stage, layers in reversed(plan.stages.items()):
        together = plan.steps_through_time(stage)
        for layer in reversed(layers):
            read = any(reader.name in needed for reader, _ in plan.readers[layer.name])
            if layer.name in wanted or (read and layer.name not in stored):
                needed |= {each.name for each in layers} if together else {layer.name}
                if together:
                    break
    return needed - {"input"}


def _is_read_by_cells(layer: LayerSpec) -> bool:
    """Say whether cells of other candidates may read a layer: the values and terms of cells, and what enters them."""
    if layer.stage == "head" or layer.kind not in ("batchnorm", "avgpool", "sum"):
        return False
    return layer.kind == "avgpool" or not layer.stage.startswith("reduction")
