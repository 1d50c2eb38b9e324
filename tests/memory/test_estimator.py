"""The parts of designs add up to what the memory model says of their whole programs."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas.config import NetworkConfig
from spikenas.memory import Estimator, footprint, sizes
from spikenas.space import Design, DesignSpace, InputSpec, Space

INPUT = InputSpec(3, 32, 32, 7)
OPS = ("none", "skip", "conv1x1", "conv3x3", "conv5x5", "dwconv3x3", "avgpool3x3", "conv3x3@0.5")
SPACE = DesignSpace(
    Space.of(OPS, nodes=4),
    ((32, 32), (24, 16), (9, 31), (8, 8)),
    (3, 1),
    cells=(1, 2, 3),
    widths=(4, 6, 14, 24, 32),
    neurons=(("ilif", 1), ("relu", 1)),
    levels=(0, 1, 3, 15),
    bits=(8, 4, 2),
)
_REMAINDER = 0.03  # of networks whose buffers the whole program places better or worse than their parts do


def whole(design: Design, network: NetworkConfig) -> dict[str, int]:
    return {**sizes(footprint(design.plan(network, INPUT))), "instructions": None}


@pytest.mark.parametrize("core", ["cortex-m4", "rv32"])
def test_parts_add_up(core: str) -> None:
    network, rng, others = NetworkConfig(core=core), random.Random(0), 0
    estimate, counted = Estimator(network, INPUT), 0
    while counted < 250:
        design = SPACE.sample(rng)
        if not design.connected:
            continue
        expected = whole(design, network)
        found = estimate(design)._asdict()
        others += found.pop("ram_bytes") != (ram_bytes := expected.pop("ram_bytes"))
        assert found == expected
        assert estimate(design).ram_bytes == pytest.approx(ram_bytes, rel=0.25)
        counted += 1
    assert others <= _REMAINDER * counted


@pytest.mark.parametrize(
    "text",
    [
        "3x16x16 lif timesteps=3 / 6 0-3:conv3x3 / 12 0-3:skip",
        "3x16x16 ilif timesteps=2 membrane_bits=8 / 6 0-3:conv3x3",
        "3x16x16 / 6 0-3:conv3x3 2-1:conv3x3 0-2:skip 1-3:skip",
    ],
)
def test_other_networks_are_computed_whole(text: str) -> None:
    network = NetworkConfig()
    found = Estimator(network, INPUT)(Design.parse(text))
    assert found._asdict() == whole(Design.parse(text), network)


def test_other_thresholds_and_kinds_of_network() -> None:
    design = Design.parse("3x16x16 lif timesteps=3 / 6 0-3:conv3x3 / 12 0-3:conv3x3")
    for network in (NetworkConfig(kind="snasnet", hidden=32), NetworkConfig(v_threshold=0.5)):
        for one in [design] if network.kind == "snasnet" else [design, replace(design, neuron="ilif", timesteps=1)]:
            assert Estimator(network, INPUT)(one)._asdict() == whole(one, network)


def test_an_image_that_is_too_small() -> None:
    design = Design.parse("3x9x3 / 6 0-3:skip / 6 0-3:skip / 6 0-3:skip")
    with pytest.raises(ConfigError) as expected:
        whole(design, NetworkConfig())
    with pytest.raises(ConfigError, match="too small for 3 cells") as found:
        Estimator(NetworkConfig(), INPUT)(design)
    assert str(found.value) == str(expected.value)


def test_a_cell_without_a_path() -> None:
    with pytest.raises(GenotypeError, match="no path"):
        Estimator(NetworkConfig(), INPUT)(Design.parse("3x16x16 / 6 0-1:conv3x3"))


def test_instructions_are_said_where_they_are_asked_for() -> None:
    design = Design.parse("3x16x16 / 6 0-3:conv3x3 / 12 0-3:skip")
    cost = footprint(design.plan(NetworkConfig(), INPUT))
    assert Estimator(NetworkConfig(), INPUT, timed=True)(design).instructions == cost.instructions
