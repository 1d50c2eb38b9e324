from pathlib import Path

import pytest

from spikenas._util.errors import ConfigError
from spikenas.config import Config
from spikenas.space import Genotype
from spikenas.task import Task
from spikenas.training.evaluators import EvaluatorFactory, needs_images, require_distinct

CONFIG = Config.parse(
    {
        "network": {"channels": 4, "timesteps": 2},
        "fidelity": {"channels": 4, "batch": 8, "repeats": 1},
        "executor": {"workers": 1},
    }
)
ONE = Genotype.parse("0-3:conv3x3 / 0-3:conv3x3")


def test_a_score_has_an_evaluator_for_each_initialisation_and_is_remembered(tmp_path: Path) -> None:
    factory = EvaluatorFactory(Task.of(CONFIG))
    evaluators = factory.make("cmrr", CONFIG.network, tmp_path, initialisations=2)
    assert len({evaluator.identity for evaluator in evaluators}) == 2
    scores = []
    for evaluator in evaluators:
        with evaluator.executor as executor:
            scores += [result.score for result in executor.evaluate([ONE])]
    assert scores[0] != scores[1]
    assert len(list((tmp_path / "scores").iterdir())) == 2
    with factory.make("cmrr", CONFIG.network, tmp_path)[0].executor as executor:
        assert [result.score for result in executor.evaluate([ONE])] == scores[:1]


@pytest.mark.parametrize("front", [None, "synops"])
def test_synops_are_counted_where_a_front_is_asked_for(front: str | None, tmp_path: Path) -> None:
    task = Task.of(CONFIG.but({"search.front": front, "search.strategy": "nsga2"}))
    with EvaluatorFactory(task).make("cmrr", CONFIG.network, tmp_path)[0].executor as executor:
        (found,) = executor.evaluate([ONE])
    assert (found.synops is not None) == (front == "synops")


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'epoch 5': no score; without a table there are only capacity, cmrr.*train"):
        EvaluatorFactory(Task.of(CONFIG)).make("epoch 5", CONFIG.network, tmp_path)
    with pytest.raises(ConfigError, match="evaluator 'a' is there twice"):
        require_distinct(["a.csv", "b", "x/a.csv"])


def test_what_looks_at_images() -> None:
    assert needs_images("cmrr")
    assert needs_images("train")
    assert not needs_images("epoch 5")
