from __future__ import annotations

import json
import math
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spikenas._util.errors import ConfigError
from spikenas._util.threads import threads
from spikenas.snn import lif_kernels as kernels
from spikenas.snn.lif import LIF, _TorchLIF, lif, lif_step

Layer = Callable[..., Tensor]

pytestmark = pytest.mark.usefixtures("one_thread")
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lif.json").read_text())
DEFAULTS = (4 / 3, 1.0, 0.0, 2.0)
NEURONS = [DEFAULTS, (2.0, 0.5, -0.3, 3.0), (1.0, 1.0, 0.0, 2.0)]
# Fewer and more columns than a block and a group of blocks have, with remainders of both.
SHAPES = [(1,), (3, 5), (2, 4, 7, 9), (260,), (16_700,)]


def currents(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * 1.2 + 0.4).to(dtype)


def stepwise(x: Tensor, timesteps: int, *neuron: float) -> Tensor:
    v = torch.full_like(x[0], neuron[2])
    spikes = []
    for t in range(timesteps):
        s, v = lif_step(x[min(t, len(x) - 1)], v, *neuron)
        spikes.append(s)
    return torch.stack(spikes)


def in_torch(x: Tensor, timesteps: int, *neuron: float) -> Tensor:
    return _TorchLIF.apply(x, timesteps, *neuron)


def run(layer: Layer, x: Tensor, weights: Tensor, *neuron: float) -> tuple[Tensor, Tensor]:
    """Spikes, and the gradient of sum(spikes * weights)."""
    x = x.detach().requires_grad_()
    spikes = layer(x, len(weights), *neuron)
    (gradient,) = torch.autograd.grad(spikes, x, weights)
    return spikes.detach(), gradient


def assert_same(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(first[0], second[0])
    torch.testing.assert_close(first[1], second[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", [lif, in_torch, stepwise])
@pytest.mark.parametrize("case", GOLDEN)
def test_golden(layer: Layer, case: dict) -> None:
    tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in case.items() if isinstance(v, list)}
    neuron = case["tau"], case["v_threshold"], case["v_reset"], 2.0
    spikes, gradient = run(layer, tensors["x"], tensors["loss_weights"], *neuron)
    assert torch.equal(spikes, tensors["spikes"])
    torch.testing.assert_close(gradient, tensors["grad_x"], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("tau", [4 / 3, 2.0, 3.7])
@pytest.mark.parametrize("v_threshold", [0.5, 1.0])
def test_equals_spikingjelly(tau: float, v_threshold: float) -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    peer = neuron.LIFNode(
        tau=tau,
        decay_input=True,
        v_threshold=v_threshold,
        v_reset=0.0,
        surrogate_function=surrogate.ATan(alpha=2.0),
        detach_reset=True,
        step_mode="m",
    )
    x, weights = currents(6, 4, 8, 16, 16), currents(6, 4, 8, 16, 16, seed=1)
    ours = run(lif, x, weights, tau, v_threshold, 0.0, 2.0)
    theirs = run(lambda x, *_: peer(x), x, weights)
    assert_same(ours, theirs)


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("timesteps", [1, 2, 5, 8])
def test_paths_agree(timesteps: int, neuron: tuple[float, ...]) -> None:
    for shape in SHAPES:
        x, weights = currents(timesteps, *shape), currents(timesteps, *shape, seed=1)
        fused = run(lif, x, weights, *neuron)
        assert_same(fused, run(in_torch, x, weights, *neuron))
        assert_same(fused, run(stepwise, x, weights, *neuron))


def test_numba_starts_no_threads_of_its_own() -> None:
    with threads(2):
        run(lif, currents(5, 3, 200_003), currents(5, 3, 200_003), *DEFAULTS)
    with pytest.raises(ValueError, match="not initialized"):
        numba.threading_layer()


def test_double_precision() -> None:
    x, weights = (currents(4, 300, dtype=torch.float64, seed=s) for s in (0, 1))
    fused, reference = (run(layer, x, weights, *DEFAULTS) for layer in (lif, stepwise))
    assert torch.equal(fused[0], reference[0])
    torch.testing.assert_close(fused[1], reference[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_number_of_threads_changes_nothing(dtype: torch.dtype) -> None:
    x, weights = currents(5, 3, 20_003, dtype=dtype), currents(5, 3, 20_003, dtype=dtype, seed=1)
    results = []
    for number in (1, 2, 3):
        with threads(number):
            results.append(run(lif, x, weights, *DEFAULTS) + run(lif, x[:1], weights, *DEFAULTS))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("layer", [lif, in_torch, stepwise])
@pytest.mark.parametrize("shape", [(2, 3), (4, 5, 29, 31)])
def test_static_input_is_the_same_current_at_every_timestep(layer: Layer, shape: tuple[int, ...]) -> None:
    x, weights = currents(1, *shape), currents(5, *shape, seed=1)
    spikes, gradient = run(layer, x, weights, *DEFAULTS)
    expanded_spikes, expanded_gradient = run(lif, x.expand(5, *shape), weights, *DEFAULTS)
    assert_same((spikes, gradient), (expanded_spikes, expanded_gradient.sum(0, keepdim=True)))


def test_surrogate_is_the_derivative_of_the_arctangent() -> None:
    v_threshold, alpha, step = 0.7, 3.0, 1e-6

    def primitive(h: Tensor) -> Tensor:
        return torch.atan(math.pi / 2 * alpha * (h - v_threshold)) / math.pi + 0.5

    h = torch.linspace(-3, 3, 101, dtype=torch.float64)[None]
    expected = (primitive(h + step) - primitive(h - step)) / (2 * step)
    for layer in (lif, in_torch, stepwise):
        _, gradient = run(layer, h, torch.ones_like(h), 1.0, v_threshold, 0.0, alpha)
        torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_computes_in_float32(dtype: torch.dtype) -> None:
    x, weights = currents(5, 2, 301, dtype=dtype), currents(5, 2, 301, dtype=dtype, seed=1)
    for current in (x, x[:1]):
        spikes, gradient = run(lif, current, weights, *DEFAULTS)
        expected, expected_gradient = run(in_torch, current.float(), weights.float(), *DEFAULTS)
        assert spikes.dtype == gradient.dtype == dtype
        assert torch.equal(spikes.float(), expected)
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(gradient.float(), expected_gradient, rtol=eps, atol=1e-6)
    spikes, v = lif_step(x[0], torch.zeros_like(x[0]))
    assert (spikes.dtype, v.dtype) == (dtype, torch.float32)


def test_bfloat16_gradients_round_to_nearest_even() -> None:
    weights = torch.arange(-(2**15), 2**15).to(torch.int16).view(torch.bfloat16)[None]
    x = torch.full_like(weights, 0.8)
    with np.errstate(all="ignore"):
        _, gradient = run(lif, x, weights, *DEFAULTS)
    scale = run(lif, x[:, :1].float(), torch.ones(1, 1), *DEFAULTS)[1].item()
    expected = (weights.double() * scale).float().to(torch.bfloat16)
    same = (gradient == expected) | (gradient.isnan() & expected.isnan())
    assert same.double().mean() > 0.99
    torch.testing.assert_close(gradient, expected, rtol=2**-7, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.transpose(1, 3),
        lambda x: x[:, ::2],
        lambda x: x[..., 1:-1],
        lambda x: x.transpose(0, 1),
        lambda x: x[:, :1].expand(-1, 4, -1, -1),
        lambda x: x.flatten(0, 1)[..., None].to(memory_format=torch.channels_last).unflatten(0, (6, 6)),
    ],
    ids=["transposed", "strided", "sliced", "time-inside", "expanded", "channels-last"],
)
def test_any_strides(view: Callable[[Tensor], Tensor]) -> None:
    x, weights = view(currents(6, 6, 5, 4)), view(currents(6, 6, 5, 4, seed=1))
    reference = run(in_torch, x.contiguous(), weights.contiguous(), *DEFAULTS)
    assert_same(run(lif, x, weights, *DEFAULTS), reference)
    assert_same(run(lif, x, weights.contiguous(), *DEFAULTS), reference)


def test_channels_last_stays_channels_last() -> None:
    x = currents(6, 4, 5, 3).to(memory_format=torch.channels_last).unflatten(0, (2, 3))
    assert lif(x, 2).flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", [(5, 0), (5, 2, 0, 3), (1, 0)])
def test_empty(shape: tuple[int, ...]) -> None:
    spikes, gradient = run(lif, currents(*shape), torch.ones(5, *shape[1:]), *DEFAULTS)
    assert spikes.shape == (5, *shape[1:])
    assert gradient.shape == shape


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(value: float) -> None:
    x = currents(5, 300)
    x[1, 7] = value
    spikes, _ = run(lif, x, torch.ones_like(x), *DEFAULTS)
    assert torch.equal(spikes, stepwise(x, 5, *DEFAULTS))
    assert torch.equal(spikes, in_torch(x, 5, *DEFAULTS))


def test_a_neuron_fires_at_its_threshold_and_starts_at_its_reset() -> None:
    assert lif(torch.tensor([[1.0], [0.999]]), 2, tau=1.0).flatten().tolist() == [1.0, 0.0]
    # v = -2 + (x + 2 + 2) / 2 with v_reset taken as rest: -2 + x / 2 + 1 = 0.5 at x = 3, then decays from -2 again.
    assert lif(torch.tensor([[3.0], [3.0]]), 2, 2.0, -0.5, -2.0).flatten().tolist() == [1.0, 1.0]
    assert lif(torch.tensor([[2.9]]), 1, 2.0, -0.5, -2.0).item() == 0.0


@settings(max_examples=40, deadline=None)
@given(
    timesteps=st.integers(1, 6),
    batch=st.integers(1, 5),
    columns=st.integers(1, 600),
    seed=st.integers(0, 1000),
    tau=st.floats(1, 10),
    v_reset=st.floats(-2, 0.9),
)
def test_samples_are_independent(
    timesteps: int, batch: int, columns: int, seed: int, tau: float, v_reset: float
) -> None:
    x = currents(timesteps, batch, columns, seed=seed)
    weights = currents(timesteps, batch, columns, seed=seed + 1)
    order = torch.randperm(batch)
    spikes, gradient = run(lif, x, weights, tau, 1.0, v_reset, 2.0)
    assert ((spikes == 0) | (spikes == 1)).all()
    permuted = run(lif, x[:, order], weights[:, order], tau, 1.0, v_reset, 2.0)
    assert torch.equal(permuted[0], spikes[:, order])
    assert torch.equal(permuted[1], gradient[:, order])
    single = [run(lif, x[:, [b]], weights[:, [b]], tau, 1.0, v_reset, 2.0) for b in range(batch)]
    assert torch.equal(torch.cat([s for s, _ in single], 1), spikes)
    assert torch.equal(torch.cat([g for _, g in single], 1), gradient)


def test_module_has_no_state() -> None:
    layer, x = LIF(5, tau=2.0, v_threshold=0.8), currents(5, 3, 7)
    assert torch.equal(layer(x), layer(x))
    assert torch.equal(layer(x), lif(x, 5, 2.0, 0.8))
    assert not layer.state_dict()
    assert "timesteps=5, tau=2, v_threshold=0.8" in repr(layer)


def test_input_is_left_alone_and_needs_no_gradient() -> None:
    x = currents(5, 3)
    copy = x.clone()
    assert not lif(x, 5).requires_grad
    assert torch.equal(x, copy)


@pytest.mark.parametrize("layer", [lif, in_torch, stepwise])
def test_differentiating_twice_fails(layer: Layer) -> None:
    x = currents(3, 4).requires_grad_()
    with pytest.raises(NotImplementedError, match="create_graph"):
        torch.autograd.grad(layer(x, 3, *DEFAULTS).sum(), x, create_graph=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timesteps": 0}, "timesteps must be at least 1, but got 0"),
        ({"timesteps": 5, "tau": 0.9}, "tau must be at least 1 timestep, but got 0.9"),
        ({"timesteps": 5, "tau": math.nan}, "tau"),
        ({"timesteps": 5, "v_threshold": 0.0}, "v_reset < v_threshold must hold"),
        ({"timesteps": 5, "v_reset": math.nan}, "v_reset < v_threshold must hold"),
        ({"timesteps": 5, "alpha": 0.0}, "alpha must be positive"),
    ],
)
def test_wrong_settings(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LIF(**settings)
    with pytest.raises(ConfigError, match=message):
        lif(torch.zeros(5, 1), **settings)


def test_wrong_input() -> None:
    with pytest.raises(ConfigError, match=r"must be \[5 or 1, B, ...\], but got \[4, 2\]"):
        lif(torch.zeros(4, 2), 5)
    with pytest.raises(ConfigError, match=r"floating point, but got torch\.int64"):
        lif(torch.zeros(5, 2, dtype=torch.int64), 5)


def test_memory_of_dead_tensors_is_reused_and_bounded() -> None:
    memory = kernels.Memory(idle_bytes=12 << 20)
    first = memory.empty((5, 1 << 18), torch.float32)
    alive = memory.empty((5, 1 << 18), torch.float32)
    assert first.data_ptr() % 64 == 0
    assert first.data_ptr() != alive.data_ptr()
    address, view = first.data_ptr(), first[1:].numpy()
    del first
    assert memory.empty((5, 1 << 18), torch.float32).data_ptr() != address, "still seen by the view"
    del view, alive
    assert sum(buffer.nbytes for buffer in memory._idle.values()) <= 12 << 20
    again = [memory.empty((5, 1 << 18), torch.float32).data_ptr() for _ in range(2)]
    assert again[0] == again[1]


def _spikes_equal(x: Tensor, expected: np.ndarray) -> None:
    sys.exit(0 if np.array_equal(lif(x, len(x)).numpy(), expected) else 1)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_forked_worker() -> None:
    torch.set_num_threads(2)
    x = currents(5, 100_000)
    expected = lif(x, 5).numpy()
    child = multiprocessing.get_context("fork").Process(target=_spikes_equal, args=(x, expected))
    child.start()
    child.join(timeout=30)
    assert child.exitcode == 0


def test_import_compiles_nothing_and_other_processes_load_from_the_cache() -> None:
    lif(currents(5, 10), 5)
    if not kernels._forward.stats.cache_path:
        pytest.skip("no folder for the cache is writable")
    script = """
import torch
from spikenas.snn import lif_kernels as kernels
from spikenas.snn.lif import lif
assert not kernels._forward.signatures
lif(torch.zeros(5, 10), 5)
assert sum(kernels._forward.stats.cache_hits.values()) == 1
assert not kernels._forward.stats.cache_misses
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
