from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikenas._util.errors import RunError
from spikenas._util.run_files import CHECKPOINT, LOG, MODEL
from spikenas.config import Config
from spikenas.data import DataSet, Split, Statistics
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model, load_model, load_tensors
from spikenas.training.epochs import Epoch, kept_epoch, read_log
from spikenas.training.evaluation import evaluate
from spikenas.training.loop import Progress, train
from spikenas.training.precision import has_bf16
from support import load

GENOTYPE = Genotype.parse("0-1:conv3x3 1-3:conv3x3 0-3:skip / 0-3:conv3x3")
STATISTICS = Statistics((0.3,), (0.37,))
CONFIG = Config.parse({"network": {"channels": 4, "timesteps": 2}, "train": {"epochs": 3, "batch": 32, "crop": 1}})


def small_digits() -> DataSet:
    whole = load(CONFIG.data, 0)
    small = Split(whole.train.labels[:300], whole.train.fetch(range(300)))
    return DataSet("digits", whole.classes, whole.shape, None, small, whole.validation, lambda: whole.test)


DIGITS = small_digits()
PLAN = make_plan(GENOTYPE, CONFIG.network, InputSpec(1, 8, 8, 10))


def run(folder: Path, config: Config = CONFIG, **options: Any) -> list[Epoch]:
    return train(PLAN, DIGITS, STATISTICS, config, folder, **options)


def with_train(**changes: Any) -> Config:
    return CONFIG.but({f"train.{key}": value for key, value in changes.items()})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / CHECKPOINT)[0]


def test_it_learns_and_writes_its_files(tmp_path: Path) -> None:
    epochs = run(tmp_path, with_train(epochs=12, batch=8))
    assert [epoch.epoch for epoch in epochs] == list(range(1, 13))
    assert epochs[-1].train_loss < 0.75 * epochs[0].train_loss
    assert max(epoch.validation_accuracy for epoch in epochs) > 0.4
    assert read_log(tmp_path / LOG) == epochs
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, MODEL, LOG]


def test_interrupted_in_any_epoch_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    steps = 300 // 32

    class KilledError(Exception):
        pass

    for stop in (2, steps + 1, 2 * steps + 3, 3 * steps - 1):

        def progress(done: int, total: int, epochs: object, stop: int = stop) -> None:
            if done == stop:
                raise KilledError

        with pytest.raises(KilledError):
            run(tmp_path / "parts", progress=progress)
    parts = run(tmp_path / "parts")
    assert [e.train_loss for e in parts] == [e.train_loss for e in whole]
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert any(key.startswith("momentum.") for key in one)
    best, again = (load_model(tmp_path / name / MODEL).network.state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(best[key], again[key]) for key in best)


@pytest.mark.slow
def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    first = run(tmp_path)

    def never(*_: object) -> None:
        raise AssertionError("a step was computed")

    assert run(tmp_path, progress=never) == first


@pytest.mark.slow
def test_keep_best_and_keep_last(tmp_path: Path) -> None:
    for keep in ("best", "last"):
        epochs = run(tmp_path / keep, with_train(keep=keep, epochs=6, lr=0.5))
        kept = load_model(tmp_path / keep / MODEL).network.state_dict()
        last = weights(tmp_path / keep)
        same = all(torch.equal(value, last[f"model.{key}"]) for key, value in kept.items())
        best = max(epochs, key=lambda e: (e.validation_accuracy, -e.validation_loss))
        assert same == (keep == "last" or best.epoch == 6)


def test_the_test_set_is_not_opened(tmp_path: Path) -> None:
    def forbidden() -> Split:
        raise AssertionError("training opened the test set")

    closed = DataSet("digits", DIGITS.classes, DIGITS.shape, None, DIGITS.train, DIGITS.validation, forbidden)
    assert len(train(PLAN, closed, STATISTICS, with_train(epochs=1), tmp_path)) == 1


def test_event_frames(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    split = Split(np.arange(24) % 2, rng.random((24, 2, 1, 8, 8), dtype=np.float32))
    events = DataSet("events", ("a", "b"), (1, 8, 8), 2, split, split, lambda: split)
    plan = make_plan(GENOTYPE, CONFIG.network, InputSpec(1, 8, 8, 2, static=False))
    assert len(train(plan, events, STATISTICS, with_train(epochs=1, batch=8), tmp_path)) == 1


@pytest.mark.skipif(not has_bf16(torch.device("cpu")), reason="a processor that computes in bfloat16")
def test_bf16_trains(tmp_path: Path) -> None:
    epochs = run(tmp_path, with_train(precision="bf16", epochs=4))
    assert epochs[-1].train_loss < epochs[0].train_loss


def test_a_loss_that_is_not_finite_ends_in_a_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"training loss became (nan|inf) in epoch [1-9]; try a smaller"):
        run(tmp_path, with_train(lr=100.0, weight_decay=1.0, warmup=0.0))


def test_a_checkpoint_of_another_genotype_is_refused(tmp_path: Path) -> None:
    run(tmp_path, with_train(epochs=1))
    other = make_plan(Genotype.parse("0-3:conv3x3 / 0-3:conv3x3"), CONFIG.network, InputSpec(1, 8, 8, 10))
    with pytest.raises(RunError, match="a checkpoint of '0-1:conv3x3 0-3:skip 1-3:conv3x3 / 0-3:conv3x3', not of"):
        train(other, DIGITS, STATISTICS, CONFIG, tmp_path)


def test_a_log_is_written_again_from_the_checkpoint(tmp_path: Path) -> None:
    epochs = run(tmp_path, with_train(epochs=2))
    whole = (tmp_path / LOG).read_bytes()
    for content in (whole[: whole.index(b"\n2,") + 1], b"something,else\n1,2\n", b"\xff\xfe"):
        (tmp_path / LOG).write_bytes(content)
        assert run(tmp_path, with_train(epochs=2)) == epochs
        assert (tmp_path / LOG).read_bytes() == whole


def test_more_epochs_are_a_further_round_and_lose_nothing(tmp_path: Path) -> None:
    """Whether they are asked for when the first are done or before, and wherever it is killed."""
    first = run(tmp_path / "late", with_train(lr=0.3))
    more = run(tmp_path / "late", with_train(lr=0.3, epochs=6))
    assert more[:3] == first
    assert [epoch.lr for epoch in more[3:]] == pytest.approx([epoch.lr for epoch in first])
    assert run(tmp_path / "late", with_train(lr=0.3, epochs=6)) == more
    best = max(more, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss))
    assert evaluate(load_model(tmp_path / "late" / MODEL), DIGITS.validation).accuracy == best.validation_accuracy

    class KilledError(Exception):
        pass

    def after(count: int) -> Progress:
        def progress(done: int, total: int, epochs: Sequence[Epoch]) -> None:
            if len(epochs) == count:
                raise KilledError

        return progress

    for epochs, count in ((3, 2), (6, 4), (6, 5)):
        with pytest.raises(KilledError):
            run(tmp_path / "early", with_train(lr=0.3, epochs=epochs), progress=after(count))
    run(tmp_path / "early", with_train(lr=0.3, epochs=6))
    for name in (MODEL, CHECKPOINT):
        one, other = load_tensors(tmp_path / "late" / name)[0], load_tensors(tmp_path / "early" / name)[0]
        assert all(torch.equal(one[key], other[key]) for key in one), name


def test_without_its_model_a_training_begins_anew(tmp_path: Path) -> None:
    run(tmp_path, with_train(epochs=2))
    model = (tmp_path / MODEL).read_bytes()
    (tmp_path / MODEL).unlink()
    run(tmp_path, with_train(epochs=2))
    assert (tmp_path / MODEL).read_bytes() == model


def unequal_digits(least: int) -> DataSet:
    """Digits of which two classes have so many training images, and the others all."""
    whole = load(CONFIG.data, 0)
    labels = whole.train.labels
    rank = np.zeros_like(labels)
    for label in range(10):
        rank[labels == label] = np.arange((labels == label).sum())
    kept = ~np.isin(labels, (3, 8)) | (rank < least)
    train_split = whole.train.select(kept)
    return DataSet("digits", whole.classes, whole.shape, None, train_split, whole.validation, lambda: whole.test)


def test_the_balanced_accuracy_is_the_mean_recall(tmp_path: Path) -> None:
    split = DIGITS.validation.select(~((DIGITS.validation.labels == 2) & (np.arange(len(DIGITS.validation)) % 3 > 0)))
    part = DataSet("digits", DIGITS.classes, DIGITS.shape, None, DIGITS.train, split, lambda: split)
    epochs = train(PLAN, part, STATISTICS, with_train(epochs=2, batch=8, keep="last"), tmp_path)
    figures = load_model(tmp_path / MODEL).evaluate(split).figures
    assert epochs[-1].validation_balanced_accuracy == pytest.approx(figures.balanced_accuracy)
    assert epochs[-1].validation_accuracy == pytest.approx(figures.accuracy)


def test_weights_are_kept_by_what_they_were_trained_for() -> None:
    rows = [Epoch(n, 0.1, 1.0, 0.9, 1.0, *figures) for n, figures in enumerate([(0.9, 1.0, 0.5), (0.8, 1.0, 0.7)], 1)]
    assert kept_epoch(rows, with_train().train).epoch == 1
    assert kept_epoch(rows, with_train(class_weights="balanced").train).epoch == 2
    assert kept_epoch(rows[::-1], with_train(class_weights="balanced", keep="last").train).epoch == 1


@pytest.mark.slow
def test_balanced_classes_are_known_though_they_are_rare() -> None:
    """Two classes of ten images: without weights hardly ever said, with them as well as may be."""
    digits, recalls = unequal_digits(10), {}
    plan = make_plan(Genotype.parse("0-1:conv3x3 1-3:conv3x3"), CONFIG.network.but({"channels": 12, "cells": 1}),
                     InputSpec(1, 8, 8, 10))  # fmt: skip
    for kind in ("none", "balanced"):
        config = with_train(class_weights=kind, epochs=15, crop=0, batch=32, keep="last")
        network = Network(plan, 0)
        train(plan, digits, STATISTICS, config, None, network=network)
        figures = evaluate(Model(network, digits.classes, STATISTICS), digits.test).figures
        recalls[kind] = sum(figures.classes[rare].recall or 0 for rare in (3, 8)) / 2, figures.balanced_accuracy
    assert recalls["balanced"][0] > recalls["none"][0] + 0.1
    assert recalls["balanced"][1] > recalls["none"][1]
