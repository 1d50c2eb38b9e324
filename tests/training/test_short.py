import math
import pickle

import numpy as np
import pytest
import torch

from spikenas._util.errors import DivergedError
from spikenas.config import Config
from spikenas.space import Design, Genotype
from spikenas.task import Task
from spikenas.training.short import ShortTraining, TrainingFactory, design_training_factory, training_factory

CONVS = Genotype.parse("0-1:conv3x3 1-3:conv3x3")


def factory(seed: int = 0, neuron: str = "ilif", **settings: object) -> TrainingFactory:
    short = {"epochs": 1, "images": 200, "validation": 100, "channels": 4} | settings
    values = {"seed": seed, "short_training": short, "data": {"validation_share": 0.3}, "network": {"neuron": neuron}}
    return training_factory(Task.of(Config.parse(values)))


def test_the_same_seed_gives_the_same_accuracy_in_another_process_too() -> None:
    make = factory(epochs=4, images=1000, channels=8)
    here, there = make(), pickle.loads(pickle.dumps(make))()
    one, other = here(CONVS), there(CONVS)
    assert one.score == other.score > 0.3
    assert one.seconds > 0
    assert one.score * len(make.validation[1]) == pytest.approx(round(one.score * len(make.validation[1])))


def test_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    factory()()(CONVS)
    assert torch.get_num_threads() == before


def test_shares_of_training_and_validation_images_and_never_the_test_set() -> None:
    make = factory(image_size=6)
    (images, labels), (held_out, _) = make.train, make.validation
    assert (images.shape[1:], images.dtype) == ((1, 6, 6), np.dtype(np.uint8))
    assert abs(len(images) - 200) <= 10
    assert abs(len(held_out) - 100) <= 10
    assert set(labels.tolist()) == set(range(10))
    evaluator = make()
    evaluator.dataset.__dict__["open_test"] = lambda: pytest.fail("the test set was opened")
    evaluator(CONVS)


@pytest.mark.parametrize(
    ("neuron", "short", "timesteps"),
    [("lif", {}, 2), ("lif", {"timesteps": 3}, 3), ("ilif", {}, 1), ("relu", {}, 1)],
)
def test_neurons_are_those_of_the_network_and_no_more_timesteps(
    neuron: str, short: dict[str, object], timesteps: int
) -> None:
    values = {"short_training": {"images": 200, "epochs": 1, "channels": 4, **short}, "network": {"neuron": neuron}}
    make = training_factory(Task.of(Config.parse(values)))
    assert (make.config.network.neuron, make.config.network.timesteps) == (neuron, timesteps)
    assert 0 <= make()(CONVS).score <= 1


def test_fewer_images_are_seen_more_often() -> None:
    assert factory(images=200, epochs=3).config.train.epochs == 3
    assert factory(images=4000, epochs=3).config.train.epochs > 9  # 1,000 images are there


def test_what_cannot_be_trained_has_no_score() -> None:
    assert factory()()(Genotype.parse("0-1:conv3x3")).score == -math.inf


def test_a_training_that_diverges_has_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverges(*arguments: object) -> None:
        raise DivergedError("the training loss became nan in epoch 1")

    monkeypatch.setattr("spikenas.training.short.train", diverges)
    assert factory()()(CONVS).score == -math.inf


@pytest.mark.parametrize("change", [{"epochs": 2}, {"channels": 6}, {"lr": 0.1}, {"batch": 16}, {"timesteps": 3}])
def test_the_digest_tells_settings_apart(change: dict[str, object]) -> None:
    one, other = factory(neuron="lif"), factory(neuron="lif")
    assert one.digest == other.digest != factory(neuron="lif", **change).digest
    assert one.digest != factory(neuron="lif", seed=1).digest
    assert one.digest != factory().digest, "neurons are a setting too"


def test_is_an_evaluator() -> None:
    assert isinstance(factory()(), ShortTraining)
    assert factory().sharing_order([CONVS] * 3) == [0, 1, 2]


def test_designs_are_trained_at_their_own_size_the_same_in_another_process() -> None:
    short = {"epochs": 30, "images": 300, "validation": 100}
    values = {"race": {"epochs": 1}, "short_training": short, "designs": {"image_sizes": [8, 6]}}
    make = design_training_factory(Task.of(Config.parse(values | {"data": {"validation_share": 0.3}})))
    assert {key: len(items.train) for key, items in make.trainer.items.items()} == pytest.approx(
        {(8, 8, 1): 300, (6, 6, 1): 300}, abs=5
    )
    here, there = make(), pickle.loads(pickle.dumps(make))()
    for text in ("1x8x8 stride=1 / 8 0-1:conv3x3 1-3:conv3x3", "1x6x6 stride=1 / 8 0-1:conv3x3 1-3:conv3x3"):
        one, other = here(Design.parse(text)), there(Design.parse(text))
        assert one.score == other.score > 0.5
        assert one.seconds > 0
