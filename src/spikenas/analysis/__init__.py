"""Which operations of a space matter."""

from spikenas.analysis.agreement import Agreement, Comparison, agreement_of, write_agreement
from spikenas.analysis.effects import Effect, Interval, Rule
from spikenas.analysis.study import Analysis, Inquiry, Significance

__all__ = [
    "Agreement",
    "Analysis",
    "Comparison",
    "Effect",
    "Inquiry",
    "Interval",
    "Rule",
    "Significance",
    "agreement_of",
    "write_agreement",
]
