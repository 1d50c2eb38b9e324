"""The C on this computer: the reference's outputs, with sanitizers that stop at the first undefined step."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from programs import Case, frames_for, integers_of, random_case
from spikenas._util.errors import DeployError
from spikenas.config import Fit, NetworkConfig
from spikenas.data import Statistics
from spikenas.deployment.c import source
from spikenas.deployment.c.firmware_folder import write_folder
from spikenas.deployment.c.header import network_header
from spikenas.deployment.c.source import pack
from spikenas.deployment.toolchain import CORES
from spikenas.integers import fold, quantise
from spikenas.snn.network import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model

SANITIZE = (
    "-O1",
    "-g",
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover",
)


def _is_whole(compiler: str) -> bool:
    """Whether a compiler is there with the runtime of its sanitizers."""
    if shutil.which(compiler) is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.c").write_text("int main(void) { return 0; }\n")
        built = subprocess.run(
            [compiler, *SANITIZE, "main.c", "-o", "main"], cwd=folder, capture_output=True, check=False
        )
        return built.returncode == 0 and subprocess.run(["./main"], cwd=folder, check=False).returncode == 0


COMPILERS = [name for name in ("gcc", "clang") if _is_whole(name)]
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="no C compiler with sanitizers")

WIDE = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"
CASES = [
    Case("0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3 / 0-3:conv3x3", channels=8),
    Case("0-1:dwconv3x3 0-3:avgpool3x3 1-3:conv5x5@0.5", channels=3, weight_bits=4, membrane_bits=8),
    Case("0-1:conv3x3 1-2:conv1x1 2-3:skip 3-1:conv3x3 / 0-2:skip 2-1:skip 1-3:conv7x7", static=False, weight_bits=2),
    Case("0-1:conv3x3 0-3:skip 1-3:skip / 0-3:conv3x3", kind="snasnet", channels=8, weight_bits=4, membrane_bits=8),
    Case("0-3:conv3x3", v_reset=-0.5, channels=5),
    Case("0-1:skip 0-2:skip 0-3:skip 2-1:avgpool3x3 1-3:skip"),
    *(
        replace(case, **neuron)
        for case, neuron in itertools.product(
            (
                Case(f"{WIDE} / 0-1:dwconv3x3 0-3:skip 1-3:conv3x3", channels=8),
                Case(f"{WIDE} / 0-2:skip 2-1:skip 1-3:conv7x7", channels=8, weight_bits=4, membrane_bits=8),
                Case("0-1:conv5x5@0.5 0-2:conv1x1 1-3:dwconv3x3 2-3:skip / 0-3:conv3x3", channels=5, weight_bits=2),
            ),
            (
                {"neuron": "ilif", "levels": 4, "timesteps": 1},
                {"neuron": "ilif", "levels": 15, "timesteps": 3},
                {"neuron": "relu", "timesteps": 1},
            ),
        )
    ),
    Case("0-1:conv3x3 0-3:avgpool3x3 1-3:conv3x3", static=False, neuron="ilif", levels=1, timesteps=2),
    Case("0-1:conv3x3 0-3:avgpool3x3 1-3:conv3x3 / 0-3:skip", static=False, neuron="relu"),
]


def run_on_host(case: Case, folder: Path, compiler: str, images: int) -> str:
    write_folder(integers_of(case.plan), list(frames_for(case.plan, images)), CORES["cortex-m4"], folder)
    sources = ["main.c", "network.c", "kernels.c", "gather.c", "dense.c", "port_host.c"]
    subprocess.run([compiler, *SANITIZE, *sources, "-o", "host"], cwd=folder, check=True, capture_output=True)
    return subprocess.run(["./host"], cwd=folder, check=True, capture_output=True, text=True).stdout


@needs_compiler
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.neuron} {case.text[:20]}")
def test_c_computes_what_the_reference_defines(case: Case, tmp_path: Path) -> None:
    said = run_on_host(case, tmp_path, COMPILERS[0], 5)
    assert "images 5\nimages_equal 5\n" in said


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_random_networks(seed: int, tmp_path: Path) -> None:
    said = run_on_host(random_case(seed), tmp_path, COMPILERS[seed % len(COMPILERS)], 20)
    assert "images_equal 20\n" in said


def test_a_list_that_16_bits_cannot_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of an output are numbered: 8 channels of 3x3 and the 9 pixels of a line, of a list of 226 entries."""
    network = integers_of(Case("0-3:conv3x3", channels=8, neuron="ilif", timesteps=1).plan)
    monkeypatch.setattr(source, "_LARGEST", 225)
    with pytest.raises(DeployError, match=r"^cell1\.op1\.conv: a size of 226, but kernels have at most 225$"):
        source.make_sources(network)
    monkeypatch.setattr(source, "_LARGEST", 226)
    source.make_sources(network)


@needs_compiler
def test_the_makefile_runs_the_test(tmp_path: Path) -> None:
    write_folder(integers_of(CASES[0].plan), list(frames_for(CASES[0].plan, 3)), CORES["rv32"], tmp_path)
    done = subprocess.run(["make", "-s"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "images_equal 3\n" in done.stdout


@needs_compiler
def test_a_wrong_output_is_seen(tmp_path: Path) -> None:
    case = CASES[0]
    write_folder(integers_of(case.plan), list(frames_for(case.plan, 3)), CORES["cortex-m4"], tmp_path)
    vectors = (tmp_path / "test_vectors.h").read_text(encoding="utf-8")
    head, scores = vectors.split("test_scores[] = {")
    first, rest = scores.split(",", 1)
    (tmp_path / "test_vectors.h").write_text(f"{head}test_scores[] = {{{int(first) + 1},{rest}", encoding="utf-8")
    done = subprocess.run(["make", "-s"], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode != 0
    assert "images_equal 2\n" in done.stdout


def test_one_folder_is_all_that_is_needed(tmp_path: Path) -> None:
    write_folder(integers_of(CASES[0].plan), list(frames_for(CASES[0].plan, 3)), CORES["cortex-m4"], tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    for path in tmp_path.glob("*.[ch]"):
        text = path.read_text(encoding="utf-8")
        for line in text.splitlines():
            if line.startswith('#include "'):
                assert line.split('"')[1] in names, (path, line)
        assert "malloc" not in text


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_program_in_cpp_has_the_names_of_the_classes(tmp_path: Path) -> None:
    names = ("plain", 'a "quoted" \\ one??/', "K\u00e4fer 7\n", "\u7532\u866b1")
    plan = make_plan(Genotype.parse("0-3:conv3x3"), NetworkConfig(channels=4, cells=1), InputSpec(2, 8, 8, 4, True))
    network = replace(integers_of(plan), classes=names)
    write_folder(network, [np.zeros((1, 2, 8, 8), np.int64)], CORES["cortex-m4"], tmp_path)
    (tmp_path / "user.cpp").write_text(
        '#include "network.h"\n#include <cstdio>\nint main() {\n'
        "    static uint8_t frame[SNN_FRAME_BYTES];\n    if (snn_run(frame) == nullptr) return 1;\n"
        '    for (auto name : snn_labels) std::printf("%s|", name);\n}\n',
        encoding="utf-8",
    )
    objects = ("network", "kernels", "gather", "dense")
    for name in objects:
        subprocess.run(["gcc", "-c", f"{name}.c"], cwd=tmp_path, check=True)
    strict = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-trigraphs")
    subprocess.run(
        ["g++", *strict, "user.cpp", *(f"{name}.o" for name in objects), "-o", "user"], cwd=tmp_path, check=True
    )
    said = subprocess.run(["./user"], cwd=tmp_path, check=True, capture_output=True).stdout
    assert said.decode("utf-8") == "".join(f"{name}|" for name in names)


@pytest.mark.parametrize(
    ("channels", "static", "scale", "expected"),
    [
        (3, True, 1 / 255, ["red, green, blue", "SNN_INPUT_SCALE 255.0f", "[C, H, W]", "as in a picture file"]),
        (1, True, 1 / 255, ["a byte of grey each"]),
        (2, False, 1.0, ["2 channels a pixel", "SNN_INPUT_SCALE 1.0f", "[T, C, H, W]", "a number of events"]),
        (2, False, 4.0, ["SNN_INPUT_SCALE 0.25f", "at most 255"]),
        (2, False, 1 / 255, ["SNN_INPUT_SCALE 255.0f", "a value of the training data times SNN_INPUT_SCALE"]),
    ],
)
def test_the_header_says_what_the_input_is(channels: int, static: bool, scale: float, expected: list[str]) -> None:
    spec = InputSpec(channels, 8, 8, 3, static)
    plan = make_plan(Genotype.parse("0-3:conv3x3"), NetworkConfig(channels=4, cells=1), spec)
    statistics = Statistics((0.5,) * channels, (0.5,) * channels)
    network = quantise(fold(Model(Network(plan), tuple("abc"), statistics)), scale, tuple("abc"))
    said = network_header(network, 1)
    assert [part for part in expected if part not in said] == []


@pytest.mark.parametrize(
    ("fit", "value_range", "expected"),
    [
        ("stretch", None, "their aspect ratio is changed"),
        ("crop", (0, 4095), "cut to the aspect ratio"),
        ("pad", (-1, 1), "bars of grey 128"),
    ],
)
def test_the_header_says_how_a_picture_becomes_the_input(
    fit: Fit, value_range: tuple[float, float] | None, expected: str
) -> None:
    spec = InputSpec(1, 8, 8, 2, fit=fit, value_range=value_range)
    plan = make_plan(Genotype.parse("0-3:conv3x3"), NetworkConfig(channels=4, cells=1), spec)
    network = quantise(fold(Model(Network(plan), ("a", "b"), Statistics((0.5,), (0.5,)))), 1 / 255, ("a", "b"))
    said = network_header(network, 1)
    assert expected in said
    low, high = value_range or (0, 255)
    assert (f"(value - {low:g}) * 255 / {high - low:g}" if value_range else "picture file") in said
    assert max(map(len, said.splitlines())) <= 130


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=40), st.sampled_from([2, 4, 8]))
def test_packing(values: list[int], bits: int) -> None:
    step = 1 << 8 - bits
    weights = np.asarray(values) // step * step
    packed = pack(weights, bits, step)
    each = 8 // bits
    assert len(packed) == -(-len(values) // each)
    for number, weight in enumerate(weights):
        code = int(packed[number // each]) >> number % each * bits & (1 << bits) - 1
        signed = code - (1 << bits if code >= 1 << bits - 1 else 0)
        assert signed * step == weight
