import subprocess
import sys
from pathlib import Path

import pytest

from spikenas._util.errors import RunError
from spikenas.config import Config
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.settings import fix

CONFIG = Config()


def changed(section: str, **values: object) -> Config:
    part = getattr(CONFIG, section)
    return CONFIG.but({section: part.model_copy(update=values)})


def test_settings_of_the_search_are_fixed_once_there_are_trials(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        fix(run, CONFIG)
        fix(run, changed("space", ops=("skip", "conv1x1")))
        fix(run, CONFIG)
        (tmp_path / "trials.db").touch()
        with pytest.raises(RunError, match=r"made with space\.ops = \('skip', 'conv3x3'\), not .*another --out"):
            fix(run, changed("space", ops=("skip", "conv1x1")))
        with pytest.raises(RunError, match="made with seed = 0, not 1"):
            fix(run, CONFIG.but({"seed": 1}))
        fix(run, changed("train", epochs=3))
        (tmp_path / "checkpoint.safetensors").touch()
        with pytest.raises(RunError, match=r"made with train\.epochs = 3, not 2; 'spikenas train --again"):
            fix(run, changed("train", epochs=2))
        assert Config.load(tmp_path / "config.toml").train.epochs == 3
        fix(run, changed("train", epochs=4))  # with which the training goes on
        assert Config.load(tmp_path / "config.toml").train.epochs == 4


def test_device_and_threads_may_change(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        fix(run, CONFIG)
        for name in ("trials.db", "best.json", "checkpoint.safetensors"):
            (tmp_path / name).touch()
        fix(run, CONFIG.but({"device": "cuda", "threads": 1}))


def test_one_process_at_a_time(tmp_path: Path) -> None:
    imports = "from pathlib import Path; from spikenas.pipeline.run_folder import RunFolder"
    code = f"{imports}; RunFolder(Path({str(tmp_path)!r}))"
    with RunFolder(tmp_path):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "in use by another spikenas process" in other.stderr
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot be used as run folder \(a file, not a folder\)"):
        RunFolder(tmp_path / "file")


def test_statistics_of_other_data_are_forgotten(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        fix(run, CONFIG)
        (tmp_path / "statistics.json").touch()
        fix(run, CONFIG)
        assert run.has("statistics.json")
        fix(run, changed("data", image_size=4))
        assert not run.has("statistics.json")


def test_a_search_ends_on_the_device_it_began_on(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as run:
        fix(run, CONFIG)
        (tmp_path / "trials.db").touch()
        with pytest.raises(RunError, match="the search began on cpu, so it ends there, not on cuda"):
            fix(run, CONFIG.but({"device": "cuda"}))
