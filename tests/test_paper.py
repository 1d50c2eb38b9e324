"""The paper's second and third experiment, and the budgets of a small microcontroller, on real images."""

from pathlib import Path

import pytest

from spikenas._util.progress import Reporter
from spikenas.config import Config
from spikenas.memory import footprint, violations
from spikenas.nas import TrialStore
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.searching import search
from spikenas.pipeline.settings import fix
from spikenas.snn import Network
from spikenas.space import Genotype
from spikenas.task import Task
from support import Unpack

pytestmark = [pytest.mark.slow, pytest.mark.data]

DEVICE = {"flash": "96KiB", "ram": "128KiB"}


@pytest.mark.parametrize(
    ("archive", "prefix", "budget"),
    [
        ("cifar100-subset.tar.xz", "", {}),
        ("cifar10.tar.xz", "", {"params": "1.2M"}),
        ("cifar10.tar.xz", "", DEVICE),
        ("tiny-imagenet-200-subset.tar.xz", "tinyimagenet:", DEVICE),
    ],
    ids=["cifar100-free", "cifar10-1.2M", "cifar10-device", "tinyimagenet-device"],
)
def test_search(archive: str, prefix: str, budget: dict[str, str], unpack: Unpack, tmp_path: Path) -> None:
    task = Task.of(Config.parse({"data": {"name": f"{prefix}{unpack(archive)}"}, "budget": budget})).sized()
    with RunFolder(tmp_path / "run") as run:
        fix(run, task.config)
        best = search(run, task, Reporter())
        with TrialStore(run / "trials.db") as store:
            trials = list(store)
    accepted = [trial for trial in trials if trial.status == "scored"]
    assert len(trials) == 39
    for trial in accepted:
        assert not violations(footprint(task.plan(Genotype.parse(trial.genotype))), task.config.budget)
    assert best["score"] == max(trial.score for trial in accepted if trial.score is not None)
    plan = task.plan(Genotype.parse(best["genotype"]))
    cost = footprint(plan)
    assert not violations(cost, task.config.budget)
    assert sum(parameter.numel() for parameter in Network(plan).parameters()) == cost.params == best["params"]
