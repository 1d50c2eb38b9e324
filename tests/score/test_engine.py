import math
import random

import pytest
import torch

from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.score import Scorer
from spikenas.space import Genotype, InputSpec, Space

NETWORK = NetworkConfig(channels=32, timesteps=3)
INPUT = InputSpec(3, 32, 32, 10)
FIDELITY = FidelityConfig(channels=4, batch=6)
DEEP = Genotype.parse("0-1:conv3x3 1-2:conv3x3 2-3:conv3x3 / 0-1:conv3x3 1-3:conv3x3")


def images(batch: int = 6, size: int = 12) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def scorer(**changes: object) -> Scorer:
    settings = {"name": "sahd", "network": NETWORK, "input": INPUT, "images": images(), "fidelity": FIDELITY}
    return Scorer(**{**settings, **changes})  # type: ignore[arg-type]


def test_same_score_in_any_order_with_any_number_of_threads() -> None:
    space = Space.of(["skip", "conv3x3", "avgpool3x3"])
    rng = random.Random(0)
    genotypes = [g for g in (space.sample(rng) for _ in range(12)) if g.connected]
    forward = scorer()
    first = {genotype: forward(genotype).score for genotype in genotypes}
    torch.set_num_threads(1)
    backward = scorer()
    second = {genotype: backward(genotype).score for genotype in reversed(genotypes)}
    torch.set_num_threads(2)
    assert first == second
    assert len(set(first.values())) > 3
    assert all(map(math.isfinite, first.values()))


def test_equal_networks_are_scored_once() -> None:
    score = scorer()
    one = Genotype.parse("0-1:conv3x3 1-3:skip 0-2:conv1x1 / 0-3:conv3x3")
    other = Genotype.parse("0-2:conv3x3 2-3:skip / 0-1:skip 1-3:conv3x3")
    assert one.canonical == other.canonical
    first, second = score(one), score(other)
    assert first.score == second.score
    assert second.seconds < first.seconds / 10


def test_disconnected_is_minus_infinity_and_costs_no_network() -> None:
    result = scorer()(Genotype.parse("0-1:conv3x3 2-3:conv3x3 / 0-3:skip"))
    assert result.score == -math.inf
    assert result.seconds < 0.01


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"fidelity": FidelityConfig(channels=6, batch=6)},
        {"fidelity": FidelityConfig(channels=4, batch=6, timesteps=5)},
        {"fidelity": FidelityConfig(channels=4, batch=6, repeats=2)},
        {"images": images(8)},
        {"images": images(size=16)},
        {"name": "sahd-bench"},
    ],
)
def test_what_a_score_depends_on(changes: dict[str, object]) -> None:
    assert scorer(**changes)(DEEP).score != scorer()(DEEP).score


def test_the_width_of_the_network_to_be_built_is_not_among_it() -> None:
    wide = NETWORK.model_copy(update={"channels": 64})
    assert scorer(network=wide)(DEEP).score == scorer()(DEEP).score


def test_repeats_are_averaged() -> None:
    def at(repeats: int) -> float:
        return scorer(fidelity=FidelityConfig(channels=4, batch=6, repeats=repeats))(DEEP).score

    assert min(at(1), at(3)) != at(2)
    third = 3 * at(3) - 2 * at(2)
    assert scorer(seed=0)(DEEP).score == at(1)
    assert math.isfinite(third)


def test_equal_images_make_the_kernel_singular() -> None:
    assert scorer(images=images(1).expand(6, -1, -1, -1))(DEEP).score == -math.inf


def test_number_of_cells_is_the_genotype_s() -> None:
    assert math.isfinite(scorer()(Genotype.parse("0-3:conv3x3 / 0-3:skip / 0-3:conv3x3")).score)
