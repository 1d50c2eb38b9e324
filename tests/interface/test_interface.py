"""The Python interface: from a task to firmware, and what is said of each thing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.overrides import TorchFunctionMode

import spikenas as sn
from spikenas._util.threads import threads
from spikenas.config import BudgetConfig, Config
from spikenas.data import Decoding, OpenedData
from spikenas.integers import as_bytes, run_reference
from spikenas.nas import Trial
from spikenas.snn import lif_kernels
from spikenas.space import Design
from support import write_images

QUICK = {"fidelity.batch": 8, "fidelity.channels": 4, "space.nodes": 3, "train.epochs": 2}
ONE = "0-1:conv3x3 1-3:conv3x3"


@pytest.fixture(scope="module")
def task() -> sn.Task:
    return sn.Task("digits", target="stm32f103", settings=QUICK)


@pytest.fixture(scope="module")
def found(task: sn.Task) -> sn.Found:
    return sn.search(task, progress=False)


@pytest.fixture(scope="module")
def model(found: sn.Found) -> sn.Model:
    return sn.train(found.task, found.best, progress=False)


def test_names_are_listed_without_torch() -> None:
    import subprocess
    import sys

    code = "import spikenas, sys; print(len(dir(spikenas)), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(sn.__all__)), "False"]
    assert all(hasattr(sn, name) for name in dir(sn))


def test_a_task_says_what_was_found(task: sn.Task) -> None:
    assert task.limits.flash == 124 * 1024
    assert task.config.network.core == "cortex-m3"
    assert (len(task.classes), task.input.height) == (10, 8)
    assert len(task.train) + len(task.validation) + len(task.test) == 1797
    for part in ("digits: 1,295 to train", "1x8x8 (grey)", "flash 124.0 KiB, RAM 19.0 KiB (stm32f103)"):
        assert part in repr(task)
    assert "<table>" in task._repr_html_()
    cost = task.cost(sn.Genotype.parse(f"{ONE} / {ONE}"))
    assert cost == task.sized().cost(sn.Genotype.parse(f"{ONE} / {ONE}")), "the width is decided where it is needed"
    for one in (cost, task.plan(sn.Genotype.parse(f"{ONE} / {ONE}"))):
        assert len(repr(one)) < 300


def test_a_target_counts_in_python_as_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('[budget]\ntarget = "stm32f405"\n[data]\nname = "digits"\n')
    tasks = [
        sn.Task("digits", target="stm32f405"),
        sn.Task(settings=path),
        sn.Task(settings={"budget.target": "stm32f405"}),
        sn.Task(settings=Config(budget=BudgetConfig(target="stm32f405"))),
    ]
    assert len({task.sized().config.model_dump_json() for task in tasks}) == 1
    assert tasks[0].sized().config.network.channels != 256


def test_data_are_opened_and_counted_once(task: sn.Task, monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = task.statistics
    monkeypatch.setattr("spikenas.data.opening.channel_statistics", lambda *_: pytest.fail("counted again"))
    monkeypatch.setattr("spikenas.task.task.OpenedData", lambda *_: pytest.fail("opened again"))
    for changes in ({"network.cells": 1}, {"budget.flash": "64KiB"}, {"train.lr": 0.2}):
        assert task.but(changes).statistics is statistics
    assert task.sized().dataset is task.dataset


def test_what_a_search_found(found: sn.Found) -> None:
    assert found.cost.flash_bytes <= 124 * 1024
    frame = found.trials
    assert list(frame.columns)[:4] == ["position", "step", "genotype", "status"]
    assert len(frame) == len(found.candidates)
    assert frame[frame.status == "scored"].score.max() == found.score
    assert str(found.best) in set(found.front.genotype)
    assert f"best of {(frame.status == 'scored').sum()} scored" in repr(found)
    assert "<svg" in found._repr_html_()
    assert all(isinstance(trial, Trial) for trial in found.candidates)


def test_a_model_is_ready_for_inference_and_predicts_what_it_was_trained_on(
    model: sn.Model, tmp_path: Path, found: sn.Found
) -> None:
    assert not model.network.training
    items = found.task.test.fetch(range(60))
    batch = model.predict(items)
    assert isinstance(batch, list)
    labels = [model.classes.index(one.label) for one in batch]
    right = sum(label == true for label, true in zip(labels, found.task.test.labels[:60], strict=True))
    one_by_one = [model.predict(item) for item in items]
    assert [one.label for one in one_by_one if isinstance(one, sn.Prediction)] == [one.label for one in batch]
    assert right / 60 == pytest.approx(model.evaluate(found.task.test).accuracy, abs=0.2)
    picture = Image.fromarray(items[0, 0])
    picture.save(tmp_path / "one.png")
    kinds = [
        items[0],
        picture,
        tmp_path / "one.png",
        str(tmp_path / "one.png"),
        torch.from_numpy(items[0]),
        items[0, 0],
    ]
    said = model.predict(kinds)
    assert isinstance(said, list)
    assert len({one.label for one in said}) == 1
    assert all(one.probability == pytest.approx(said[0].probability, abs=1e-5) for one in said)
    assert sum(said[0].probabilities.values()) == pytest.approx(1)
    assert "parameters" in repr(model)


def test_pictures_of_another_size_are_brought_to_the_network_s(model: sn.Model, found: sn.Found) -> None:
    item = found.task.test.fetch([5])[0, 0]
    large = Image.fromarray(item).resize((64, 64), Image.Resampling.NEAREST).convert("RGB")
    one, other = model.predict(large), model.predict(np.asarray(large))
    assert isinstance(one, sn.Prediction)
    assert one == other


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (np.zeros((8, 8)), "an array of float64; images are uint8, 0 to 255"),
        (np.zeros((2, 8, 8), np.uint8), r"an array of shape \[2, 8, 8\]; expected \[1, 8, 8\]"),
        ([], "nothing to predict: an empty list"),
        (np.zeros((0, 8, 8), np.uint8), "nothing to predict in an array of shape"),
        (Image.new("L", (0, 0)), "nothing to predict: a picture without pixels"),
        ({1, 2}, "nothing to predict in an array of set"),
        ("x" * 5000, "no such file"),
        ("nowhere.png", "^nowhere.png: no such file$"),
    ],
)
def test_what_cannot_be_predicted(model: sn.Model, what: object, message: str) -> None:
    with pytest.raises(sn.SpikeNASError, match=message):
        model.predict(what)


def test_integers_say_what_the_firmware_says(model: sn.Model, found: sn.Found, tmp_path: Path) -> None:
    device = sn.quantise(model, bits=4, progress=False)
    items = found.task.test.fetch(range(20))
    said = device.predict(items)
    assert isinstance(said, list)
    for item, one in zip(items, said, strict=True):
        scores = run_reference(device, as_bytes(item[None], device.input_scale)[:, 0].astype(np.int64))
        assert one.label == device.classes[int(scores.argmax())]
    assert sn.evaluate(device, found.task.test).accuracy == device.evaluate(found.task.test).accuracy
    firmware = sn.deploy(device, tmp_path / "firmware", verify=30, progress=False)
    assert (tmp_path / "firmware" / "network.c").exists()
    if "linked" in firmware.footprint:
        assert firmware.footprint["verified"]["images"] == 30
    assert firmware.footprint["target"] == "stm32f103"
    assert "firmware in" in repr(firmware)
    assert "weights of 4 bits" in repr(device)


def test_a_model_from_a_file_has_no_data_and_says_so_when_it_needs_them(trained: Path) -> None:
    model = sn.load(trained / "model.safetensors")
    assert isinstance(model, sn.Model)
    assert not model.network.training
    assert isinstance(sn.quantise(model, bits=4, progress=False), sn.IntegerNetwork)
    device = sn.load(trained / "quantised.safetensors")
    assert isinstance(device, sn.IntegerNetwork)
    with pytest.raises(sn.SpikeNASError, match=r"^verify: the integers know no task"):
        sn.deploy(device, trained / "firmware", verify=5, progress=False)
    with pytest.raises(sn.SpikeNASError, match="give the task"):
        sn.quantise(model, bits=4, tuning=1, progress=False)


def test_a_whole_run_goes_on_where_it_was(tmp_path: Path) -> None:
    write_images(tmp_path / "images", 6)
    settings = QUICK | {"enhancement.enabled": False, "network.channels": 4}
    arguments = {"flash": "64KiB", "out": tmp_path / "run", "settings": settings, "progress": False}
    result = sn.run(tmp_path / "images", **arguments)
    assert result.status == "complete"
    assert isinstance(result.model.predict(np.zeros((8, 8), np.uint8)), sn.Prediction)
    assert result.integers.plan == result.model.plan
    assert len(result.frame) == len(result.trials)
    assert len(repr(result)) < 1500
    assert len(repr(result.integers.evaluate(sn.Task(tmp_path / "images").test))) < 200
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.safetensors")}
    again = sn.run(tmp_path / "images", **arguments)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.safetensors")} == before
    assert repr(again) == repr(result)
    loaded = sn.load(tmp_path / "run")
    assert isinstance(loaded, sn.RunResult)
    assert loaded.best == result.best


def test_wrong_input_is_one_line(tmp_path: Path) -> None:
    for wrong in (
        lambda: sn.Task("nowhere"),
        lambda: sn.Task("digits", target="stm32f104"),
        lambda: sn.Task("digits", flash="1XB"),
        lambda: sn.Task("digits", settings={"train.lrr": 1}),
        lambda: sn.Task("digits", settings=tmp_path / "no.toml"),
        lambda: sn.Task("digits", settings=5),
        lambda: sn.load(tmp_path / "nowhere"),
        lambda: sn.load(None),  # type: ignore[arg-type]
        lambda: sn.search("digits"),  # type: ignore[arg-type]
        lambda: sn.deploy("model", tmp_path / "f"),  # type: ignore[arg-type]
        lambda: sn.export("model", tmp_path / "f", to="cmake"),  # type: ignore[arg-type]
        lambda: sn.run("digits", settings=5, out=tmp_path / "r"),  # type: ignore[arg-type]
        lambda: sn.load(tmp_path),
        lambda: sn.search(sn.Task("digits", flash=100), progress=False),
        lambda: sn.train(sn.Task("digits"), "0-1:conv9x9", progress=False),
    ):
        with pytest.raises(sn.SpikeNASError) as caught:
            wrong()
        assert len(str(caught.value).splitlines()) == 1


def test_threads_count_everywhere_and_are_as_before(
    task: sn.Task, found: sn.Found, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[int] = []
    from spikenas.pipeline import finishing

    for name in ("evaluate_model", "evaluate_integers"):
        real = getattr(finishing, name)
        monkeypatch.setattr(
            finishing,
            name,
            lambda *args, real=real, **named: seen.append(torch.get_num_threads()) or real(*args, **named),
        )
    settings = QUICK | {"threads": 1, "enhancement.enabled": False, "train.epochs": 1}
    with threads(2):
        sn.run("digits", out=tmp_path / "r", settings=settings, progress=False)
        assert torch.get_num_threads() == 2
    assert seen
    assert set(seen) == {1}


def test_threads_of_the_task_count_for_what_was_made_of_it(
    task: sn.Task, model: sn.Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The threads are those of PyTorch at each layer, and those that the LIF kernels are given."""

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(func, "__name__", "") in ("conv2d", "linear", "matmul"):
                seen.append(torch.get_num_threads())
            return func(*args, **(kwargs or {}))

    def forward(x: Any, spikes: Any, number: int, *neuron: float) -> None:
        seen.append(number)
        real(x, spikes, number, *neuron)

    seen: list[int] = []
    real = lif_kernels.lif_forward
    monkeypatch.setattr(lif_kernels, "lif_forward", forward)
    model = replace(model, task=task.but({"threads": 1}))
    integers = sn.quantise(model, tuning=0, progress=False)
    with threads(2), Watch():
        for work in (
            lambda: sn.quantise(model, tuning=1, progress=False),
            lambda: model.predict(task.test.fetch(range(4))),
            lambda: integers.predict(task.test.fetch(range(4))),
            lambda: model.evaluate(task.validation),
            lambda: sn.evaluate(model, task.validation),
            lambda: sn.evaluate(integers, task.validation),
            lambda: sn.train(model.task, f"{ONE} / {ONE}", epochs=1, progress=False),
        ):
            seen.clear()
            work()
            assert seen
            assert set(seen) == {1}
            assert torch.get_num_threads() == 2


def test_an_opened_data_set_is_divided_for_each_seed_without_opening_it_again() -> None:
    opened, decoding = OpenedData(Config().data), Decoding((1, 8, 8))
    one, other = opened.divide(0, decoding), opened.divide(1, decoding)
    assert one is opened.divide(0, decoding)
    assert (one.train.labels.tolist() == other.train.labels.tolist()) is False
    assert len(one.train) == len(other.train)
    np.testing.assert_array_equal(one.test.items, other.test.items)


RACE = {
    "race.epochs": 1,
    "race.entrants": 2,
    "search.evaluations": 10,
    "designs.cells": [1],
    "executor.kind": "in-process",
}


def test_a_search_of_designs_gives_one_that_was_trained(task: sn.Task) -> None:
    found = sn.search(task.but(RACE | {"executor.kind": "in-process"}), progress=False)
    assert isinstance(found.best, Design)
    assert found.raced[0].design == str(found.best)
    assert len(found.raced) == 2
    assert found.raced[0].accuracy >= (found.raced[1].accuracy or 0)
    assert set(found.front["design"]) <= {one.design for one in found.raced}
    assert (found.front["accuracy"].diff().dropna() > 0).all()
    assert found.task.config.network.cell_widths == found.best.widths
    assert found.cost.flash_bytes <= 124 * 1024
    assert f"validation accuracy {found.raced[0].accuracy:.1%}, best of 2 that raced, of 10 scored" in repr(found)
    assert "<svg" in found._repr_html_()
    by_design, by_text = (sn.train(task, one, epochs=1, progress=False) for one in (found.best, str(found.best)))
    assert by_design.plan == by_text.plan == found.task.plan(found.best.genotype)
    assert sn.train(found.task, found.best.genotype, epochs=1, progress=False).plan == by_design.plan


def test_a_run_within_a_time(tmp_path: Path) -> None:
    small = {"search.evaluations": 10, "designs.cells": [1]}
    done = sn.run("digits", time=20, settings=small, out=tmp_path / "r", progress=False)
    assert done.race is not None
    assert done.accuracy is not None
    assert "designs that raced" in done.summary["search"]
    with pytest.raises(sn.SpikeNASError, match=r"time and train\.epochs: give one of them"):
        sn.run("digits", time=8, settings={"train.epochs": 3}, out=tmp_path / "s", progress=False)


def test_other_data_bring_their_own_settings(task: sn.Task, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(8):
            Image.fromarray(rng.integers(0, 255, (20, 24, 3), dtype=np.uint8)).save(tmp_path / name / f"{k}.png")
    other, fresh = task.but({"data.name": str(tmp_path)}), sn.Task(tmp_path, target="stm32f103", settings=QUICK)
    assert other.input == fresh.input
    assert (other.input.channels, other.input.classes) == (3, 2)
    assert other.config.train == fresh.config.train
    assert task.but({"data.image_size": 16}).config.train.crop == 2
    sized = task.sized()
    assert sized.but({"train.lr": 0.3}).config.network.channels == sized.config.network.channels, "a width stays"
    assert not sized.asked.is_decided("network.channels"), "and is not asked for"


def test_a_folder_that_is_no_firmware_is_left_alone(model: sn.Model, tmp_path: Path) -> None:
    device = sn.quantise(model, progress=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "picture.png").touch()
    for name in ("mine", "picture.png", "."):
        with pytest.raises(sn.SpikeNASError, match="is there, and is no firmware folder"):
            sn.deploy(device, tmp_path / name, progress=False)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_training_in_a_folder_is_gone_on_with_by_the_same_settings_alone(task: sn.Task, tmp_path: Path) -> None:
    text = f"{ONE} / {ONE}"
    small = task.but({"network.channels": 4, "train.epochs": 1})
    one = sn.train(small, text, out=tmp_path / "m", progress=False)
    again = sn.train(small, text, out=tmp_path / "m", progress=False)
    assert str(one.network.state_dict()) == str(again.network.state_dict())
    with pytest.raises(sn.SpikeNASError, match=r"was trained with train\.lr = 0\.1, not 0\.3"):
        sn.train(small.but({"train.lr": 0.3}), text, out=tmp_path / "m", progress=False)


def test_a_training_does_not_take_the_place_of_a_run_s_settings(task: sn.Task, trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / "checkpoint.safetensors").unlink()
    before = (folder / "config.toml").read_bytes()
    with pytest.raises(sn.SpikeNASError, match=r"was made without budget\.target"):
        sn.train(task.but({"network.channels": 4}), f"{ONE} / {ONE}", out=folder, progress=False)
    assert (folder / "config.toml").read_bytes() == before


def test_bits_are_those_of_the_settings(model: sn.Model, found: sn.Found) -> None:
    task = found.task.but({"quantise.weight_bits": 4, "quantise.epochs": 0})
    assert sn.quantise(model, task=task, progress=False).plan.network.weight_bits == 4
    with pytest.raises(sn.SpikeNASError, match=r"^tuning: expected at least 0, got -1$"):
        sn.quantise(model, tuning=-1, progress=False)
    with pytest.raises(sn.SpikeNASError, match=r"^tuning: expected a number, got True$"):
        sn.quantise(model, tuning=True, progress=False)
    with pytest.raises(sn.SpikeNASError, match=r"^bits: expected 2, 4 or 8, got 3$"):
        sn.quantise(model, bits=3, progress=False)


def test_a_setting_without_effect_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING", "spikenas"):
        sn.Task("digits", settings={"network.tau": 2.0, "network.levels": 8})
    assert caplog.messages == ["network.tau: ilif, D = 8, T = 1 does not use it"]
