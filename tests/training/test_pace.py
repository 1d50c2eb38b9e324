from __future__ import annotations

from spikenas.config import Config
from spikenas.space import Design, InputSpec
from spikenas.training.pace import pace, times_faster


def test_a_pace_of_images_and_of_events() -> None:
    config = Config.parse({"train": {"batch": 8}, "threads": 1})
    cell = "/ 4 0-3:conv3x3"
    images = Design.parse(f"1x8x8 {cell}").plan(config.network, InputSpec(1, 8, 8, 10))
    events = Design.parse(f"2x8x8 ilif timesteps=3 {cell}").plan(config.network, InputSpec(2, 8, 8, 10, static=False))
    assert pace(images, config) > 1e5
    assert pace(events, config) > 1e5


def test_replicas_learn_faster() -> None:
    plan = Design.parse("1x8x8 / 4 0-3:conv3x3").plan(Config().network, InputSpec(1, 8, 8, 10))
    assert times_faster(plan, Config.parse({"threads": 1, "train": {"batch": 128}})) == 1
    assert times_faster(plan, Config.parse({"threads": 2, "train": {"batch": 128}})) == 1.5
    assert times_faster(plan, Config.parse({"threads": 2, "train": {"batch": 16}})) == 1
