"""Score designs, which differ in more than their cells: each as a network of its own settings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import torch

from spikenas._util.errors import SpikeNASError
from spikenas._util.seeding import digest_of
from spikenas.config import Config
from spikenas.scores.batch import resized, scorer_factory, side_of
from spikenas.scores.catalogue import SCORES
from spikenas.scores.engine import Scorer, ScoreResult, ScorerFactory
from spikenas.scores.probe import PlanScore
from spikenas.space.design import Design
from spikenas.space.plan import Plan
from spikenas.task import Task

_SCORERS = 16  # that are kept, one for each set of macro settings


def is_of_plan(name: str) -> bool:
    """Say whether a score is of the plan alone, so that it takes about a millisecond."""
    return isinstance(SCORES.find(name), PlanScore)


def weighs_time(name: str) -> bool:
    """Say whether a score depends on how much can be computed in the training (see `capacity`)."""
    score = SCORES.find(name)
    return isinstance(score, PlanScore) and score.within is not None


class DesignScorer:
    """A design scorer scores each design as a network of its own settings, at the fidelity of the task.

    A score of a plan alone is that of the plan that would be built.

    Args:
        factory: Factory of a scorer of the task, whose images are as large as designs see them.
        config: Configuration of the task.
        reach: What can be computed in the training for each of its items (see `capacity`).
    """

    def __init__(self, factory: ScorerFactory, config: Config, reach: float) -> None:
        self._factory, self._config = factory, config
        score = SCORES.find(factory.names[0])
        self._of_plan: Callable[[Plan], float] | None = None
        if isinstance(score, PlanScore):
            within = score.within
            self._of_plan = (lambda plan: within(plan, reach)) if within else score.compute
        self._scorer = lru_cache(_SCORERS)(self._new_scorer)

    def __call__(self, design: Design) -> ScoreResult:
        """Score a design; -inf where it cannot be built or scored."""
        start = time.perf_counter()
        try:
            if self._of_plan:
                score = float(self._of_plan(design.plan(self._config.network, self._factory.input)))
                return ScoreResult(score, time.perf_counter() - start)
            scorer = self._scorer(design.image, design.colours, tuple(design.network.items()))
            return replace(scorer(design.genotype), seconds=time.perf_counter() - start)
        except SpikeNASError:
            return ScoreResult(-math.inf, time.perf_counter() - start)

    def _new_scorer(self, image: tuple[int, int], colours: int, network: tuple[tuple[str, Any], ...]) -> Scorer:
        config = self._config.but({f"network.{key}": value for key, value in network})
        input = replace(self._factory.input, channels=colours, width=image[0], height=image[1])
        images = torch.from_numpy(self._factory.images)
        if images.shape[-3] != colours:
            images = images.mean(-3, keepdim=True)
        seen = resized(images, side_of(config.fidelity.image_size, config, input))
        return replace(self._factory, network=config.network, input=input, images=seen.numpy())()


@dataclass(frozen=True, eq=False)
class DesignScorerFactory:
    """A design scorer factory makes a `DesignScorer`, also in another process; it can be pickled."""

    factory: ScorerFactory
    config: Config
    reach: float = math.inf

    def __call__(self) -> DesignScorer:
        """Make a new scorer."""
        return DesignScorer(self.factory, self.config, self.reach)

    @cached_property
    def digest(self) -> str:
        """Digest that is equal for equal factories of one version of the package."""
        return digest_of(self.factory.digest, str(self.reach))

    def sharing_order(self, designs: Sequence[Design]) -> list[int]:
        """Return the positions of the designs in an order in which those of one set of macro settings are together."""
        return sorted(range(len(designs)), key=lambda position: repr(designs[position].canonical))


def design_scorer_factory(task: Task, name: str, reach: float = math.inf) -> DesignScorerFactory:
    """Make the factory of the scorer of designs on a seeded batch of training images.

    Args:
        task: Task whose training images and configuration are used; its input is the largest that a design has.
        name: Name of the score.
        reach: What can be computed in the training for each of its items (see `capacity`).

    Raises:
        ScoreError: The name is unknown.
    """
    whole = task.but({"fidelity.image_size": "data"})
    return DesignScorerFactory(scorer_factory(whole, name), task.config, reach)
