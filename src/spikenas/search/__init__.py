"""The search: strategies, the loop that runs them, the store of their trials, and the width rule."""

from spikenas.search.driver import SearchResult, search
from spikenas.search.evaluation import Evaluation, Evaluator
from spikenas.search.front import front
from spikenas.search.store import Trial, TrialStore, read_trials
from spikenas.search.strategies import STRATEGIES, make_strategy, most_evaluations
from spikenas.search.strategy import Problem, Proposal, Strategy
from spikenas.search.width import resolve_width

__all__ = [
    "STRATEGIES",
    "Evaluation",
    "Evaluator",
    "Problem",
    "Proposal",
    "SearchResult",
    "Strategy",
    "Trial",
    "TrialStore",
    "front",
    "make_strategy",
    "most_evaluations",
    "read_trials",
    "resolve_width",
    "search",
]
