import json
import math
import random
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from spikenas._util.errors import RunError
from spikenas.config import NetworkConfig
from spikenas.data import Statistics
from spikenas.snn import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import load_model, load_tensors, model_header, save_tensors

PLAN = make_plan(
    Genotype.parse("0-1:conv3x3 1-3:skip / 0-3:conv3x3@0.5"), NetworkConfig(channels=4), InputSpec(1, 8, 8, 3)
)
HEADER = model_header(PLAN, ("a", "b", "c"), Statistics((0.5,), (0.25,)))


def written(folder: Path, **changes: torch.Tensor) -> Path:
    path = folder / "model.safetensors"
    save_tensors(path, Network(PLAN, seed=4).state_dict() | changes, HEADER)
    return path


def test_round_trip(tmp_path: Path) -> None:
    model = load_model(written(tmp_path))
    assert model.network.plan == PLAN
    assert model.classes == ("a", "b", "c")
    assert model.statistics == Statistics((0.5,), (0.25,))
    for key, value in Network(PLAN, seed=4).state_dict().items():
        assert torch.equal(model.network.state_dict()[key], value)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        load_tensors(tmp_path / "model.safetensors")


@pytest.mark.parametrize("size", [0, 4, 100, 5000])
def test_truncated(tmp_path: Path, size: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(RunError, match=r"truncated or (not a|damaged, ).*; remove it, and 'spikenas train' begins"):
        load_model(path)


@pytest.mark.parametrize("place", ["length", "header", "digest", "weights"])
def test_a_flipped_bit_never_loads(tmp_path: Path, place: str) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    first = content.index(b"sha256")
    ranges = {
        "length": range(8), "header": range(8, header), "digest": range(first, first + 80),
        "weights": range(header, len(content)),
    }  # fmt: skip
    rng = random.Random(3)
    for _ in range(100):
        flipped = bytearray(content)
        flipped[rng.choice(ranges[place])] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(RunError, match=re.escape(str(path))):
            load_model(path)


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    assert written(tmp_path).read_bytes() == written(tmp_path).read_bytes()


def test_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path, {"spikenas-1": json.dumps(HEADER)})
    with pytest.raises(RunError, match=r"its SHA-256 is missing .*; remove it, and 'spikenas train' begins anew$"):
        load_model(path)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite(tmp_path: Path, value: float) -> None:
    weight = Network(PLAN, seed=4).state_dict()["layers.head_linear.weight"].clone()
    weight[1, 2] = value
    with pytest.raises(RunError, match=r"layers\.head_linear\.weight has values that are not finite"):
        load_model(written(tmp_path, **{"layers.head_linear.weight": weight}))


def test_foreign(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(RunError, match="not one of SpikeNAS"):
        load_model(path)
    wrong = (
        {"epoch": 3},
        HEADER | {"genotype": "foo"},
        HEADER | {"network": {"cells": "many"}},
        HEADER | {"statistics": 3},
    )
    for header in wrong:
        save_tensors(path, {"weight": torch.zeros(2)}, header)
        with pytest.raises(RunError, match=r"its header does not describe a network$"):
            load_model(path)


def test_weights_of_another_network(tmp_path: Path) -> None:
    wider = {"layers.head_linear.weight": torch.zeros(4, 8)}
    with pytest.raises(RunError, match=r"head_linear.weight is \[4, 8\] instead of \[3, 8\]"):
        load_model(written(tmp_path, **wider))
    with pytest.raises(RunError, match="extra is left over"):
        load_model(written(tmp_path, extra=torch.zeros(1)))


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    before = path.read_bytes()

    def full(partial: Path, _: bytes) -> None:
        with partial.open("wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"cannot be written .*No space left"):
        written(tmp_path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
