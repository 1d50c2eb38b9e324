"""Time the LIF layer beside SpikingJelly's, snnTorch's and a plain PyTorch loop, and the integer one beside a ReLU.

    python benchmarks/bench_lif.py --out lif.json [--threads 2] [--rounds 9] [--part ilif]

Every round runs every layer once, one after the other; the figures are medians over the rounds, and a ratio is the
median of the rounds' ratios (peer / ours, more than 1: ours is faster). Peers come with `pip install spikenas[bench]`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from bench_train import BATCH, CELL, trainer
from common import interleaved, machine
from torch import Tensor, nn

from spikenas.config import NetworkConfig
from spikenas.snn import Network
from spikenas.snn.ilif import ILIF, BoundedReLU
from spikenas.snn.lif import LIF, lif_step
from spikenas.space import Genotype, InputSpec, make_plan

TAU, ALPHA, T = 4 / 3, 2.0, 5
SETTLE_S = 0.05  # the threads of the layer before spin for a while
OURS = "spikenas"
Layer = Callable[[Tensor], Tensor]

CASES = {
    "64x64x32x32": ((T, 64, 64, 32, 32), torch.float32),
    "64x64x32x32 static": ((1, 64, 64, 32, 32), torch.float32),
    "64x16x16x16": ((T, 64, 16, 16, 16), torch.float32),
    "64x16x16x16 static": ((1, 64, 16, 16, 16), torch.float32),
    "1x16x16x16": ((T, 1, 16, 16, 16), torch.float32),
    "64x64x32x32 bfloat16": ((T, 64, 64, 32, 32), torch.bfloat16),
}


def torch_loop(x: Tensor) -> Tensor:
    v = torch.zeros_like(x[0])
    spikes = []
    for t in range(T):
        s, v = lif_step(x[t], v, TAU, alpha=ALPHA)
        spikes.append(s)
    return torch.stack(spikes)


def spikingjelly_layer() -> Layer:
    from spikingjelly.activation_based import neuron, surrogate

    layer = neuron.LIFNode(
        tau=TAU,
        decay_input=True,
        v_reset=0.0,
        surrogate_function=surrogate.ATan(alpha=ALPHA),
        detach_reset=True,
        step_mode="m",
    )

    def run(x: Tensor) -> Tensor:
        layer.reset()
        return layer(x)

    return run


def snntorch_layer() -> Layer:
    import snntorch

    layer = snntorch.Leaky(
        beta=1 - 1 / TAU,
        threshold=1.0,
        spike_grad=snntorch.surrogate.atan(alpha=ALPHA),
        reset_mechanism="zero",
        reset_delay=False,
    )

    def run(x: Tensor) -> Tensor:
        v = torch.zeros_like(x[0])
        spikes = []
        for t in range(T):
            s, v = layer(x[t] / TAU, v)
            spikes.append(s)
        return torch.stack(spikes)

    return run


def find_layers() -> dict[str, Layer]:
    found: dict[str, Layer] = {OURS: LIF(T, TAU, alpha=ALPHA), "torch loop": expanded(torch_loop)}
    for name, make in {"spikingjelly": spikingjelly_layer, "snntorch": snntorch_layer}.items():
        try:
            found[name] = expanded(make())
        except ImportError as error:
            print(f"{name} is left out: {error} (pip install spikenas[bench])")
    return found


def expanded(layer: Layer) -> Layer:
    return lambda x: layer(x.expand(T, *x.shape[1:]))


def forward(layer: Layer, x: Tensor, weights: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(x)


def forward_backward(layer: Layer, x: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    spikes = layer(x)
    return spikes, *torch.autograd.grad(spikes, x, weights)


def measure(
    layers: dict[str, Layer], pass_: Callable[..., object], shape: tuple[int, ...], dtype: torch.dtype, rounds: int
) -> dict:
    x = torch.randn(shape).to(dtype).requires_grad_()
    weights = torch.randn(T, *shape[1:]).to(dtype)
    repeats = max(1, 20_000_000 // weights.numel())
    times: dict[str, list[float]] = {}
    for round_ in range(rounds + 1):
        for name, layer in layers.items():
            time.sleep(SETTLE_S)
            elapsed_s = 0.0
            for _ in range(repeats):
                start = time.perf_counter()
                result = pass_(layer, x, weights)
                elapsed_s += time.perf_counter() - start
                del result
            if round_ > 0:  # the first one compiles and warms up
                times.setdefault(name, []).append(elapsed_s / repeats * 1e3)
    return {
        name: {
            "median_ms": statistics.median(values),
            "min_ms": min(values),
            "ratio": statistics.median(v / ours for v, ours in zip(values, times[OURS], strict=True)),
        }
        for name, values in times.items()
    }


def lif_rows(rounds: int) -> list[dict]:
    layers, rows = find_layers(), []
    print(f"{'T=5, BxCxHxW':22} {'pass':18} {'layer':13} {'median ms':>10} {'min ms':>9} {'ratio':>7}")
    for case, (shape, dtype) in CASES.items():
        for pass_ in (forward, forward_backward):
            for name, row in measure(layers, pass_, shape, dtype, rounds).items():
                rows.append({"case": case, "pass": pass_.__name__, "layer": name, **row})
                print(
                    f"{case:22} {pass_.__name__:18} {name:13} {row['median_ms']:10.3f} {row['min_ms']:9.3f} "
                    f"{row['ratio']:7.1f}",
                    flush=True,
                )
    return rows


def one_step_rows(rounds: int) -> list[dict]:
    """Time integer-valued neurons at T = 1 beside PyTorch's ReLU: the layer alone, and a training step with it."""
    rows = []
    for dtype in (torch.float32, torch.bfloat16):
        maps = torch.randn(64, 24, 16, 16).to(dtype).contiguous(memory_format=torch.channels_last)
        x, weights = maps[None].requires_grad_(), torch.randn_like(maps)[None]
        layers = {"ilif": ILIF(1, 4), "relu": nn.ReLU(), "bounded relu": BoundedReLU()}
        runs = {
            "layer, 64x24x16x16": {
                name: lambda layer=layer, x=x, weights=weights: [forward_backward(layer, x, weights) for _ in range(20)]
                for name, layer in layers.items()
            },
            "training step, width 24": {
                name: one_step_trainer(name, dtype is torch.bfloat16) for name in ("ilif", "relu", "lif")
            },
        }
        for case, of_case in runs.items():
            for name, row in interleaved(of_case, rounds, "ilif").items():
                rows.append({"case": case, "dtype": str(dtype), "neuron": name, **row})
                print(f"T = 1, {case:24} {dtype!s:15} {name:13} ratio to ilif {row['ratio']:.2f}", flush=True)
    return rows


def one_step_trainer(neuron: str, bf16: bool) -> Callable[[], None]:
    settings = NetworkConfig(channels=24, stem_stride=2, timesteps=1, neuron=neuron)
    network = Network(make_plan(Genotype.parse(f"{CELL} / {CELL}"), settings, InputSpec(3, 32, 32, 10)))
    for name, module in network.layers.items():
        if isinstance(module, BoundedReLU):
            network.layers[name] = nn.ReLU()
    network = network.train().to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    return trainer(network, images, torch.randint(10, (BATCH,)), bf16)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--part", choices=("all", "lif", "ilif"), default="all")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)

    found = {"machine": machine(), "timesteps": T}
    if arguments.part != "ilif":
        found["rows"] = lif_rows(arguments.rounds)
    if arguments.part != "lif":
        found["one_step"] = one_step_rows(arguments.rounds)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")
