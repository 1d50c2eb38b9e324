import math
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch import Tensor

from spikenas._util.errors import ScoreError
from spikenas._util.threads import threads
from spikenas.config import FidelityConfig, NetworkConfig
from spikenas.scores import SCORES
from spikenas.scores.engine import Scorer, ScorerFactory
from spikenas.scores.probe import NetworkScore, Probe, SpikeScore
from spikenas.snn.synops import fan_out
from spikenas.space import Genotype, InputSpec, Space, make_plan

NETWORK = NetworkConfig(channels=32, neuron="lif", timesteps=3)
INPUT = InputSpec(3, 32, 32, 10)
FIDELITY = FidelityConfig(channels=4, batch=6, repeats=1)
DEEP = Genotype.parse("0-1:conv3x3 1-2:conv3x3 2-3:conv3x3 / 0-1:conv3x3 1-3:conv3x3")


def images(batch: int = 6, size: int = 12) -> torch.Tensor:
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))


def scorer(**changes: object) -> Scorer:
    settings = {"names": "sahd", "network": NETWORK, "input": INPUT, "images": images(), "fidelity": FIDELITY}
    return Scorer(**{**settings, **changes})  # type: ignore[arg-type]


def test_same_score_in_any_order_with_any_number_of_threads() -> None:
    space = Space.of(["skip", "conv3x3", "avgpool3x3"])
    rng = random.Random(0)
    genotypes = [g for g in (space.sample(rng) for _ in range(12)) if g.connected]
    forward = scorer()
    first = {genotype: forward(genotype).score for genotype in genotypes}
    with threads(2):
        backward = scorer()
        second = {genotype: backward(genotype).score for genotype in reversed(genotypes)}
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


def test_disconnected_is_minus_infinity_and_costs_no_network() -> None:
    result = scorer()(Genotype.parse("0-1:conv3x3 2-3:conv3x3 / 0-3:skip"))
    assert result.score == -math.inf


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"fidelity": FidelityConfig(channels=6, batch=6)},
        {"fidelity": FidelityConfig(channels=4, batch=6, timesteps=5)},
        {"fidelity": FidelityConfig(channels=4, batch=6, repeats=2)},
        {"images": images(8)},
        {"images": images(size=16)},
        {"names": "sahd-bench"},
    ],
)
def test_what_a_score_depends_on(changes: dict[str, object]) -> None:
    assert scorer(**changes)(DEEP).score != scorer()(DEEP).score


def test_the_width_of_the_network_to_be_built_is_not_among_it() -> None:
    wide = NETWORK.but({"channels": 64})
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


def noisy(spikes: Tensor) -> float:
    clean, other = spikes.chunk(2, dim=1)
    return float((clean != other).double().mean())


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more scores: of noise, and of a whole network."""

    def compute(probe: Probe) -> float:
        outputs = probe.network(probe.images)
        loss = torch.nn.functional.cross_entropy(outputs, probe.labels)
        return loss.item() + float(torch.rand((), generator=probe.generator("test")))

    monkeypatch.setitem(
        SCORES, "noise", SpikeScore("noise", "", "", noisy, lambda layers: sum(one.summary for one in layers), (0.1,))
    )
    monkeypatch.setitem(SCORES, "whole", NetworkScore("whole", "", "", compute))


LABELS = torch.arange(6)


@pytest.mark.usefixtures("extra")
def test_several_scores_in_one_pass_are_what_each_is_alone() -> None:
    names = ("sahd", "noise", "sahd-bench-sum", "whole")
    together = scorer(names=names, labels=LABELS)
    found = together.all(DEEP)
    assert list(found) == list(names)
    assert together(DEEP).score == found["sahd"]
    assert found == {name: scorer(names=name, labels=LABELS)(DEEP).score for name in names}
    assert len(set(found.values())) == 4


@pytest.mark.usefixtures("extra")
def test_the_size_of_the_store_changes_no_score() -> None:
    space = Space.of(["skip", "conv3x3", "avgpool3x3"], feedback=True)
    rng = random.Random(1)
    genotypes = [space.sample(rng) for _ in range(12)]
    scores = [
        [scorer_.all(genotype) for genotype in genotypes]
        for scorer_ in (scorer(names=("noise", "sahd"), store_bytes=size) for size in (0, 50_000, 1 << 29))
    ]
    assert scores[0] == scores[1] == scores[2]


@pytest.mark.usefixtures("extra")
def test_a_whole_network_has_its_seed_and_needs_labels() -> None:
    with pytest.raises(ScoreError, match="the score 'whole' needs the labels of the images"):
        scorer(names="whole")
    one = Genotype.parse("0-1:conv3x3 1-3:conv1x1 / 0-3:conv3x3")
    other = Genotype.parse("0-2:conv3x3 2-3:conv1x1 / 0-1:skip 1-3:conv3x3")
    first, again = scorer(names="whole", labels=LABELS)(one), scorer(names="whole", labels=LABELS)(other)
    assert first.score == again.score != scorer(names="whole", labels=LABELS, seed=1)(one).score
    assert first.synops is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_minus_infinity(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORES, "whole", NetworkScore("whole", "", "", lambda probe: value))
    assert scorer(names="whole", labels=LABELS)(DEEP).score == -math.inf


def test_a_decomposition_that_fails_is_minus_infinity(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(probe: Probe) -> float:
        return float(torch.linalg.cholesky(-torch.eye(2))[0, 0])

    monkeypatch.setitem(SCORES, "whole", NetworkScore("whole", "", "", fails))
    assert scorer(names="whole", labels=LABELS)(DEEP).score == -math.inf


def test_unknown_score() -> None:
    with pytest.raises(ScoreError, match="unknown score 'no', known: "):
        scorer(names="no")


def test_synops_are_those_of_the_network_to_be_built() -> None:
    network = NETWORK.but({"channels": 16, "timesteps": 5})
    genotype = Genotype.parse("0-3:conv3x3")
    fidelity = FIDELITY.but({"timesteps": 3})
    spikes: dict[str, float] = {}

    def keep(layers: list[object]) -> float:
        spikes.update({one.layer.name: one.summary for one in layers})  # type: ignore[attr-defined]
        return 0.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCORES, "rate", SpikeScore("rate", "", "", lambda spikes: float(spikes.mean()), keep))  # type: ignore[arg-type]
        found = scorer(names="rate", network=network, fidelity=fidelity)(genotype).synops
    conv = spikes["cell1.op1.lif"] * 5 * 16 * (3 * 32 - 2) ** 2 * 16
    assert found == pytest.approx(conv)  # behind the head's LIF there is a pooling: its values are no spikes
    assert scorer(network=network.but({"channels": "auto"}))(genotype).synops is None
    assert scorer()(Genotype.parse("0-1:conv3x3")).synops is None


def test_fan_out_by_hand() -> None:
    plan = make_plan(Genotype.parse("0-3:conv3x3 0-1:conv1x1 1-3:skip"), NetworkConfig(channels=4, cells=1), INPUT)
    found = fan_out(plan, plan.by_name["cell1.op1.ilif"])
    assert found.shape == (1, 32, 32)
    assert found[0, 0, :3].tolist() == [4 * (4 + 1), 4 * (6 + 1), 4 * (6 + 1)]
    assert found[0, 5, 5] == 4 * (9 + 1)


def factory() -> ScorerFactory:
    return ScorerFactory(("sahd", "sahd-sum"), NETWORK, INPUT, images().numpy(), np.arange(6), FIDELITY)


def all_scores(make: ScorerFactory, genotype: Genotype) -> dict[str, float]:
    return make().all(genotype)


@pytest.mark.slow
def test_a_factory_makes_the_same_scorer_in_another_process() -> None:
    here = all_scores(factory(), DEEP)
    assert here == scorer(names=("sahd", "sahd-sum")).all(DEEP)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(all_scores, factory(), DEEP).result() == here


def test_neighbours_in_the_sharing_order_have_layers_in_common() -> None:
    texts = ["0-3:conv1x1", "0-1:conv3x3 1-3:conv1x1", "0-1:conv3x3", "0-1:conv1x1 1-3:conv1x1", "0-3:conv3x3"]
    genotypes = [Genotype.parse(text) for text in texts]
    order = factory().sharing_order(genotypes)
    assert sorted(order) == list(range(5))
    places = {text: order.index(number) for number, text in enumerate(texts)}
    assert abs(places["0-1:conv3x3 1-3:conv1x1"] - places["0-3:conv3x3"]) == 1
    assert abs(places["0-1:conv1x1 1-3:conv1x1"] - places["0-3:conv1x1"]) == 1


def test_synops_that_nobody_asks_for_are_not_counted() -> None:
    genotype = Genotype.parse("0-3:conv3x3")
    asked, other = scorer()(genotype), scorer(synops=False)(genotype)
    assert asked.synops is not None
    assert (other.score, other.synops) == (asked.score, None)
