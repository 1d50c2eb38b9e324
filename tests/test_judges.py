from pathlib import Path

import pytest

from spikenas.config import Config
from spikenas.errors import ConfigError
from spikenas.judges import Court, distinct_names, is_live
from spikenas.space import Genotype
from spikenas.tabular import Row, Table

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
    court = Court(CONFIG, tmp_path, initialisations=2)
    judges = court.judges("cmrr", CONFIG.network)
    assert len({judge.identity for judge in judges}) == 2
    scores = []
    for judge in judges:
        with judge.executor as executor:
            scores += [result.score for result in executor.evaluate([ONE])]
    assert scores[0] != scores[1]
    assert len(list((tmp_path / "scores").iterdir())) == 2
    with court.judges("cmrr", CONFIG.network)[0].executor as executor:
        assert [result.score for result in executor.evaluate([ONE])] == scores[:1]


def test_a_metric_of_the_table_knows_its_networks(tmp_path: Path) -> None:
    (judge,) = Court(CONFIG, tmp_path, table=TABLE).judges("epoch 5", CONFIG.network)
    assert judge.known is not None
    assert ONE.canonical in judge.known
    assert next(judge.executor.evaluate([ONE])).score == 0.3


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"evaluator 'epoch 5': no score; without a table there are only cmrr.*train"):
        Court(CONFIG, tmp_path).judges("epoch 5", CONFIG.network)
    with pytest.raises(ConfigError, match=r"neither a score, nor a \.csv of scores, nor a metric of the table"):
        Court(CONFIG, tmp_path, table=TABLE).judges("nothing", CONFIG.network)
    with pytest.raises(ConfigError, match="evaluator 'a' is there twice"):
        distinct_names(["a.csv", "b", "x/a.csv"])


def test_what_looks_at_images() -> None:
    assert is_live("cmrr")
    assert is_live("train")
    assert not is_live("epoch 5")
