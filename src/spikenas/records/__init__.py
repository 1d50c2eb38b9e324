"""Say what the files of JSON in a run folder hold: one record for each, by which it is written and read.

A record is a TypedDict. What is added to a file is added here; readers then know it, and check it.
"""

from spikenas.records.finding import (
    ANALYSIS_FILE,
    BEST_FILE,
    DATA_FILE,
    RACE_FILE,
    SPACE_FILE,
    STATISTICS_FILE,
    Analysis,
    Best,
    Data,
    Decided,
    EntrantRecord,
    RaceRecord,
    TrainedRecord,
    Won,
)
from spikenas.records.finishing import (
    EVALUATION_FILE,
    EXPORTED_FILE,
    QUANTISATION_FILE,
    QUANTISED_KEYS,
    SIZE_KEYS,
    EvaluationRecord,
    FootprintRecord,
    MadeOf,
    MistakeRecord,
    Quantisation,
    footprint_file,
)
from spikenas.records.history import HistoryLine, append_history, read_history
from spikenas.records.raced import Raced, decisions_of, raced, trained_front

__all__ = [
    "ANALYSIS_FILE",
    "BEST_FILE",
    "DATA_FILE",
    "EVALUATION_FILE",
    "EXPORTED_FILE",
    "QUANTISATION_FILE",
    "QUANTISED_KEYS",
    "RACE_FILE",
    "SIZE_KEYS",
    "SPACE_FILE",
    "STATISTICS_FILE",
    "Analysis",
    "Best",
    "Data",
    "Decided",
    "EntrantRecord",
    "EvaluationRecord",
    "FootprintRecord",
    "HistoryLine",
    "MadeOf",
    "MistakeRecord",
    "Quantisation",
    "RaceRecord",
    "Raced",
    "TrainedRecord",
    "Won",
    "append_history",
    "decisions_of",
    "footprint_file",
    "raced",
    "read_history",
    "trained_front",
]
