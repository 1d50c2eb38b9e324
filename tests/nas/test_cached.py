from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from problems import Value, noise

from spikenas._util.errors import RunError
from spikenas.nas.cached import TOGETHER, CachedExecutor
from spikenas.nas.executors import InProcess
from spikenas.space import Genotype, Space

GENOTYPES = [*Space.of(("skip", "conv3x3", "none"), cells=1, nodes=3).enumerate()]


class Counting:
    """An executor that notes what it is asked and whether it is open."""

    def __init__(self) -> None:
        self.asked: list[Genotype] = []
        self.opened = self.closed = 0

    def open(self) -> InProcess:
        self.opened += 1
        owner = self

        class Noted(InProcess):
            def __exit__(self, *args: object) -> None:
                owner.closed += 1

        return Noted(self.answer)

    def answer(self, genotype: Genotype) -> Value:
        self.asked.append(genotype)
        return noise(genotype)


def scores(executor: CachedExecutor, genotypes: Sequence[Genotype]) -> list[float]:
    with executor:
        return [result.score for result in executor.evaluate(genotypes)]


def test_each_network_is_evaluated_once_in_the_order_asked_for() -> None:
    inner = Counting()
    known: list[int] = []
    executor = CachedExecutor(inner.open, lambda genotypes: range(len(genotypes))[::-1])
    executor.on_new = known.append
    expected = [noise(genotype).score for genotype in GENOTYPES]
    assert scores(executor, GENOTYPES) == scores(executor, GENOTYPES) == expected
    distinct = list({genotype.canonical: genotype for genotype in reversed(GENOTYPES)}.values())
    assert inner.asked == distinct
    assert known == list(range(1, len(distinct) + 1))
    assert (inner.opened, inner.closed) == (1, 1)


def test_more_than_one_part() -> None:
    genotypes = [*Space.of(("skip", "conv3x3", "none"), cells=1).enumerate()]
    assert len(genotypes) > TOGETHER
    inner = Counting()
    assert scores(CachedExecutor(inner.open), genotypes) == [noise(genotype).score for genotype in genotypes]
    assert len(inner.asked) == len({genotype.canonical for genotype in genotypes})


def test_what_is_in_the_file_is_not_evaluated(tmp_path: Path) -> None:
    path, first, second = tmp_path / "scores.csv", Counting(), Counting()
    before = scores(CachedExecutor(first.open, path=path), GENOTYPES[:9])
    path.write_text(path.read_text()[:-4])  # a kill within the last row
    assert scores(CachedExecutor(second.open, path=path), GENOTYPES[:9]) == before
    assert second.asked == first.asked[-1:]
    assert scores(CachedExecutor(second.open, path=path), GENOTYPES[:9]) == before
    assert (second.opened, second.closed) == (1, 1)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("genotype,accuracy\n")
    with pytest.raises(RunError, match="its first line is not"):
        CachedExecutor(Counting().open, path=path)
    for line in ("0-2:skip,1", "0-2:skip,one,1,", "0-2:what,1,1,"):
        path.write_text(f"genotype,score,seconds,synops\n{line}\n")
        with pytest.raises(RunError, match=r"scores\.csv: line 2 cannot be read as scores; remove the file$"):
            CachedExecutor(Counting().open, path=path)
