import json
from pathlib import Path

import pytest
from filelock import FileLock

from spikenas._util.errors import BudgetError, ConfigError, RunError, SpikeNASError
from spikenas._util.progress import Reporter
from spikenas.config import Config
from spikenas.enhancement import Analysis, AnalysisSpec, AnalysisSubject, Rule
from spikenas.task import Task

BASE = {
    "space": {"ops": ["none", "skip", "conv1x1", "conv3x3"], "nodes": 3},
    "network": {"channels": 4, "timesteps": 2, "stem_stride": 1},
    "executor": {"workers": 1},
}


def analysis(folder: Path, spec: AnalysisSpec, **values: dict[str, object]) -> Analysis:
    return Analysis(spec, AnalysisSubject.of(Task.of(Config.parse(BASE | values))), folder, Reporter(None))


@pytest.mark.slow
def test_removable_ops_are_taken_away_together(tmp_path: Path) -> None:
    space = {"ops": ["none", "skip", "conv1x1", "conv3x3"]}
    found = analysis(tmp_path, AnalysisSpec("convs", seeds=20, draws=12), space=space).run()
    verdicts = {effect.name: effect.verdict for effect in found.effects}
    assert verdicts["without skip"] == "removable"
    assert set(found.kept) | {effect.removed[0] for effect in found.effects if effect.verdict == "removable"} == {
        *("none", "skip", "conv1x1", "conv3x3")
    }
    assert found.candidates_kept < found.candidates
    assert json.loads((tmp_path / "analysis.json").read_text())["kept"] == list(found.kept)


def test_a_score_that_does_not_depend_on_the_initialisation_keeps_its_values(tmp_path: Path) -> None:
    analysis(tmp_path, AnalysisSpec("convs", seeds=6, draws=6)).run()
    values = [line.rsplit(",", 4)[1] for line in (tmp_path / "networks.csv").read_text().splitlines()[1:]]
    assert all(float(value) == pytest.approx(round(float(value)), abs=1e-9) for value in values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rule": Rule(tolerance=float("nan"))}, "tolerance: nan asked"),
        ({"rule": Rule(tolerance=5.1)}, "tolerance: 5.1 asked, expected 0 to 5 standard deviations"),
        ({"rule": Rule(confidence=1.0)}, "confidence: 1 asked, expected 0.5 up to, not including, 1"),
        ({"seeds": 4}, "4 seeds and 16 draws asked; intervals need at least 5 and 2"),
        ({"draws": 1}, "20 seeds and 1 draws asked"),
        ({"added": ("conv5x5", "conv5x5")}, "op conv5x5: added twice"),
        ({"added": ("conv3x3",)}, "op conv3x3: already in the space"),
        ({"added": ("conv9x9",)}, "unknown op 'conv9x9'"),
        ({"strategy": "randon"}, "unknown strategy 'randon', did you mean 'random'"),
        ({"initialisations": 1}, "1 initialisation asked"),
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, settings: dict[str, object], message: str) -> None:
    with pytest.raises(SpikeNASError, match=message):
        analysis(tmp_path, AnalysisSpec("cmrr", **settings)).check()  # type: ignore[arg-type]


def test_what_cannot_be_analysed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an analysis needs at least two ops in the space, got conv3x3"):
        analysis(tmp_path, AnalysisSpec("convs"), space={"ops": ["conv3x3"]}).check()
    with pytest.raises(BudgetError, match="no network of the space meets the budget"):
        analysis(tmp_path, AnalysisSpec("convs"), budget={"flash": "1KiB"}).check()
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match="in use by another spikenas process"):
        analysis(tmp_path, AnalysisSpec("convs")).run()
