from __future__ import annotations

import pytest
from cells import QUICK
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import ConfigError
from spikenas.config import Config, NetworkConfig
from spikenas.space import Cell, Design, Genotype, InputSpec, make_plan

INPUT = InputSpec(3, 32, 32, 10)
TEXT = "3x24x32 stride=2 ilif levels=7 / 24 0-1:conv3x3 0-3:skip 1-3:conv3x3 / 48 bits=4 0-3:conv3x3"

_cells = st.sampled_from(
    [
        Cell.parse(text)
        for text in ("0-3:skip", "0-1:conv3x3 0-3:skip 1-3:conv3x3", "0-1:dwconv3x3 1-3:avgpool3x3", "0-3:conv3x3@0.5")
    ]
)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    count = draw(st.integers(1, 3))
    return Design(
        Genotype(tuple(draw(st.lists(_cells, min_size=count, max_size=count)))),
        tuple(draw(st.lists(st.integers(1, 40), min_size=count, max_size=count))),
        tuple(draw(st.lists(st.sampled_from([2, 4, 8]), min_size=count, max_size=count))),
        (draw(st.integers(8, 40)), draw(st.integers(8, 40))),
        draw(st.sampled_from([1, 3])),
        draw(st.sampled_from([1, 2])),
        draw(st.sampled_from(["lif", "ilif", "relu"])),
        draw(st.integers(0, 15)),
        1,
        draw(st.sampled_from([8, 16])),
    )


@QUICK
@given(designs())
def test_text_and_plan_say_all(design: Design) -> None:
    assert Design.parse(str(design)) == design
    assert eval(repr(design)) == design
    plan = design.plan(NetworkConfig(), INPUT)
    assert Design.of_plan(plan).plan(NetworkConfig(), INPUT).layers == plan.layers
    assert (plan.input.width, plan.input.height, plan.input.channels) == (*design.image, design.colours)


@QUICK
@given(designs())
def test_settings_are_those_of_a_run(design: Design) -> None:
    config = Config().but(design.settings())
    assert config.data.size == design.image
    assert make_plan(design.genotype, config.network, design.input(INPUT)) == design.plan(NetworkConfig(), INPUT)
    assert not [key for key in design.settings(static=False) if key.startswith("data.")]


def test_what_is_usual_can_be_left_out() -> None:
    assert Design.parse("3x32x32 / 24 0-3:conv3x3") == Design.parse("3x32x32 stride=1 ilif levels=7 / 24 0-3:conv3x3")
    assert Design.parse("1x8x8 lif / 4 0-3:skip").timesteps == 5
    assert str(Design.parse("1x8x8 lif timesteps=1 / 4 0-3:skip")) == "1x8x8 stride=1 lif timesteps=1 / 4 0-3:skip"
    assert Design.parse("3x32x32 / 256 0-3:conv3x3").levels < Design.parse("3x32x32 / 24 0-3:conv3x3").levels


def test_equal_networks_have_equal_keys() -> None:
    one, other = (Design.parse(f"3x8x8 / 8 {cell}") for cell in ("0-1:skip 1-3:conv3x3", "0-3:conv3x3 0-2:conv3x3"))
    assert one.canonical == other.canonical
    assert one.canonical != Design.parse("3x8x8 / 8 bits=4 0-3:conv3x3").canonical
    without = (Design.parse(f"3x8x8 / 8 {bits}0-3:skip") for bits in ("", "bits=4 "))
    assert len({design.canonical for design in without}) == 1
    assert Design.parse("3x8x8 relu / 8 0-3:skip") == Design(
        Genotype.parse("0-3:skip"), (8,), (8,), (8, 8), neuron="relu", levels=3, membrane_bits=8
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "an input such as 3x32x32 first, of at most four digits each, got nothing"),
        ("32x32 / 8 0-3:skip", "got '32x32'"),
        ("3x32x32", "expected cells behind '/'"),
        ("3x0x32 / 8 0-3:skip", "at least one pixel"),
        ("3x32x32 fast / 8 0-3:skip", "'fast' is none of lif, ilif, relu, stride=N"),
        ("3x32x32 stride=1 stride=2 / 8 0-3:skip", "'stride=2': stem_stride is there twice"),
        ("3x32x32 stride=x / 8 0-3:skip", "'stride=x' is none of"),
        ("3x32x32 stride=3 / 8 0-3:skip", "stride=3: expected 1, 2"),
        ("3x32x32 levels=16 / 8 0-3:skip", "levels=16: expected at most 15"),
        ("3x32x32 lif levels=3 / 8 0-3:skip", "levels=3: lif neurons have none"),
        ("3x32x32 membrane_bits=4 / 8 0-3:skip", "membrane_bits=4: expected"),
        ("3x32x32 / 0-3:skip", "cell 1: expected channels and edges"),
        ("3x32x32 / 8 0-3:skip / 0 0-3:skip", "cell 2: expected channels and edges"),
        ("3x32x32 / 8 bits=3 0-3:skip", "cell 1: bits=3: expected one of 2, 4, 8"),
        ("3x32x32 / 8 0-9:skip", "cell 1: '0-9:skip'"),
        ("3x32x32" + " / 8 0-3:skip" * 65, "at most 64 cells"),
    ],
)
def test_a_text_that_is_no_design(text: str, part: str) -> None:
    with pytest.raises(ConfigError, match="design") as error:
        Design.parse(text)
    assert part in str(error.value)


def test_a_design_that_contradicts_itself() -> None:
    with pytest.raises(ConfigError, match="1 cells, 2 channels, 1 bits"):
        Design(Genotype.parse("0-3:skip"), (8, 8), (8,), (8, 8))
    with pytest.raises(ConfigError, match="2, 4 or 8 bits"):
        Design(Genotype.parse("0-3:skip"), (8,), (3,), (8, 8))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="too small for 3 cells"):
        Design.parse("3x2x2 / 4 0-3:skip / 4 0-3:skip / 4 0-3:skip").plan(NetworkConfig(), INPUT)
