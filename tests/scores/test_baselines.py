from __future__ import annotations

import math

import torch
from probes import plan_of

from spikenas.config import FidelityConfig
from spikenas.scores import baselines
from spikenas.scores.engine import Scorer
from spikenas.snn import Network
from spikenas.space import Genotype


def test_baselines_by_hand() -> None:
    plan = plan_of("0-1:conv3x3 1-2:dwconv3x3 2-3:skip 0-3:conv1x1 / 0-3:avgpool3x3")
    assert baselines.convs(plan) == 1 + 3 + 1, "stem, cell, reduction"
    assert baselines.depth(plan) == 2 + 1 + 1, "cell, reduction, head"
    assert baselines.depth(plan_of("0-3:skip / 0-3:skip")) == 2
    looped = plan_of("0-1:conv3x3 1-3:skip 3-0:conv3x3 / 0-3:skip")
    assert baselines.depth(looped) == 3, "what feeds back makes no path longer"
    values = {score.name: score.compute(plan) for score in (baselines.PARAMS, baselines.DEPTH, baselines.CONVS)}
    assert values["params"] == sum(p.numel() for p in Network(plan).parameters())
    assert (values["depth"], values["convs"]) == (4, 5)


def test_through_the_scorer_without_images_or_labels() -> None:
    plan = plan_of("0-1:conv3x3 1-3:skip / 0-3:conv3x3")
    scorer = Scorer(("convs", "params"), plan.network, plan.input, torch.zeros(2, 3, 8, 8), FidelityConfig(repeats=3))
    assert scorer(plan.genotype).score == baselines.convs(plan)
    assert scorer(plan.genotype).synops is None
    assert scorer(Genotype.parse("none / none")).score == -math.inf
