"""Strategies and scores against each other."""

from spikenas.compare.arena import Arena, Judge, Limits, compare, table_arenas
from spikenas.compare.judges import lookup_judge, score_lookup
from spikenas.compare.ranks import Rank
from spikenas.compare.results import ALL, Interval, Result, Summary, summarise
from spikenas.compare.study import Findings, Question, Study

__all__ = [
    "ALL",
    "Arena",
    "Findings",
    "Interval",
    "Judge",
    "Limits",
    "Question",
    "Rank",
    "Result",
    "Study",
    "Summary",
    "compare",
    "lookup_judge",
    "score_lookup",
    "summarise",
    "table_arenas",
]
