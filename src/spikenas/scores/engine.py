"""Score genotypes at the fidelity that is asked for.

Every result depends on the genotype's canonical form, the settings and the data alone: weights come from seeds of their
own, networks keep no state, and one thread does the arithmetic. What candidates share is computed once; that changes
no bit of a score.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from spikenas._util.errors import ScoreError
from spikenas._util.seeding import digest_of
from spikenas._util.threads import threads
from spikenas.config import USUAL_TIMESTEPS, FidelityConfig, NetworkConfig
from spikenas.scores.catalogue import SCORES
from spikenas.scores.probe import NetworkScore, PlanScore, Probe, SpikeScore
from spikenas.scores.spikes import SpikeRun
from spikenas.snn.network import Network, SpikeTrain, use_batch_statistics
from spikenas.snn.synops import fan_out
from spikenas.space.building import check_timesteps, make_plan
from spikenas.space.genotype import Genotype
from spikenas.space.graph import CellGraph
from spikenas.space.plan import InputSpec, Plan

STORE_BYTES = 512 << 20


@dataclass(frozen=True)
class ScoreResult:
    """A score result holds a score and what it cost.

    Attributes:
        score: Score of the genotype; higher is better, -inf when it cannot be computed.
        seconds: Wall time of this call; near 0 when an equal network was scored before.
        synops: Synaptic operations per image that the network to be built would need at the measured firing rates; None
            where they are not asked for, no score uses spikes, the network has none, the genotype has no path, or the
            width is open.
    """

    score: float
    seconds: float
    synops: float | None = None


class _Known:
    """This class holds what is known of a network: each score by name, and the synaptic operations."""

    def __init__(self, scores: dict[str, float], synops: float | None = None) -> None:
        self.scores = scores
        self.synops = synops


class Scorer:
    """A scorer scores genotypes on one batch of images; equal canonical forms are computed once.

    Args:
        names: Keys of `SCORES`; of several, the first one is the score, `all` gives the others too.
        network: Settings of the network that will be built.
        input: Shape and classes of what that network is given.
        images: Normalised batch, [B, C, H, W] or [T, B, C, H, W], at the fidelity's image size.
        fidelity: Settings that a candidate is scored at.
        seed: Seed of the weights and of noise.
        device: Device of PyTorch that computes.
        labels: Classes of the images, [B]; scores of whole networks need them.
        store_bytes: Memory for what candidates share; how much there is changes no score.
        synops: Whether results have synaptic operations, which take a forward pass of their own where candidates are
            scored with other neurons.

    Raises:
        ScoreError: A score is unknown, or needs labels where none are given.
    """

    def __init__(
        self,
        names: str | Sequence[str],
        network: NetworkConfig,
        input: InputSpec,
        images: Tensor,
        fidelity: FidelityConfig,
        seed: int = 0,
        device: str = "cpu",
        labels: Tensor | None = None,
        store_bytes: int = STORE_BYTES,
        synops: bool = True,
    ) -> None:
        self.names = (names,) if isinstance(names, str) else tuple(names)
        self.images = images.to(device)
        self.labels = torch.empty(0) if labels is None else labels.to(device, torch.int64)
        height, width = images.shape[-2:]
        self.full = network, input
        self.network = at_fidelity(network, fidelity, input.static)
        self.input = InputSpec(input.channels, height, width, input.classes, input.static)
        self.repeats = fidelity.repeats
        self.seed = seed
        self._counts_synops = synops and isinstance(network.channels, int) and network.is_spiking
        self._known: dict[tuple[CellGraph, ...], _Known] = {}
        scores = [SCORES.find(name) for name in dict.fromkeys(self.names)]
        self._network_scores = [score for score in scores if isinstance(score, NetworkScore)]
        self._plan_scores = [score for score in scores if isinstance(score, PlanScore)]
        self._weigh = {score.name: score.weigh for score in scores if isinstance(score, SpikeScore) and score.weigh}
        if self._network_scores and labels is None:
            raise ScoreError(f"the score {self._network_scores[0].name!r} needs the labels of the images")
        by_copies: dict[tuple[float, ...], list[SpikeScore]] = {}
        for score in scores:
            if isinstance(score, SpikeScore):
                by_copies.setdefault(score.copies, []).append(score)
        self._runs = [SpikeRun(group, self.images, seed, store_bytes // len(by_copies)) for group in by_copies.values()]

    def __call__(self, genotype: Genotype) -> ScoreResult:
        """Score one genotype; a cell without a path from input to output scores -inf."""
        start = time.perf_counter()
        known = self._look_up(genotype)
        return ScoreResult(known.scores[self.names[0]], time.perf_counter() - start, known.synops)

    def all(self, genotype: Genotype) -> dict[str, float]:
        """Return every score of a genotype by name, from the same spikes."""
        return dict(self._look_up(genotype).scores)

    def _look_up(self, genotype: Genotype) -> _Known:
        key = genotype.canonical
        if key not in self._known:
            with threads(1):
                self._known[key] = self._compute(genotype)
        return self._known[key]

    def _compute(self, genotype: Genotype) -> _Known:
        if not genotype.connected:
            return _Known(dict.fromkeys(self.names, -math.inf))
        plan = _plan(genotype, self.network, self.input)
        values: dict[str, list[float]] = {name: [] for name in self.names}
        rates: list[dict[str, float]] = []
        for repeat in range(self.repeats):
            for run in self._runs:
                measured, rate = run.measure(plan, repeat)
                for score, layers in zip(run.scores, measured, strict=True):
                    values[score.name].append(_value(score.combine, layers))
                if run is self._runs[0] and self._counts_synops:
                    rates.append(rate if self._scores_its_neurons else self._rates_of_its(genotype, plan, repeat))
            for network_score in self._network_scores:
                values[network_score.name].append(_value(network_score.compute, self._probe(plan, repeat)))
        for plan_score in self._plan_scores:
            values[plan_score.name].append(float(plan_score.compute(plan)))
        scores = {name: _mean(found) for name, found in values.items()}
        for name, weigh in self._weigh.items():
            built = _plan(genotype, *self.full) if isinstance(self.full[0].channels, int) else plan
            scores[name] = weigh(scores[name], built)
        return _Known(scores, self._synops(genotype, plan, rates) if rates else None)

    @property
    def _scores_its_neurons(self) -> bool:
        """Whether candidates are scored with the neurons of the network that will be built."""
        return self.network.neuron == self.full[0].neuron

    def _rates_of_its(self, genotype: Genotype, scored: Plan, repeat: int) -> dict[str, float]:
        """Return the spikes per neuron and timestep of the network that will be built, by the layers that are scored.

        It has the width and the images of the candidate.
        """
        own = self.full[0]
        timesteps = own.timesteps if self.input.static else self.network.timesteps
        kind = {"neuron": own.neuron, "levels": own.levels, "timesteps": timesteps}
        plan = _plan(genotype, self.network.but(kind), self.input)
        record: list[SpikeTrain] = []
        with torch.no_grad():
            self._probe(plan, repeat).network(self.images, record)
        rates = {train.name: float(train.spikes.float().mean()) for train in record}
        pairs = zip(scored.neurons, plan.neurons, strict=True)
        return {seen.name: rates[layer.name] for seen, layer in pairs if layer.name in rates}

    def _probe(self, plan: Plan, repeat: int) -> Probe:
        network = Network(plan, self.seed, repeat).to(self.images.device)
        use_batch_statistics(network)
        return Probe(network, self.images, self.labels, self.seed, repeat)

    def _synops(self, genotype: Genotype, scored: Plan, rates: list[dict[str, float]]) -> float:
        network, input = self.full
        plan = _plan(genotype, network, input)
        total = 0.0
        for seen, neurons in zip(scored.neurons, plan.neurons, strict=True):
            if seen.name not in rates[0]:
                continue
            timesteps = network.timesteps - (neurons.name in plan.only_fed_back)
            rate = math.fsum(rate[seen.name] for rate in rates) / len(rates)
            total += rate * timesteps * neurons.shape[0] * float(fan_out(plan, neurons).sum())
        return total


@dataclass(frozen=True, eq=False)
class ScorerFactory:
    """A scorer factory makes a `Scorer` in another process.

    It can be pickled; its fields are the scorer's arguments.
    """

    names: tuple[str, ...]
    network: NetworkConfig
    input: InputSpec
    images: NDArray[Any]
    labels: NDArray[Any] | None
    fidelity: FidelityConfig
    seed: int = 0
    device: str = "cpu"
    store_bytes: int = STORE_BYTES
    synops: bool = True

    def __call__(self) -> Scorer:
        """Make a new scorer, with nothing in its store."""
        return Scorer(
            self.names,
            self.network,
            self.input,
            torch.from_numpy(self.images),
            self.fidelity,
            self.seed,
            self.device,
            None if self.labels is None else torch.from_numpy(self.labels),
            self.store_bytes,
            self.synops,
        )

    @cached_property
    def digest(self) -> str:
        """Digest that is equal for equal factories of one version of the package."""
        asked = self.names, self.seed, self.device, self.synops
        settings = self.network, self.input, self.fidelity, *asked, self.images.shape
        data = [b"" if array is None else array.tobytes() for array in (self.images, self.labels)]
        return digest_of(version("spikenas"), *map(repr, settings), *data)

    def sharing_order(self, genotypes: Sequence[Genotype]) -> list[int]:
        """Return the positions of the genotypes in an order in which neighbours have the most layers in common."""
        network = at_fidelity(self.network, self.fidelity, self.input.static)

        def key(position: int) -> list[str]:
            genotype = genotypes[position]
            plan = _plan(genotype, network, self.input).layers if genotype.connected else ()
            return [layer.lineage for layer in plan]

        return sorted(range(len(genotypes)), key=key)


def at_fidelity(network: NetworkConfig, fidelity: FidelityConfig, static: bool) -> NetworkConfig:
    """Return the network's settings with those of the fidelity in their place; what the network ignores has no effect.

    Args:
        network: Settings of the network that will be built.
        fidelity: Settings that a candidate is scored at.
        static: Whether the input is an image rather than event frames.

    Raises:
        ConfigError: The neurons of the fidelity cannot have its T.
    """
    neuron = network.neuron if fidelity.neuron == "network" else fidelity.neuron
    own = network.timesteps if neuron == network.neuron or not static else USUAL_TIMESTEPS[neuron]
    usual = type(network).model_fields
    changes: dict[str, Any] = {key: usual[key].get_default() for key in network.without_effect}
    changes |= {"neuron": neuron, "timesteps": fidelity.timesteps or own}
    reduced = network.but(changes)
    if fidelity.channels != "network":
        reduced = reduced.at_width(fidelity.channels)
    check_timesteps(reduced, static, "network.timesteps" if fidelity.timesteps is None else "fidelity.timesteps")
    return reduced


def _plan(genotype: Genotype, network: NetworkConfig, input: InputSpec) -> Plan:
    return make_plan(genotype, network.of_cells(len(genotype.cells)), input)


def _value(score: Callable[[Any], float], argument: Any) -> float:
    try:
        return score(argument)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return -math.inf


def _mean(scores: list[float]) -> float:
    mean = math.fsum(scores) / len(scores) if all(map(math.isfinite, scores)) else -math.inf
    return mean if math.isfinite(mean) else -math.inf
