"""What Jupyter shows of things."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import spikenas
from spikenas.config import NetworkConfig

GENOTYPE = spikenas.Genotype.parse("0-1:conv3x3 1-3:conv3x3 0-3:skip")
PLAN = spikenas.make_plan(GENOTYPE, NetworkConfig(cells=1, channels=8), spikenas.InputSpec(1, 8, 8, 10))


def test_a_genotype_is_a_picture() -> None:
    assert ElementTree.fromstring(GENOTYPE._repr_svg_()).tag.endswith("svg")


def test_a_plan_and_a_footprint_are_tables() -> None:
    cost = spikenas.footprint(PLAN)
    for table in (PLAN._repr_html_(), cost._repr_html_()):
        rows = ElementTree.fromstring(table).findall(".//tbody/tr")
        assert "cell1.op1.conv" in {row[0].text for row in rows}
    assert f"{cost.flash_bytes:,}" in cost._repr_html_()


def test_a_run(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    (tmp_path / "config.toml").write_text(spikenas.Config().dump())
    assert len(spikenas.load(tmp_path).frame) == 0
    with spikenas.TrialStore(tmp_path / "trials.db") as store:
        from spikenas.nas import Trial

        store.add(Trial(0, "cell 1", str(GENOTYPE), "scored", 1.5, 10, 20, 30, 0.1))
        store.add(Trial(1, "cell 1", str(GENOTYPE), "over budget", None, 11, 21, 31, 0.0))
    frame = spikenas.load(tmp_path).frame
    assert isinstance(frame, pandas.DataFrame)
    assert frame.score.tolist()[0] == 1.5
    assert frame.flash_bytes.tolist() == [20, 21]
    assert "<table>" in spikenas.load(tmp_path)._repr_html_()
