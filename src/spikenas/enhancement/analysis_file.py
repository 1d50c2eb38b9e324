"""An analysis that was made before can be the source of a decision."""

from __future__ import annotations

from pathlib import Path

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas._util.files import read_text
from spikenas.config import Config
from spikenas.enhancement.analysis import REPORT
from spikenas.records import ANALYSIS_FILE, Analysis
from spikenas.space.ops import SNASNET_OPS, Op


def read_analysis(path: Path, asked: Config, evaluator: str) -> Analysis:
    """Read an analysis whose ops are to be taken.

    Args:
        path: The folder of `spikenas analyze`, or its analysis.json.
        asked: The configuration it is taken for: its data and space must be those that were analysed.
        evaluator: Name of the evaluator that the analysis must have.
    Returns:
        What analysis.json says.
    Raises:
        ConfigError: It is not there or damaged, or it is of other data, another space or another evaluator.
    """
    path = path / REPORT if path.is_dir() else path
    try:
        found = ANALYSIS_FILE.parse(read_text(path, ConfigError))
        ops = [Op.parse(op).plain for op in found["ops"]]
        for op in (*found["kept"], *(op for one in found["effects"] for op in (*one["removed"], *one["added"]))):
            Op.parse(op)
    except (ValueError, GenotypeError) as error:
        raise ConfigError(f"{path}: not an analysis ({error}); 'spikenas analyze' writes one") from None
    if not found["kept"] or not set(found["kept"]) <= set(found["ops"]):
        raise ConfigError(f"{path}: not an analysis (kept: expected some of its ops, got {', '.join(found['kept'])})")
    if found["data"] != asked.data.short_name:
        raise ConfigError(
            f"{path}: of the data {found['data']!r}, not {asked.data.short_name!r}; 'spikenas analyze' makes one"
        )
    if found["evaluator"] != evaluator:
        raise ConfigError(
            f"{path}: evaluated by {found['evaluator']!r}, this space by {evaluator!r}; "
            f"--by {found['evaluator']} takes it"
        )
    space = found["config"]["space"]
    own = (asked.space.nodes, asked.space.feedback)
    if (space["nodes"], space["feedback"]) != own:
        raise ConfigError(
            f"{path}: of cells with other nodes or feedback than space.nodes = {own[0]} and space.feedback"
        )
    here = {Op.parse(op).plain for op in asked.space.ops}
    fits = set(ops) == here if asked.is_decided("space.ops") else set(ops) <= here | set(SNASNET_OPS)
    if not fits:
        raise ConfigError(
            f"{path}: of another space ({', '.join(found['ops'])}) than this one ({', '.join(asked.space.ops)}); "
            f"--ops {','.join(found['ops'])} searches that one"
        )
    return found
