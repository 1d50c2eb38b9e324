"""The first half of the method measures which operations matter, and decides the space that is searched."""

from spikenas.enhancement.agreement import Agreement, AgreementSummary, agreement_of, write_agreement
from spikenas.enhancement.analysis import Analysis, AnalysisResult, AnalysisSpec, AnalysisSubject
from spikenas.enhancement.decided import Decision, Enhancement, write_space
from spikenas.enhancement.decisions import Enhancer
from spikenas.enhancement.effects import Effect, Interval, Rule

__all__ = [
    "Agreement",
    "AgreementSummary",
    "Analysis",
    "AnalysisResult",
    "AnalysisSpec",
    "AnalysisSubject",
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
