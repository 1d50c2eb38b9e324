"""An analysis that was made before can be the source of a decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas._util.explain import explain
from spikenas._util.files import read_text
from spikenas.config import Config
from spikenas.enhancement.analysis import REPORT
from spikenas.space.ops import SNASNET_OPS, Op


class _Effect(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str
    verdict: str
    removed: list[str]
    added: list[str]
    loss_sd: dict[str, float]


class _Space(BaseModel):
    model_config = ConfigDict(extra="allow")

    nodes: int
    feedback: bool


class _Settings(BaseModel):
    model_config = ConfigDict(extra="allow")

    space: _Space


class _Analysis(BaseModel):
    model_config = ConfigDict(extra="allow")

    data: str
    evaluator: str
    ops: list[str]
    kept: list[str]
    effects: list[_Effect]
    together: list[_Effect]
    candidates: int
    candidates_kept: int
    config: _Settings


def read_analysis(path: Path, asked: Config, evaluator: str) -> dict[str, Any]:
    """Read an analysis whose ops are to be taken.

    Args:
        path: The folder of `spikenas analyze`, or its analysis.json.
        asked: The configuration it is taken for: its data and space must be those that were analysed.
        evaluator: Name of the evaluator that the analysis must have.
    Returns:
        The values of analysis.json.
    Raises:
        ConfigError: It is not there or damaged, or it is of other data, another space or another evaluator.
    """
    path = path / REPORT if path.is_dir() else path
    try:
        found = _Analysis.model_validate_json(read_text(path, ConfigError))
        ops = [Op.parse(op).plain for op in found.ops]
        for op in (*found.kept, *(op for effect in found.effects for op in (*effect.removed, *effect.added))):
            Op.parse(op)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        said = f"{place}: {explain(error)}" if place else "not valid JSON"
        raise ConfigError(f"{path}: not an analysis ({said}); 'spikenas analyze' writes one") from None
    except GenotypeError as error:
        raise ConfigError(f"{path}: not an analysis ({error})") from None
    if not found.kept or not set(found.kept) <= set(found.ops):
        raise ConfigError(f"{path}: not an analysis (kept: expected some of its ops, got {', '.join(found.kept)})")
    if found.data != asked.data.short_name:
        raise ConfigError(
            f"{path}: of the data {found.data!r}, not {asked.data.short_name!r}; 'spikenas analyze' makes one of these"
        )
    if found.evaluator != evaluator:
        raise ConfigError(
            f"{path}: evaluated by {found.evaluator!r}, this space by {evaluator!r}; --by {found.evaluator} takes it"
        )
    own = (asked.space.nodes, asked.space.feedback)
    if (found.config.space.nodes, found.config.space.feedback) != own:
        raise ConfigError(
            f"{path}: of cells with other nodes or feedback than space.nodes = {own[0]} and space.feedback"
        )
    here = {Op.parse(op).plain for op in asked.space.ops}
    fits = set(ops) == here if asked.is_decided("space.ops") else set(ops) <= here | set(SNASNET_OPS)
    if not fits:
        raise ConfigError(
            f"{path}: of another space ({', '.join(found.ops)}) than this one ({', '.join(asked.space.ops)}); "
            f"--ops {','.join(found.ops)} searches that one"
        )
    return found.model_dump()
