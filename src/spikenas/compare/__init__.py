"""Strategies and scores against each other."""

from spikenas.compare.arena import Arena, Limits, compare, table_arenas
from spikenas.compare.ranks import Rank
from spikenas.compare.results import ALL, Interval, Result, Summary, summarise
from spikenas.compare.study import Findings, Question, Study

__all__ = [
    "ALL",
    "Arena",
    "Findings",
    "Interval",
    "Limits",
    "Question",
    "Rank",
    "Result",
    "Study",
    "Summary",
    "compare",
    "summarise",
    "table_arenas",
]
