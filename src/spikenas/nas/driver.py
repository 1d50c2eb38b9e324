"""One loop runs every strategy: it counts, filters, evaluates and stores the candidates."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spikenas._util.errors import NothingFoundError, RunError
from spikenas.config import LIMITS, BudgetConfig
from spikenas.memory import Footprint, MemoryFigures, violations
from spikenas.nas.candidates import Candidate, CandidateEvaluation
from spikenas.nas.executors import Executor
from spikenas.nas.store import Status, Trial, TrialStore
from spikenas.nas.strategy import CandidateSpace, Cost, Proposal, Strategy

PATIENCE = 1000
OnTrial = Callable[[Trial, int, int], None]

_Key = tuple[Hashable, Status]


@dataclass(frozen=True)
class SearchResult:
    """A search result names the best network that a search found, and the effort it took.

    Attributes:
        best: The genotype or design with the best score among those that meet the budget.
        score: Its score.
        trials: Number of candidates that were tried; equal networks count once.
        scored: Number of those candidates that were scored.
    """

    best: Any
    score: float
    trials: int
    scored: int


def search(
    space: CandidateSpace,
    strategy: Strategy,
    budget: BudgetConfig,
    cost: Cost,
    executor: Executor,
    store: TrialStore,
    evaluations: int | None = None,
    on_trial: OnTrial = lambda trial, done, total: None,
    is_over: Callable[[], bool] = lambda: False,
) -> SearchResult:
    """Find the candidate with the best score whose memory meets the budget.

    The search ends when the strategy has nothing more to ask, when `evaluations` candidates are scored, or, for a
    strategy without an end, when 1,000 proposals in a row led to no evaluation.

    Args:
        space: Candidates outside it, or not connected, are not evaluated and cost nothing.
        strategy: Chooses the candidates.
        budget: Limits; candidates that cannot meet them are not evaluated and cost nothing.
        cost: Computes what a candidate takes; called once for equal networks.
        executor: Evaluates candidates, each network at most once.
        store: Keeps each trial as it comes. Trials that it already holds are not evaluated again.
        evaluations: Largest number of candidates that are scored; None is no limit.
        on_trial: Called for each proposal with its trial, how much is done, and of how much.
        is_over: Says whether the search is to end, for another reason.
    Returns:
        The best network, its score and the number of candidates.
    Raises:
        NothingFoundError: No candidate is in the space, meets the budget and has a score.
        RunError: The store holds trials of another search.
    """
    return _Search(space, strategy, budget, cost, executor, store, evaluations, on_trial, is_over).run()


@dataclass(frozen=True)
class _Plan:
    """A plan says what is to be done about a proposal.

    Attributes:
        proposal: The proposal of the strategy.
        status: Status that its trial will have.
        footprint: Footprint of the candidate or, over budget, of one of its completions; None outside the space.
        position: Its position among the trials; None for a repetition.
        stored: Its trial, where the store already has it.
    """

    proposal: Proposal
    status: Status
    footprint: Footprint | MemoryFigures | None
    position: int | None = None
    stored: Trial | None = None

    @property
    def key(self) -> _Key:
        """The key is equal for equal candidates with the same status.

        The status is part of it because in one step a candidate may be scored that is over budget by itself.
        """
        return self.proposal.candidate.canonical, self.status

    @property
    def to_evaluate(self) -> bool:
        """Whether the proposal takes an evaluation."""
        return self.status == "scored" and self.position is not None and self.stored is None

    def trial(self, position: int, result: CandidateEvaluation | None, timed: bool) -> Trial:
        """Make the trial of the proposal, with the result of its evaluation, and instructions if asked."""
        cost, score = self.footprint, None
        if result:
            score = result.score if math.isfinite(result.score) else -math.inf
        return Trial(
            position=position,
            step=self.proposal.step,
            genotype=str(self.proposal.candidate),
            status=self.status,
            score=score,
            params=cost.params if cost else None,
            flash_bytes=cost.flash_bytes if cost else None,
            ram_bytes=cost.ram_bytes if cost else None,
            seconds=result.seconds if result else 0.0,
            synops=result.synops if result else None,
            instructions=cost.instructions if cost and timed else None,
        )


@dataclass
class _Search:
    space: CandidateSpace
    strategy: Strategy
    budget: BudgetConfig
    cost: Cost
    executor: Executor
    store: TrialStore
    evaluations: int | None
    on_trial: OnTrial
    is_over: Callable[[], bool]
    known: dict[_Key, Trial] = field(default_factory=dict)
    candidates: dict[int, Candidate] = field(default_factory=dict)  # by position
    footprints: dict[Hashable, Footprint | MemoryFigures] = field(default_factory=dict)
    proposals: int = 0
    scored: int = 0
    unproductive: int = 0  # proposals since the last evaluation

    def run(self) -> SearchResult:
        while not self._ended and (batch := self.strategy.ask()):
            told = self._evaluate(batch)
            if len(told) == len(batch):
                self.strategy.tell(told)
        best, score = self._best()
        return SearchResult(self.candidates[best.position], score, len(self.known), self.scored)

    @property
    def _ended(self) -> bool:
        stuck = self.strategy.expected is None and self.unproductive >= PATIENCE
        return stuck or self.scored == self.evaluations or self.is_over()

    def _evaluate(self, batch: Sequence[Proposal]) -> list[Trial]:
        """Return a trial for each proposal, as far as the limit on evaluations allows."""
        plans = self._plans(batch)
        results = iter(self.executor.evaluate([plan.proposal.candidate for plan in plans if plan.to_evaluate]))
        told = []
        for plan in plans:
            self.proposals += 1
            self.unproductive += 1
            if plan.position is not None:
                trial = plan.stored
                if trial is None:
                    result = next(results) if plan.to_evaluate else None
                    trial = plan.trial(plan.position, result, self.budget.limits_speed)
                    self.store.add(trial)
                self.known[plan.key] = trial
                self.candidates[plan.position] = plan.proposal.candidate
                if trial.status == "scored":
                    self.scored += 1
                    self.unproductive = 0
            told.append(self.known[plan.key])
            self._report(told[-1])
        return told

    def _plans(self, batch: Sequence[Proposal]) -> list[_Plan]:
        plans: list[_Plan] = []
        position, scored, new = len(self.known), self.scored, set[_Key]()
        for proposal in batch:
            if scored == self.evaluations:
                break
            plan = self._plan(proposal)
            if plan.key not in self.known and plan.key not in new:
                plan = replace(plan, position=position, stored=self._recall(plan, position))
                new.add(plan.key)
                position += 1
                scored += plan.status == "scored"
            plans.append(plan)
        return plans

    def _plan(self, proposal: Proposal) -> _Plan:
        candidate = proposal.candidate
        if candidate not in self.space or not candidate.connected:
            return _Plan(proposal, "outside", None)
        footprints = [self._cost(completion) for completion in proposal.completions or (candidate,)]
        exceeded = [violations(footprint, self.budget) for footprint in footprints]
        for limit in LIMITS:
            if all(limit in over for over in exceeded):
                return _Plan(proposal, "over budget", footprints[0])
        return _Plan(proposal, "scored", self._cost(candidate))

    def _cost(self, candidate: Candidate) -> Footprint | MemoryFigures:
        key = candidate.canonical
        if key not in self.footprints:
            self.footprints[key] = self.cost(candidate)
        return self.footprints[key]

    def _recall(self, plan: _Plan, position: int) -> Trial | None:
        """Return the trial that the store has at a position, and check that it belongs to this plan."""
        trial = self.store.get(position)
        expected = plan.proposal.step, str(plan.proposal.candidate), plan.status
        if trial and (trial.step, trial.genotype, trial.status) != expected:
            raise RunError(
                f"{self.store.path}: trial {position} is {trial.genotype!r} of step {trial.step!r} ({trial.status}), "
                f"not {expected[1]!r} of step {expected[0]!r} ({expected[2]}): the store belongs to another search"
            )
        return trial

    def _report(self, trial: Trial) -> None:
        if self.evaluations is not None:
            self.on_trial(trial, self.scored, self.evaluations)
        else:
            self.on_trial(trial, self.proposals, max(self.proposals, self.strategy.expected or 0))

    def _best(self) -> tuple[Trial, float]:
        fitting = [trial for trial in self.known.values() if trial.meets(self.budget)]
        best: tuple[Trial, float] | None = None
        for trial in fitting:
            if trial.value is not None and (best is None or trial.value > best[1]):
                best = trial, trial.value
        if best:
            return best
        name, tried = self.strategy.name, len(self.known)
        if fitting:
            raise NothingFoundError(
                f"strategy {name!r}: none of the {len(fitting)} candidates that fit has a score; more different "
                "images, more timesteps or other ops may help"
            )
        if any(trial.status != "outside" for trial in self.known.values()):
            raise NothingFoundError(
                f"strategy {name!r}: none of the {tried} candidates it tried meets the budget; a narrower network may"
            )
        raise NothingFoundError(
            f"strategy {name!r}: none of the {tried} candidates it tried is a connected network of the space"
        )
