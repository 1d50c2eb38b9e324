"""From a trained network to firmware, on the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from spikenas import deployment
from spikenas._util.units import format_size
from spikenas.deployment.toolchain import CORES
from spikenas.integers import IntegerNetwork
from spikenas.integers.reference import run_reference
from spikenas.pipeline.data_of_run import open_task
from spikenas.pipeline.stages import load_config
from spikenas.reporting import load_run
from spikenas.targets import Target, find_target
from support import SMALL, Main

READY = CORES["cortex-m4"].missing() is None
needs_tools = pytest.mark.skipif(not READY, reason=CORES["cortex-m4"].missing() or "")


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_run_ends_with_integers(trained: Path) -> None:
    quantised = json.loads((trained / "quantise.json").read_text(encoding="utf-8"))
    evaluation = json.loads((trained / "evaluation.json").read_text(encoding="utf-8"))
    assert quantised["weight_bits"] == 8
    assert abs(evaluation["quantised_test_accuracy"] - evaluation["test_accuracy"]) < 0.1
    assert not (trained / "firmware").exists()


@needs_tools
def test_deploy_measures_and_is_equal(run: Main, folder: Path) -> None:
    status, out, err = run("deploy", "--out", folder, "--target", "stm32f405", "--json", "--quiet")
    assert (status, err) == (0, "")
    firmware = folder / "firmware" / "stm32f405"
    found = json.loads((firmware / "footprint.json").read_text(encoding="utf-8"))
    assert json.loads(out)["firmware"] == {"stm32f405": found}
    assert found["outputs_equal"] is True
    assert found["images"] == 20
    assert found["linked"]["ram_bytes"] == found["predicted"]["ram_bytes"]
    assert abs(found["linked"]["flash_bytes"] - found["predicted"]["flash_bytes"]) <= 256
    assert found["instructions"] > 0
    assert {"Makefile", "network.c", "network.h", "kernels.c", "main.c"} <= {p.name for p in firmware.iterdir()}
    assert (folder / "network.nir").exists()


def test_without_tools_the_c_is_written(
    run: Main, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, _, err = run("deploy", "--out", folder)
    assert status == 0
    assert "apt-get install gcc-arm-none-eabi" in " ".join(err.split())
    firmware = folder / "firmware" / "cortex-m4"
    assert "linked" not in json.loads((firmware / "footprint.json").read_text(encoding="utf-8"))
    assert (firmware / "network.c").exists()


def test_a_device_that_is_too_small_leaves_everything(run: Main, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("deploy", "--out", folder)
    before = {path: path.read_bytes() for path in (folder / "firmware").rglob("*.*")}
    status, _, err = run("deploy", "--out", folder, "--target", "loihi", "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "runs no firmware" in err
    small = Target(name="small", title="a small device", source="", flash=3000, ram=100000)
    monkeypatch.setattr("spikenas.pipeline.finishing.find_target", lambda name: small)
    status, _, err = run("deploy", "--out", folder, "--target", "small", "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "the network does not fit a small device" in err
    assert "of flash" in err
    assert {path: path.read_bytes() for path in (folder / "firmware").rglob("*.*")} == before


@needs_tools
def test_a_compiler_that_fails_leaves_everything(
    run: Main, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("deploy", "--out", folder, "--quiet")
    before = {path: path.read_bytes() for path in (folder / "firmware").rglob("*.*")}
    broken = tmp_path / "bin" / "arm-none-eabi-gcc"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'internal compiler error: of a test' >&2\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    status, _, err = run("deploy", "--out", folder, "--target", "stm32f405", "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "does not compile: internal compiler error: of a test" in err
    assert {path: path.read_bytes() for path in (folder / "firmware").rglob("*.*")} == before


def test_a_kill_before_the_end_of_deploy_loses_nothing(
    run: Main, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What marks the stage done is written last, so that whoever comes again does it again."""

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("spikenas.pipeline.finishing.write_nir", killed)
        assert run("deploy", "--out", folder, "--target", "stm32f405")[0] == 130
    assert not (folder / "firmware").exists()
    assert run("deploy", "--out", folder, "--target", "stm32f405", "--quiet")[0] == 0
    assert (folder / "firmware" / "stm32f405" / "footprint.json").exists()
    assert (folder / "network.nir").exists()


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["deploy", "--target", "stm32f40"], "unknown target 'stm32f40', did you mean 'stm32f405'?"),
        (["quantise", "--bits", "3"], "--bits: expected 2, 4 or 8, got 3"),
        (["quantise", "--bits", "four"], "--bits: expected 2, 4 or 8, got 'four'"),
    ],
)
def test_wrong_input_is_one_line(run: Main, folder: Path, arguments: list[str], fragment: str) -> None:
    status, _, err = run(*arguments, "--out", folder, "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert fragment in err


def test_files_that_are_not_there_or_damaged(run: Main, folder: Path) -> None:
    file = folder / "quantised.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    status, _, err = run("deploy", "--out", folder, "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "quantised.safetensors: truncated" in err
    file.unlink()
    status, _, err = run("deploy", "--out", folder, "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert f"'spikenas quantise --out {folder}' writes it" in err


def test_other_bits_and_fine_tuning(run: Main, folder: Path) -> None:
    before = (folder / "quantised.safetensors").read_bytes()
    assert run("quantise", "--out", folder, "--bits", 4, "--tuning", 1, "--quiet")[0] == 0
    found = json.loads((folder / "quantise.json").read_text(encoding="utf-8"))
    assert (found["weight_bits"], found["epochs"]) == (4, 1)
    assert (folder / "quantised.safetensors").read_bytes() != before
    again = (folder / "quantised.safetensors").stat().st_mtime_ns
    assert run("quantise", "--out", folder, "--quiet")[0] == 0  # done is done
    assert (folder / "quantised.safetensors").stat().st_mtime_ns == again


def test_each_fine_tuning_is_one_of_its_own(run: Main, folder: Path) -> None:
    """Of a network that starts from other rounded weights, or learns longer."""
    tuned = []
    for bits, epochs in ((4, 1), (2, 1), (2, 2)):
        assert run("quantise", "--out", folder, "--bits", bits, "--tuning", epochs, "--quiet")[0] == 0
        model = json.loads((folder / "quantise.json").read_text(encoding="utf-8"))["model"]
        tuned.append((folder / model).read_bytes())
    assert len(set(tuned)) == 3


def test_the_memory_and_the_next_step_after_other_bits(run: Main, folder: Path) -> None:
    before = json.loads(run("evaluate", "--out", folder, "--json")[1])
    made = json.loads(run("quantise", "--out", folder, "--bits", 4, "--tuning", 0, "--json")[1])
    assert made["flash_bytes"] < before["flash_bytes"]
    assert "quantised_test_accuracy" not in made
    assert made["next"] == "evaluate"
    assert (load_run(folder).memory or {})["flash_bytes"] == made["flash_bytes"]


def test_integers_of_other_settings_are_not_deployed(run: Main, folder: Path) -> None:
    status, _, err = run("deploy", "--out", folder, "--set", "quantise.weight_bits=2", "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "of other settings or another model; 'spikenas quantise' makes it anew" in err


def test_bits_beyond_the_budget_are_refused_and_leave_nothing_behind(run: Main, tmp_path: Path) -> None:
    """The budget holds with 4 bits alone."""
    small = (*SMALL, "--ops", "conv3x3", "--channels", 16, "--no-enhance", "--epochs", 1, "--set", "threads=1")
    folder = tmp_path / "run"
    four = ("run", *small, "--weight-bits", 4, "--set", "quantise.epochs=0", "--out", folder)
    assert run(*four, "--flash", "15KiB")[0] == 0
    status, _, err = run("quantise", "--out", folder, "--bits", 8, "--quiet")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "with 8 bits the network no longer meets its budget of flash" in err
    assert run("quantise", "--out", folder, "--quiet")[0] == 0


@needs_tools
def test_deploy_is_done_once(run: Main, folder: Path) -> None:
    assert run("deploy", "--out", folder, "--quiet")[0] == 0
    source = folder / "firmware" / "cortex-m4" / "network.c"
    before = source.stat().st_mtime_ns
    assert run("deploy", "--out", folder, "--quiet")[0] == 0
    assert source.stat().st_mtime_ns == before


def test_each_device_has_a_folder_of_its_own(run: Main, deployed: Path, tmp_path: Path) -> None:
    """Beside its own limits; a new training makes all of them anew."""
    folder = Path(shutil.copytree(deployed, tmp_path / "run"))
    own = {path.name: path.read_bytes() for path in (folder / "firmware" / "stm32f103").iterdir()}
    board = tmp_path / "my board.toml"
    board.write_text(
        'title = "mine"\nsource = ""\ncore = "cortex-m4"\nflash = "1MiB"\nram = "64KiB"\n', encoding="utf-8"
    )
    for target in ("rp2040", board):
        status, out, _ = run("deploy", "--out", folder, "--target", target, "--json", "--quiet")
        assert status == 0
    assert {path.name: path.read_bytes() for path in (folder / "firmware" / "stm32f103").iterdir()} == own
    found = json.loads(out)
    assert list(found["firmware"]) == ["my board", "rp2040", "stm32f103"]
    assert found["next"] is None
    limits = {name: said["limits"]["ram_bytes"] for name, said in found["firmware"].items()}
    assert limits == {"my board": 64 * 1024, **{name: find_target(name).ram_left for name in ("rp2040", "stm32f103")}}
    assert found["budget"]["ram"] == limits["stm32f103"]
    assert found["firmware"]["rp2040"]["core"] == "cortex-m0"
    said = run("deploy", "--out", folder)[1]
    assert all(name in said and format_size(limit) in said for name, limit in limits.items())
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(f"{limit:,}" in page for limit in limits.values())
    if "linked" in found["firmware"]["my board"]:
        assert found["firmware"]["my board"]["seconds"] is None
        board.write_text(board.read_text(encoding="utf-8") + 'clock = "100MHz"\ncycles = 2\n', encoding="utf-8")
        faster = json.loads(run("deploy", "--out", folder, "--json", "--quiet")[1])["firmware"]["my board"]
        assert faster["seconds"] == pytest.approx(faster["instructions"] * 2e-8)
    (tmp_path / "other").mkdir()
    status, _, err = run("deploy", "--out", folder, "--target", shutil.copy(board, tmp_path / "other" / board.name))
    assert (status, "is that of" in err, "another name" in err) == (2, True, True)
    trained = run("train", "--out", folder, "--epochs", 3, "--json", "--quiet")[1]
    if "firmware" not in json.loads(trained):  # the weights are others
        again = json.loads(run("run", "--out", folder, "--json", "--quiet")[1])
        assert list(again["firmware"]) == list(found["firmware"])
        digests = {name: said["quantised_sha256"] for name, said in again["firmware"].items()}
        assert len(set(digests.values())) == 1
        assert set(digests.values()) != {found["firmware"]["rp2040"]["quantised_sha256"]}


def test_a_firmware_that_was_being_written_is_none(run: Main, folder: Path) -> None:
    assert run("deploy", "--out", folder, "--target", "rp2040", "--quiet")[0] == 0
    left = folder / "firmware" / ".rp2040.partial"
    shutil.copytree(folder / "firmware" / "rp2040", left)
    (left / "footprint.json").write_text("{", encoding="utf-8")
    assert json.loads(run("evaluate", "--out", folder, "--json", "--quiet")[1])["next"] is None
    assert list(load_run(folder).measured) == ["rp2040"]


def test_targets_lists_and_judges(run: Main) -> None:
    status, out, _ = run("targets", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert {
        "stm32f405",
        "stm32f746",
        "stm32h743",
        "nrf52840",
        "rp2040",
        "rp2350",
        "stm32f103",
        "gap9",
        "esp32s3",
    } <= set(rows)
    assert {"max78000", "loihi", "speck"} <= set(rows)
    assert all(row["source"].startswith("https://") for row in rows.values())
    _, out, _ = run("targets", "0-1:conv3x3 0-3:skip 1-3:conv3x3", "--channels", 32, "--json")
    judged = {row["name"]: row for row in json.loads(out)}
    assert judged["stm32h743"]["fits"]
    assert not judged["stm32f103"]["fits"]
    (ram,) = [need for need in judged["stm32f103"]["needs"] if need["what"] == "ram"]
    assert ram["needed"] > ram["limit"] == 19 * 1024


def test_a_processor_that_is_counted_as_another_is_called_by_its_name(run: Main) -> None:
    said = "budget.clock: each device has its own; leave it out"
    assert said in run("targets", "--set", "budget.clock=1MHz")[2]
    (row,) = [line for line in run("targets")[1].splitlines() if line.startswith("esp32s3")]
    assert "xtensa-lx7" in row
    assert "cortex" not in row


def test_a_target_is_a_budget(run: Main, tmp_path: Path) -> None:
    status, _, _ = run("search", *SMALL, "--target", "stm32f103", "--ram", "8KiB", "--out", tmp_path / "run")
    config = (tmp_path / "run" / "config.toml").read_text(encoding="utf-8")
    assert status == 0
    assert 'core = "cortex-m3"' in config
    assert "ram = 8192" in config
    assert f"flash = {124 * 1024}" in config


@needs_tools
def test_verify_classifies_test_images_under_the_emulator(run: Main, folder: Path) -> None:
    status, out, err = run("deploy", "--out", folder, "--target", "stm32f405", "--verify", "60", "--json", "--quiet")
    assert (status, err) == (0, "")
    found = json.loads(out)["firmware"]["stm32f405"]["verified"]
    assert found["images"] == 60
    assert found["interval"][0] < found["accuracy"] < found["interval"][1]
    test = open_task(folder, load_config(folder)).test
    network = IntegerNetwork.load(folder / "quantised.safetensors")
    inputs, _ = deployment.test_vectors(network, test, 60)
    labels = test.labels[deployment.spread(len(test), 60)]
    right = [run_reference(network, one).argmax() == label for one, label in zip(inputs, labels, strict=True)]
    assert found["accuracy"] == sum(right) / 60
    status, out, err = run("deploy", "--out", folder, "--verify", "100000", "--json")
    count = len(test)
    assert f"there are {count} test items, which is all that the firmware classifies" in " ".join(err.split())
    assert json.loads(out)["firmware"]["stm32f405"]["verified"]["images"] == count
    _, out, _ = run("deploy", "--out", folder, "--verify", "0", "--json", "--quiet")
    assert "verified" not in json.loads(out)["firmware"]["stm32f405"]
    shown = run("deploy", "--out", folder, "--verify", "60")[1]
    assert "of 60 test images right by the firmware under QEMU, all outputs equal" in " ".join(shown.split())
