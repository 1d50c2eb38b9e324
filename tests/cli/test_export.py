"""From a run to a project for a build system, on the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import spikenas as sn
from spikenas.reporting import load_run
from support import Main

needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_a_project_of_a_run_is_in_it(run: Main, folder: Path) -> None:
    status, out, err = run("export", "--out", folder, "--to", "arduino", "--prefix", "digits")
    assert (status, out) == (0, "")
    assert f"exported to {folder}/export/arduino; its README.md says how to go on" in err
    made = folder / "export" / "arduino"
    assert {path.name for path in made.iterdir()} == {
        ".spikenas-export.json", "README.md", "examples", "library.properties", "src"
    }  # fmt: skip
    example = (made / "examples" / "Classify" / "example_input.h").read_text(encoding="utf-8")
    assert "#define DIGITS_EXAMPLE_CLASS " in example
    said = load_run(folder)
    assert said.page is None
    assert said.status == "complete"


def test_code_for_another_device(run: Main, folder: Path, tmp_path: Path) -> None:
    status, _, err = run(
        "export", "--out", folder, "--to", "cmake", "--target", "rp2040", "--into", tmp_path / "a", "-q"
    )
    assert (status, err) == (0, "")
    assert "of cortex-m0" in (tmp_path / "a" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "cmake", "--prefix", "9"), "--prefix 9: no beginning of a name in C; expected a lower-case letter"),
        (
            ("--to", "stm32"),
            "--to stm32: no such kind of project, known: arduino, cmake, pico, platformio, python, wasm, ",
        ),
        (("--to", "cmake", "--target", "loihi"), "runs no firmware; 'spikenas targets GENOTYPE'"),
        (("--to", "cmake", "--target", "nothing"), "unknown target 'nothing', known: "),
    ],
)
def test_what_cannot_be_exported_is_one_line(run: Main, folder: Path, words: tuple[str, ...], message: str) -> None:
    status, _, err = run("export", "--out", folder, "-q", *words)
    assert (status, len(err.splitlines())) == (2, 1), err
    assert message in err
    assert not (folder / "export").exists()


def test_a_run_without_integers(run: Main, folder: Path) -> None:
    (folder / "quantised.safetensors").unlink()
    status, _, err = run("export", "--out", folder, "--to", "cmake", "-q")
    assert (status, len(err.splitlines())) == (2, 1)
    assert f"'spikenas quantise --out {folder}' writes it" in err


@needs_compiler
def test_from_python(folder: Path, tmp_path: Path) -> None:
    run = sn.load(folder)
    assert isinstance(run, sn.RunResult)
    assert sn.export(run.integers, tmp_path / "here", to="python", prefix="digits") == tmp_path / "here"
    frames = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    said = run.integers.predict(frames[None])
    code = f"import snn_digits; print(snn_digits.label(bytes({frames.reshape(-1).tolist()})))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "here", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == said.label


@needs_compiler
@pytest.mark.slow
def test_from_a_picture_to_its_class_the_c_says_what_predict_says(run: Main, folder: Path, tmp_path: Path) -> None:
    """300 of 300, of sizes from 8x8 to 99x99, grey and coloured."""
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number, pixels in enumerate(load_digits().images[:300]):
        large = Image.fromarray((pixels * 15.9).astype(np.uint8)).resize(tuple(rng.integers(8, 100, 2)))
        noisy = np.clip(np.asarray(large, int) + rng.integers(-60, 60, large.size[::-1]), 0, 255).astype(np.uint8)
        tinted = np.stack([noisy, noisy // 2, 255 - noisy], axis=2) if number % 2 else noisy
        Image.fromarray(tinted).save(tmp_path / "pictures" / f"{number:03}.png")
    status, out, err = run("predict", "--out", folder, tmp_path / "pictures", "--integers", "--json")
    assert status == 0, err
    expected = [f"{one['file']} {one['label']}" for one in json.loads(out)["predictions"]]
    assert run("export", "--out", folder, "--to", "python", "--into", tmp_path / "here", "-q")[0] == 0
    files = sorted(str(path) for path in (tmp_path / "pictures").iterdir())
    command = [sys.executable, str(tmp_path / "here" / "network.py"), *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(expected) == 300
    assert sorted(done.stdout.splitlines()) == sorted(expected)
    assert len({line.split()[1] for line in expected}) > 3
