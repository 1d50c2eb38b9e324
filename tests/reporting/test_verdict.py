"""Which network to take: what the sentence says in each case, and where its figures come from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spikenas.reporting.verdict import RESNET8, Standing, compare, verdict

SPIKING = Standing("spiking network", 0.82, 10_000, 96_000, 64_000, 80e6, 0.48, 5e-3)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


SAME = "95 %; 10,000 test items, 82.00% and 82.00%"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"accuracy": 0.90},
            "Take the ordinary network: it is better in accuracy (90.00% against 82.00%), and in nothing worse.",
        ),
        (
            {"accuracy": 0.82, "instructions": 20e6, "seconds": 0.12, "joules": 1.25e-3},
            "Take the ordinary network: it is better in instructions (20 million against 80 million), time (120 ms "
            "against 480 ms) and energy (1.25 mJ against 5 mJ), and in nothing worse; it is at most 1.1 points less "
            f"accurate, if at all ({SAME}).",
        ),
        (
            {"accuracy": 0.60, "ram_bytes": 99_000},
            "Take the spiking network: it is better in accuracy (82.00% against 60.00%) and RAM (62.5 KiB against "
            "96.7 KiB), and in nothing worse.",
        ),
        (
            {"accuracy": 0.85, "instructions": 240e6, "seconds": 1.44, "joules": 15e-3},
            "For accuracy (85.00% against 82.00%) take the ordinary network, for instructions (80 million against 240 "
            "million), time (480 ms against 1.44 s) and energy (5 mJ against 15 mJ) take the spiking network.",
        ),
        (
            {"accuracy": 0.70, "flash_bytes": 50_000},
            "For accuracy (82.00% against 70.00%) take the spiking network, for flash (48.8 KiB against 93.8 KiB) take "
            "the ordinary network.",
        ),
        (
            {"accuracy": 0.82, "flash_bytes": 50_000, "ram_bytes": 99_000},
            "For RAM (62.5 KiB against 96.7 KiB) take the spiking network, for flash (48.8 KiB against 93.8 KiB) take "
            f"the ordinary network; which one is more accurate is not shown, by up to 1.1 points ({SAME}).",
        ),
        (
            {"accuracy": 0.82, "flash_bytes": 97_000},
            f"They take as much; which one is more accurate is not shown, by up to 1.1 points ({SAME}).",
        ),
    ],
)
def test_the_sentence(changes: dict[str, float], expected: str) -> None:
    assert compare(SPIKING, replace(SPIKING, name="ordinary network", **changes)).sentence == expected


def test_few_items_show_no_difference_that_many_show() -> None:
    other = replace(SPIKING, name="ordinary network", accuracy=0.84)
    assert compare(SPIKING, other).aims[0].better == "other"
    few = compare(replace(SPIKING, items=300), replace(other, items=300))
    assert few.aims[0].better == "neither"


def test_what_few_items_do_not_show_is_not_called_no_worse() -> None:
    own = replace(SPIKING, items=20, accuracy=0.60, instructions=20e6)
    found = compare(own, replace(SPIKING, name="ordinary network", items=20, accuracy=0.85))
    assert found.sentence == (
        "For instructions (20 million against 80 million) take the spiking network; which one is more accurate is not "
        "shown, by up to 48.5 points (95 %; 20 test items, 60.00% and 85.00%)."
    )
    low, high = found.as_json()["aims"][0]["difference"]
    assert low == pytest.approx(-0.485, abs=1e-3)
    assert 0 < high < 0.03


def test_a_bound_is_not_rounded_away() -> None:
    found = compare(replace(SPIKING, accuracy=0.93, ram_bytes=50_000), replace(SPIKING, name="x", accuracy=0.9232))
    low, _ = found.aims[0].difference or (0, 0)
    assert -0.0005 < low < 0
    assert "it is at most 0.1 points less accurate, if at all" in found.sentence


def test_what_is_not_known_is_not_compared() -> None:
    found = compare(replace(SPIKING, seconds=None), SPIKING)
    assert [aim.name for aim in found.aims] == ["accuracy", "flash", "RAM", "instructions", "energy"]


@pytest.mark.parametrize(("accuracy", "better"), [(0.82, "other"), (0.85, "neither"), (0.90, "own")])
def test_cifar10_is_compared_with_mlperf_tiny(accuracy: float, better: str) -> None:
    (found,) = verdict(replace(SPIKING, accuracy=accuracy), None, CIFAR10[::-1])
    assert found.other is RESNET8
    assert found.aims[0].better == better
    assert {aim.better for aim in found.aims[1:]} == {"unlike"}
    assert found.sentence.endswith("are of another program and device, and decide nothing here.")
    expected = {
        "own": "For accuracy take the spiking network (90.00% against 85.00%); ",
        "other": "For accuracy take ResNet-8 of MLPerf Tiny (85.00% against 82.00%); ",
        "neither": "Neither is shown to be more accurate (85.00% against 85.00%); ",
    }
    assert found.sentence.startswith(expected[better])
    assert {aim.name for aim in found.aims} == {"accuracy", "flash", "time", "energy"}
    assert verdict(SPIKING, None, ("cat", "dog")) == []


def test_the_twin_comes_first() -> None:
    twin = replace(SPIKING, name="ordinary network")
    assert [one.other for one in verdict(SPIKING, twin, CIFAR10)] == [twin, RESNET8]


def test_as_json() -> None:
    found = compare(SPIKING, RESNET8).as_json()
    assert found["own"]["interval"][0] < 0.82 < found["own"]["interval"][1]
    assert found["other"]["interval"] is None
    aim = found["aims"][0]
    assert (aim["name"], aim["own"], aim["other"], aim["better"]) == ("accuracy", "82.00%", "85.00%", "other")
