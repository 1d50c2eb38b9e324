import json
from pathlib import Path

import pytest

from spikenas._util.errors import ConfigError
from spikenas.enhancement import AnalysisResult, Interval, Rule, agreement_of, write_agreement
from spikenas.enhancement.effects import Effect, Verdict


def answer(data: str, losses: dict[str, tuple[float, Verdict]]) -> AnalysisResult:
    effects = [
        Effect(
            f"without {op}", (op,), (), verdict, Interval(loss, loss - 1, loss + 1), Interval(loss, loss - 1, loss + 1),
            Interval(0, -1, 1), 1.0, None, 9, 0, 10, 0.0,
        )
        for op, (loss, verdict) in losses.items()
    ]  # fmt: skip
    return AnalysisResult(data, "cmrr", tuple(losses), tuple(losses), effects, [], [], [], 10, 20, 20)


ONE = answer("one", {"skip": (0.1, "removable"), "conv1x1": (0.5, "open"), "conv3x3": (2.0, "needed")})
TWO = answer("two", {"skip": (0.2, "removable"), "conv1x1": (0.3, "removable"), "conv3x3": (0.0, "removable")})


def test_which_verdicts_agree() -> None:
    found = agreement_of([ONE, TWO])
    assert [row.agreed for row in found.agreements] == ["removable", "mixed", "contradiction"]
    assert found.agreements[0].verdicts == {"one by cmrr": "removable", "two by cmrr": "removable"}
    assert found.mean_similarity == pytest.approx(-0.5)


def test_losses_that_are_all_the_same_have_no_correlation() -> None:
    same = answer("same", dict.fromkeys(("skip", "conv1x1", "conv3x3"), (0.0, "open")))
    assert agreement_of([ONE, same]).mean_similarity is None
    assert agreement_of([same, same]).agreements[0].agreed == "open"


def test_analyses_of_other_ops() -> None:
    with pytest.raises(ConfigError, match="analyses of different ops"):
        agreement_of([ONE, answer("x", {"skip": (0.0, "open")})])


def test_the_files(tmp_path: Path) -> None:
    write_agreement(tmp_path, [ONE, TWO], Rule())
    assert json.loads((tmp_path / "agreement.json").read_text())["agreements"][1]["agreed"] == "mixed"
    assert len((tmp_path / "agreement.csv").read_text().splitlines()) == 7
    first = (tmp_path / "agreement.svg").read_bytes()
    write_agreement(tmp_path, [ONE, TWO], Rule())
    assert (tmp_path / "agreement.svg").read_bytes() == first
