"""The method's first half: which operations matter, and what is decided of the space."""

from spikenas.enhancement.agreement import Agreement, Comparison, agreement_of, write_agreement
from spikenas.enhancement.analysis import Analysis, AnalysisResult, AnalysisSpec, AnalysisSubject
from spikenas.enhancement.decisions import Decision, Enhancement, Enhancer, write_space
from spikenas.enhancement.effects import Effect, Interval, Rule

__all__ = [
    "Agreement",
    "Analysis",
    "AnalysisResult",
    "AnalysisSpec",
    "AnalysisSubject",
    "Comparison",
    "Decision",
    "Effect",
    "Enhancement",
    "Enhancer",
    "Interval",
    "Rule",
    "agreement_of",
    "write_agreement",
    "write_space",
]
