import pytest
from made_up import SPACE, cost

from spikenas.enhancement.edges import edge_effects
from spikenas.enhancement.samples import Sample
from spikenas.space import Cell, Genotype, Space

WHOLE = Space.of(("skip", "conv1x1", "conv3x3"), cells=1)  # every edge is live


def samples(space: Space, worth: dict[str, float], pair: float = 0.0) -> list[Sample]:
    """The space's networks; a value for each `edge:op`, and one for two that are both there. Mean over spellings."""
    values: dict[object, list[float]] = {}
    first: dict[object, Cell] = {}
    for cell in space.enumerate_cells():
        if cell.canonical.connected:
            edges = str(cell).split()
            value = sum(worth.get(edge, 0.0) for edge in edges)
            value += pair * ("0-1:conv3x3" in edges and "2-3:conv1x1" in edges)
            values.setdefault(cell.canonical, []).append(value)
            first.setdefault(cell.canonical, cell)
    genotypes = {form: Genotype((cell,) * 2) for form, cell in first.items()}
    return [
        Sample(genotypes[form], 0.0, sum(found) / len(found), cost(genotypes[form])) for form, found in values.items()
    ]


def test_an_additive_truth_gives_its_effects_and_no_interactions() -> None:
    worth = {"0-1:conv3x3": 3.0, "2-3:conv1x1": -1.5}
    found, interactions = edge_effects(samples(WHOLE, worth), WHOLE)
    by_name = {f"{effect.edge}:{effect.op}": effect.effect for effect in found}
    unit = by_name["0-1:conv3x3"] / (3.0 - 3.0 / 3)
    assert by_name["0-1:skip"] == pytest.approx(-unit)
    assert by_name["2-3:conv1x1"] == pytest.approx(-unit)
    assert by_name["0-3:conv3x3"] == pytest.approx(0, abs=1e-9)
    assert interactions == []


def test_a_planted_interaction_is_the_surest() -> None:
    _, interactions = edge_effects(samples(WHOLE, {"0-1:conv3x3": 1.0, "0-3:skip": 0.5}, pair=2.0), WHOLE)
    assert (interactions[0].edges, interactions[0].ops) == (("0-1", "2-3"), ("conv3x3", "conv1x1"))
    assert interactions[0].p < 1e-9
    assert interactions[0].effect > 0


@pytest.mark.slow
def test_nothing_depends_on_the_order_of_the_ops() -> None:
    ops = ("none", "skip", "conv1x1", "conv3x3")
    one, other = Space.of(ops, cells=1), Space.of(ops[::-1], cells=1)
    worth = {"0-1:conv3x3": 1.0, "1-3:conv1x1": 0.7, "2-3:skip": -0.5}
    first = {(e.edge, e.op): (e.effect, e.error) for e in edge_effects(samples(one, worth), one)[0]}
    second = {(e.edge, e.op): (e.effect, e.error) for e in edge_effects(samples(other, worth), other)[0]}
    assert len(first) == 24
    for key, value in first.items():
        assert second[key] == pytest.approx(value, abs=1e-6)


def test_too_few_networks_for_it() -> None:
    assert edge_effects(samples(SPACE, {})[:5], SPACE) == ([], [])
