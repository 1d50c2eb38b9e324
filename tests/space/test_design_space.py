from __future__ import annotations

import random
from dataclasses import replace

import pytest
from cells import QUICK
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import ConfigError
from spikenas.space import Design, DesignSpace, Space

SPACE = DesignSpace(
    Space.of(["none", "skip", "conv3x3"]),
    ((32, 32), (16, 16)),
    (3, 1),
    widths=(4, 8, 12),
    neurons=(("ilif", 1), ("relu", 1), ("lif", 4)),
    levels=(0, 1, 3),
    membrane_bits=(16, 8),
)
SMALL = DesignSpace(Space.of(["skip", "conv3x3"], nodes=2), ((8, 8),), (1,), (1,), (1, 2), (4,), (1.0, 2.0), bits=(8,))
BARE = DesignSpace(Space.of(["none", "skip"]), ((8, 8),), (1,), widths=(56,), bits=(8, 4))  # levels differ by the bits
FIXED = replace(SPACE, bits=(4,), membrane_bits=(8,))


@pytest.mark.parametrize("space", [SPACE, BARE, FIXED])
@QUICK
@given(seed=st.integers(0, 10**6))
def test_every_encoding_is_a_design_of_the_space(space: DesignSpace, seed: int) -> None:
    vector = space.sample_vector(random.Random(seed))
    design = space.decode(vector)
    assert design in space
    again = space.encode(design)
    assert space.decode(again) == design
    same = [a == b for a, b, counts in zip(vector, again, space.active(vector), strict=True) if counts]
    assert same.count(False) <= 5  # what has no effect, and widths that are rounded to the same


def test_all_designs_are_counted() -> None:
    vectors = {
        (cells, growth, a, b)
        for cells in range(2)
        for growth in range(2 if cells else 1)
        for a in range(2)
        for b in range(2 if cells else 1)
    }
    assert SMALL.size == len(vectors) == 2 + 2 * 4


def test_neighbours_differ_in_one_option_that_counts() -> None:
    design = Design.parse("1x16x16 stride=1 ilif levels=3 / 8 0-3:conv3x3")
    vector, found = SPACE.encode(design), list(SPACE.neighbours(design))
    changed = [
        SPACE.decode((*vector[:k], option, *vector[k + 1 :]))
        for k, counts in enumerate(SPACE.active(vector))
        if counts
        for option in set(range(SPACE.choices[k])) - {vector[k]}
    ]
    assert sorted(map(str, found)) == sorted(map(str, changed))
    assert sum(SPACE.active(vector)) == 8 + 1 + 6


@pytest.mark.parametrize(
    "text",
    [
        "3x24x24 / 8 0-3:skip",
        "3x16x16 / 6 0-3:skip",
        "3x16x16 levels=2 / 8 0-3:skip",
        "3x16x16 lif timesteps=3 / 8 0-3:skip",
        "3x16x16 / 8 bits=2 0-3:conv3x3",
        "3x16x16 / 8 0-3:skip / 20 0-3:skip",
        "3x16x16 / 8 0-3:conv5x5",
        "3x16x16 / 8 nodes=3 0-2:conv3x3",
        "3x16x16 / 4 0-3:skip / 4 0-3:skip / 4 0-3:skip / 4 0-3:skip",
    ],
)
def test_designs_of_other_spaces(text: str) -> None:
    design = Design.parse(text)
    assert design not in SPACE
    with pytest.raises(ConfigError, match="is not of this space"):
        SPACE.encode(design)


def test_draws_fit_and_use_all_widths_that_do() -> None:
    rng, tried = random.Random(0), []

    def fits(design: Design) -> bool:
        tried.append(design)
        return design.widths[0] <= 8

    drawn = [SPACE.draw(rng, fits) for _ in range(200)]
    assert {design.widths[0] for design in drawn if design} == {4, 8}
    assert all(design in SPACE and design.connected for design in drawn if design)
    assert len(tried) <= 2 * len(drawn)
    assert SPACE.draw(rng, lambda design: False) is None


def test_usual_designs_are_of_every_setting_and_among_the_widest_that_fit() -> None:
    def fits(design: Design) -> bool:
        return design.widths[-1] <= 16

    found = list(SPACE.usual(random.Random(0), fits))
    assert all(fits(design) and design in SPACE for design in found)
    assert {cell for design in found for cell in design.genotype.cells} == {SPACE.wiring.usual_cell}
    assert {(design.image, design.stem_stride, design.cells, design.bits) for design in found} == {
        (image, stride, cells, (bits,) * cells)
        for image in SPACE.images
        for stride in SPACE.stem_strides
        for cells in SPACE.cells
        for bits in SPACE.bits
    }
    of_one_cell = {design.widths for design in found if design.cells == 1}
    assert of_one_cell == {(12,), (4,)}  # the widest, and the one two widths below
    assert {design.canonical for design in SPACE.usual(random.Random(1), fits)} == {one.canonical for one in found}
    assert not list(SPACE.usual(random.Random(0), lambda design: False))


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="widths: expected at least one option"):
        DesignSpace(Space.of(["conv3x3"]), ((8, 8),), widths=())
    with pytest.raises(ConfigError, match="colours: expected at least one option, each once"):
        DesignSpace(Space.of(["conv3x3"]), ((8, 8),), colours=(3, 3))
    with pytest.raises(ConfigError, match="make a design"):
        SMALL.decode((0,) * 3)
    with pytest.raises(ConfigError, match="make a design"):
        SMALL.decode((9,) * len(SMALL.choices))
