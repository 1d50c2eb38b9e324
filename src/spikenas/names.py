"""Names of evaluators, known before PyTorch is imported, so that a wrong one is said at once."""

from __future__ import annotations

import difflib

from spikenas.errors import ScoreError

TRAINING = "train"  # a short training, among the evaluators
SCORE_NAMES = (
    *("cmrr", "sahd", "sahd-sum", "sahd-bench", "sahd-bench-sum"),
    *("naswot", "swap", "expressivity", "meco", "firing-rate", "live-neurons", "count-entropy"),
    *("synflow", "snip", "grad-norm", "fisher", "jacob-cov", "zico", "zen"),
    *("params", "depth", "convs"),
)  # in the order of `spikenas.score.SCORES`


def check_score(name: str, *others: str) -> None:
    """See that there is a score of that name.

    Args:
        name: What was asked for.
        others: Names that are no scores and can be asked for too.
    Raises:
        ScoreError: there is none.
    """
    known = (*SCORE_NAMES, *others)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise ScoreError(f"unknown score {name!r}, {hint}")
