import csv
import io
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikenas.config import Config
from spikenas.data.folders import ImageFolder
from spikenas.training.checkpoint import load_tensors
from support import TINY, Spikenas, write_images


def test_run_says_what_was_found_and_is_done_once(spikenas: Spikenas, tmp_path: Path) -> None:
    first = spikenas("run", "--no-enhance", *TINY, "--flash", "16KiB", "--out", "r")
    assert first.returncode == 0, first.stderr
    best = json.loads((tmp_path / "r" / "best.json").read_text())
    accuracy = json.loads((tmp_path / "r" / "evaluation.json").read_text())["test_accuracy"]
    for text in (best["genotype"].split(" / ")[0], f"{accuracy:.2%}", "of 16.0 KiB", f"{best['params']:,}", "r"):
        assert text in first.stdout
    assert first.stdout.rstrip().endswith(" s (this command)")
    assert "search: " in first.stderr
    assert "training: " in first.stderr
    assert "\x1b" not in first.stdout + first.stderr
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    again = spikenas("run", "--no-enhance", *TINY, "--flash", "16KiB", "--out", "r", "--json")
    assert json.loads(again.stdout)["test_accuracy"] == accuracy
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before
    other = spikenas("run", "--no-enhance", *TINY, "--flash", "17KiB", "--out", "r")
    assert other.returncode == 2
    assert other.stderr.strip() == (
        "spikenas: r was made with budget.flash = 16384, not 17408; choose another --out or remove it"
    )


def test_stages_one_by_one_equal_run(spikenas: Spikenas, tmp_path: Path) -> None:
    assert spikenas("run", "--no-enhance", *TINY, "--out", "whole", "-q").returncode == 0
    assert spikenas("search", *TINY, "--set", "train.epochs=9", "--out", "parts", "-q").returncode == 0
    assert spikenas("train", "--out", "parts", "--epochs", "2", "-q").returncode == 0
    assert spikenas("evaluate", "--out", "parts", "-q").returncode == 0
    whole, parts = (load_tensors(tmp_path / name / "model.safetensors")[0] for name in ("whole", "parts"))
    assert all((whole[key] == parts[key]).all() for key in whole)
    from_file = spikenas("run", "whole/config.toml", "--out", "again", "-q")
    assert from_file.returncode == 0
    assert (tmp_path / "again" / "best.json").read_bytes() == (tmp_path / "whole" / "best.json").read_bytes()


def test_score_writes_a_line_for_each_genotype_in_order(spikenas: Spikenas, tmp_path: Path) -> None:
    lines = ["0-3:conv3x3", "0-1:conv3x3 1-3:conv3x3 / 0-3:skip", "none", "0-2:conv3x3 2-3:skip"]
    (tmp_path / "g.txt").write_text("# a comment\n" + "\n\n".join(lines) + "\n")
    result = spikenas("score", "--genotypes", "g.txt", "--out", "s.csv", "--set", "fidelity.batch=8", "-q")
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert [row["genotype"] for row in rows] == lines
    assert list(rows[0]) == ["genotype", "score", "seconds"]
    assert rows[2]["score"] == "-inf"
    assert rows[0]["score"] == rows[3]["score"] != rows[1]["score"]


def test_score_in_the_benchmark_s_space(spikenas: Spikenas, tmp_path: Path) -> None:
    (tmp_path / "g.txt").write_text("3284\n411101\n0\n")
    arguments = ["--space", "spikenas-bench", "--set", "fidelity.channels=4", "--set", "fidelity.batch=4"]
    result = spikenas("score", "--genotypes", "g.txt", *arguments, "--score", "sahd-sum", "-q")
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["genotype"] for row in rows] == ["3284", "411101", "0"]
    assert rows[0]["score"] == rows[1]["score"]
    assert rows[2]["score"] == "-inf"


def no_traceback(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    assert lines[0].startswith("spikenas: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nowhere"], "no such folder"),
        (["--set", "train.lrr=1"], "train.lrr: unknown key, did you mean 'lr'?"),
        (["--set", "train.lr=much"], "--set train.lr: expected a number, got 'much'"),
        (["--set", "train.lr"], "expected KEY=VALUE"),
        (["--flash", "96kbit"], "--flash: expected a size such as 96KiB"),
        (["--params", "1.2Mio"], "--params: expected a count such as 1.2M"),
        (["--flash", "100"], "the smallest takes"),
        (["--neuron", "lif", "--ram", "1000"], "or --set network.membrane_bits=8 or --set network.cells=1"),
        (["--ram", "600"], "no change of the network or of the images makes room"),
        (["--ops", "skip,conv9x9"], "unknown op 'conv9x9', did you mean"),
        (["--space", "nasbench"], "no such space 'nasbench', did you mean 'spikenas-bench'?"),
        (["--score", "magic"], "unknown score 'magic'"),
        (["--device", "cuda"], "device 'cuda' cannot be used"),
        (["--cells", "5"], "too small for 5 cells"),
        (["--timesteps", "0"], "--timesteps: expected at least 1, got 0"),
        (["missing.toml"], "missing.toml: cannot be read"),
        (["--flash", "64", "KiB"], "CONFIG KiB: no such file; a value of several words needs quotes"),
        (
            ["--executor", "pol"],
            "--executor: expected 'auto', 'in-process', 'pool' or 'ray', got 'pol', did you mean 'pool'?",
        ),
        (["--front", "foo"], "--front: expected 'params', 'flash', 'ram' or 'synops', got 'foo'"),
    ],
)
def test_wrong_input_ends_in_one_line_and_status_2(spikenas: Spikenas, arguments: list[str], message: str) -> None:
    result = spikenas("run", "--no-enhance", *arguments, "--out", "r")
    assert result.returncode == 2
    assert message in no_traceback(result.stderr)


@pytest.mark.parametrize("command", ["run", "search", "train", "evaluate", "compare"])
def test_an_empty_folder_name_is_not_the_folder_one_is_in(spikenas: Spikenas, tmp_path: Path, command: str) -> None:
    for arguments in (["--out", ""], ["--out="]):
        result = spikenas(command, *arguments)
        assert result.returncode == 2
        assert no_traceback(result.stderr) == "spikenas: --out '': an empty text; give a value, or leave it out"
    assert not list(tmp_path.iterdir())


def test_a_stage_without_the_one_before(spikenas: Spikenas, tmp_path: Path) -> None:
    assert "'spikenas search --out r' makes one" in no_traceback(spikenas("train", "--out", "r").stderr)
    assert spikenas("search", *TINY, "--out", "r", "-q").returncode == 0
    result = spikenas("evaluate", "--out", "r", "-q")
    assert result.returncode == 2
    assert "model.safetensors: no such file; 'spikenas train --out r' writes it" in no_traceback(result.stderr)


@pytest.mark.slow
def test_damaged_files_of_a_run(spikenas: Spikenas, tmp_path: Path) -> None:
    assert spikenas("run", "--no-enhance", *TINY, "--out", "r", "-q").returncode == 0
    for name, message in {
        "model.safetensors": "truncated or",
        "config.toml": "not valid TOML",
        "best.json": "not valid JSON; remove it, 'spikenas search --out best.json' writes it",
    }.items():
        shutil.copytree(tmp_path / "r", tmp_path / name)
        damaged = tmp_path / name / name
        damaged.write_bytes(damaged.read_bytes()[:-7])
        if name == "config.toml":
            damaged.write_text("[[[")
        (tmp_path / name / "evaluation.json").unlink()
        result = spikenas("run", "--out", name, "-q")
        assert result.returncode == 2
        assert message in no_traceback(result.stderr)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_is_done(process: Spikenas, tmp_path: Path) -> None:
    assert process("search", *TINY, "--out", "r", "-q").returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()}

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    result = process("train", "--out", "r", "-q", preexec_fn=small_files)
    assert result.returncode == 2
    assert "cannot be written" in no_traceback(result.stderr)
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before
    assert process("train", "--out", "r", "-q").returncode == 0


def test_a_score_that_cannot_begin_leaves_the_old_file(spikenas: Spikenas, tmp_path: Path) -> None:
    (tmp_path / "g.txt").write_text("0-3:conv3x3\n")
    (tmp_path / "s.csv").write_text("old")
    result = spikenas("score", "--genotypes", "g.txt", "--data", "nowhere", "--out", "s.csv")
    assert result.returncode == 2
    assert (tmp_path / "s.csv").read_text() == "old"


def test_ctrl_c_in_the_training_stops_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "spikenas",
        "run",
        "--no-enhance",
        *TINY,
        "--set",
        "train.epochs=2000",
        "--out",
        "r",
        "-q",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "r" / "train.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.strip() == "spikenas: interrupted; the same command goes on from r"
    assert (tmp_path / "r" / "checkpoint.safetensors").exists()


def test_the_space_is_decided_anew_for_another_budget_until_the_search_begins(
    spikenas: Spikenas, tmp_path: Path
) -> None:
    def channels() -> int:
        return Config.load(tmp_path / "r" / "config.toml").network.channels  # type: ignore[return-value]

    given = (*("--ops", "skip,conv3x3", "--cells", "1", "--timesteps", "2"), *("--set", "fidelity.batch=8"))
    assert spikenas("enhance", "--data", "digits", *given, "--flash", "64KiB", "--out", "r").returncode == 0
    wide = channels()
    assert spikenas("enhance", "--flash", "8KiB", "--out", "r").returncode == 0
    assert channels() < wide
    config = tmp_path / "r" / "config.toml"
    config.write_text(config.read_text().replace("momentum = 0.6\n", "momentum = 0.85\n"))
    assert spikenas("enhance", "--out", "r").returncode == 0
    assert Config.load(config).train.momentum == 0.85, "what people write there stays"
    decided = (tmp_path / "r" / "space.json").read_bytes()
    refused = spikenas("run", "--flash", "64KiB", "--out", "r")
    assert (
        "was decided for budget.flash = 8192, not 65536; choose another --out, or 'spikenas enhance" in refused.stderr
    )
    assert spikenas("search", "--evaluations", "2", "--out", "r").returncode == 0
    refused = spikenas("run", "--data", "digits", *given, "--flash", "64KiB", "--out", "r")
    assert refused.returncode == 2
    assert "r was made with budget.flash = 8192, not 65536" in refused.stderr
    assert spikenas("enhance", "--out", "r").returncode == 0
    assert (tmp_path / "r" / "space.json").read_bytes() == decided


def test_a_default_folder_of_another_budget_is_refused_before_anything_is_decided(
    spikenas: Spikenas, tmp_path: Path
) -> None:
    given = (*("--data", "digits", "--ops", "skip,conv3x3", "--cells", "1"), *("--set", "fidelity.batch=8"))
    assert spikenas("enhance", *given, "--flash", "8KiB").returncode == 0
    assert spikenas("search", "--evaluations", "2", "--out", "runs/digits").returncode == 0
    before = (tmp_path / "runs" / "digits" / "space.json").stat().st_mtime_ns
    refused = spikenas("run", *given, "--flash", "64KiB")
    assert refused.returncode == 2
    assert "the space of runs/digits was decided for budget.flash = 8192, not 65536" in refused.stderr
    again = spikenas("run", *given, "--flash", "8KiB", "--epochs", "1", "--front", "flash", "--json")
    assert json.loads(again.stdout)["front"]
    assert (tmp_path / "runs" / "digits" / "space.json").stat().st_mtime_ns == before


DECIDED = (*("--ops", "skip,conv3x3", "--cells", "1", "--timesteps", "2"), *("--set", "fidelity.batch=8"))


def test_a_file_of_one_s_own_is_enhanced_and_the_command_that_is_advised_works(
    spikenas: Spikenas, tmp_path: Path
) -> None:
    (tmp_path / "my.toml").write_text(
        '[data]\nname = "digits"\n[space]\nops = ["skip", "conv3x3"]\n[network]\ncells = 1\ntimesteps = 2\n'
        "[fidelity]\nbatch = 8\n[train]\nepochs = 1\n[search]\nevaluations = 2\n[budget]\nflash = 8192\n"
    )
    decided = spikenas("enhance", "my.toml", "--out", "a")
    assert decided.returncode == 0, decided.stderr
    (advised,) = [line for line in decided.stderr.splitlines() if line.startswith("the next step: ")]
    command = advised.removeprefix("the next step: spikenas ").split()
    assert spikenas(*command, "-q").returncode == 0
    assert spikenas("run", "my.toml", "--out", "b", "-q").returncode == 0
    spaces = [json.loads((tmp_path / name / "space.json").read_text())["decisions"] for name in "ab"]
    assert spaces[0] == spaces[1]
    assert (tmp_path / "a" / "best.json").read_bytes() == (tmp_path / "b" / "best.json").read_bytes()
    assert spikenas("run", "my.toml", "--out", "c", "--no-enhance", "-q").returncode == 0
    assert not (tmp_path / "c" / "space.json").exists()


def test_space_json_says_as_asked_of_what_was_asked_alone(spikenas: Spikenas, tmp_path: Path) -> None:
    assert spikenas("enhance", "--data", "digits", *DECIDED, "--out", "r", "-q").returncode == 0
    decisions = json.loads((tmp_path / "r" / "space.json").read_text())["decisions"]
    asked = {one["key"] for one in decisions if one["reason"].startswith("set beforehand")}
    assert (
        asked
        == {one["key"] for one in decisions if one["given"]}
        == {*("space.ops", "network.cells", "network.timesteps")}
    )
    assert all(one["reason"] for one in decisions)


def test_a_space_that_was_configured_is_not_decided_afterwards(spikenas: Spikenas, tmp_path: Path) -> None:
    assert spikenas("search", "--data", "digits", *DECIDED, "--evaluations", "2", "--out", "r", "-q").returncode == 0
    refused = spikenas("enhance", "--out", "r", "-q")
    assert refused.returncode == 2
    assert "r: its space was configured, and is not decided" in no_traceback(refused.stderr)


def test_enhance_opens_the_data_once(spikenas: Spikenas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "images", 10)
    (tmp_path / "images" / "0" / "notes.txt").touch()
    real, opened = ImageFolder.open, []
    monkeypatch.setattr(ImageFolder, "open", lambda *args: opened.append(1) or real(*args))
    quick = ("--set", "fidelity.channels=4", "--set", "fidelity.repeats=1", "--set", "fidelity.image_size=4")
    decided = spikenas(
        *("enhance", "--data", "images", "--seeds", "5", "--draws", "2", *quick, *DECIDED[2:], "--out", "r"),
        *("--set", "space.nodes=3", "--workers", "1"),
    )
    assert decided.returncode == 0, decided.stderr
    assert len(opened) == 1
    assert decided.stderr.count("of another kind), left out: 1") == 1
