"""The precision of a training, on machines with and without bf16."""

from __future__ import annotations

import pytest
import torch

from spikenas._util.errors import RunError
from spikenas.training.precision import precision_of

CPU = torch.device("cpu")


@pytest.fixture(params=[True, False])
def able(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: request.param)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return bool(request.param)


def test_auto_is_bf16_where_the_processor_has_it(able: bool) -> None:
    assert precision_of("auto", CPU, "ilif") == precision_of("auto", CPU, "relu") == ("bf16" if able else "no")
    assert precision_of("auto", CPU, "lif") == precision_of("no", CPU, "ilif") == "no"


def test_bf16_that_a_processor_lacks_is_refused(able: bool) -> None:
    if able:
        assert precision_of("bf16", CPU, "lif") == "bf16"
    else:
        with pytest.raises(RunError, match=r"^train.precision: this processor does not compute in bf16; use 'auto' or"):
            precision_of("bf16", CPU, "lif")


def test_fp16_is_for_cuda() -> None:
    with pytest.raises(RunError, match=r"^train.precision: this processor does not train in fp16, only CUDA does; use"):
        precision_of("fp16", CPU, "ilif")
