"""Analyses of several data sets and evaluators agree or contradict each other in their verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean

from scipy import stats

from spikenas._util.errors import ConfigError
from spikenas._util.figures import save_figure
from spikenas._util.files import write_text
from spikenas.enhancement.analysis import AnalysisResult, write_effects
from spikenas.enhancement.effect_plots import draw_losses
from spikenas.enhancement.effects import Interval, Rule, Verdict

AGREEMENT = "agreement.json"
AGREEMENT_CSV = "agreement.csv"
AGREEMENT_PLOTS = ("agreement.svg", "agreement.png")


@dataclass(frozen=True)
class Agreement:
    """An agreement holds what several analyses say of one op.

    Attributes:
        name: Name of the variant.
        verdicts: Verdicts by data set and evaluator.
        losses: Losses by data set and evaluator, in standard deviations.
        agreed: The verdict of all, which may be open; `mixed` where some are, `contradiction` where sure ones differ.
    """

    name: str
    verdicts: dict[str, Verdict]
    losses: dict[str, Interval]
    agreed: str


@dataclass(frozen=True)
class AgreementSummary:
    """An agreement summary compares all analyses, over all ops.

    Attributes:
        agreements: An agreement for each op.
        similarity: Spearman's correlation of the losses of the ops, by pair of analyses.
        mean_similarity: Mean over all pairs; None where there is none, as with fewer than three ops.
    """

    agreements: list[Agreement]
    similarity: dict[str, float]
    mean_similarity: float | None


def label(answer: AnalysisResult) -> str:
    """Return the name of an analysis, for people."""
    return f"{answer.data} by {answer.evaluator}"


def agreement_of(answers: Sequence[AnalysisResult]) -> AgreementSummary:
    """Compare analyses of the same ops.

    Raises:
        ConfigError: The analyses are of different ops.
    """
    names = [tuple(effect.name for effect in answer.effects) for answer in answers]
    if len(set(names)) > 1:
        raise ConfigError("analyses of different ops cannot be compared")
    agreements = []
    for position, name in enumerate(names[0]):
        effects = {label(answer): answer.effects[position] for answer in answers}
        verdicts = {key: effect.verdict for key, effect in effects.items()}
        agreements.append(
            Agreement(name, verdicts, {key: effect.loss_sd for key, effect in effects.items()}, _together(verdicts))
        )
    similarity = {}
    for one, other in combinations(answers, 2):
        losses = [[effect.loss_sd.mean for effect in answer.effects] for answer in (one, other)]
        if len(losses[0]) > 2 and all(len(set(own)) > 1 for own in losses):
            similarity[f"{label(one)} | {label(other)}"] = float(stats.spearmanr(*losses).statistic)
    mean = fmean(similarity.values()) if similarity else None
    return AgreementSummary(agreements, similarity, mean)


def _together(verdicts: Mapping[str, Verdict]) -> str:
    if len(set(verdicts.values())) == 1:
        return next(iter(verdicts.values()))
    return "contradiction" if len(set(verdicts.values()) - {"open"}) > 1 else "mixed"


def write_agreement(folder: Path, answers: Sequence[AnalysisResult], rule: Rule) -> AgreementSummary:
    """Compare analyses, and write agreement.json, agreement.csv and the plot."""
    found = agreement_of(answers)
    text = json.dumps(asdict(found), indent=1, allow_nan=False) + "\n"
    write_text(folder / AGREEMENT, text)
    write_effects(folder / AGREEMENT_CSV, answers)
    for name in AGREEMENT_PLOTS:
        _draw(folder / name, answers, rule)
    return found


def _draw(path: Path, answers: Sequence[AnalysisResult], rule: Rule) -> None:
    from matplotlib.figure import Figure

    columns = min(2, len(answers))
    rows = -(-len(answers) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for panel in list(axes.flat)[len(answers) :]:
        panel.set_visible(False)
    for panel, answer in zip(axes.flat, answers, strict=False):
        draw_losses(panel, answer.effects, rule)
        panel.set_title(label(answer), loc="left", fontsize="medium")
    save_figure(figure, path)
