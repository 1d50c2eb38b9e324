"""For researchers: tables of trained networks, strategies and scores against each other, rank correlations."""

from spikenas.bench.arena import Arena, Limits, compare, table_arenas
from spikenas.bench.comparison import Findings, Question, Study
from spikenas.bench.evaluators import TableEvaluators, lookup_evaluator, score_lookup
from spikenas.bench.ranks import Rank
from spikenas.bench.reading import DATASETS
from spikenas.bench.results import ALL, Interval, Result, Summary, summarise
from spikenas.bench.rows import Row
from spikenas.bench.subject import table_subject
from spikenas.bench.table import Lookup, Table

__all__ = [
    "ALL",
    "DATASETS",
    "Arena",
    "Findings",
    "Interval",
    "Limits",
    "Lookup",
    "Question",
    "Rank",
    "Result",
    "Row",
    "Study",
    "Summary",
    "Table",
    "TableEvaluators",
    "compare",
    "lookup_evaluator",
    "score_lookup",
    "summarise",
    "table_arenas",
    "table_subject",
]
