from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spikenas._util.errors import RunError
from spikenas.bench.comparison_plots import draw_comparison
from spikenas.bench.results import Result, summarise

RESULT = Result(
    "random", "cmrr", "no limit", 0, 100, "abc", 3, 0.5, 2.0, "0-3:skip", 1.5, 0.6, 2.0, 70.0, (None, 3.0, 2.0)
)


def text_of(path: Path) -> str:
    return "".join(comment for comment in path.read_text().split("<!--")[1:])


def test_a_row_for_each_evaluator_with_its_strategies(tmp_path: Path) -> None:
    results = [replace(RESULT, strategy=s, evaluator=e) for s in ("random", "local") for e in ("cmrr", "epoch 5")]
    failed = replace(RESULT, strategy="gp", genotype=None, score=None, accuracy=None, regret=None, curve=(None,))
    draw_comparison(tmp_path / "c.svg", summarise([*results, failed]))
    assert ElementTree.parse(tmp_path / "c.svg").getroot().tag.endswith("svg")
    drawn = text_of(tmp_path / "c.svg")
    for words in ("evaluated by cmrr", "evaluated by epoch 5", "random", "local", "regret, points of accuracy"):
        assert words in drawn
    assert "gp" not in drawn


def test_without_a_truth_the_score_is_drawn(tmp_path: Path) -> None:
    blind = replace(RESULT, accuracy=None, regret=None, percentile=None)
    draw_comparison(tmp_path / "c.svg", summarise([blind]))
    assert "score of the best" in text_of(tmp_path / "c.svg")
    with pytest.raises(RunError, match="cannot be written"):
        draw_comparison(tmp_path / "nowhere" / "c.svg", summarise([blind]))
