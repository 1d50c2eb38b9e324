"""Exported folders: each is built as its README says, with the compiler of a device where its tools are not here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from programs import Case, frames_for, integers_of, model_of
from spikenas._util.errors import DeployError
from spikenas.config import NetworkConfig
from spikenas.data import Statistics
from spikenas.deployment.exporting import export
from spikenas.integers import IntegerNetwork, fold, quantise
from spikenas.integers.reference import run_reference
from spikenas.snn.network import Network
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model

ARM = ("arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "--specs=nosys.specs")
STUBS = Path(__file__).parent / "stubs"
STRICT = ("-Wall", "-Wextra", "-Werror")
needs_compiler = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="no CMake")
needs_arm = pytest.mark.skipif(shutil.which(ARM[0]) is None, reason="no C++ compiler for Arm")


def pictures(
    channels: int = 3, classes: tuple[str, ...] = ("cat", "dog", "Käfer"), **settings: object
) -> IntegerNetwork:
    """A network of pictures with weights as they are at the beginning."""
    network = NetworkConfig.model_validate({"channels": 8, "cells": 1, **settings})
    spec = InputSpec(channels, 16, 12, len(classes))
    plan = make_plan(Genotype.parse("0-1:conv3x3 0-3:skip 1-3:conv3x3"), network, spec)
    model = Model(Network(plan, seed=3), classes, Statistics((0.4,) * channels, (0.2,) * channels))
    return quantise(fold(model), 1 / 255, classes)


def items(network: IntegerNetwork, count: int = 4) -> NDArray[np.int64]:
    return frames_for(network.plan, max(count, 3))[:count]


def classes_of(network: IntegerNetwork, inputs: Iterable[NDArray[np.int64]]) -> list[str]:
    return [network.classes[int(np.argmax(run_reference(network, one)))] for one in inputs]


def run(*command: object, folder: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_bytes(inputs: NDArray[np.int64]) -> bytes:
    """An input [T, C, H, W] as the C reads it."""
    return inputs.astype(np.uint8).transpose(0, 2, 3, 1).tobytes()


def as_pnm(inputs: NDArray[np.int64]) -> bytes:
    (picture,) = inputs.astype(np.uint8)
    channels, height, width = picture.shape
    return f"P{6 if channels == 3 else 5}\n# a picture\n{width} {height}\n255\n".encode() + as_bytes(inputs)


@needs_compiler
def test_python_runs_the_c(tmp_path: Path) -> None:
    network = pictures()
    inputs = items(network)
    export(network, inputs[0], "python", tmp_path / "here", "pets")
    (tmp_path / "frames.bin").write_bytes(as_bytes(inputs[3]))
    code = "import snn_pets as m; d = open('../frames.bin', 'rb').read(); print(m.scores(d), m.label(d), len(m.LABELS))"
    said = run(sys.executable, "-c", code, folder=tmp_path / "here").strip()
    scores = run_reference(network, inputs[3]).tolist()
    assert said == f"{scores} {classes_of(network, inputs[3:])[0]} 3"
    code = "import snn_pets as m, numpy as n; d = n.frombuffer(open('../frames.bin', 'rb').read(), 'uint8'); "
    code += "print(m.label(m.fitted(d.reshape(m.HEIGHT, m.WIDTH, 3), m.WIDTH, m.HEIGHT, 3)))"
    assert run(sys.executable, "-c", code, folder=tmp_path / "here").strip() == classes_of(network, inputs[3:])[0]
    (tmp_path / "picture.ppm").write_bytes(as_pnm(inputs[3]))
    said = run(sys.executable, "here/snn_pets.py", "picture.ppm", folder=tmp_path).strip()
    assert said == f"picture.ppm {classes_of(network, inputs[3:])[0]}"


def build_both(folder: Path, program: str, first: str, second: str) -> None:
    """Build a program of two networks by CMake, without a warning."""
    (folder / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.13)\nproject(both C CXX)\nadd_subdirectory({first})\n"
        f"add_subdirectory({second})\nadd_executable(both {program})\n"
        f"target_link_libraries(both PRIVATE spikenas_{first} spikenas_{second})\n"
    )
    warnings = "-Wall -Wextra -Werror"
    flags = (f"-DCMAKE_C_FLAGS={warnings}", f"-DCMAKE_CXX_FLAGS={warnings}")
    run("cmake", "-S", ".", "-B", "build", *flags, folder=folder)
    run("cmake", "--build", "build", folder=folder)


@needs_compiler
@needs_cmake
def test_cmake_builds_two_networks_into_one_program_with_the_kernels_once(tmp_path: Path) -> None:
    first, second = pictures(), pictures(1, ("no", "yes"))
    export(first, items(first)[0], "cmake", tmp_path / "pets", "pets")
    export(second, items(second)[0], "cmake", tmp_path / "wake", "wake")
    (tmp_path / "both.cpp").write_text(
        '#include "snn_pets.h"\n#include "snn_wake.h"\n#include <cstdio>\n'
        "static uint8_t a[PETS_FRAME_BYTES], b[WAKE_FRAME_BYTES];\n"
        'int main() { std::printf("%s %s\\n", pets_labels[pets_classify(a)], wake_labels[wake_classify(b)]); }\n'
    )
    build_both(tmp_path, "both.cpp", "pets", "wake")
    black = [classes_of(one, items(one)[:1])[0] for one in (first, second)]  # the first input is black
    assert run("build/both", folder=tmp_path).split() == black
    symbols = run("nm", "build/both", folder=tmp_path)
    assert len(re.findall(r" T snn_ilif_once$", symbols, re.MULTILINE)) == 1
    assert len(re.findall(r" T (pets|wake)_run$", symbols, re.MULTILINE)) == 2


@needs_compiler
@needs_cmake
def test_networks_of_pictures_and_of_events_live_in_one_program(tmp_path: Path) -> None:
    """The folder that comes first brings what the second one calls, though it does not call it."""
    events = integers_of(Case("0-3:conv3x3", static=False, neuron="ilif", timesteps=2).plan)
    export(events, items(events)[0], "cmake", tmp_path / "events", "events")
    network = pictures()
    export(network, items(network)[0], "cmake", tmp_path / "pets", "pets")
    (tmp_path / "both.c").write_text(
        '#include "snn_events.h"\n#include "snn_pets.h"\n#include <stdio.h>\n'
        "static uint8_t black[48 * 64 * 3], none[EVENTS_FRAMES * EVENTS_FRAME_BYTES];\n"
        "int main(void) { puts(events_labels[events_classify(none)]);\n"
        "                 puts(pets_labels[pets_classify_picture(black, 64, 48, 3)]); }\n"
    )
    build_both(tmp_path, "both.c", "events", "pets")
    black = [classes_of(one, items(one)[:1])[0] for one in (events, network)]
    assert run("build/both", folder=tmp_path).split() == black


@needs_compiler
def test_names_of_classes_stay_whatever_they_are(tmp_path: Path) -> None:
    names = ("snn_run", "SNN_CLASSES", "@LABELS@", 'a"b', "</script><b>", "Käfer")
    network = pictures(classes=names)
    for kind in ("cmake", "python"):
        export(network, items(network)[0], kind, tmp_path / kind, "pets")
    (tmp_path / "all.c").write_text(
        '#include "snn_pets.h"\n#include <stdio.h>\n'
        "int main(void) { for (int i = 0; i < PETS_CLASSES; i++) puts(pets_labels[i]); }\n"
    )
    run("gcc", "all.c", f"-I{tmp_path}/cmake/src", "-o", "all", folder=tmp_path)
    assert run("./all", folder=tmp_path).splitlines() == list(names)
    said = run(sys.executable, "-c", "import snn_pets; print(*snn_pets.LABELS, sep='\\n')", folder=tmp_path / "python")
    assert said.splitlines() == list(names)


def test_values_that_are_not_counts_are_not_told_to_be_counted(tmp_path: Path) -> None:
    plan = Case("0-3:conv3x3", static=False, neuron="ilif", timesteps=2).plan
    counts, values = "adds 1, at most 255", "* SNN_INPUT_SCALE)"
    for scale, told, not_told in ((1.0, counts, values), (4.0, values, counts)):
        network = quantise(fold(model_of(plan)), scale, tuple("abc"))
        export(network, items(network)[0], "cmake", tmp_path / "x")
        said = (tmp_path / "x" / "README.md").read_text(encoding="utf-8")
        assert told in said
        assert not_told not in said


@needs_compiler
def test_pixels_of_more_than_8_bits_are_refused_where_they_would_be_cut(tmp_path: Path) -> None:
    network = NetworkConfig.model_validate({"channels": 8, "cells": 1})
    plan = make_plan(Genotype.parse("0-3:conv3x3"), network, InputSpec(1, 12, 12, 3, value_range=(0.0, 4095.0)))
    wide = quantise(fold(Model(Network(plan), tuple("abc"), Statistics((0.5,), (0.5,)))), 1 / 255, tuple("abc"))
    with pytest.raises(DeployError, match=r"^--to wasm: browsers read 8 bits of a value, and this network was trained"):
        export(wide, items(wide)[0], "wasm", tmp_path / "page")
    export(wide, items(wide)[0], "python", tmp_path / "x")
    Image.fromarray(np.full((12, 12), 4000, np.uint16)).save(tmp_path / "wide.png")
    command = [sys.executable, tmp_path / "x" / "network.py", tmp_path / "wide.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "pixels of more than 8 bits" in done.stderr


@needs_compiler
def test_the_example_program_reads_pictures_of_any_size(tmp_path: Path) -> None:
    network = pictures(1)
    export(network, items(network)[0], "cmake", tmp_path / "x")
    folder = tmp_path / "x"
    run("gcc", *STRICT, "-Isrc", "example.c", *sorted(folder.glob("src/*.c")), "-o", "example", folder=folder)
    inputs = items(network)[2]
    (tmp_path / "p.pgm").write_bytes(as_pnm(inputs))
    assert run("./example", tmp_path / "p.pgm", folder=folder).strip() == classes_of(network, [inputs])[0]
    (tmp_path / "large.pgm").write_bytes(as_pnm(np.kron(inputs, np.ones((1, 1, 5, 5), np.int64))))
    assert run("./example", tmp_path / "large.pgm", folder=folder).strip() in network.classes
    (tmp_path / "cut.pgm").write_bytes(as_pnm(inputs)[:-1])
    done = subprocess.run(["./example", tmp_path / "cut.pgm"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"example: {tmp_path / 'cut.pgm'}: cut off\n")


@needs_compiler
def test_events_are_read_frame_by_frame(tmp_path: Path) -> None:
    network = integers_of(Case("0-3:conv3x3", static=False, neuron="ilif", timesteps=2).plan)
    export(network, items(network)[0], "cmake", tmp_path / "x", "events")
    folder, inputs = tmp_path / "x", items(network)[2]
    run("gcc", *STRICT, "-Isrc", "example.c", *sorted(folder.glob("src/*.c")), "-o", "example", folder=folder)
    (tmp_path / "frames.bin").write_bytes(as_bytes(inputs))
    assert run("./example", tmp_path / "frames.bin", folder=folder).strip() == classes_of(network, [inputs])[0]
    assert "events_step();" in (folder / "README.md").read_text(encoding="utf-8")


PROGRAMS = {
    "arduino": "examples/Classify/Classify.ino",
    "pico": "main.c",
    "platformio": "examples/classify/main.cpp",
    "zephyr": "samples/classify/src/main.c",
}


def build_program(kind: str, folder: Path, compiler: tuple[object, ...]) -> None:
    """Compile the example of a kind with stubs of the headers of its system; sketches begin with what the IDE adds."""
    program = folder / PROGRAMS[kind]
    language = "c" if program.suffix == ".c" else "c++"
    include = ("-include", "Arduino.h") if program.suffix == ".ino" else ()
    flags = (*STRICT, "-O2", f"-I{STUBS}", "-Isrc", f"-I{program.parent}")
    run(*compiler, *flags, *include, "-x", language, "-c", program, "-o", "program.o", folder=folder)
    for source in sorted(folder.glob("src/*.c")):
        run(*compiler, *flags, "-x", "c", "-c", source, "-o", f"{source.stem}.o", folder=folder)
    run(*compiler, f"-I{STUBS}", "-c", STUBS / "system.cpp", "-o", "system.o", folder=folder)
    run(*compiler, *sorted(one.name for one in folder.glob("*.o")), "-o", "program", folder=folder)


@pytest.mark.parametrize("kind", PROGRAMS)
@pytest.mark.parametrize("compiler", [pytest.param(ARM, marks=needs_arm), pytest.param(("g++",), marks=needs_compiler)])
def test_the_program_of_a_folder_says_the_class_that_it_expects(
    kind: str, compiler: tuple[str, ...], tmp_path: Path
) -> None:
    network = pictures()
    export(network, items(network)[2], kind, tmp_path / "x", "pets")
    build_program(kind, tmp_path / "x", compiler)
    if compiler == ("g++",):
        name = classes_of(network, items(network)[2:])[0]
        assert run("./program", folder=tmp_path / "x").startswith(f"{name} (expected {name}), 0 ")


@needs_compiler
@needs_cmake
@pytest.mark.parametrize(
    ("kind", "place", "program"), [("zephyr", "samples/classify", "app"), ("pico", ".", "classify")]
)
def test_the_cmake_files_of_systems_build_with_stubs_of_their_functions(
    kind: str, place: str, program: str, tmp_path: Path
) -> None:
    network = pictures()
    export(network, items(network)[2], kind, tmp_path / "x", "pets")
    folder = tmp_path / "x" / place
    run("cmake", "-B", "build", "-S", ".", f"-DZephyr_DIR={STUBS / 'cmake'}", f"-DPICO_SDK_PATH={STUBS}", folder=folder)
    run("cmake", "--build", "build", folder=folder)
    name = classes_of(network, items(network)[2:])[0]
    assert run(f"build/{program}", folder=folder).startswith(f"{name} (expected {name}), 0 ")


@needs_compiler
@needs_cmake
def test_two_modules_of_zephyr_share_the_kernels(tmp_path: Path) -> None:
    for prefix in ("pets", "wake"):
        network = pictures(classes=("no", "yes"))
        export(network, items(network)[2], "zephyr", tmp_path / prefix, prefix)
    sample = tmp_path / "pets" / "samples" / "classify"
    with (sample / "prj.conf").open("a") as file:
        file.write("CONFIG_SPIKENAS_WAKE=y\n")
    modules = tmp_path / "wake"
    run("cmake", "-B", "build", "-S", ".", f"-DZephyr_DIR={STUBS / 'cmake'}", f"-DZEPHYR_EXTRA_MODULES={modules}",
        folder=sample)  # fmt: skip
    run("cmake", "--build", "build", folder=sample)
    symbols = run("nm", "build/app", folder=sample)
    assert len(re.findall(r" T (pets|wake)_run$", symbols, re.MULTILINE)) == 2
    assert len(re.findall(r" T snn_add$", symbols, re.MULTILINE)) == 1


def test_the_manifest_of_arduino_is_valid(tmp_path: Path) -> None:
    network = pictures()
    export(network, items(network)[0], "arduino", tmp_path / "x", "pets")
    lines = (tmp_path / "x" / "library.properties").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert found.keys() >= {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url",
                            "architectures"}  # fmt: skip
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", found["name"])
    assert found["category"] == "Data Processing"
    assert (tmp_path / "x" / "src" / found["includes"]).exists()
    assert read_by_platformio(tmp_path / "x")["version"] == found["version"]


def test_the_manifest_of_platformio_is_valid(tmp_path: Path) -> None:
    network = pictures()
    export(network, items(network)[0], "platformio", tmp_path / "x", "pets")
    found = read_by_platformio(tmp_path / "x")
    (example,) = found["examples"]
    assert [file for file in example["files"] if not (tmp_path / "x" / example["base"] / file).exists()] == []
    assert (tmp_path / "x" / "src" / found["headers"][0]).exists()


def read_by_platformio(folder: Path) -> dict[str, Any]:
    """What PlatformIO's own parser finds, which its own schema holds valid."""
    from platformio.package.manifest.parser import ManifestParserFactory
    from platformio.package.manifest.schema import ManifestSchema

    licences = {"licenses": [{"licenseId": "Apache-2.0"}]}  # else the list is read from the web
    with patch.object(ManifestSchema, "load_spdx_licenses", lambda self: licences):
        said = ManifestParserFactory.new_from_dir(str(folder)).as_dict()
        found: dict[str, Any] = ManifestSchema().load_manifest(said)
    return found


@needs_compiler
def test_networks_whose_kernels_differ_are_told_by_the_linker_and_by_the_compiler(tmp_path: Path) -> None:
    first = integers_of(Case("0-3:conv3x3").plan)
    second = integers_of(Case("0-3:conv3x3", membrane_bits=8).plan)
    export(first, items(first)[0], "cmake", tmp_path / "first", "first")
    export(second, items(second)[0], "cmake", tmp_path / "second", "second")
    (tmp_path / "both.c").write_text(
        '#include "snn_first.h"\n#include "snn_second.h"\nint main(void) { return first_input() == second_input(); }\n'
    )
    include = ("-Ifirst/src", "-Isecond/src")
    for name, folder in (("first", "first"), ("second", "second")):
        run("gcc", "-c", f"{folder}/src/snn_{name}.c", folder=tmp_path)
    kernels = [f"first/src/{name}.c" for name in ("kernels", "gather", "dense")]
    objects = ("snn_first.o", "snn_second.o")
    done = subprocess.run(
        ["gcc", *include, "both.c", *objects, *kernels], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert "undefined reference to `snn_stem_" in done.stderr
    for end in "ch":
        shutil.copy(tmp_path / f"second/src/snn_second.{end}", tmp_path / "first/src")
    done = subprocess.run(
        ["gcc", "-c", "first/src/snn_second.c"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "#error these are not the kernels of this network" in done.stderr


@pytest.mark.parametrize("prefix", ["", "9lives", "a-b", "_x", "é", "Net", "a" * 32])
def test_a_prefix_that_is_no_name_is_refused(prefix: str, tmp_path: Path) -> None:
    network = pictures()
    with pytest.raises(DeployError, match=f"^--prefix {prefix}: "):
        export(network, items(network)[0], "cmake", tmp_path / "x", prefix)
    assert not (tmp_path / "x").exists()


def test_a_folder_of_something_else_is_kept(tmp_path: Path) -> None:
    network = pictures()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "letter.txt").write_text("mine")
    with pytest.raises(DeployError, match=r"x: is there, and is no exported folder; give another name$"):
        export(network, items(network)[0], "cmake", tmp_path / "x")
    assert (tmp_path / "x" / "letter.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DeployError, match=r"file: is there, and is no exported folder"):
        export(network, items(network)[0], "cmake", tmp_path / "file")


def test_a_folder_that_is_exported_to_again_keeps_what_is_not_of_the_export(tmp_path: Path) -> None:
    network, folder = pictures(), tmp_path / "y"
    export(network, items(network)[0], "arduino", folder)
    (folder / "src" / "mine.c").write_text("mine")
    export(network, items(network)[0], "cmake", folder, "pets")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"src/mine.c", "src/snn_pets.c", "CMakeLists.txt"} <= names
    assert not {"src/network.c", "library.properties", "examples"} & names
    with (folder / "example.c").open("a") as file:
        file.write("/* and mine */")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(DeployError, match=r"example\.c: has changed since it was exported; move it, or"):
        export(network, items(network)[0], "cmake", folder, "pets")
    (folder / "example.c").unlink()
    (folder / "main.c").write_text("mine")
    with pytest.raises(DeployError, match=r"main\.c: is in the way; move it, or export to another folder"):
        export(network, items(network)[0], "pico", folder, "pets")
    assert {path for path in before if not path.exists()} == {folder / "example.c"}
    export(network, items(network)[0], "cmake", folder, "pets")
    assert (folder / "example.c").exists()
    assert (folder / "main.c").read_text() == "mine"


@pytest.mark.parametrize("steps", range(0, 20, 3))
def test_an_export_that_was_killed_is_done_again(steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, folder = pictures(), tmp_path / "y"
    export(network, items(network)[0], "cmake", folder)
    (folder / "mine.c").write_text("mine")
    done: list[Path] = []

    def kill(source: Path, target: Path) -> None:
        done.append(target)
        if len(done) > steps:
            raise KeyboardInterrupt
        Path(source).replace(target)

    with monkeypatch.context() as patched:
        patched.setattr("os.replace", kill)
        with pytest.raises(KeyboardInterrupt):
            export(network, items(network)[0], "arduino", folder, "pets")
    changed = folder / "src" / "picture.c"
    text = changed.read_text(encoding="utf-8")
    changed.write_text("mine")
    with pytest.raises(DeployError, match=r"picture\.c: has changed since it was exported"):
        export(network, items(network)[0], "arduino", folder, "pets")
    changed.write_text(text, encoding="utf-8")
    export(network, items(network)[0], "arduino", folder, "pets")
    export(network, items(network)[0], "arduino", tmp_path / "z", "pets")
    found, wanted = ({path.relative_to(one) for path in one.rglob("*")} for one in (folder, tmp_path / "z"))
    assert found == wanted | {Path("mine.c")}


def test_a_first_export_that_was_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, folder = pictures(), tmp_path / "y"
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", lambda source, target: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(network, items(network)[0], "cmake", folder)
    export(network, items(network)[0], "cmake", folder)
    assert not [path for path in folder.iterdir() if path.suffix in (".partial", ".staged")]


@pytest.mark.parametrize("place", ["main.c.partial", "README.md.partial"])
def test_files_that_look_like_unfinished_ones_are_kept(place: str, tmp_path: Path) -> None:
    network, folder = pictures(), tmp_path / "y"
    export(network, items(network)[0], "cmake", folder)
    (folder / place).write_text("mine")
    export(network, items(network)[0], "pico", folder)
    assert (folder / place).read_text() == "mine"


def test_what_is_in_the_way_of_a_folder_or_leads_nowhere_is_kept(tmp_path: Path) -> None:
    network, folder = pictures(), tmp_path / "y"
    export(network, items(network)[0], "cmake", folder)
    (folder / "examples").write_text("mine")
    with pytest.raises(DeployError, match=r"examples: is in the way"):
        export(network, items(network)[0], "arduino", folder)
    (folder / "main.c").symlink_to("nowhere")
    with pytest.raises(DeployError, match=r"main\.c: is in the way"):
        export(network, items(network)[0], "pico", folder)
    assert (folder / "examples").read_text() == "mine"
    assert (folder / "main.c").is_symlink()


def test_a_record_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    network, folder = pictures(), tmp_path / "y"
    export(network, items(network)[0], "cmake", folder)
    record = folder / ".spikenas-export.json"
    record.write_text(record.read_text().replace('"README.md"', '"../letter.txt"'))
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DeployError, match=r"expected paths in the folder, not '\.\./letter\.txt'"):
        export(network, items(network)[0], "arduino", folder)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_an_unknown_kind_names_the_nearest(tmp_path: Path) -> None:
    network = pictures()
    with pytest.raises(DeployError, match=r"^--to ardino: no such kind of project, did you mean 'arduino'\?"):
        export(network, items(network)[0], "ardino", tmp_path / "x")


def test_the_page_is_for_pictures(tmp_path: Path) -> None:
    network = integers_of(Case("0-3:conv3x3", static=False).plan)
    with pytest.raises(DeployError, match=r"^--to wasm: the page classifies pictures, and this network takes none$"):
        export(network, items(network)[0], "wasm", tmp_path / "x")


def test_without_a_compiler_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = pictures()
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DeployError, match=r"^--to wasm: no compiler for WebAssembly; 'pip install spikenas\[wasm\]'"):
        export(network, items(network)[0], "wasm", tmp_path / "x")
    with pytest.raises(DeployError, match=r"^--to python: no C compiler found"):
        export(network, items(network)[0], "python", tmp_path / "x")
    assert not (tmp_path / "x").exists()
