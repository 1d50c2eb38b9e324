"""What a careful colleague would say of an accuracy; and the remedies work when they are typed."""

import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spikenas.reporting import SavedRun, load_run
from spikenas.reporting.accuracy_checks import accuracy_checks
from spikenas.reporting.advice import Check
from spikenas.reporting.checks import checks
from support import Spikenas


@pytest.fixture(scope="module")
def run(folder: Path) -> SavedRun:
    return load_run(folder)


def found_of(run: SavedRun, confusion: Sequence[Sequence[int]], **changes: Any) -> dict[str, list[Check]]:
    """The checks by subject, as if the integers had these confusions."""
    assert run.evaluation
    names = tuple("abcdefghij"[: len(confusion)])
    right, items = sum(row[n] for n, row in enumerate(confusion)), sum(map(sum, confusion))
    values = {**run.evaluation, "quantised_confusion": confusion, "confusion": confusion, "quantised_mistakes": []}
    values["test_accuracy"] = values["quantised_test_accuracy"] = right / items
    found: dict[str, list[Check]] = {}
    for check in accuracy_checks(replace(run, evaluation=values, classes=names, **changes)):
        found.setdefault(check.subject, []).append(check)
    return found


def learnt(run: SavedRun, train: float, validation: float, images: tuple[int, int]) -> dict[str, Any]:
    """An epoch with these accuracies, on so many images of training and validation."""
    epoch = replace(run.epochs[-1], train_accuracy=train, validation_accuracy=validation)
    return {
        "epochs": [epoch] * run.config.train.epochs,
        "data": {**(run.data or {}), "items": {"train": images[0], "validation": images[1]}},
    }


def test_one_class_of_300_and_one_of_6(run: SavedRun) -> None:
    found = found_of(run, [[60, 0], [1, 0]])
    (accuracy,), (classes,) = found["accuracy"], found["classes"]
    assert accuracy.level == "problem"
    assert "98.36%" in accuracy.finding
    assert "always to say a" in accuracy.finding
    assert (classes.level, classes.finding) == ("problem", "never said: b")
    assert "--class-weights balanced" in classes.remedy
    (unequal,) = found["unequal classes"]
    assert unequal.level == "warning"
    assert "50.00%" in unequal.finding


def test_an_accuracy_that_is_hardly_above_the_largest_class(run: SavedRun) -> None:
    (accuracy,) = found_of(run, [[58, 2], [2, 3]])["accuracy"]
    assert accuracy.level == "warning"
    (accuracy,) = found_of(run, [[580, 20], [20, 580]])["accuracy"]
    assert accuracy.level == "good"


def test_two_of_six_classes_that_are_never_right(run: SavedRun) -> None:
    confusion = [[40 if i == j else 0 for j in range(6)] for i in range(6)]
    confusion[2] = [40, 0, 0, 0, 0, 0]
    confusion[5] = [0, 40, 0, 0, 0, 0]
    confusion[0][5] = 3
    found = {check.finding: check.level for check in found_of(run, confusion)["classes"]}
    assert found == {"never said: c": "problem", "not one item is recognised of f (0 of 40)": "problem"}


def test_a_class_that_is_surely_known_badly(run: SavedRun) -> None:
    (check,) = found_of(run, [[98, 2], [85, 15]])["classes"]
    assert (check.level, "b (15 of 100)" in check.finding) == ("warning", True)
    (check,) = found_of(run, [[95, 5], [3, 2]])["classes"]
    assert check.level == "good"


def test_advice_is_not_given_where_it_was_followed(run: SavedRun) -> None:
    config = run.config.but({"train.class_weights": "balanced"})
    for subject in ("classes", "unequal classes"):
        (check,) = found_of(run, [[60, 0], [1, 0]], config=config)[subject]
        assert "--class-weights" not in check.remedy
        assert check.level != "good"


@pytest.mark.parametrize(
    ("train", "validation", "images", "level"),
    [
        (0.92, 0.79, (1000, 143), "warning"),
        (0.92, 0.79, (200, 30), "warning"),
        (0.92, 0.79, (80, 8), "good"),  # 8 images cannot tell
        (0.95, 0.91, (45000, 5000), "good"),  # surely a difference, but none to speak of
        (0.90, 0.88, (1000, 143), "good"),
    ],
)
def test_over_fitting(run: SavedRun, train: float, validation: float, images: tuple[int, int], level: str) -> None:
    (check,) = found_of(run, [[79, 21], [21, 79]], **learnt(run, train, validation, images))["generalisation"]
    assert check.level == level
    assert ("over-fitting" in check.finding) == (level == "warning")
    assert "95 % confidence" in check.finding


def test_validation_much_better_than_test(run: SavedRun) -> None:
    (check,) = found_of(run, [[70, 30], [30, 70]], **learnt(run, 0.95, 0.93, (1000, 200)))["validation"]
    assert check.level == "warning"
    (check,) = found_of(run, [[91, 9], [9, 91]], **learnt(run, 0.95, 0.93, (1000, 200)))["validation"]
    assert check.level == "good"


def test_labels_that_look_swapped(run: SavedRun) -> None:
    (check,) = found_of(run, [[3, 47, 0], [45, 5, 0], [0, 0, 50]])["labels"]
    assert check.level == "problem"
    assert "of a and b look swapped" in check.finding
    for honest in ([[30, 20], [20, 30]], [[3, 47], [5, 45]], [[1, 2], [2, 1]]):
        assert "labels" not in found_of(run, honest)


def test_few_test_items(run: SavedRun) -> None:
    (check,) = found_of(run, [[11, 1], [1, 11]])["test set"]
    assert check.level == "warning"
    assert "only 24 items: the true accuracy may be anything from 74.2% to 97.7%" in check.finding
    assert "test set" not in found_of(run, [[900, 100], [100, 900]])


@pytest.mark.slow
def test_every_remedy_works_when_it_is_typed(run: SavedRun, folder: Path, tmp_path: Path, spikenas: Spikenas) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "run"))
    saved = load_run(copy)
    assert saved.evaluation
    names, levels = list(saved.evaluation["firing_rates"]), saved.config.network.levels
    rates, shares = ({names[0]: 0.001, names[1]: most} for most in (0.95 * levels, 0.95))
    assert saved.memory
    config = saved.config.but({f"budget.{name}": 3 * saved.memory[f"{name}_bytes"] for name in ("flash", "ram")})
    (copy / "config.toml").write_text(config.dump())
    worse = {"confusion": [[60, 0], [1, 0]], "quantised_confusion": [[60, 0], [1, 0]], "firing_rates": rates}
    worse["active_shares"] = shares
    spoilt = replace(
        saved,
        evaluation={**saved.evaluation, "test_accuracy": 0.9, "quantised_test_accuracy": 0.8, **worse},
        measured={},
        config=config,
        **learnt(saved, 0.99, 0.6, (1000, 100)),
    )
    typed = [part for check in checks(spoilt) for part in commands(check.remedy)]
    assert {words[1] for words in typed} >= {"run", "quantise", "deploy"}
    assert sum("--class-weights" in words for words in typed) == 2
    assert sum(word.startswith("network.v_threshold=") for words in typed for word in words) == 2
    for words in {tuple(words) for words in typed}:
        short = ("--set", "train.epochs=1", "--set", "search.evaluations=2") if words[1] == "run" else ()
        done = spikenas(*words[1:], *short, "--quiet")
        assert done.returncode == 0, (words, done.stderr)


def commands(remedy: str) -> list[list[str]]:
    """The commands in a remedy, as a shell reads them."""
    return [shlex.split(part) for part in re.findall("'(spikenas [^']*)'", remedy)]
