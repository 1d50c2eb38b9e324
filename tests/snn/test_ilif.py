from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spikenas._util.errors import ConfigError
from spikenas.snn.ilif import ILIF, BoundedReLU, ilif_step, spikes_of
from spikenas.space.plan import RELU_BOUND

pytestmark = pytest.mark.usefixtures("one_thread")
NEAR = 1e-9  # of a half, where the order of additions decides


def currents(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * 2 + 1).to(dtype)


def stepwise(x: Tensor, timesteps: int, levels: int, tau: float = 4 / 3, v_threshold: float = 1.0) -> Tensor:
    sent, v = [], None
    for t in range(timesteps):
        spikes, v = ilif_step(x[min(t, len(x) - 1)], v, levels, tau, v_threshold)
        sent.append(spikes)
    return torch.stack(sent)


neurons = st.tuples(st.integers(1, 15), st.floats(1, 10), st.floats(0.1, 3))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-20, 40), min_size=1, max_size=7), neurons)
def test_against_a_loop_over_numbers(currents: list[float], neuron: tuple[int, float, float]) -> None:
    levels, tau, v_threshold = neuron
    x = torch.tensor(currents, dtype=torch.float64)[:, None, None]
    sent = ILIF(len(currents), levels, tau, v_threshold)(x).flatten().tolist()
    v = 0.0
    for current, spikes in zip(currents, sent, strict=True):
        v = v * (1 - 1 / tau) + current
        wanted = min(max(round(v / v_threshold), 0), levels)
        if abs((v / v_threshold) % 1 - 0.5) < NEAR:
            return
        assert spikes == wanted
        v -= spikes * v_threshold


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), neurons, st.integers(0, 1000))
def test_the_gradient_is_a_straight_line_within_the_levels_and_none_of_the_reset(
    timesteps: int, neuron: tuple[int, float, float], seed: int
) -> None:
    levels, tau, v_threshold = neuron
    x = currents(timesteps, 2, 3, dtype=torch.float64, seed=seed).requires_grad_()
    weights = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    sent = ILIF(timesteps, levels, tau, v_threshold)(x)
    (gradient,) = torch.autograd.grad(sent, x, weights)
    expected, v, inside = torch.zeros_like(x), torch.zeros_like(x[0]), []
    with torch.no_grad():
        for t in range(timesteps):
            v = v * (1 - 1 / tau) + x[t]
            inside.append((v > 0) & (v < levels * v_threshold))
            v = v - sent[t] * v_threshold
        for t in range(timesteps):  # what came in at t has decayed by t' to (1 - 1/tau)^(t' - t)
            for later in range(t, timesteps):
                expected[t] += weights[later] * inside[later] / v_threshold * (1 - 1 / tau) ** (later - t)
    torch.testing.assert_close(gradient, expected)


def test_by_hand() -> None:
    x = torch.tensor([[2.4, -1.0, 9.0, 0.4]])
    assert ILIF(1, 4)(x).tolist() == [[2.0, 0.0, 4.0, 0.0]]
    # 2.4 sends 2 and keeps 0.4, of which a quarter is left; 9 sends 4 and keeps 5, of which 1.25 are left.
    x = torch.stack([x[0], torch.tensor([0.3, 1.6, 0.0, 0.45])])
    assert ILIF(2, 4)(x).tolist() == [[2.0, 0.0, 4.0, 0.0], [0.0, 1.0, 1.0, 1.0]]
    spikes, v = ilif_step(torch.tensor([1.2]), torch.tensor([0.4]), 4, tau=2.0, v_threshold=0.5)
    assert (spikes.item(), v.item()) == (3.0, pytest.approx(-0.1))


def test_half_a_spike_goes_to_the_even_number() -> None:
    x = torch.tensor([[0.5, 1.5, 2.5, 3.5]])
    assert ILIF(1, 4)(x).tolist() == [[0.0, 2.0, 2.0, 4.0]]
    assert ILIF(1, 4, v_threshold=0.5)(x / 2).tolist() == [[0.0, 2.0, 2.0, 4.0]]


@pytest.mark.parametrize("v_threshold", [1.0, 0.3])
@pytest.mark.parametrize("timesteps", [1, 4])
def test_the_layer_and_its_steps_agree(timesteps: int, v_threshold: float) -> None:
    for static in (False, True):
        x = currents(1 if static else timesteps, 3, 5, 4, 2)
        sent = ILIF(timesteps, 4, 2.0, v_threshold)(x)
        assert sent.shape == (timesteps, 3, 5, 4, 2)
        assert torch.equal(sent, stepwise(x, timesteps, 4, 2.0, v_threshold))
        assert sent.unique().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("v_threshold", [1.0, 0.3])
@pytest.mark.parametrize("timesteps", [1, 3])
def test_low_precision_has_potentials_of_float32(timesteps: int, v_threshold: float, dtype: torch.dtype) -> None:
    layer = ILIF(timesteps, 15, 2.0, v_threshold)
    x, wide = (currents(timesteps, 2, 500, dtype=dtype).to(kind).requires_grad_() for kind in (dtype, torch.float32))
    sent, expected = layer(x), layer(wide)
    assert sent.dtype == dtype
    assert torch.equal(sent.float(), expected)
    gradient, wanted = torch.autograd.grad(sent.sum(), x)[0], torch.autograd.grad(expected.sum(), wide)[0]
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient.float(), wanted, rtol=4 * torch.finfo(dtype).eps, atol=0)
    assert ilif_step(x[0], None, 15)[1].dtype == torch.float32


@pytest.mark.parametrize("timesteps", [1, 3])
@pytest.mark.parametrize("v_threshold", [1.0, 0.5])
def test_channels_last_stays_channels_last(timesteps: int, v_threshold: float) -> None:
    maps = currents(timesteps * 2, 4, 5, 3).to(memory_format=torch.channels_last)
    x = maps.unflatten(0, (timesteps, 2)).requires_grad_()
    sent = ILIF(timesteps, 4, v_threshold=v_threshold)(x)
    assert sent.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(sent, x, torch.ones_like(sent))
    assert gradient.shape == x.shape
    assert torch.equal(sent, ILIF(timesteps, 4, v_threshold=v_threshold)(x.contiguous()))


def test_one_level_is_a_spike_or_none() -> None:
    assert set(ILIF(3, 1)(currents(3, 200)).unique().tolist()) == {0.0, 1.0}


def test_thresholds_scale_potentials() -> None:
    x = currents(4, 300, dtype=torch.float64)
    assert torch.equal(ILIF(4, 5, v_threshold=0.25)(x / 4), ILIF(4, 5)(x))


def test_input_is_left_alone_and_needs_no_gradient() -> None:
    for v_threshold in (1.0, 0.5):
        x = currents(1, 30, dtype=torch.float32)
        copy = x.clone()
        assert not ILIF(1, 4, v_threshold=v_threshold)(x).requires_grad
        assert not spikes_of(x, 4).requires_grad
        assert torch.equal(x, copy)


def test_no_number_stays_none() -> None:
    assert ILIF(2, 4)(torch.full((2, 1), math.nan)).isnan().all()
    assert ILIF(1, 4)(torch.tensor([[math.inf, -math.inf]])).tolist() == [[4.0, 0.0]]


def test_module_has_no_state() -> None:
    layer, x = ILIF(3, 4, tau=2.0, v_threshold=0.8), currents(3, 5)
    assert torch.equal(layer(x), layer(x))
    assert not layer.state_dict()
    assert "timesteps=3, levels=4, tau=2, v_threshold=0.8" in repr(layer)


@pytest.mark.parametrize("timesteps", [1, 3])
def test_differentiating_twice_fails(timesteps: int) -> None:
    x = currents(timesteps, 4).requires_grad_()
    with pytest.raises(NotImplementedError, match=r"ILIF: .*create_graph"):
        torch.autograd.grad(ILIF(timesteps, 4)(x).sum(), x, create_graph=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timesteps": 0, "levels": 4}, "timesteps must be at least 1, but got 0"),
        ({"timesteps": 1, "levels": 0}, "levels must be at least 1, but got 0"),
        ({"timesteps": 1, "levels": 4, "tau": 0.9}, "tau must be at least 1 timestep, but got 0.9"),
        ({"timesteps": 1, "levels": 4, "tau": math.nan}, "tau"),
        ({"timesteps": 1, "levels": 4, "v_threshold": 0.0}, "v_threshold must be positive, but got 0.0"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ILIF(**settings)  # type: ignore[arg-type]


def test_wrong_input() -> None:
    with pytest.raises(ConfigError, match=r"must be \[5 or 1, B, ...\], but got \[4, 2\]"):
        ILIF(5, 4)(torch.zeros(4, 2))
    with pytest.raises(ConfigError, match=r"floating point, but got torch\.int64"):
        ILIF(5, 4)(torch.zeros(5, 2, dtype=torch.int64))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_the_twin_is_a_bounded_relu(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float64)[None].requires_grad_()
    found = BoundedReLU()(x)
    assert found.tolist() == [[min(max(value, 0.0), RELU_BOUND) for value in values]]
    (gradient,) = torch.autograd.grad(found.sum(), x)
    assert gradient.tolist() == [[float(0 < value < RELU_BOUND) for value in values]]
