"""Replicas of a network share its weights; where BatchNorms do not depend on the batch, they learn what one would."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from spikenas._util.threads import threads
from spikenas.config import Config
from spikenas.data import DataSet, Split, Statistics
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import load_tensors
from spikenas.training.loop import train
from spikenas.training.optimiser import make_optimiser
from spikenas.training.replicas import Replicas

CPU = torch.device("cpu")
CONFIG = Config.parse({"network": {"channels": 4}, "train": {"batch": 128, "crop": 1}})
PLAN = make_plan(
    Genotype.parse("0-1:conv3x3 1-3:conv3x3 0-3:skip / 0-3:conv3x3"), CONFIG.network, InputSpec(1, 8, 8, 3)
)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with threads(2):
        yield
        assert torch.get_num_threads() == 2


def gradients(replicas: Replicas, x: torch.Tensor) -> dict[str, torch.Tensor]:
    shares = x.tensor_split(len(replicas.networks))
    with replicas.side_by_side():
        replicas.each(lambda number: replicas.networks[number].eval()(shares[number]).square().sum().backward())
    replicas.add_gradients()
    first = replicas.networks[0]
    return {name: p.grad.clone() for name, p in first.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("number", [2, 3])
def test_their_gradients_are_those_of_the_whole_batch(number: int) -> None:
    x = torch.rand(96, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    whole = gradients(Replicas(Network(PLAN, 0), 1), x)
    replicas = Replicas(Network(PLAN, 0), number)
    shared = gradients(replicas, x)
    assert shared.keys() == whole.keys() == dict(replicas.networks[0].named_parameters()).keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(shared[name], gradient, rtol=1e-4, atol=1e-4, msg=name)
    assert all(p.grad is None for network in replicas.networks[1:] for p in network.parameters())


@pytest.mark.parametrize("optimiser", ["muon", "sgd"])
def test_they_have_the_weights_that_were_stepped(optimiser: str) -> None:
    replicas = Replicas(Network(PLAN, 0), 2)
    first, second = replicas.networks
    before = [p.detach().clone() for p in first.parameters() if p.dim() > 1]
    gradients(replicas, torch.rand(128, 1, 8, 8))
    make_optimiser(first, CONFIG.but({"train.optimiser": optimiser}).train, 128).step()
    assert all(map(torch.equal, first.parameters(), second.parameters()))
    assert not any(map(torch.equal, before, (p for p in first.parameters() if p.dim() > 1)))


def test_their_statistics_are_the_mean_of_all() -> None:
    replicas = Replicas(Network(PLAN, 0), 2)
    with replicas.side_by_side():
        replicas.each(lambda number: replicas.networks[number].train()(torch.rand(64, 1, 8, 8) + number))
    apart = [[buffer.clone() for buffer in network.buffers()] for network in replicas.networks]
    replicas.average_statistics()
    for first, second, *found in zip(*apart, *(network.buffers() for network in replicas.networks), strict=True):
        for buffer in found:
            torch.testing.assert_close(buffer, ((first.double() + second.double()) / 2).to(buffer.dtype))


def test_there_are_as_many_as_threads_have_a_share_worth_it() -> None:
    network = Network(PLAN, 0)
    assert [len(Replicas.of(network, batch, CPU).networks) for batch in (1, 64, 127, 128, 512)] == [1, 1, 1, 2, 2]
    assert len(Replicas.of(network, 512, torch.device("cuda")).networks) == 1
    assert len(Replicas.of(network, 512, CPU, processes=2).networks) == 1
    with threads(1):
        assert len(Replicas.of(network, 512, CPU).networks) == 1
    random = make_plan(
        Genotype.parse("0-3:conv3x3 / 0-3:conv3x3"),
        CONFIG.but({"network.kind": "snasnet"}).network,
        InputSpec(1, 8, 8, 3),
    )
    assert random.network.dropout > 0
    assert len(Replicas.of(Network(random, 0), 512, CPU).networks) == 1


def test_an_error_in_a_thread_is_raised() -> None:
    replicas, main = Replicas(Network(PLAN, 0), 2), threading.get_ident()

    def work(number: int) -> int:
        assert (threading.get_ident() == main) == (number == 0)
        return 1 // (1 - number)

    with pytest.raises(ZeroDivisionError), replicas.side_by_side():
        replicas.each(work)


def test_training_can_be_repeated_and_interrupted(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    items = Split(np.arange(600) % 3, generator.integers(0, 256, (600, 1, 8, 8), dtype=np.uint8))
    digits = DataSet(
        "noise", ("a", "b", "c"), (1, 8, 8), None, items, items.select(np.arange(600) < 150), lambda: items
    )

    def run(folder: str, epochs: int) -> dict[str, torch.Tensor]:
        config = CONFIG.but({"train.epochs": epochs, "threads": 2, "train.spike_penalty": 0.1})
        train(PLAN, digits, Statistics((0.5,), (0.3,)), config, tmp_path / folder)
        return load_tensors(tmp_path / folder / "checkpoint.safetensors")[0]

    class KilledError(Exception):
        pass

    whole = run("whole", 3)
    assert all(torch.equal(whole[name], tensor) for name, tensor in run("again", 3).items())
    stops = iter([False] * 9 + [True])

    def kill(done: int, total: int, epochs: object) -> None:
        if next(stops):
            raise KilledError

    config = CONFIG.but({"train.epochs": 3, "threads": 2, "train.spike_penalty": 0.1})
    with pytest.raises(KilledError):
        train(PLAN, digits, Statistics((0.5,), (0.3,)), config, tmp_path / "parts", kill)
    parts = run("parts", 3)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], tensor) for name, tensor in parts.items())
