import json
from pathlib import Path
from typing import Any

import pytest

from spikenas._util.class_figures import Figures
from spikenas._util.errors import RunError
from spikenas.records import BEST_FILE, EVALUATION_FILE, append_history, read_history

BEST: dict[str, Any] = {
    **{"genotype": "0-3:conv3x3", "score": 2.5, "score_name": "cmrr", "channels": 8, "trials": 3, "scored": 2},
    **{"params": 1, "flash_bytes": 2, "ram_bytes": 3},
}
EVALUATION: dict[str, Any] = {
    "figures": Figures.of([[1, 0], [1, 0]], ("a", "b")).as_json(),
    **{"test_accuracy": 0.5, "images": 2, "firing_rates": {"a": 0.1}, "synops": 1, "synops_by_layer": {"a": 1.0}},
    **{"macs": 4, "confusion": [[1, 0], [1, 0]], "seconds": 0.1, "model_sha256": "0" * 64},
    "mistakes": [{"excess": 0.1, "index": 1, "label": 1, "predicted": 0, "file": "item 1"}],
}


def test_round_trip(tmp_path: Path) -> None:
    assert BEST_FILE.find(tmp_path) is None
    assert BEST_FILE.write(tmp_path, BEST) == BEST_FILE.read(tmp_path) == BEST
    assert BEST_FILE.find(tmp_path) == BEST


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"best\.json: no such file; 'spikenas search --out .*' writes it$"):
        BEST_FILE.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        (b"[1]", "the whole: expected an object, got [1]"),
        (b"5", "the whole: expected an object, got 5"),
        (b"[" * 5000, "not valid JSON that is used here (nested too deep)"),
        (b"{}", "genotype is missing"),
        ({"score": "high"}, "score: expected a number, got 'high'"),
        ({"score": True}, "score: expected a number, got True"),
        ({"score": float("nan")}, "not valid JSON that is used here (the number NaN)"),
        ({"score": float("inf")}, "not valid JSON that is used here (the number Infinity)"),
        ({"trials": 3.0}, "trials: expected a whole number, got 3.0"),
        ({"trials": -1}, "trials: expected at least 0, got -1"),
        ({"trials": None}, "trials: expected a whole number, got None"),
        ({"trials": 10**4000}, "not valid JSON that is used here (a number of 4,001 digits)"),
        ({"genotype": "0-3:conv9x9x9"}, "genotype: "),
        ({"score_name": "\ud800"}, "not valid JSON that is used here (a text is not Unicode)"),
        ({"further": 1}, "further is not known"),
        ({"score_name": ["a\nb"] * 50}, "score_name: expected a text, got ['a\\nb', "),
    ],
    ids=str,
)
def test_what_is_refused(tmp_path: Path, content: bytes | dict[str, Any], message: str) -> None:
    text = content if isinstance(content, bytes) else json.dumps(BEST | content).encode()
    (tmp_path / "best.json").write_bytes(text)
    with pytest.raises(RunError) as refused:
        BEST_FILE.read(tmp_path)
    said = str(refused.value)
    assert said.startswith(f"{tmp_path / 'best.json'}: {message}")
    assert said.endswith(f"; remove it, 'spikenas search --out {tmp_path}' writes it")
    assert "\n" not in said
    assert len(said) < 200 + 2 * len(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mistakes": 5}, "mistakes: expected a list, got 5"),
        ({"mistakes": [{"index": 1}]}, "mistakes.0.excess is missing"),
        ({"mistakes": [{**EVALUATION["mistakes"][0], "label": 2}]}, "expected mistakes among the 2 classes"),
        ({"confusion": [[1, 0], [1]]}, "confusion: expected as many columns as rows"),
        ({"firing_rates": {"a": "often"}}, "firing_rates.a: expected a number"),
        ({"quantised_test_accuracy": 0.5}, "quantised_test_accuracy is there, but quantised_figures is missing"),
    ],
)
def test_values_at_any_depth_and_those_that_go_together(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps(EVALUATION | changes))
    with pytest.raises(RunError, match=r"evaluation\.json") as refused:
        EVALUATION_FILE.read(tmp_path)
    assert message in str(refused.value)


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"best\.json: cannot be written \(not valid JSON .*NaN\)\)$"):
        BEST_FILE.write(tmp_path, BEST | {"score": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_history_loses_what_a_kill_cut_off_and_counts_what_is_damaged(tmp_path: Path) -> None:
    line: Any = {"ended": "now", "stage": "train", "seconds": 1.0, "command": "c", "versions": {}}
    line["machine"] = {"system": "s", "cpu": "c", "cores": 2}
    append_history(tmp_path, line)
    path = tmp_path / "history.jsonl"
    path.write_bytes(path.read_bytes() + b'{"stage": "tr')
    assert read_history(tmp_path) == ([line], 0)
    append_history(tmp_path, line | {"stage": "deploy"})
    assert read_history(tmp_path) == ([line, line | {"stage": "deploy"}], 0)
    damaged = json.dumps(line | {"machine": {"system": "s", "cores": 2}}).encode()
    path.write_bytes(damaged + b"\n" + path.read_bytes())
    assert read_history(tmp_path) == ([line, line | {"stage": "deploy"}], 1)
