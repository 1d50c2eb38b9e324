"""Records of what comes before the training: data, decisions, the network found."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from spikenas._util.json_file import JsonFile
from spikenas._util.run_files import ANALYSIS, BEST, DATA, RACED, SPACE, STATISTICS
from spikenas.config import Fit
from spikenas.records.kinds import CLOSED, OPEN, Count, DesignText, GenotypeText, NotNegative, Positive, Share


@with_config(CLOSED)
class Input(TypedDict):
    """What a network takes: an `InputSpec`."""

    channels: Positive
    height: Positive
    width: Positive
    classes: Positive
    static: bool
    fit: Fit
    value_range: list[float] | None


@with_config(CLOSED)
class Items(TypedDict):
    """Numbers of items of the splits."""

    train: Count
    validation: Count
    test: Count


@with_config(CLOSED)
class Counts(TypedDict):
    """Numbers of items of each class, by split."""

    train: list[Count]
    validation: list[Count]
    test: list[Count]


@with_config(CLOSED)
class Data(TypedDict):
    """What data.json says of the data, for those who read the folder without them."""

    classes: list[str]
    input: Input
    items: Items
    counts: Counts
    description: dict[str, str]
    notes: list[str]


def _as_many_classes(data: Data) -> None:
    if len(data["classes"]) != data["input"]["classes"]:
        raise ValueError("expected as many names of classes as input.classes says")
    if any(len(numbers) != len(data["classes"]) for numbers in data["counts"].values()):  # type: ignore[arg-type]
        raise ValueError("expected as many counts as classes")


@with_config(CLOSED)
class StatisticsRecord(TypedDict):
    """What statistics.json says of each channel of the training images: `Statistics`."""

    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]


def _as_many_channels(found: StatisticsRecord) -> None:
    if not found["mean"] or len(found["mean"]) != len(found["std"]):
        raise ValueError("expected mean and std of as many channels, at least one")


@with_config(CLOSED)
class Won(TypedDict):
    """What best.json says of the winner of a race.

    `trained` are its seconds of training, `seconds` those of the whole search, `after` those that integers, evaluation
    and firmware will take, and `tuned` is the share of the training's time that fine-tuning has.
    """

    entrant: Count
    accuracy: Share
    trained: NotNegative
    seconds: NotNegative
    after: NotNegative
    tuned: NotNegative


@with_config(CLOSED)
class RungRecord(TypedDict):
    """A rung of a race: how many are trained, and for how long in all, in seconds or epochs."""

    entrants: Positive
    length: NotNegative


@with_config(CLOSED)
class EntrantRecord(TypedDict):
    """A design that races, with its score and what it takes in bytes.

    `pace` is how often it sees each item in a unit of the length, `epochs` how often in the final training, and
    `capacity` what it is worth by that, in points of accuracy.
    """

    design: DesignText
    score: float
    params: Count
    flash_bytes: Count
    ram_bytes: Count
    pace: NotNegative
    epochs: NotNegative
    capacity: float


@with_config(CLOSED)
class TrainedRecord(TypedDict):
    """What a training of a race came to: validation accuracy, None where it failed, and why.

    `outlook` is the accuracy that is expected of it after the final training, by which the race is decided; None until
    the rung is complete.
    """

    entrant: Count
    length: NotNegative
    accuracy: Share | None
    outlook: float | None
    seconds: NotNegative
    note: str


@with_config(CLOSED)
class RaceRecord(TypedDict):
    """What race.json says: rungs, designs, trainings; `seconds` is the time since the search began."""

    timed: bool
    rungs: list[RungRecord]
    entrants: list[EntrantRecord]
    trained: list[TrainedRecord]
    seconds: NotNegative


def _of_its_entrants(found: RaceRecord) -> None:
    if any(one["entrant"] >= len(found["entrants"]) for one in found["trained"]) or not found["entrants"]:
        raise ValueError("expected trainings of its entrants, at least one")


@with_config(CLOSED)
class Best(TypedDict):
    """What best.json says of the network found; sizes are in bytes."""

    genotype: GenotypeText
    score: float
    score_name: str
    params: Count
    flash_bytes: Count
    ram_bytes: Count
    channels: Positive
    trials: Count
    scored: Count
    design: NotRequired[DesignText]
    race: NotRequired[Won]


@with_config(OPEN)
class Interval(TypedDict):
    """A value with the ends of its interval."""

    mean: float
    low: float
    high: float


@with_config(OPEN)
class EffectShort(TypedDict):
    """What a decision says of an op."""

    loss_sd: Interval
    verdict: str


@with_config(OPEN)
class Evidence(TypedDict):
    """What was measured for a decision; of that on ops the effects."""

    effects: NotRequired[dict[str, EffectShort]]


@with_config(CLOSED)
class Decision(TypedDict):
    """A setting that was decided, why, and by what."""

    key: str
    value: str | int | float | bool | list[str] | list[int] | None
    reason: str
    evidence: Evidence
    given: bool


@with_config(CLOSED)
class Decided(TypedDict):
    """What space.json says: the decisions, and the configuration with them."""

    decisions: list[Decision]
    config: dict[str, Any]


@with_config(OPEN)
class Effect(TypedDict):
    """What of an effect is read again."""

    name: str
    verdict: str
    removed: list[str]
    added: list[str]
    loss_sd: Interval
    seeds: Count


@with_config(OPEN)
class AnalysedSpace(TypedDict):
    """What of the space that was analysed is read again."""

    nodes: int
    feedback: bool


@with_config(OPEN)
class AnalysedConfig(TypedDict):
    """What of the configuration of an analysis is read again."""

    space: AnalysedSpace


@with_config(OPEN)
class Analysis(TypedDict):
    """What of analysis.json is read again."""

    data: str
    evaluator: str
    ops: list[str]
    kept: list[str]
    effects: list[Effect]
    together: list[Effect]
    candidates: Count
    candidates_kept: Count
    config: AnalysedConfig


DATA_FILE = JsonFile(DATA, Data, "search", _as_many_classes)
BEST_FILE = JsonFile(BEST, Best, "search")
RACE_FILE = JsonFile(RACED, RaceRecord, "search", _of_its_entrants)
STATISTICS_FILE = JsonFile(STATISTICS, StatisticsRecord, "search", _as_many_channels)
SPACE_FILE = JsonFile(SPACE, Decided, "enhance")
ANALYSIS_FILE = JsonFile(ANALYSIS, Analysis, "enhance")
