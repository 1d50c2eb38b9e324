"""Checks of what a network learnt: more than guessing, every class, and not the training images by heart."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from spikenas._util.class_figures import ClassFigures, listed
from spikenas._util.proportions import difference, wilson
from spikenas.reporting.advice import Check, again
from spikenas.reporting.saved import SavedRun, Tested

_WIDE = 0.05  # half the width of an interval of accuracy from which on the test set is small
_GAP = 0.05  # difference of two accuracies that is worth a word, where it surely is one
_LEARNT = 0.02  # of the way from guessing to all right, below which the training images teach nothing
_POOR = 0.5  # times the mean recall below which a class is surely known badly
_BEHIND = 0.02  # by which a balanced accuracy is lower than the accuracy


def accuracy_checks(run: SavedRun) -> Iterator[Check]:
    """Check the accuracy of a run, by the integers where there are any, and its training."""
    if run.tested:
        yield from _against_guessing(run.tested)
        yield from _classes(run, run.tested)
        yield from _shares(run, run.tested)
        yield from _swapped(run.tested)
        yield from _size(run, run.tested)
    yield from _training(run)
    yield from _test_against_validation(run)


def _against_guessing(tested: Tested) -> Iterator[Check]:
    figures = tested.figures
    share, name = figures.largest_share, figures.largest.name
    beside = f"{figures}; always to say {name}, the largest class, would be right for {share:.2%}"
    remedy = "do not use it as it is; look at the recalls of the classes, and at the checks of training below"
    if figures.accuracy <= share:
        yield Check("problem", "accuracy", f"no better than guessing: {beside}", remedy)
    elif figures.interval.low <= share:
        yield Check("warning", "accuracy", f"not surely better than guessing: {beside}", "test it on more images")
    else:
        yield Check("good", "accuracy", beside)


def _classes(run: SavedRun, tested: Tested) -> Iterator[Check]:
    figures = tested.figures
    silent = figures.never_said
    missed = [one for one in figures.present if one.said and not one.right]
    low = [one for one in figures.present if one.right and _is_poor(one, figures.balanced_accuracy)]
    remedy = f"more images of {'it' if len(silent) + len(missed) + len(low) == 1 else 'them'}"
    if run.config.train.class_weights == "none" and figures.unequal:
        remedy += f", or classes that count the same: {_balanced(run)}"
    if silent:
        yield Check("problem", "classes", f"never said: {listed(silent)}", remedy)
    if missed:
        yield Check("problem", "classes", f"not one item is recognised of {_with_items(missed)}", remedy)
    if low:
        recalls = listed([f"{one.name} ({one.right} of {one.items})" for one in low])
        finding = f"surely below half the mean recall of {figures.balanced_accuracy:.1%}: {recalls}"
        yield Check("warning", "classes", finding, remedy)
    if not silent and not missed and not low:
        worst = min(figures.present, key=lambda one: one.right / one.items)
        finding = f"the lowest recall is that of {worst.name}: {worst.right} of {worst.items}"
        yield Check("good", "classes", finding)


def _is_poor(one: ClassFigures, mean: float) -> bool:
    return wilson(one.right / one.items, one.items).high < _POOR * mean


def _with_items(found: list[ClassFigures]) -> str:
    return listed([f"{one.name} (0 of {one.items})" for one in found])


def _balanced(run: SavedRun) -> str:
    return again(run, "balanced", "--class-weights", "balanced")


def _shares(run: SavedRun, tested: Tested) -> Iterator[Check]:
    figures = tested.figures
    if not figures.unequal:
        return
    smallest = min(figures.present, key=lambda one: one.items)
    finding = (
        f"{figures.largest.name} has {figures.largest.items:,} test items, {smallest.name} {smallest.items:,}; "
        f"balanced accuracy {figures.balanced_accuracy:.2%}, accuracy {figures.accuracy:.2%}"
    )
    if figures.balanced_accuracy >= figures.accuracy - _BEHIND:
        yield Check("good", "unequal classes", finding)
    elif run.config.train.class_weights == "none":
        remedy = f"if rare classes matter as much, let them count as much: {_balanced(run)}"
        yield Check("warning", "unequal classes", finding, remedy)
    else:
        yield Check("warning", "unequal classes", finding, f"more images of {smallest.name}")


def _swapped(tested: Tested) -> Iterator[Check]:
    counts, classes = tested.confusion, tested.figures.classes
    for i, j in combinations(range(len(classes)), 2):
        off, on = counts[i][j] + counts[j][i], counts[i][i] + counts[j][j]
        both = counts[i][j] > counts[i][i] and counts[j][i] > counts[j][j]
        if both and wilson(off / (off + on), off + on).low > 0.5:
            finding = (
                f"those of {classes[i].name} and {classes[j].name} look swapped: of the first {counts[i][j]} are taken "
                f"for the second and {counts[i][i]} are right, of the second {counts[j][i]} and {counts[j][j]}"
            )
            yield Check("problem", "labels", finding, "compare the test images of both classes with those of training")


def _size(run: SavedRun, tested: Tested) -> Iterator[Check]:
    figures = tested.figures
    low, high = figures.interval
    if (high - low) / 2 <= _WIDE:
        return
    larger = min(0.5, 2 * run.config.data.test_share)
    yield Check(
        "warning",
        "test set",
        f"only {figures.items:,} items: the true accuracy may be anything from {figures.interval}",
        "more test images; where the data have no test set of their own, a larger share of them: "
        + again(run, "tested", "--set", f"data.test_share={larger:g}"),
    )


def _training(run: SavedRun) -> Iterator[Check]:
    kept = run.kept
    if kept is None:
        return
    seen, held_out = run.counts.get("train"), run.counts.get("validation")
    gap = kept.train_accuracy - kept.validation_accuracy
    finding = (
        f"{kept.train_accuracy:.1%} on the training images, {kept.validation_accuracy:.1%} on those held out "
        f"(epoch {kept.epoch})"
    )
    surely = True
    if seen and held_out:
        found = difference(kept.train_accuracy, seen, kept.validation_accuracy, held_out)
        finding += f"; the difference is {100 * found.low:.1f} to {100 * found.high:.1f} points with 95 % confidence"
        surely = found.low > 0
    share = run.tested.figures.largest_share if run.tested else 0.0
    if kept.train_accuracy < share + _LEARNT * (1 - share):
        lr = run.config.train.lr / 10
        remedy = f"a smaller learning rate: {again(run, 'slower', '--set', f'train.lr={lr:g}')}"
        yield Check("problem", "training", f"hardly more than guessing was learnt: {finding}", remedy)
    elif gap > _GAP and surely:
        decay = 2 * run.config.train.weight_decay or 5e-4
        remedy = f"more images, or more weight decay: {again(run, 'decay', '--set', f'train.weight_decay={decay:g}')}"
        yield Check("warning", "generalisation", f"over-fitting: {finding}", remedy)
    else:
        yield Check("good", "generalisation", finding)


def _test_against_validation(run: SavedRun) -> Iterator[Check]:
    """Compare the network in floating point with itself, since validation knows no integers."""
    held_out, kept = run.counts.get("validation"), run.kept
    if kept is None or run.evaluation is None or not held_out:
        return
    items, test = sum(map(sum, run.evaluation["confusion"])), run.evaluation["test_accuracy"]
    found = difference(kept.validation_accuracy, held_out, test, items)
    finding = (
        f"{kept.validation_accuracy:.1%} on the {held_out:,} validation images, {test:.1%} on the {items:,} of the test"
    )
    if kept.validation_accuracy - test > _GAP and found.low > 0:
        remedy = (
            "the test images are unlike those of training, or images of one thing are on both sides of the validation "
            "split: look at both; what counts is the test"
        )
        yield Check("warning", "validation", f"much better than the test: {finding}", remedy)
    else:
        yield Check("good", "validation", f"agrees with the test: {finding}")
