"""The search consists of strategies, the loop that runs them, and the store of their trials."""

from spikenas.nas.candidates import CandidateEvaluation, EvaluationFunction, RecordedEvaluation
from spikenas.nas.driver import SearchResult, search
from spikenas.nas.front import front
from spikenas.nas.store import Trial, TrialStore, read_trials
from spikenas.nas.strategies import STRATEGIES, make_strategy, most_evaluations
from spikenas.nas.strategy import Problem, Proposal, Strategy

__all__ = [
    "STRATEGIES",
    "CandidateEvaluation",
    "EvaluationFunction",
    "Problem",
    "Proposal",
    "RecordedEvaluation",
    "SearchResult",
    "Strategy",
    "Trial",
    "TrialStore",
    "front",
    "make_strategy",
    "most_evaluations",
    "read_trials",
    "search",
]
