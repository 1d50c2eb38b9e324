import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, precision_score, recall_score

from spikenas._util.class_figures import Figures, listed


def test_one_class_of_300_and_one_of_6() -> None:
    figures = Figures.of([[60, 0], [1, 0]], ("good", "broken"))
    assert figures.accuracy == figures.largest_share == 60 / 61
    assert figures.balanced_accuracy == 0.5
    assert figures.largest.name == "good"
    assert figures.never_said == ["broken"]
    assert figures.unequal
    assert [one.recall for one in figures.classes] == [1.0, 0.0]
    assert [one.precision for one in figures.classes] == [60 / 61, None]
    assert str(figures) == "98.36% of 61 items right (91.3% to 99.7% with 95 % confidence), balanced 50.00%"


def test_a_class_without_items_is_not_missed() -> None:
    figures = Figures.of([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    assert figures.never_said == []
    assert figures.balanced_accuracy == (0.75 + 1) / 2
    assert figures.classes[2].recall is None
    assert not figures.unequal
    assert [one.name for one in figures.classes] == ["class 0", "class 1", "class 2"]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.data())
def test_they_are_as_scikit_learn_computes_them(classes: int, data: st.DataObject) -> None:
    row = st.lists(st.integers(0, 20), min_size=classes, max_size=classes).filter(any)
    confusion = np.array([data.draw(row) for _ in range(classes)])
    true, said = np.nonzero(np.ones_like(confusion))
    true, said = np.repeat(true, confusion.ravel()), np.repeat(said, confusion.ravel())
    figures = Figures.of(confusion.tolist())
    assert figures.accuracy == pytest.approx((true == said).mean())
    assert figures.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, said))
    labels = list(range(classes))
    recalls = recall_score(true, said, labels=labels, average=None, zero_division=0)
    precisions = precision_score(true, said, labels=labels, average=None, zero_division=0)
    assert [one.recall for one in figures.classes] == pytest.approx(list(recalls))
    assert [one.precision or 0.0 for one in figures.classes] == pytest.approx(list(precisions))
    assert json.loads(json.dumps(figures.as_json())) == figures.as_json()


def test_many_names_are_cut() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdefg")) == "a, b, c, d, e and 2 more"
