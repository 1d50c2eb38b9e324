import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikenas._util.errors import ScoreError
from spikenas.scores import SCORES
from spikenas.scores.probe import Measured, SpikeScore
from spikenas.scores.sahd import log_det, sahd_kernel, sahd_score
from spikenas.space import LayerSpec

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sahd.json").read_text())


def golden_spikes(golden: dict[str, Any] = GOLDEN[0]) -> list[torch.Tensor]:
    rng = np.random.default_rng(golden["seed"])
    return [
        torch.from_numpy(rng.random((layer["T"], golden["batch"], layer["N"])) < layer["p"])
        for layer in golden["layers"]
    ]


def train(spikes: torch.Tensor, edges: int = 1) -> tuple[torch.Tensor, int]:
    return spikes, edges


def through_the_engine_s_interface(score: SpikeScore, trains: list[tuple[torch.Tensor, int]]) -> float:
    layer = LayerSpec("lif", "neuron", (), (), (), "cell1", static=False)
    return score.combine([Measured(layer, edges, score.measure(spikes)) for spikes, edges in trains])


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"seed{golden['seed']}")
def test_golden_kernel_and_value(golden: dict[str, Any]) -> None:
    layers = golden_spikes(golden)
    mean = torch.cat([sahd_kernel(spikes) for spikes in layers]).mean(0)
    torch.testing.assert_close(mean, torch.tensor(golden["K_mean"], dtype=torch.float64), rtol=1e-5, atol=0)
    assert sahd_score([train(spikes) for spikes in layers]) == pytest.approx(golden["logdet"], rel=1e-5)


def test_kernel_by_hand() -> None:
    spikes = torch.tensor([[[1, 0, 1, 0], [1, 1, 0, 0]]]).bool()  # rates 1/2, 1/2; two differ; P = 1/2
    away = {"snasnet": 4 - 0.5 * 2 / (4 * 0.5 + 1e-3), "bench": 4 - 0.5 * 2 / (0.5 + 1e-3)}
    for variant, value in away.items():
        kernel = sahd_kernel(spikes, variant)  # type: ignore[arg-type]
        torch.testing.assert_close(kernel[0], torch.tensor([[4, value], [value, 4]], dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rate=st.floats(0.05, 0.95))
def test_kernel_is_symmetric_equivariant_and_blind_to_the_order_of_neurons(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.random((2, 6, 20)) < rate)
    samples, neurons = torch.from_numpy(rng.permutation(6)), torch.from_numpy(rng.permutation(20))
    kernel = sahd_kernel(x)
    torch.testing.assert_close(kernel, kernel.transpose(1, 2))
    torch.testing.assert_close(torch.diagonal(kernel, dim1=1, dim2=2), torch.full((2, 6), 20.0).double())
    torch.testing.assert_close(sahd_kernel(x[:, samples][:, :, neurons]), kernel[:, samples][:, :, samples])


def test_sum_is_mean_times_a_known_factor() -> None:
    trains = [train(spikes) for spikes in golden_spikes()]
    kernels, batch = sum(len(spikes) for spikes, _ in trains), GOLDEN[0]["batch"]
    mean, total = sahd_score(trains), sahd_score(trains, reduction="sum")
    assert total == pytest.approx(mean + batch * math.log(kernels))


def test_shared_neurons_count_once_for_each_op() -> None:
    first, second = golden_spikes()
    assert sahd_score([train(first, edges=2), train(second)]) == pytest.approx(
        sahd_score([train(first), train(first), train(second)])
    )


def test_named_variants_are_the_four_of_them() -> None:
    trains = [train(spikes) for spikes in golden_spikes()]
    values = {
        score.name: through_the_engine_s_interface(score, trains)
        for score in (SCORES[name] for name in ("sahd", "sahd-sum", "sahd-bench", "sahd-bench-sum"))
    }
    assert values == {
        "sahd": sahd_score(trains, "snasnet", "mean"),
        "sahd-sum": sahd_score(trains, "snasnet", "sum"),
        "sahd-bench": sahd_score(trains, "bench", "mean"),
        "sahd-bench-sum": sahd_score(trains, "bench", "sum"),
    }
    assert len(set(values.values())) == 4


def test_what_cannot_be_computed_is_minus_infinity() -> None:
    silent = torch.zeros(3, 4, 10)
    assert sahd_score([train(silent)]) == -math.inf, "all samples alike: the kernel is singular"
    assert log_det(torch.full((2, 2), math.nan)) == -math.inf
    assert log_det(torch.eye(3)) == 0


@pytest.mark.parametrize("shape", [(2, 1, 5), (2, 3), (2, 3, 0)])
def test_wrong_spikes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ScoreError, match="at least 2 samples and 1 neuron"):
        sahd_kernel(torch.zeros(shape))


def test_no_layers_and_unknown_name() -> None:
    with pytest.raises(ScoreError, match="at least one layer"):
        sahd_score([])
    with pytest.raises(ScoreError, match="unknown score 'sahdd', did you mean 'sahd'"):
        SCORES.find("sahdd")
