"""REINFORCE learns one categorical distribution for each edge, or setting of a design."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spikenas._util.seeding import seed_of
from spikenas.nas.store import Trial
from spikenas.nas.strategy import Problem, Proposal, Strategy

_DECAY = 0.9
_MOST_ADVANTAGE = 3.0


class Reinforce(Strategy):
    """REINFORCE moves a policy with independent edges and settings along the gradient of the expected score.

    The baseline is a moving average of the scores. An advantage is divided by the moving standard deviation and cut at
    3, so that the scale of a score does not matter. A network without a score counts as the worst score so far. A
    repeated network teaches nothing again, or free repetitions would make the policy settle. All begin uniform.

    Args:
        problem: Space and seed.
        batch: Number of networks drawn from the policy for each of its updates.
        rate: Learning rate of the logits.
    """

    name = "reinforce"
    summary = "policy gradient, one categorical distribution for each edge or setting"
    source = "Williams 1992; as a baseline of NAS: Dong & Yang 2020, NAS-Bench-201, arXiv 2001.00326"
    of_designs = True

    def __init__(self, problem: Problem, batch: int = 4, rate: float = 1.0) -> None:
        super().__init__(problem)
        self.batch = batch
        self.rate = rate
        self._rng = np.random.default_rng(seed_of(problem.seed, self.name))
        self._logits: npt.NDArray[np.float64] = np.where(
            np.arange(max(self.space.choices)) < np.array(self.space.choices)[:, None], 0.0, -np.inf
        )
        self._vectors: npt.NDArray[np.int64] = np.zeros((0, len(self.space.choices)), np.int64)
        self._latest = -1
        self._worst: float | None = None
        self._mean = 0.0
        self._variance = 0.0

    def ask(self) -> Sequence[Proposal]:
        """Return networks drawn from the policy."""
        cumulative = np.cumsum(self._policy(), axis=1)
        drawn = self._rng.random((self.batch, len(cumulative), 1))
        self._vectors = np.minimum((drawn > cumulative).sum(axis=2), np.array(self.space.choices) - 1)
        return [Proposal(self.space.decode(vector), "policy") for vector in self._vectors.tolist()]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take one step of gradient ascent."""
        new = {trial.position: k for k, trial in reversed(list(enumerate(trials))) if trial.position > self._latest}
        if not new:
            return
        self._latest = max(new)
        vectors = self._vectors[sorted(new.values())]
        trials = [trials[k] for k in sorted(new.values())]
        known = [trial.value for trial in trials if trial.value is not None]
        if known:
            if self._worst is None:
                self._mean, self._variance = float(np.mean(known)), float(np.var(known))
            self._worst = min([*known, *([] if self._worst is None else [self._worst])])
        if self._worst is None:
            return
        rewards = np.array([self._worst if trial.value is None else trial.value for trial in trials])
        deviation = np.sqrt(self._variance) or 1.0
        advantages = np.clip((rewards - self._mean) / deviation, -_MOST_ADVANTAGE, _MOST_ADVANTAGE)
        chosen = np.eye(self._logits.shape[1])[vectors]
        gradient = (advantages[:, None, None] * (chosen - self._policy())).sum(axis=0) / self.batch
        self._logits = self._logits + self.rate * gradient
        for reward in rewards:
            change = reward - self._mean
            self._mean += (1 - _DECAY) * change
            self._variance = _DECAY * (self._variance + (1 - _DECAY) * change**2)

    def _policy(self) -> npt.NDArray[np.float64]:
        exponentials = np.exp(self._logits - self._logits.max(axis=1, keepdims=True))
        normalised: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return normalised
