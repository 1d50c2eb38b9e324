from __future__ import annotations

from spikenas.records import RaceRecord, decisions_of, raced, trained_front
from spikenas.space import Design

NARROW, WIDE, COARSE = "1x8x8 / 4 0-3:conv3x3", "1x8x8 / 8 0-3:conv3x3", "1x8x8 stride=2 / 8 0-3:conv3x3"


def record(*trained: tuple[int, float, float | None]) -> RaceRecord:
    sizes = {NARROW: 100, WIDE: 300, COARSE: 200}
    return {
        "timed": True,
        "rungs": [{"entrants": 3, "length": 10.0}, {"entrants": 2, "length": 30.0}],
        "entrants": [
            {
                "design": text,
                "score": 1.0,
                "params": 5,
                "flash_bytes": size,
                "ram_bytes": 7,
                "pace": 1.0,
                "epochs": 9.0,
                "capacity": 0.0,
            }
            for text, size in sizes.items()
        ],
        "trained": [
            {
                "entrant": entrant,
                "length": length,
                "accuracy": accuracy,
                "outlook": accuracy,
                "seconds": length,
                "note": "",
            }
            for entrant, length, accuracy in trained
        ],
        "seconds": 50.0,
    }


def test_those_that_came_farthest_are_first_and_equal_ones_as_in_the_rung_before() -> None:
    found = raced(record((0, 10, 0.5), (1, 10, 0.6), (2, 10, 0.7), (1, 30, 0.8), (2, 30, 0.8)))
    assert [one.design for one in found] == [COARSE, WIDE, NARROW]
    assert [one.length for one in found] == [30, 30, 10]
    assert raced(record()) == []


def test_the_front_has_what_no_other_one_beats() -> None:
    found = raced(record((0, 10, 0.5), (1, 10, 0.6), (2, 10, 0.7), (2, 30, 0.9), (1, 30, None)))
    assert [one.design for one in trained_front(found)] == [NARROW, COARSE]


def test_a_decision_says_what_other_values_came_to_after_the_first_rung() -> None:
    told = record((0, 10, 0.5), (1, 10, 0.6), (2, 10, 0.7), (2, 30, 0.9))
    decisions = {one["key"]: one for one in decisions_of(told, Design.parse(COARSE))}
    assert decisions["network.stem_stride"]["value"] == 2
    assert decisions["network.stem_stride"]["reason"] == (
        "of the design that won; after 10 s each 2: 70.0% (best of 1), 1: 60.0% (best of 2)"
    )
    assert decisions["network.cells"]["reason"] == "every design that raced had it"


def test_finalists_that_failed_are_behind_the_winner_of_the_rung_before() -> None:
    found = raced(record((0, 10, 0.5), (1, 10, 0.6), (2, 10, 0.7), (1, 30, None), (2, 30, None)))
    assert [one.design for one in found] == [NARROW, COARSE, WIDE]
