from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from spikenas._util.errors import BudgetError
from spikenas._util.units import format_size
from spikenas.config import BudgetConfig, NetworkConfig
from spikenas.memory import footprint, violations
from spikenas.memory.width import LADDER, resolve_width
from spikenas.space import Genotype, InputSpec, Space, make_plan

SMALL = Space.of(["skip", "conv3x3"])
DIGITS = InputSpec(1, 8, 8, 10)
RGB = InputSpec(3, 32, 32, 10)


def share_that_fits(channels: int, spec: InputSpec, space: Space, budget: BudgetConfig) -> float:
    network = NetworkConfig(stem_stride=1, channels=channels, cells=space.cells)
    fitting = [
        not violations(footprint(make_plan(Genotype((cell,) * space.cells), network, spec)), budget)
        for cell in space.distinct_cells
    ]
    return sum(fitting) / len(fitting)


def anything_fits(network: NetworkConfig, spec: InputSpec, space: Space, budget: BudgetConfig) -> bool:
    return any(
        not violations(footprint(make_plan(Genotype((cell,) * network.cells), network, spec)), budget)
        for cell in space.distinct_cells
    )


def suggestions(message: str) -> list[dict[str, Any]]:
    """The changes that an error proposes: `would fit: --set network.a=1 or --set network.b=2 --set network.c=3`."""
    _, found, after = message.partition("would fit: ")
    assert found, message
    changes = []
    for text in after.split(" or "):
        pairs = re.findall(r"(?:network|data)\.(\w+)=(\w+)", text.replace("--image-size ", "data.image_size="))
        assert pairs, message
        changes.append({key: int(value) if value.isdigit() else value for key, value in pairs})
    return changes


def changed(network: NetworkConfig, spec: InputSpec, change: dict[str, Any]) -> tuple[NetworkConfig, InputSpec]:
    """A network and its input with what a suggestion changes of both."""
    change = dict(change)
    if side := change.pop("image_size", None):
        spec = replace(spec, height=side, width=side)
    if "channels=1" in (f"{key}={value}" for key, value in change.items()):
        change.pop("channels")
        spec = replace(spec, channels=1)
    return network.but(change), spec


@pytest.mark.parametrize(
    ("spec", "budget"),
    [
        (DIGITS, BudgetConfig(flash=32 * 1024)),
        (DIGITS, BudgetConfig(ram=24 * 1024)),
        (RGB, BudgetConfig(flash=96 * 1024, ram=128 * 1024)),
        (RGB, BudgetConfig(params=200_000)),
    ],
    ids=str,
)
def test_auto_is_the_widest_step_at_which_half_of_the_space_fits(spec: InputSpec, budget: BudgetConfig) -> None:
    found = resolve_width(NetworkConfig(stem_stride=1), spec, SMALL, budget).channels
    assert isinstance(found, int)
    assert LADDER[0] < found < LADDER[-1]
    assert share_that_fits(found, spec, SMALL, budget) >= 0.5
    assert share_that_fits(LADDER[LADDER.index(found) + 1], spec, SMALL, budget) < 0.5


@pytest.mark.parametrize(("missing", "channels"), [(0, 16), (1, 12)])
def test_a_byte_too_few_for_half_of_the_cells_is_a_step_narrower(missing: int, channels: int) -> None:
    network = NetworkConfig(stem_stride=1, channels=16)
    costs = [footprint(make_plan(Genotype((c,) * 2), network, DIGITS)).flash_bytes for c in SMALL.distinct_cells]
    twentieth = sorted(costs)[19]  # of 39
    budget = BudgetConfig(flash=twentieth - missing)
    assert resolve_width(NetworkConfig(stem_stride=1), DIGITS, SMALL, budget).channels == channels


def test_a_generous_budget_takes_the_widest_step() -> None:
    assert (
        resolve_width(NetworkConfig(stem_stride=1), DIGITS, SMALL, BudgetConfig(flash=2**30)).channels
        == LADDER[-1]
        == 256
    )


def test_where_not_even_the_narrowest_leaves_half_it_is_taken() -> None:
    costs = [
        footprint(make_plan(Genotype((cell,) * 2), NetworkConfig(stem_stride=1, channels=4), DIGITS)).ram_bytes
        for cell in SMALL.distinct_cells
    ]
    budget = BudgetConfig(ram=min(costs))
    assert share_that_fits(4, DIGITS, SMALL, budget) < 0.5
    assert resolve_width(NetworkConfig(stem_stride=1), DIGITS, SMALL, budget).channels == 4


def test_without_a_budget_the_width_is_free() -> None:
    assert resolve_width(NetworkConfig(stem_stride=1), RGB, SMALL, BudgetConfig()).channels == 32


def test_a_width_that_was_given_stays() -> None:
    network = NetworkConfig(channels=7, stem_stride=1)
    assert resolve_width(network, RGB, SMALL, BudgetConfig(flash=2**20)) == network


def test_only_the_width_is_changed() -> None:
    network = NetworkConfig(timesteps=3, stem_stride=2)
    assert resolve_width(network, RGB, SMALL, BudgetConfig()) == network.but({"channels": 32})


def test_a_large_space_is_sampled_alike_every_time() -> None:
    space = Space.of(["skip", "conv1x1", "conv3x3"], cells=1)
    assert len(space.distinct_cells) > 256
    budget = BudgetConfig(flash=64 * 1024)
    first, second = (resolve_width(NetworkConfig(stem_stride=1, cells=1), DIGITS, space, budget) for _ in range(2))
    assert first == second
    # A sample can miss half by little: the share lies within five standard deviations of a sample of 256.
    assert isinstance(first.channels, int)
    assert share_that_fits(first.channels, DIGITS, space, budget) > 0.5 - 5 * 0.5 / 16


@pytest.mark.parametrize(
    ("network", "spec", "budget"),
    [
        (NetworkConfig(stem_stride=1, channels=64), RGB, BudgetConfig(flash=32 * 1024)),
        (NetworkConfig(stem_stride=1, channels=64), RGB, BudgetConfig(ram=100 * 1024)),
        (NetworkConfig(stem_stride=1, channels=64), RGB, BudgetConfig(params=5_000)),
        (NetworkConfig(stem_stride=1, channels=32), RGB, BudgetConfig(flash=24 * 1024, ram=72 * 1024)),
        (NetworkConfig(stem_stride=1, kind="snasnet", channels=64), RGB, BudgetConfig(params=500_000)),
        (NetworkConfig(stem_stride=1, cells=3), RGB, BudgetConfig(ram=11 * 1024)),
    ],
    ids=["flash", "ram", "params", "flash and ram", "snasnet", "auto"],
)
def test_the_error_names_the_smallest_and_changes_that_make_room(
    network: NetworkConfig, spec: InputSpec, budget: BudgetConfig
) -> None:
    space = Space(SMALL.ops, network.cells)
    with pytest.raises(BudgetError) as caught:
        resolve_width(network, spec, space, budget)
    message = str(caught.value)
    used = network if network.channels != "auto" else network.but({"channels": LADDER[0]})
    costs = [footprint(make_plan(Genotype((c,) * network.cells), used, spec)) for c in space.distinct_cells]
    if budget.params:
        assert f"the smallest has {min(c.params for c in costs):,} params" in message
    if budget.flash and min(c.flash_bytes for c in costs) > budget.flash:
        smallest = format_size(min(c.flash_bytes for c in costs))
        assert f"the smallest takes {smallest} of flash, allowed are {format_size(budget.flash)}" in message
    if budget.ram and min(c.ram_bytes for c in costs) > budget.ram:
        smallest = format_size(min(c.ram_bytes for c in costs))
        assert f"the smallest takes {smallest} of RAM, allowed are {format_size(budget.ram)}" in message
    for change in suggestions(message):
        assert anything_fits(*changed(used, spec, change), space, budget), change


def test_the_narrowest_width_is_among_the_suggestions() -> None:
    """A budget that width 4 alone meets: no other change makes room, so it must be named."""
    least = footprint(
        make_plan(Genotype((SMALL.distinct_cells[0],) * 2), NetworkConfig(stem_stride=1, channels=4), RGB)
    ).params
    with pytest.raises(BudgetError) as caught:
        resolve_width(NetworkConfig(stem_stride=1, channels=64), RGB, SMALL, BudgetConfig(params=least))
    assert {"channels": 4} in suggestions(str(caught.value))


def test_changes_that_make_room_only_together_are_named() -> None:
    """The narrowest network with every setting at its smallest: one change alone does not get there."""
    used = {"neuron": "lif", "channels": 4, "stem_stride": 2, "membrane_bits": 8}
    cell = SMALL.distinct_cells[0]
    network, frames = NetworkConfig(neuron="lif", stem_stride=1, channels=16), replace(RGB, static=False)
    least = footprint(make_plan(Genotype((cell,) * 2), NetworkConfig(**used), frames)).ram_bytes
    with pytest.raises(BudgetError) as caught:
        resolve_width(network, frames, SMALL, BudgetConfig(ram=least + 100))
    for change in suggestions(str(caught.value)):
        assert len(change) > 1
        assert anything_fits(network.but(change), frames, SMALL, BudgetConfig(ram=least + 100)), change
        for left_out in change:
            fewer = {key: value for key, value in change.items() if key != left_out}
            assert not anything_fits(network.but(fewer), frames, SMALL, BudgetConfig(ram=least + 100)), left_out


def test_neurons_without_membranes_are_among_the_suggestions() -> None:
    with pytest.raises(BudgetError) as caught:
        resolve_width(NetworkConfig(neuron="lif", channels=16), DIGITS, SMALL, BudgetConfig(ram=2 * 1024))
    assert {"neuron": "ilif", "timesteps": 1} in suggestions(str(caught.value))


def test_a_smaller_image_is_among_the_suggestions() -> None:
    with pytest.raises(BudgetError) as caught:
        resolve_width(NetworkConfig(), replace(RGB, height=480, width=640), SMALL, BudgetConfig(ram=128 * 1024))
    assert any("image_size" in change for change in suggestions(str(caught.value)))


def test_limits_that_only_different_cells_meet_are_not_met() -> None:
    """conv3x3 takes less RAM, dwconv3x3 less flash; no cell meets the least of both."""
    space = Space.of(["conv3x3", "dwconv3x3"], cells=1, nodes=2)
    network = NetworkConfig(stem_stride=1, channels=32, cells=1)
    costs = [footprint(make_plan(Genotype((cell,)), network, DIGITS)) for cell in space.distinct_cells]
    budget = BudgetConfig(flash=min(c.flash_bytes for c in costs), ram=min(c.ram_bytes for c in costs))
    assert all(violations(cost, budget) for cost in costs)
    with pytest.raises(BudgetError, match="the smallest"):
        resolve_width(network, DIGITS, space, budget)


def test_an_impossible_budget_says_so() -> None:
    with pytest.raises(BudgetError, match=r"the smallest takes .* of flash, allowed are 10 B; no (single )?change"):
        resolve_width(NetworkConfig(stem_stride=1), DIGITS, SMALL, BudgetConfig(flash=10))


def test_the_stem_has_stride_2_where_that_doubles_the_width() -> None:
    tight = BudgetConfig(flash=100 * 1024, ram=64 * 1024)
    found = resolve_width(NetworkConfig(), RGB, SMALL, tight)
    narrow = resolve_width(NetworkConfig(stem_stride=1), RGB, SMALL, tight)
    assert found.stem_stride == 2
    assert found.channels >= 2 * narrow.channels  # type: ignore[operator]
    roomy = BudgetConfig(flash=96 * 1024)
    assert resolve_width(NetworkConfig(), RGB, SMALL, roomy).stem_stride == 1
    assert resolve_width(NetworkConfig(channels=4), RGB, SMALL, tight).stem_stride == 1
    assert resolve_width(NetworkConfig(channels=64), RGB, SMALL, BudgetConfig(ram=128 * 1024)).stem_stride == 2
    assert resolve_width(NetworkConfig(), RGB, SMALL, BudgetConfig()).stem_stride == 1
