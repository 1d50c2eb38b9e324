"""NIR graphs: the same spikes through nirtorch and SpikingJelly, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from programs import Case, T, model_of
from spikenas._util.errors import DeployError
from spikenas.deployment.nir import DT_S, from_nir, read_nir, to_nir, write_nir
from spikenas.snn.lif import lif_step
from spikenas.snn.network import SpikeTrain
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


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="feedback"):
        to_nir(model_of(Case("0-1:conv3x3 1-2:conv3x3 2-3:skip 3-1:skip").plan))
    (tmp_path / "other.nir").write_text("no", encoding="utf-8")
    with pytest.raises(DeployError, match="damaged, or not written by SpikeNAS"):
        read_nir(tmp_path / "other.nir")
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 3), dtype=np.float32)))
    nir.write(tmp_path / "foreign.nir", graph)
    with pytest.raises(DeployError, match="damaged, or not written by SpikeNAS"):
        read_nir(tmp_path / "foreign.nir")
    with pytest.raises(DeployError, match="not a graph that SpikeNAS has written"):
        from_nir(graph)
