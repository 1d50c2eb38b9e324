"""NIR graphs: the same spikes through nirtorch and SpikingJelly, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from programs import Case, T, model_of
from spikenas._util.errors import DeployError
from spikenas.config import NetworkConfig
from spikenas.deployment.nir import DT_S, from_nir, read_nir, to_nir, write_nir
from spikenas.snn.lif import lif_step
from spikenas.snn.network import SpikeTrain
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model

nir = pytest.importorskip("nir")
nirtorch = pytest.importorskip("nirtorch")

CASES = [
    Case("0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3 / 0-1:avgpool3x3 0-3:conv1x1 1-3:conv3x3@0.5"),
    Case("0-1:conv3x3 0-3:skip 1-3:skip 1-2:skip 2-3:skip"),  # a value that counts twice
    Case("0-1:conv3x3 0-3:skip 1-3:skip / 0-3:conv3x3", kind="snasnet"),
    Case("0-1:dwconv3x3 0-3:skip 1-3:skip"),
    Case("0-3:conv3x3", v_reset=-0.25),
]


def expected(model: Model, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    record: list[SpikeTrain] = []
    with torch.no_grad():
        mean, deviation = (torch.tensor(one)[:, None, None] for one in model.statistics)
        outputs = model.network.eval()((x - mean) / deviation, record)
    return outputs, {train.name.replace(".", "_"): train.spikes for train in record}


def stepped(module: Any, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Mean output over the timesteps, and the spikes of every neuron."""
    spikes: dict[str, list[torch.Tensor]] = {}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, outputs: spikes.setdefault(name, []).append(outputs[0])

    for name, part in module.named_children():
        if name.endswith("lif"):
            part.register_forward_hook(keep(name))
    state, total = None, 0
    with torch.no_grad():
        for _ in range(T):
            out, state = module(x, state)
            total = total + out
    return total / T, {name: torch.stack(found) for name, found in spikes.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text[:22])
def test_spikingjelly_gives_the_same_spikes(case: Case, tmp_path: Path) -> None:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    check_spikes(case, lambda path: import_from_nir(path, dt=DT_S), tmp_path)


class PlainLIF(torch.nn.Module):
    def __init__(self, node: Any) -> None:
        super().__init__()
        self.tau, self.threshold, self.reset = (
            float(np.unique(one).item()) for one in (node.tau / DT_S, node.v_threshold, node.v_reset)
        )

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        before = torch.full_like(x, self.reset) if state is None else state
        return lif_step(x, before, self.tau, self.threshold, self.reset)


def affine(node: Any) -> torch.nn.Linear:
    """nirtorch's own leaves the bias as it is drawn."""
    module = torch.nn.Linear(*node.weight.shape[::-1])
    module.weight.data, module.bias.data = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
    return module


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text[:22])
def test_nirtorch_gives_the_same_spikes(case: Case, tmp_path: Path) -> None:
    kinds = {nir.LIF: PlainLIF, nir.Affine: affine, nir.Flatten: lambda node: torch.nn.Flatten(1)}
    check_spikes(case, lambda path: nirtorch.nir_to_torch(nir.read(path), kinds), tmp_path)


def check_spikes(case: Case, load: Any, folder: Path) -> None:
    model = model_of(case.plan)
    write_nir(folder / "network.nir", model)
    x = torch.randn((5, 2, case.size, case.size), generator=torch.Generator().manual_seed(0))
    outputs, spikes = expected(model, x)
    found, fired = stepped(load(str(folder / "network.nir")), x - torch.tensor(model.statistics.mean)[:, None, None])
    assert fired.keys() == spikes.keys()
    assert 0 < spikes[next(iter(spikes))].mean() < 1
    for name, train in spikes.items():
        assert torch.equal(fired[name].reshape(train.shape), train), name
    torch.testing.assert_close(found, outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text[:22])
def test_there_and_back(case: Case, tmp_path: Path) -> None:
    model = model_of(case.plan)
    write_nir(tmp_path / "network.nir", model)
    found = read_nir(tmp_path / "network.nir")
    x = torch.randn((5, 2, case.size, case.size), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(expected(found, x)[0], expected(model, x)[0], rtol=1e-5, atol=1e-6)
    assert found.classes == model.classes


COUNTING = [
    "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3 / 0-1:avgpool3x3 0-3:conv1x1 1-3:conv3x3@0.5",
    "0-1:conv3x3 0-3:skip 1-3:skip 1-2:skip 2-3:skip",
    "0-1:dwconv3x3 0-3:skip 1-3:skip",
]


def of_neurons(text: str, neuron: str, timesteps: int = 1) -> Model:
    genotype = Genotype.parse(text)
    settings = {"neuron": neuron, "levels": 3, "timesteps": timesteps, "channels": 3, "cells": len(genotype.cells)}
    return model_of(make_plan(genotype, NetworkConfig.model_validate(settings), InputSpec(2, 9, 9, 3)))


class Fires(torch.nn.Module):
    def __init__(self, node: Any) -> None:
        super().__init__()
        self.threshold = torch.from_numpy(node.threshold)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x > self.threshold).float()


@pytest.mark.parametrize("text", COUNTING)
def test_counts_are_thresholds_that_are_added(text: str, tmp_path: Path) -> None:
    model = of_neurons(text, "ilif")
    write_nir(tmp_path / "network.nir", model)
    kinds = {nir.Threshold: Fires, nir.Affine: affine, nir.Flatten: lambda node: torch.nn.Flatten(1)}
    module = nirtorch.nir_to_torch(nir.read(tmp_path / "network.nir"), kinds)
    fired: dict[str, list[torch.Tensor]] = {}
    for name, part in module.named_children():
        if isinstance(part, Fires):
            layer = name.rpartition("_")[0]
            part.register_forward_hook(lambda _m, _i, out, layer=layer: fired.setdefault(layer, []).append(out))
    x = torch.randn((5, 2, 9, 9), generator=torch.Generator().manual_seed(0))
    outputs, counts = expected(model, x)
    with torch.no_grad():
        found, _ = module(x - torch.tensor(model.statistics.mean)[:, None, None], None)
    torch.testing.assert_close(found, outputs, rtol=1e-5, atol=1e-6)
    assert fired.keys() == counts.keys()
    for name, sent in counts.items():
        assert len(fired[name]) == 3
        assert torch.equal(torch.stack(fired[name]).sum(0), sent[0]), name
    assert set(torch.cat([sent.flatten() for sent in counts.values()]).tolist()) == {0.0, 1.0, 2.0, 3.0}
    again = read_nir(tmp_path / "network.nir")
    torch.testing.assert_close(expected(again, x)[0], outputs, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="feedback"):
        to_nir(model_of(Case("0-1:conv3x3 1-2:conv3x3 2-3:skip 3-1:skip").plan))
    with pytest.raises(DeployError, match=r"relu neurons cannot be written as NIR, which has spiking neurons alone"):
        to_nir(of_neurons("0-3:conv3x3", "relu"))
    with pytest.raises(DeployError, match=r"ilif neurons at T = 2 cannot be written as NIR, .* at T = 1 they can"):
        to_nir(of_neurons("0-3:conv3x3", "ilif", timesteps=2))
    (tmp_path / "other.nir").write_text("no", encoding="utf-8")
    with pytest.raises(DeployError, match="damaged, or not written by SpikeNAS"):
        read_nir(tmp_path / "other.nir")
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 3), dtype=np.float32)))
    nir.write(tmp_path / "foreign.nir", graph)
    with pytest.raises(DeployError, match="damaged, or not written by SpikeNAS"):
        read_nir(tmp_path / "foreign.nir")
    with pytest.raises(DeployError, match="not a graph that SpikeNAS has written"):
        from_nir(graph)
