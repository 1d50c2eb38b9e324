"""Which network to take: what the sentence says in each case, and where its figures come from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spikenas.pipeline.verdict import RESNET8, Standing, compare, verdict

SPIKING = Standing("spiking network", 0.82, 10_000, 96_000, 64_000, 80e6, 0.48, 5e-3)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"accuracy": 0.90},
            "Take the ordinary network: it is better in accuracy (82.00% against 90.00%), and in nothing",
        ),
        (
            {"accuracy": 0.82, "instructions": 20e6, "seconds": 0.12, "joules": 1.25e-3},
            "Take the ordinary network: it is better in instructions (80 million against 20 million), time (480 ms "
            "against 120 ms) and energy (5 mJ against 1.25 mJ), and in nothing worse; 10,000 test items show no "
            "difference in accuracy (82.00% and 82.00%).",
        ),
        ({"accuracy": 0.60, "ram_bytes": 99_000}, "Take the spiking network: it is better in accuracy"),
        (
            {"accuracy": 0.85, "instructions": 240e6, "seconds": 1.44, "joules": 15e-3},
            "For accuracy (82.00% against 85.00%) take the ordinary network, for instructions (80 million against 240 "
            "million), time (480 ms against 1.44 s) and energy (5 mJ against 15 mJ) take the spiking network.",
        ),
        (
            {"accuracy": 0.70, "flash_bytes": 50_000},
            "For accuracy (82.00% against 70.00%) take the spiking network, for",
        ),
        (
            {"accuracy": 0.821, "flash_bytes": 97_000},
            "Either will do: they take as much; 10,000 test items show no difference in accuracy (82.00% and 82.10%).",
        ),
    ],
)
def test_the_sentence(changes: dict[str, float], expected: str) -> None:
    found = compare(SPIKING, replace(SPIKING, name="ordinary network", **changes)).sentence
    assert found.startswith(expected), found


def test_few_items_show_no_difference_that_many_show() -> None:
    other = replace(SPIKING, name="ordinary network", accuracy=0.84)
    assert compare(SPIKING, other).aims[0].better == "other"
    few = compare(replace(SPIKING, items=300), replace(other, items=300))
    assert few.aims[0].better == "neither"


def test_what_is_not_known_is_not_compared() -> None:
    found = compare(replace(SPIKING, seconds=None), SPIKING)
    assert [aim.name for aim in found.aims] == ["accuracy", "flash", "RAM", "instructions", "energy"]


@pytest.mark.parametrize(("accuracy", "better"), [(0.82, "other"), (0.85, "neither"), (0.90, "own")])
def test_cifar10_is_compared_with_mlperf_tiny(accuracy: float, better: str) -> None:
    (found,) = verdict(replace(SPIKING, accuracy=accuracy), None, CIFAR10[::-1])
    assert found.other is RESNET8
    assert found.aims[0].better == better
    assert {aim.name for aim in found.aims} == {"accuracy", "flash", "time", "energy"}
    assert verdict(SPIKING, None, ("cat", "dog")) == []


def test_the_twin_comes_first() -> None:
    twin = replace(SPIKING, name="ordinary network")
    assert [one.other for one in verdict(SPIKING, twin, CIFAR10)] == [twin, RESNET8]


def test_as_json() -> None:
    found = compare(SPIKING, RESNET8).as_json()
    assert found["own"]["interval"][0] < 0.82 < found["own"]["interval"][1]
    assert found["other"]["interval"] is None
    assert found["aims"][0] == {"name": "accuracy", "own": "82.00%", "other": "85.00%", "better": "other"}
