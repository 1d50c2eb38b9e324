from __future__ import annotations

import pytest
from cells import QUICK
from hypothesis import given
from hypothesis import strategies as st

from spikenas._util.errors import GenotypeError
from spikenas.space import BENCH_OPS, OPS, SNASNET_OPS, Op


@pytest.mark.parametrize("name", OPS)
def test_every_op_reads_its_own_name(name: str) -> None:
    assert Op.parse(name) == Op(name)
    assert str(Op(name)) == name


@QUICK
@given(st.sampled_from(["conv1x1", "conv3x3", "conv5x5", "conv7x7", "dwconv3x3"]), st.integers(1, 10**8))
def test_a_threshold_survives_the_round_trip(name: str, millionths: int) -> None:
    op = Op.parse(f"{name}@{millionths / 1e6:.6f}")
    assert op.threshold == float(f"{millionths / 1e6:.6f}")
    assert Op.parse(str(op)) == op


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("conv3x4", "unknown op 'conv3x4', did you mean 'conv3x3'?"),
        ("avgpool", "did you mean 'avgpool3x3'?"),
        ("zzz", "unknown op 'zzz', known: none, skip, conv1x1"),
        ("", "unknown op ''"),
        ("Conv3x3", "did you mean 'conv3x3'?"),
        ("skip@0.5", "skip has no neurons, so no threshold"),
        ("none@1", "none has no neurons"),
        ("avgpool3x3@1", "avgpool3x3 has no neurons"),
        ("conv3x3@", "'conv3x3@': the threshold after @ must be a positive number such as 0.5"),
        ("conv3x3@0", "must be a positive number"),
        ("conv3x3@0.0", "must be a positive number"),
        ("conv3x3@-1", "must be a positive number"),
        ("conv3x3@nan", "must be a positive number"),
        ("conv3x3@1@2", "must be a positive number"),
    ],
)
def test_a_bad_op_says_what_is_wrong(text: str, fragment: str) -> None:
    with pytest.raises(GenotypeError) as caught:
        Op.parse(text)
    assert fragment in str(caught.value)


def test_codes_are_those_of_the_two_published_spaces() -> None:
    assert [str(op) for op in SNASNET_OPS] == ["none", "skip", "conv1x1", "conv3x3", "avgpool3x3"]
    assert [op.info.code for op in SNASNET_OPS] == [0, 1, 2, 3, 4]
    assert [str(op) for op in BENCH_OPS] == ["none", "skip", "conv3x3@0.5", "conv3x3@1.0", "conv3x3@1.5"]


def test_only_convolutions_have_neurons() -> None:
    assert [name for name in OPS if Op(name).spiking] == ["conv1x1", "conv3x3", "conv5x5", "conv7x7", "dwconv3x3"]
