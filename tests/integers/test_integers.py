"""The integer network: its two implementations, its bounds, its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from programs import Case, cases, frames_for, integers_of, model_of
from spikenas._util.errors import RunError
from spikenas.config import NetworkConfig
from spikenas.data import Split, Statistics
from spikenas.integers import IntegerNetwork, fold, leak_of, make_grid, quantise, run_batch, run_reference, synops_of
from spikenas.integers.integers import Leak
from spikenas.integers.rounding import on_grid, ratios
from spikenas.memory import make_program
from spikenas.memory.kernels import weight_steps
from spikenas.snn import Network
from spikenas.space import Design, Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model, load_tensors, save_tensors
from spikenas.training.evaluation import evaluate

QUICK = settings(max_examples=25, deadline=None)
CONVS = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"


@QUICK
@example(Case("0-1:skip 0-2:skip 0-3:skip 2-1:avgpool3x3 1-3:skip"))
@given(cases())
def test_tensors_compute_what_the_reference_defines(case: Case) -> None:
    network = integers_of(case.plan)
    frames = frames_for(case.plan, 4)
    expected = np.stack([run_reference(network, one) for one in frames])
    found = run_batch(network, torch.from_numpy(frames.astype(np.uint8)).transpose(0, 1))
    assert (found.numpy() == expected).all()


@QUICK
@given(cases())
def test_a_file_holds_the_whole_network(case: Case) -> None:
    network = integers_of(case.plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spikenas.integers.integers.save_tensors", lambda path, tensors, header: saved.update(tensors))
        saved: dict[str, torch.Tensor] = {}
        network.save(Path("nowhere"))
    assert {key: tuple(value.shape) for key, value in saved.items()} == {
        f"{layer}.{name}": value.shape for layer, named in network.constants.items() for name, value in named.items()
    }
    network.check("network")


def errors(case: Case, change: Callable[[Model], None] = lambda model: None) -> NDArray[np.float64]:
    """Outputs of the integers less those of the network, in standard deviations of these."""
    model = model_of(case.plan)
    change(model)
    network = quantise(fold(model), 1 / 64, model.classes)
    network.check("network")
    frames = frames_for(case.plan, 40)
    found = np.stack([run_reference(network, one) for one in frames]) * network.score_scale
    mean, deviation = (torch.tensor(one)[:, None, None] for one in model.statistics)
    with torch.no_grad():
        expected = model.network.eval()((torch.from_numpy(frames[:, 0] / 64).float() - mean) / deviation).numpy()
    return np.asarray(np.abs(found - expected).mean() / expected.std())


@pytest.mark.parametrize("v_reset", [0.0, -0.5, 0.5])
@pytest.mark.parametrize("kind", ["compact", "snasnet"])
def test_eight_bits_hardly_change_a_network(v_reset: float, kind: str) -> None:
    """Random weights, so the outputs are noise-like; a kernel that computes something else would be far off."""
    assert errors(Case(f"{CONVS} / {CONVS}", kind=kind, size=16, channels=8, v_reset=v_reset)) < 0.15


@pytest.mark.parametrize(
    ("neuron", "levels", "timesteps", "most"),
    [("ilif", 4, 1, 0.08), ("ilif", 15, 1, 0.08), ("ilif", 4, 3, 0.08), ("relu", 1, 1, 0.02)],
)
def test_eight_bits_hardly_change_counts_and_activations(neuron: str, levels: int, timesteps: int, most: float) -> None:
    case = Case(f"{CONVS} / {CONVS}", size=16, channels=8, neuron=neuron, levels=levels, timesteps=timesteps)
    assert errors(case) < most


@pytest.mark.parametrize("bits", [4, 2])
def test_few_bits_are_no_coarser_where_a_neuron_sends_several_spikes(bits: int) -> None:
    """The same share of weights is 0 as where it sends one: there is room for them in the worst sums."""
    case = Case(f"{CONVS} / {CONVS}", size=16, channels=8, weight_bits=bits)
    zeros = []
    for other in (case, replace(case, neuron="ilif", levels=4, timesteps=1)):
        network = integers_of(other.plan)
        zeros.append(
            np.mean([(named["weight"] == 0).mean() for named in network.constants.values() if "weight" in named])
        )
    assert zeros[1] == pytest.approx(zeros[0], abs=0.03)


@pytest.mark.parametrize(
    "text", ["0-1:skip 0-2:skip 0-3:skip 2-1:avgpool3x3 1-3:skip", "0-2:skip 2-1:skip 1-3:conv3x3"]
)
def test_feedback_of_a_static_map_is_in_the_integers(text: str) -> None:
    assert errors(Case(text, size=16, channels=8)) < 0.02


def test_fewer_bits_change_it_more() -> None:
    found = [errors(Case(f"{CONVS} / {CONVS}", size=16, channels=8, weight_bits=bits)) for bits in (8, 4, 2)]
    assert found[0] < found[1] < found[2]


def test_a_dead_neuron_does_not_set_the_scale_of_the_others() -> None:
    def kill(model: Model) -> None:
        model.network.layers["head_hidden"].weight.data[0] = 0

    assert errors(Case("0-3:conv3x3 / 0-3:conv3x3", kind="snasnet", size=8, channels=8), kill) < 0.15


def test_a_batchnorm_that_hardly_sees_its_input() -> None:
    """Its neurons fire by their bias alone, far beyond the range of the map."""

    def mute(model: Model) -> None:
        norm = model.network.layers["head_bn"]
        norm.weight.data.fill_(1e-5)
        norm.bias.data.fill_(1.05)

    assert errors(Case("0-1:conv3x3 0-3:skip 1-3:skip", size=8, channels=8), mute) < 0.05
    for neuron, timesteps in (("ilif", 1), ("ilif", 3), ("relu", 1)):
        case = Case("0-1:conv3x3 0-3:skip 1-3:skip", size=8, channels=8, neuron=neuron, timesteps=timesteps)
        assert errors(case, mute) < 0.05


def test_a_batchnorm_far_beyond_what_a_neuron_sends() -> None:
    """Its bias is cut off: the neurons are always full, or always silent."""

    def shout(model: Model) -> None:
        norm = model.network.layers["head_bn"]
        norm.bias.data = torch.tensor([1e8, -1e8] * 4)

    for neuron, timesteps in (("ilif", 1), ("ilif", 3), ("relu", 1)):
        case = Case("0-1:conv3x3 0-3:skip 1-3:skip", size=8, channels=8, neuron=neuron, timesteps=timesteps)
        network = integers_of(case.plan)
        assert errors(case, shout) < 0.03
        assert network.leak == (leak_of(4 / 3) if timesteps > 1 else Leak(1, 0))


def test_sums_that_32_bits_cannot_hold_are_refused_or_coarsened() -> None:
    model = model_of(Case("0-3:conv3x3", channels=4).plan)
    model.network.layers["head_linear"].bias.data.fill_(1e6)
    network = quantise(fold(model), 1 / 64, model.classes)
    network.check("network")
    assert run_reference(network, frames_for(network.plan, 3)[0]).max() * network.score_scale == pytest.approx(
        1e6, 1e-3
    )


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20), st.sampled_from([2, 4, 8]), st.sampled_from([1, 4, 16]))
def test_the_grid(values: list[float], bits: int, step: int) -> None:
    found = on_grid(np.asarray(values), bits, step)
    most = (1 << bits - 1) - 1
    assert (found % step == 0).all()
    assert np.abs(found).max() <= most * step
    inside = np.abs(np.asarray(values)) <= most * step
    assert (np.abs(found - values)[inside] <= step / 2 + 1e-9).all()


def test_weights_that_are_averaged_are_as_fine_as_the_others_of_their_map() -> None:
    plan = Case("0-3:conv3x3 / 0-3:conv3x3", channels=8, weight_bits=4).plan
    steps = weight_steps(make_program(plan))
    assert (steps["cell1.op1.conv"], steps["reduction1.conv"], steps["head.linear"]) == (16, 4, 1)
    codes = integers_of(plan).constants["reduction1.conv"]["weight"] // 4
    assert np.abs(codes).max() == 7


@pytest.mark.parametrize(("neuron", "timesteps"), [("lif", 3), ("ilif", 1), ("ilif", 3)])
def test_synops_are_those_of_the_network_in_floating_point(neuron: str, timesteps: int) -> None:
    """On a network whose integers are nearly exact; and one inference on average is the mean of single ones."""
    plan = Case("0-1:conv3x3 1-3:conv3x3 0-3:skip", channels=8, neuron=neuron, timesteps=timesteps).plan
    model = model_of(plan)
    frames = frames_for(plan, 6).astype(np.uint8).transpose(1, 0, 2, 3, 4)
    network = quantise(fold(model), 1 / 255, model.classes)
    found = synops_of(network, frames)
    assert found == pytest.approx(np.mean([synops_of(network, frames[:, n : n + 1]) for n in range(6)]))
    items = Split(np.zeros(6, dtype=np.int64), frames[0])
    assert found == pytest.approx(evaluate(model, items).synops, rel=0.05)


def test_activations_are_no_spikes() -> None:
    plan = Case("0-3:conv3x3", neuron="relu", timesteps=1).plan
    assert synops_of(integers_of(plan), frames_for(plan, 3).astype(np.uint8).transpose(1, 0, 2, 3, 4)) is None


@given(st.floats(1e-6, 1e4))
def test_ratios_are_near(value: float) -> None:
    mul, shift = (int(one[0]) for one in ratios(np.asarray([value])))
    assert 0 <= mul <= 32767
    assert 1 <= shift <= 30
    assert mul / 2**shift == pytest.approx(value, rel=1e-4) or value < 1e-5


@pytest.mark.parametrize("bits", [8, 4])
def test_the_worst_input_stays_within_16_bits(bits: int) -> None:
    """Weights of one sign and frames of one colour reach the bound; the reference refuses what leaves 16 bits."""
    plan = Case("0-1:conv7x7 0-3:skip 1-3:conv7x7", size=16, channels=8, weight_bits=bits).plan
    model = model_of(plan)
    for parameter in model.network.parameters():
        if parameter.dim() == 4:
            parameter.data.abs_()
    network = quantise(fold(model), 1 / 64, model.classes)
    for frames in frames_for(plan, 3):
        run_reference(network, frames)
    broken = {layer: dict(named) for layer, named in network.constants.items()}
    for named in broken.values():
        if "bias" in named and len(named["bias"]) == 8:
            named["bias"] = named["bias"] * 0 + 32767
    with pytest.raises(RunError, match="does not fit 16 bits"):
        run_reference(replace(network, constants=broken), frames_for(plan, 3)[1])


@pytest.mark.parametrize("levels", [1, 4, 15])
def test_membranes_of_integer_valued_neurons_saturate_alike(levels: int) -> None:
    """Inputs that drive potentials beyond both ends of 8 bits; a tau at which they stay."""
    plan = Case(CONVS, channels=8, membrane_bits=8, neuron="ilif", levels=levels, timesteps=4).plan
    model = model_of(plan)
    for module in model.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data *= 6
    network = replace(quantise(fold(model), 1 / 64, model.classes), leak=leak_of(16))
    frames = frames_for(plan, 4)
    counted: dict[str, tuple[int, int]] = {}
    found = run_batch(network, torch.from_numpy(frames.astype(np.uint8)).transpose(0, 1), counted)
    assert (found.numpy() == np.stack([run_reference(network, one) for one in frames])).all()
    assert all(short > 0 for short, _ in counted.values())


def test_sums_of_activations_that_32_bits_cannot_hold() -> None:
    plan = Case("0-3:conv1x1", size=300, neuron="relu", timesteps=1).plan
    model = model_of(plan)
    with pytest.raises(RunError, match=r"head\.linear: its sums over 90000 positions .* do not fit 32 bits"):
        quantise(fold(model), 1 / 64, model.classes)


def test_a_cell_of_eight_bits_beside_cells_of_four_may_have_sums_of_as_many_spikes_as_among_its_like() -> None:
    text, few = f"2x8x8 levels=7 / 16 bits=4 {CONVS} / 24 {CONVS} / 32 bits=4 {CONVS}", NetworkConfig()
    plan = Design.parse(text).plan(few, InputSpec(2, 8, 8, 3))
    assert plan.network.weight_bits == 4
    model = model_of(plan)
    for module in model.network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.fill_(1.0)
    grid = make_grid(fold(model), 1 / 255)
    assert grid is not None


def test_more_spikes_than_16_bits_can_add_up_are_refused() -> None:
    text = f"{CONVS} / 0-3:conv3x3"
    wide = Case(text, size=16, channels=96, neuron="ilif", levels=15, timesteps=1)
    with pytest.raises(
        RunError, match=r"up to 15 spikes leave weights of 8 bits too few steps.* fewer network\.levels"
    ):
        integers_of(wide.plan)
    weights = integers_of(replace(wide, levels=4).plan).constants["cell1.op1.conv"]["weight"]
    assert np.median(np.abs(weights).max((1, 2, 3))) > 4


def test_short_membranes_are_counted() -> None:
    plan = Case(CONVS, size=16, channels=8, membrane_bits=8).plan
    network = integers_of(plan)
    counted: dict[str, tuple[int, int]] = {}
    run_batch(network, torch.from_numpy(frames_for(plan, 4).astype(np.uint8)).transpose(0, 1), counted)
    neurons = {layer.name: layer.size for layer in plan.layers if layer.kind == "neuron"}
    assert {name: updates for name, (_, updates) in counted.items()} == {
        name: 4 * plan.network.timesteps * size for name, size in neurons.items()
    }
    assert all(0 <= short <= updates for short, updates in counted.values())


def saved(folder: Path) -> tuple[IntegerNetwork, Path]:
    network = integers_of(Case(CONVS, channels=4, weight_bits=4, neuron="ilif").plan)
    network.save(folder / "quantised.safetensors")
    return network, folder / "quantised.safetensors"


def test_round_trip(tmp_path: Path) -> None:
    network, path = saved(tmp_path)
    found = IntegerNetwork.load(path)
    frames = frames_for(network.plan, 3)
    assert [run_reference(found, one).tolist() for one in frames] == [
        run_reference(network, one).tolist() for one in frames
    ]
    assert (found.leak, found.zero, found.classes) == (network.leak, network.zero, network.classes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("cell1.op1.conv.weight"), "cell1.op1.conv.weight is missing"),
        (lambda t: t.update(extra=t["stem.conv.weight"].clone()), "extra is left over"),
        (lambda t: t.update({"stem.conv.weight": t["stem.conv.weight"][:2]}), "instead of"),
        (lambda t: t["stem.conv.shift"].fill_(40), "values outside 1 to 31"),
        (lambda t: t["cell1.op1.conv.weight"].fill_(3), "weights that are not of 4 bits"),
        (lambda t: t["head.ilif.bias"].fill_(2**31 - 1), "head.ilif.bias has values outside -1073741824"),
        (lambda t: t["head.ilif.shift"].fill_(0), "values outside 1 to 31"),
    ],
)
def test_constants_that_cannot_be_are_named(tmp_path: Path, change: object, message: str) -> None:
    _, path = saved(tmp_path)
    tensors, header = load_tensors(path)
    change(tensors)  # type: ignore[operator]
    save_tensors(path, tensors, header)
    with pytest.raises(RunError, match=message):
        IntegerNetwork.load(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("zero", (1, 2, 3), "zero is"),
        ("leak", Leak(300, 20), "leak is"),
        ("classes", ("a",), "classes is"),
        ("input_scale", float("nan"), "input_scale is"),
    ],
)
def test_a_header_that_cannot_be(key: str, value: object, message: str, tmp_path: Path) -> None:
    network = replace(integers_of(Case("0-3:conv3x3").plan), **{key: value})  # type: ignore[arg-type]
    with pytest.raises(RunError, match=message):
        network.save(tmp_path / "network.safetensors")


@given(st.floats(1.0, 32.0))
def test_leaks_are_near(tau: float) -> None:
    leak = leak_of(tau)
    assert 0 < leak.mul < 256
    assert 0 <= leak.shift < 15
    assert leak.mul / 2**leak.shift == pytest.approx(1 / tau, rel=0.005)


def test_a_tau_that_integers_do_not_have() -> None:
    leak_free = Case("0-3:conv3x3", neuron="ilif", timesteps=1).plan
    model = model_of(make_plan(leak_free.genotype, leak_free.network.but({"tau": 100}), leak_free.input))
    assert quantise(fold(model), 1 / 64, model.classes).leak == Leak(1, 0)
    with pytest.raises(RunError, match=r"network\.tau: integer neurons have a tau of at most 32"):
        leak_of(100)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    _, path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunError, match="truncated"):
        IntegerNetwork.load(path)


@pytest.mark.parametrize("shape", [(1, 2, 9, 8), (2, 2, 9, 9), (1, 3, 9, 9)])
def test_input_of_another_shape(shape: tuple[int, ...]) -> None:
    network = integers_of(Case("0-3:conv3x3").plan)
    with pytest.raises(RunError, match="the network takes"):
        run_reference(network, np.zeros(shape, dtype=np.int64))


def test_a_network_that_has_diverged() -> None:
    model = model_of(Case("0-3:conv3x3").plan)
    next(model.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(RunError, match="not finite"):
        quantise(fold(model), 1 / 64, model.classes)


@pytest.mark.parametrize(("cells", "channels"), [(1, 128), (2, 64), (2, 96), (2, 192), (3, 48)])
def test_wide_networks_have_integers_with_the_levels_that_are_usual(cells: int, channels: int) -> None:
    cell = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
    network = NetworkConfig(channels=channels, cells=cells, stem_stride=2)
    plan = make_plan(Genotype.parse(" / ".join([cell] * cells)), network, InputSpec(3, 16, 16, 10))
    model = Model(Network(plan).eval(), tuple("0123456789"), Statistics((0.5,) * 3, (0.25,) * 3))
    assert make_grid(fold(model), 1 / 255).maps
