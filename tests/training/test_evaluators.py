from pathlib import Path

import pytest

from spikenas._util.errors import ConfigError
from spikenas.bench import Row, Table
from spikenas.config import Config
from spikenas.space import Genotype
from spikenas.training.evaluators import EvaluatorFactory, distinct_names, needs_images

CONFIG = Config.parse(
    {
        "network": {"channels": 4, "timesteps": 2},
        "fidelity": {"channels": 4, "batch": 8, "repeats": 1},
        "executor": {"workers": 1},
    }
)
ONE = Genotype.parse("0-3:conv3x3 / 0-3:conv3x3")
TABLE = Table("table", (Row(ONE, "row", test=0.5, epochs=(5,), validation=(0.3,)),))


def test_a_score_has_a_judge_for_each_initialisation_and_is_remembered(tmp_path: Path) -> None:
    court = EvaluatorFactory(CONFIG, tmp_path, initialisations=2)
    evaluators = court.evaluators("cmrr", CONFIG.network)
    assert len({evaluator.identity for evaluator in evaluators}) == 2
    scores = []
    for evaluator in evaluators:
        with evaluator.executor as executor:
            scores += [result.score for result in executor.evaluate([ONE])]
    assert scores[0] != scores[1]
    assert len(list((tmp_path / "scores").iterdir())) == 2
    with court.evaluators("cmrr", CONFIG.network)[0].executor as executor:
        assert [result.score for result in executor.evaluate([ONE])] == scores[:1]


def test_a_metric_of_the_table_knows_its_networks(tmp_path: Path) -> None:
    (evaluator,) = EvaluatorFactory(CONFIG, tmp_path, table=TABLE).evaluators("epoch 5", CONFIG.network)
    assert evaluator.known is not None
    assert ONE.canonical in evaluator.known
    assert next(evaluator.executor.evaluate([ONE])).score == 0.3


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluator 'epoch 5': no score; without a table there are only cmrr.*train"):
        EvaluatorFactory(CONFIG, tmp_path).evaluators("epoch 5", CONFIG.network)
    with pytest.raises(ConfigError, match=r"neither a score, nor a \.csv of scores, nor a metric of the table"):
        EvaluatorFactory(CONFIG, tmp_path, table=TABLE).evaluators("nothing", CONFIG.network)
    with pytest.raises(ConfigError, match="evaluator 'a' is there twice"):
        distinct_names(["a.csv", "b", "x/a.csv"])


def test_what_looks_at_images() -> None:
    assert needs_images("cmrr")
    assert needs_images("train")
    assert not needs_images("epoch 5")
