import copy
import random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import Naive

from spikenas._util.errors import RunError
from spikenas.config import NetworkConfig
from spikenas.memory import footprint
from spikenas.snn import Network, SpikeTrain
from spikenas.snn.network import use_batch_statistics
from spikenas.space import SNASNET_OPS, Genotype, InputSpec, LayerSpec, Op, Space, make_plan

INPUT = InputSpec(3, 16, 12, 5)
EVENTS = InputSpec(2, 16, 12, 5, static=False)
COMPACT = NetworkConfig(channels=4, neuron="lif", timesteps=4)
USUAL = NetworkConfig(channels=4, levels=4)  # which all of the networks below reach
COUNTING = USUAL.but({"timesteps": 4})
SNASNET = NetworkConfig(kind="snasnet", channels=4, timesteps=4, hidden=24, votes=3)

FORWARD = [
    "0-1:conv3x3 0-2:conv1x1 1-3:conv5x5 2-3:skip 0-3:skip / 0-1:dwconv3x3 1-2:avgpool3x3 2-3:conv3x3@0.5 0-3:skip",
    "0-1:skip 0-2:skip 1-2:conv3x3 2-3:conv1x1 1-3:skip 0-3:avgpool3x3 / 0-3:conv3x3",
    "0-1:conv3x3 1-2:conv1x1 2-3:skip / 0-1:avgpool3x3 0-2:skip 1-2:skip 2-3:conv7x7",
]
FEEDBACK = [
    "0-1:conv3x3 1-2:conv1x1 2-3:conv5x5 3-0:dwconv3x3 / 0-1:conv3x3 2-1:avgpool3x3 1-3:conv1x1 0-2:conv5x5 2-3:skip",
    "0-1:conv3x3 1-3:conv1x1 3-0:skip / 0-3:conv3x3 3-1:conv1x1 1-2:conv5x5 2-3:skip",
    "0-2:conv3x3 2-1:conv1x1 1-3:conv5x5 0-3:skip / 0-1:conv3x3 2-0:conv1x1 1-2:skip 1-3:skip 2-3:conv5x5",
    "0-1:skip 0-2:skip 0-3:skip 2-1:avgpool3x3 1-3:skip / 0-2:skip 2-1:skip 0-3:skip 1-3:conv3x3",
]


def double_network(genotype: str, config: NetworkConfig, spec: InputSpec) -> Network:
    """In float64, so that only a wrong order of computation could make a spike differ; with lively BatchNorms."""
    torch.manual_seed(1)
    network = Network(make_plan(Genotype.parse(genotype), config, spec), seed=3).double()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.uniform_(module.bias, -0.3, 0.6)
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.05, 0.5)
    return network


def batch(spec: InputSpec, timesteps: int = 4) -> torch.Tensor:
    shape = (3, spec.channels, spec.height, spec.width)
    x = torch.randn(shape if spec.static else (timesteps, *shape), generator=torch.Generator().manual_seed(0))
    return x.double()


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("genotype", FORWARD + FEEDBACK)
@pytest.mark.parametrize(
    ("config", "spec"),
    [(COMPACT, INPUT), (SNASNET, INPUT), (COMPACT, EVENTS), (USUAL, INPUT), (COUNTING, INPUT), (COUNTING, EVENTS)],
)
def test_forward_equals_the_naive_loop(genotype: str, config: NetworkConfig, spec: InputSpec, training: bool) -> None:
    network = double_network(genotype, config.but({"dropout": 0.0}), spec).train(training)
    x = batch(spec)
    wanted = Naive(copy.deepcopy(network))(x)
    record: list[SpikeTrain] = []
    torch.testing.assert_close(network(x, record), wanted, rtol=1e-9, atol=1e-9)
    sent = torch.cat([train.spikes.flatten() for train in record])
    assert sent.max() == (config.levels if config.neuron == "ilif" else 1)
    assert 0 < sent.mean() < sent.max()


@pytest.mark.parametrize(
    ("neurons", "scale"),
    [({"neuron": "lif"}, 1), ({"neuron": "relu"}, 1), ({"levels": 1}, 1), ({"levels": 4}, 1.25), ({"levels": 7}, 2)],
)
def test_batchnorms_spread_potentials_over_the_levels(neurons: dict[str, Any], scale: float) -> None:
    network = Network(make_plan(Genotype.parse(FORWARD[0]), NetworkConfig(channels=4, **neurons), INPUT))
    assert {w.item() for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d) for w in m.weight} == {scale}


@pytest.mark.parametrize("genotype", [FORWARD[0], FEEDBACK[0]])
def test_gradients_equal_the_naive_graph_s_finite_ones(genotype: str) -> None:
    network = double_network(genotype, COMPACT, INPUT).train()
    network(batch(INPUT)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if name.endswith("conv.weight"):
            assert parameter.grad.abs().max() > 0, name


def test_running_statistics_in_a_cell_with_feedback_move_once_a_step() -> None:
    network = double_network("0-1:conv3x3 1-3:conv1x1 3-0:conv5x5", COMPACT.but({"cells": 1}), INPUT)
    network.train()(batch(INPUT))
    steps = {name: int(m.num_batches_tracked) for name, m in network.layers.items() if name.endswith("bn")}
    assert steps["stem_bn"] == steps["head_bn"] == 1
    fed_back = {name for name in steps if name.startswith("cell1") and steps[name] == COMPACT.timesteps - 1}
    assert len(fed_back) == 1, "what only feeds back does not run at the last timestep"
    assert sorted(steps[name] for name in steps if name.startswith("cell1")) == [3, 4, 4]


@pytest.mark.parametrize("seed", range(12))
def test_parameters_equal_the_estimate(seed: int) -> None:
    rng = random.Random(seed)
    ops = (*SNASNET_OPS, Op("conv5x5"), Op("dwconv3x3"), Op("conv3x3", 0.5))
    space = Space(ops, cells=rng.choice([1, 2, 3]), feedback=rng.random() < 0.5)
    genotype = next(g for g in iter(lambda: space.sample(rng), None) if g.connected)
    config = COMPACT.but({"cells": space.cells, "channels": rng.choice([4, 6])})
    for as_written in (False, True):
        plan = make_plan(genotype, config, INPUT, as_written)
        network = Network(plan)
        assert sum(parameter.numel() for parameter in network.parameters()) == footprint(plan).params
        assert network.train()(batch(INPUT).float()).shape == (3, INPUT.classes)


def test_equal_networks_give_equal_outputs_bit_for_bit() -> None:
    spellings = ["0-1:conv3x3 1-3:conv3x3 0-3:skip", "0-2:conv3x3 2-3:conv3x3 0-1:skip 1-3:skip"]
    outputs = [
        Network(make_plan(Genotype.parse(f"{text} / {text}"), COMPACT, INPUT), seed=5).eval()(batch(INPUT).float())
        for text in spellings
    ]
    assert torch.equal(*outputs)


def test_dead_edges_change_nothing_but_the_count() -> None:
    text = "0-3:conv3x3 0-1:conv1x1 / 0-3:conv3x3 1-2:conv3x3"
    live, written = (make_plan(Genotype.parse(text), COMPACT, INPUT, as_written) for as_written in (False, True))
    assert footprint(written).params == footprint(live).params + (4 * 4 + 8) + (9 * 8 * 8 + 16)
    assert Network(written)(batch(INPUT).float()).isfinite().all()


def test_static_image_equals_the_same_frame_at_every_timestep() -> None:
    events = InputSpec(3, 16, 12, 5, static=False)
    x = batch(INPUT)
    still, moving = (double_network(FORWARD[0], COMPACT, spec).eval() for spec in (INPUT, events))
    torch.testing.assert_close(still(x), moving(x.expand(COMPACT.timesteps, *x.shape)), rtol=1e-9, atol=1e-9)


def test_no_state_between_calls_and_none_between_samples() -> None:
    network = double_network(FEEDBACK[0], COMPACT, INPUT).eval()
    x = batch(INPUT)
    first = network(x)
    assert torch.equal(network(x), first)
    torch.testing.assert_close(network(x.flip(0)), first.flip(0))


def test_weights_depend_on_seed_repeat_and_lineage_only() -> None:
    plan = make_plan(Genotype.parse(FORWARD[0]), COMPACT, INPUT)
    one, other = Network(plan, seed=1).state_dict(), Network(plan, seed=1).state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    key = "layers.stem_conv.weight"
    draws = [one[key], Network(plan, seed=2).state_dict()[key], Network(plan, 1, repeat=1).state_dict()[key]]
    assert not torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    other_cell = make_plan(Genotype.parse(FORWARD[1]), COMPACT, INPUT)
    assert torch.equal(Network(other_cell, seed=1).state_dict()[key], one[key])
    bound = (3 * 9) ** -0.5
    assert one[key].abs().max() <= bound
    assert one[key].abs().max() > 0.9 * bound


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), feedback=st.booleans(), kind=st.sampled_from([COMPACT, SNASNET]))
def test_layers_of_equal_lineage_give_equal_outputs(seed: int, feedback: bool, kind: NetworkConfig) -> None:
    """Also those of other networks, bit for bit: scores of candidates with common layers rest on it."""
    rng = random.Random(seed)
    space = Space.of(["skip", "conv3x3", "avgpool3x3"], feedback=feedback)
    cells = [space.sample(rng).cells[0] for _ in range(6)]
    known: dict[str, torch.Tensor] = {}
    for _ in range(4):
        genotype = Genotype((rng.choice(cells), rng.choice(cells)))
        if not genotype.connected:
            continue
        network = Network(make_plan(genotype, kind, INPUT), seed=3)
        use_batch_statistics(network)

        def observe(layer: LayerSpec, value: torch.Tensor) -> None:
            assert torch.equal(known.setdefault(layer.lineage, value), value), layer

        with torch.no_grad():
            network.compute({"input": network.checked(batch(INPUT).float())}, observe)


def test_a_part_of_a_network_computes_what_the_whole_does() -> None:
    plan = make_plan(Genotype.parse(FEEDBACK[0]), COMPACT, INPUT)
    outputs: dict[str, torch.Tensor] = {}

    def observe(layer: LayerSpec, value: torch.Tensor) -> None:
        outputs[layer.name] = value

    whole = Network(plan, seed=1).eval()
    x = whole.checked(batch(INPUT).float())
    result = whole.compute({"input": x}, observe)
    part = {layer.name for stage in ("cell2", "head") for layer in plan.stages[stage]}
    rest = Network(plan, seed=1, only=part).eval()
    assert len(rest.layers) == len(part)
    entry = plan.by_name[plan.stages["cell2"][0].terms[0].layer].name
    found = rest.compute({"input": x, entry: outputs[entry]}, observe)
    assert torch.equal(found["head.linear"], result["head.linear"])


def test_dropout_has_one_mask_for_all_timesteps() -> None:
    plan = make_plan(Genotype.parse("0-3:skip / 0-3:skip"), SNASNET, INPUT)
    dropout = Network(plan).layers["head_dropout"].train()
    x = torch.ones(4, 2, 8, 4, 4)
    y = dropout(x)
    assert set(y.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(y, y[:1].expand_as(y))
    assert torch.equal(dropout.eval()(x), x)


def test_batch_statistics_leave_the_running_ones_alone() -> None:
    network = Network(make_plan(Genotype.parse(FORWARD[0]), COMPACT, INPUT))
    use_batch_statistics(network)
    before = copy.deepcopy(network.state_dict())
    x = batch(INPUT).float()
    first, second = network(x), network(x)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert torch.equal(first, second)
    assert not torch.equal(first, network.eval()(x))


def test_record_names_every_lif_layer_in_the_plan_s_order() -> None:
    network = Network(make_plan(Genotype.parse(FEEDBACK[0]), COMPACT, INPUT)).eval()
    record: list[SpikeTrain] = []
    network(batch(INPUT).float(), record)
    lifs = [layer for layer in network.plan.layers if layer.kind == "neuron"]
    assert [train.name for train in record] == [layer.name for layer in lifs]
    for train, layer in zip(record, lifs, strict=True):
        assert train.spikes.shape[2:] == layer.shape
        assert set(train.spikes.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("spec", "shape"), [(INPUT, (3, 3, 16, 16)), (EVENTS, (3, 2, 16, 12)), (INPUT, (4, 3, 3, 16, 12))]
)
def test_wrong_input_shape(spec: InputSpec, shape: tuple[int, ...]) -> None:
    network = Network(make_plan(Genotype.parse(FORWARD[0]), COMPACT, spec))
    with pytest.raises(RunError, match=r"the network takes \["):
        network(torch.zeros(shape))


def test_one_timestep_with_feedback() -> None:
    plan = make_plan(Genotype.parse(FEEDBACK[2]), COMPACT.but({"timesteps": 1}), INPUT)
    record: list[SpikeTrain] = []
    assert Network(plan)(batch(INPUT).float(), record).shape == (3, 5)
    assert 0 < len(record) < sum(layer.kind == "neuron" for layer in plan.layers), "what only feeds back does not run"
