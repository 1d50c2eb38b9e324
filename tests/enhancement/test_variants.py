import itertools
import subprocess
import sys
from collections import Counter

import pytest
from made_up import OPS, SPACE

from spikenas._util.errors import ConfigError
from spikenas.enhancement.variants import variants_of, whole, with_op, without
from spikenas.space import Cell, Op, Space


def test_names_and_spaces() -> None:
    variants = variants_of(SPACE, [Op.parse("conv5x5"), Op.parse("conv3x3@0.5")])
    assert [variant.name for variant in variants] == [
        *("all", "without none", "without skip", "without conv1x1", "without conv3x3"),
        *("with conv5x5", "with conv3x3@0.5"),
    ]
    assert variants[1].space.ops == tuple(map(Op.parse, OPS[1:]))
    assert variants[-1].space.ops[-1] == Op("conv3x3", 0.5)
    assert all(variant.space.shared for variant in variants)
    assert without(SPACE, Op("none"), Op("skip")).name == "without none+skip"


def test_draws_are_the_cells_of_the_space_each_once_in_another_order_for_each_seed() -> None:
    variant = whole(SPACE)
    one, other = list(variant.draws(1)), list(variant.draws(2))
    assert {genotype.cells[0] for genotype in one} == set(variant.space.distinct_cells)
    assert len(one) == len(variant.space.distinct_cells)
    assert one == list(variant.draws(1))
    assert one != other
    assert set(one) == set(other)
    assert all(len(set(genotype.cells)) == 1 and len(genotype.cells) == 2 for genotype in one)


@pytest.mark.parametrize("op", OPS)
def test_what_two_variants_have_in_common_comes_in_the_same_order(op: str) -> None:
    smaller = without(SPACE, Op(op))
    order = [g.canonical for g in whole(SPACE).draws(3) if g.cells[0].canonical in smaller.forms]
    assert order == [genotype.canonical for genotype in smaller.draws(3)]
    larger = with_op(SPACE, Op("conv5x5"))
    common = [g.canonical for g in larger.draws(3) if g.cells[0].canonical in whole(SPACE).forms]
    assert common == [genotype.canonical for genotype in whole(SPACE).draws(3)]


def test_first_draws_are_uniform() -> None:
    variant = whole(SPACE)
    count = len(variant.space.distinct_cells)
    first = Counter(next(variant.draws(seed)).cells[0] for seed in range(40 * count))
    chi2 = sum((first[cell] - 40) ** 2 / 40 for cell in variant.space.distinct_cells)
    assert chi2 < count + 5 * (2 * count) ** 0.5


@pytest.mark.slow
def test_draws_are_the_same_in_another_process() -> None:
    code = (
        "import itertools; from spikenas.space import Space; from spikenas.enhancement.variants import whole; "
        f"print(*itertools.islice(whole(Space.of({OPS}, nodes=3)).draws(7), 3), sep=';')"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == ";".join(map(str, itertools.islice(whole(SPACE).draws(7), 3)))


def test_a_network_uses_an_op_if_it_cannot_be_written_without() -> None:
    spared = without(SPACE, Op("none")).forms
    assert Cell.of(["skip", "conv3x3", "skip"], 3).canonical in spared
    assert Cell.of(["none", "conv3x3", "conv1x1"], 3).canonical not in spared  # 1-2 is dead, 0-2 alone is left


@pytest.mark.parametrize(
    ("ops", "removed", "message"),
    [
        (("none", "conv3x3"), "conv3x3", "without conv3x3 the ops none, conv3x3 leave no network"),
        (("skip", "conv3x3"), "conv1x1", "op conv1x1: not in the space; its ops are skip, conv3x3"),
    ],
)
def test_what_leaves_nothing(ops: tuple[str, ...], removed: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        without(Space.of(ops), Op(removed))
    with pytest.raises(ConfigError, match=f"op {ops[1]}: already in the space"):
        with_op(Space.of(ops), Op(ops[1]))
