from pathlib import Path

import pytest

from spikenas._util.errors import ConfigError
from spikenas.bench import Row, Table
from spikenas.bench.table_evaluators import TableEvaluators
from spikenas.config import Config
from spikenas.space import Genotype
from spikenas.task import Task

CONFIG = Config.parse({"network": {"channels": 4, "timesteps": 2}})
ONE = Genotype.parse("0-3:conv3x3 / 0-3:conv3x3")
TABLE = Table("table", (Row(ONE, "row", test=0.5, epochs=(5,), validation=(0.3,)),))


def never() -> Task:
    raise AssertionError("the data were opened")


FACTORY = TableEvaluators(TABLE, Genotype.parse, never)


def test_a_metric_of_the_table_knows_its_networks_and_needs_no_images(tmp_path: Path) -> None:
    (evaluator,) = FACTORY.make("epoch 5", CONFIG.network, tmp_path)
    assert evaluator.known is not None
    assert ONE.canonical in evaluator.known
    assert next(evaluator.executor.evaluate([ONE])).score == 0.3


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither a score, nor a \.csv of scores, nor a metric of the table"):
        FACTORY.make("nothing", CONFIG.network, tmp_path)
