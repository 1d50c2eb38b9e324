import pytest

from spikenas._util.errors import ScoreError
from spikenas.scores import SCORES, TRAINING
from support import lightly


def test_each_score_has_its_name() -> None:
    assert len(SCORES) == 24
    assert all(SCORES[name].name == name for name in SCORES)


def test_names_that_are_none() -> None:
    SCORES.check("cmrr")
    SCORES.check("train", TRAINING)
    with pytest.raises(ScoreError, match=r"unknown score 'cmr', did you mean 'cmrr'\?"):
        SCORES.check("cmr")
    with pytest.raises(ScoreError, match="unknown score 'train', known: capacity, cmrr, cmrr-params, convs"):
        SCORES.check("train")


@pytest.mark.parametrize(
    "command",
    [
        "run --strategy evolutoin",
        "run --score cmr",
        "run --ops skip,conv3x4",
        "run --data nowhere",
        "run --flash 1XB",
        "run --target stm32f104",
        "search --data events:nowhere",
        "enhance --by trian",
        "enhance --analysis nowhere",
        "analyze --data nowhere",
        "analyze --by trian",
        "analyze --table nowhere.csv",
        "compare --strategies randon",
        "compare --data nowhere",
        "score --genotypes nowhere.txt",
        "train --out nowhere",
        "report nowhere",
        "serch",
    ],
)
def test_a_wrong_name_is_said_before_torch_is_imported(command: str) -> None:
    done = lightly(*command.split())
    assert done.returncode == 2
    message, heavy = done.stderr.splitlines()
    assert message.startswith("spikenas: ")
    assert heavy == "heavy: []"
