"""`estimate` and `show`: figures without training, and nothing of torch."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spikenas.cli import main
from spikenas.config import NetworkConfig
from spikenas.memory import footprint, sizes
from spikenas.space import BENCH_OPS, Genotype, InputSpec, make_plan, parse_bench
from support import Main, lightly

RGB = InputSpec(3, 32, 32, 10)


def figures(genotype: str, network: NetworkConfig, spec: InputSpec = RGB, as_written: bool = False) -> dict[str, int]:
    cost = footprint(make_plan(Genotype.parse(genotype), network, spec, as_written))
    return {**sizes(cost), "instructions": round(cost.instructions or 0)}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def values(row: dict[str, str]) -> dict[str, int]:
    return {key: int(value) for key, value in row.items() if key != "genotype"}


def test_json_has_the_figures_and_their_parts(run: Main) -> None:
    status, out, err = run("estimate", "0-3:conv3x3 / 0-3:skip", "--channels", 8, "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert found["genotype"] == "0-3:conv3x3 / 0-3:skip"
    expected = figures("0-3:conv3x3 / 0-3:skip", NetworkConfig(channels=8))
    assert {key: found[key] for key in expected} == expected
    assert sum(layer["params"] for layer in found["layers"]) == found["params"]
    assert found["code_bytes"] + sum(layer["flash_bytes"] for layer in found["layers"]) == found["flash_bytes"]
    assert found["peak_step"] in [layer["name"] for layer in found["layers"]]
    ends = [buffer["offset"] + buffer["size_bytes"] for buffer in found["buffers"]]
    assert found["stack_bytes"] + max(ends) == found["ram_bytes"]
    assert {step["phase"] for step in found["steps"]} == {"once", "each", "last"}


def test_the_table_shows_the_totals(run: Main) -> None:
    status, out, _ = run("estimate", "0-3:conv3x3", "--channels", 4, "--input", "1x8x8", "--classes", 3)
    expected = figures("0-3:conv3x3 / 0-3:conv3x3", NetworkConfig(channels=4), InputSpec(1, 8, 8, 3))
    total = next(line for line in out.splitlines() if line.startswith("total"))
    assert status == 0
    assert total.split()[1:] == [f"{value:,}" for value in list(expected.values())[:3]]
    assert "0-3:conv3x3 / 0-3:conv3x3" in out.splitlines()[0]
    assert re.search(r"cell1\.op1\.conv +4x8x8 +144 ", out)


def test_what_a_limit_does_not_allow_is_said(run: Main) -> None:
    given = ("estimate", "0-3:conv3x3", "--target", "rp2040", "--set", "budget.latency=1ms")
    _, out, _ = run(*given)
    assert re.search(r"Too much: [\d.]+ ms of time, 1 ms are allowed\.", out)
    assert json.loads(run(*given, "--json")[1])["exceeds"] == ["latency"]
    assert json.loads(run(*given[:-1], "budget.latency=9s", "--json")[1])["exceeds"] == []


def test_csv_is_in_the_order_of_the_file(run: Main, tmp_path: Path) -> None:
    lines = ["0-3:conv3x3", "0-3:skip,0-1:conv3x3", "0302 0030 3003 0000", "0-3:skip / 0-3:conv5x5", "0-3:conv3x3"]
    file = tmp_path / "genotypes.txt"
    file.write_text("# first\n" + "\n\n  # and\n".join(lines) + "\n", encoding="utf-8")
    status, out, err = run("estimate", "--genotypes", file, "--channels", 4)
    found = rows_of(out)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "genotype,params,flash_bytes,ram_bytes,instructions"
    assert [row["genotype"] for row in found] == lines
    for line, row in zip(lines, found, strict=True):
        genotype = line if "/" in line else f"{line} / {line}"
        assert values(row) == figures(genotype, NetworkConfig(channels=4)), line

    target = tmp_path / "out.csv"
    assert run("estimate", "--genotypes", file, "--channels", 4, "--out", target) == (0, "", "")
    assert target.read_text(encoding="utf-8") == out


def test_as_written_counts_dead_edges(run: Main) -> None:
    text = "0-3:conv3x3 0-1:conv3x3"
    found = {}
    for option in ([], ["--as-written"]):
        _, out, _ = run("estimate", text, "--cells", 1, "--channels", 8, "--json", *option)
        found[bool(option)] = json.loads(out)["params"]
    assert found[True] - found[False] == 9 * 8 * 8 + 2 * 8


def test_the_benchmarks_ids_and_digits(run: Main, tmp_path: Path) -> None:
    digits = "041302"
    number = sum(int(digit) * 5**k for k, digit in enumerate(digits))
    file = tmp_path / "ids.txt"
    file.write_text(f"{digits}\n{number}\n{parse_bench(digits, BENCH_OPS)}\n", encoding="utf-8")
    status, out, _ = run("estimate", "--genotypes", file, "--space", "spikenas-bench")
    found = rows_of(out)
    assert status == 0
    assert [row["genotype"] for row in found][:2] == [digits, str(number)]
    assert values(found[0]) == values(found[1]) == values(found[2])
    cell = str(parse_bench(digits, BENCH_OPS))
    assert values(found[0]) == figures(f"{cell} / {cell}", NetworkConfig(kind="snasnet", channels=128))
    _, out, _ = run("estimate", "000002", "--space", "spikenas-bench", "--json", "--as-written")
    # The public table's smallest network and one convolution in each cell: 9 C^2 + 2 C for C = 128 and 256.
    assert json.loads(out)["params"] == 17_179_620 + 9 * (128**2 + 256**2) + 2 * (128 + 256)


def test_settings_come_from_a_run(run: Main, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[network]\nchannels = 6\ncells = 1\nmembrane_bits = 8\n", encoding="utf-8")
    _, out, _ = run("estimate", "0-3:conv3x3", "--config", file, "--set", "network.weight_bits=4", "--json")
    found = json.loads(out)
    expected = figures("0-3:conv3x3", NetworkConfig(channels=6, cells=1, membrane_bits=8, weight_bits=4))
    assert {key: found[key] for key in expected} == expected


def test_a_width_of_auto_is_32_here(run: Main) -> None:
    _, out, _ = run("estimate", "0-3:conv3x3", "--json")
    assert json.loads(out)["params"] == figures("0-3:conv3x3 / 0-3:conv3x3", NetworkConfig(channels=32))["params"]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["0-3:conv3x4"], "cell 1: '0-3:conv3x4': unknown op 'conv3x4', did you mean 'conv3x3'?"),
        (["0-1:conv3x3"], "cell 1 has no path from its input to its output"),
        (["0-3:skip", "--input", "3x32"], "--input 3x32 --classes 10: expected CHANNELSxHEIGHTxWIDTH"),
        (["0-3:skip", "--set", "network.tauu=2"], "network.tauu: unknown key, did you mean 'tau'?"),
        (["0-3:skip", "--set", "network"], "expected KEY=VALUE"),
        (
            ["0-3:skip", "--channels", "wide"],
            "--channels: expected a number, at least 1 and at most 4096, or 'auto', got 'wide'",
        ),
        (
            ["0-3:skip", "--channels", "0"],
            "--channels: expected a number, at least 1 and at most 4096, or 'auto', got 0",
        ),
        (["0-3:skip", "--cells", "two"], "Invalid value for '--cells': expected a whole number, got 'two'"),
        (["0-3:skip", "--network", "snasnett"], "got 'snasnett', did you mean 'snasnet'?"),
        (["0-3:skip", "--input", ""], "--input '': an empty text; give a value, or leave it out"),
        (["0-3:skip", "--space="], "--space '': an empty text; give a value, or leave it out"),
        ([""], "estimate '': an empty text; give a value, or leave it out"),
        (["0100 0000 000 0000"], "cell 1: digits alone are a matrix, four blocks of four"),
        (["0-3:skip", "--space", "nope"], "--space: no such space 'nope', known: spikenas, snasnet, spikenas-bench"),
        (["15625", "--space", "spikenas-bench"], "'15625': ids are 0 to 15624"),
        (["500000", "--space", "spikenas-bench"], "'500000': op digits are 0 to 4"),
        (["0-3:skip", "--network", "snasnet", "--cells", "3"], "network.cells: snasnet has 2 cells, got 3"),
        (["0-3:skip / 0-3:skip", "--cells", "3"], "has 2 cells, the network 3"),
        (["0-3:skip", "--cells", "7"], "32x32 images are too small for 7 cells"),
        (["0-3:skip", "--set", "budget.clock=120"], "budget.clock: expected at least 10000, got 120"),
        (["--genotypes", "two.txt", "--json"], "--json: goes with one genotype; --genotypes writes CSV"),
        (["0-3:skip", "--config", "absent.toml"], "absent.toml: cannot be read"),
        (["--genotypes", "absent.txt"], "absent.txt: cannot be read"),
        ([], "give one genotype, or --genotypes FILE"),
        (["0-3:skip", "--genotypes", "absent.txt"], "give one genotype, or --genotypes FILE"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_input_is_one_line_and_status_2(run: Main, arguments: list[str], fragment: str) -> None:
    status, out, err = run("estimate", *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("spikenas: ")
    assert err.count("\n") == 1
    assert fragment in err


def test_a_bad_line_of_a_file_is_named(run: Main, tmp_path: Path) -> None:
    file = tmp_path / "genotypes.txt"
    file.write_text("0-3:skip\n0-3:skipp\n", encoding="utf-8")
    status, _, err = run("estimate", "--genotypes", file)
    assert status == 2
    assert f"{file}, line 2: genotype '0-3:skipp', cell 1: '0-3:skipp': unknown op 'skipp', did you mean 'skip'?" in err
    file.write_text("0-3:skip\n0-1:skip\n", encoding="utf-8")
    status, _, err = run("estimate", "--genotypes", file)
    assert status == 2
    assert f"{file}, line 2" in err
    assert "no path" in err


def test_a_file_that_cannot_be_written_is_named(run: Main, tmp_path: Path) -> None:
    file = tmp_path / "genotypes.txt"
    file.write_text("0-3:skip\n", encoding="utf-8")
    status, _, err = run("estimate", "--genotypes", file, "--out", tmp_path)
    assert status == 2
    assert err == f"spikenas: {tmp_path}: Is a directory\n"


DESIGN = "1x8x8 stride=1 ilif levels=3 / 8 0-3:conv3x3 / 12 bits=4 0-3:skip"


def test_a_design_says_all_of_its_network(run: Main, tmp_path: Path) -> None:
    settings = ("--set", "network.widths=[8, 12]", "--set", "network.layer_bits=['reduction1=4']", "--levels", 3)
    options = ("--channels", 8, "--stem-stride", 1, "--input", "1x8x8", "--json")
    _, genotype, _ = run("estimate", "0-3:conv3x3 / 0-3:skip", *settings, *options)
    status, design, err = run("estimate", DESIGN, "--json")
    assert (status, err) == (0, "")
    assert json.loads(design) == json.loads(genotype)
    file = tmp_path / "designs.txt"
    file.write_text(f"{DESIGN}\n0-3:conv3x3 / 0-3:skip\n")
    _, out, _ = run("estimate", "--genotypes", file)
    assert out.splitlines()[1].startswith(f"{DESIGN},{json.loads(design)['params']},")
    assert "fits" in run("targets", DESIGN)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([DESIGN, "--channels", 4], "--channels: the design says it; leave it out"),
        ([DESIGN, "--input", "3x8x8"], "--input: the design says it; leave it out"),
        ([DESIGN, "--set", "network.widths=[8, 8]"], "network.widths: expected 2 numbers"),
        (["1x8x8 / 8"], "design '1x8x8 / 8': cell 1: expected channels and edges"),
        (["1x2x2 / 8 0-3:skip / 8 0-3:skip / 8 0-3:skip"], "2x2 images are too small for 3 cells"),
    ],
)
def test_a_design_that_is_said_twice_or_wrongly(run: Main, arguments: list[object], message: str) -> None:
    status, out, err = run("estimate", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_line_that_is_no_design(run: Main, tmp_path: Path) -> None:
    file = tmp_path / "designs.txt"
    file.write_text(f"{DESIGN}\n1x8x8 slow / 8 0-3:skip\n")
    status, _, err = run("estimate", "--genotypes", file)
    assert status == 2
    assert f"{file}, line 2: design '1x8x8 slow / 8 0-3:skip': 'slow' is none of" in err


@pytest.mark.parametrize(
    "arguments", [["estimate", "0-3:skip", "--chanels", "4"], ["estimat"], ["show"], ["estimate", "0-3:skip", "more"]]
)
def test_a_mistyped_command_line_has_status_2(run: Main, arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "--help' says more" in err


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikenas._util.errors import GenotypeError

    monkeypatch.setattr(sys, "argv", ["spikenas", "--debug", "estimate", "0-3:conv3x4"])
    with pytest.raises(GenotypeError):
        main()


def test_show_draws_text(run: Main) -> None:
    status, out, err = run("show", "0-1:conv3x3 1-3:avgpool3x3")
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "cell 1: 0-1:conv3x3 1-3:avgpool3x3"
    assert (
        out.splitlines()[-1]
        == "  computes: v1 = conv3x3(x); output = avgpool3x3(v1)  (1 avgpool3x3, 1 conv3x3, depth 1)"
    )
    status, out, _ = run("show", "041302", "--space", "spikenas-bench")
    assert out.splitlines()[0] == f"cell 1: {parse_bench('041302', BENCH_OPS)}"


def test_show_writes_svg(run: Main, tmp_path: Path) -> None:
    text = "0-1:conv3x3@0.5 1-3:avgpool3x3 3-2:conv1x1 / 0-2:dwconv3x3 2-3:skip"
    status, out, err = run("show", text, "--svg", tmp_path / "cell.svg")
    root = ElementTree.fromstring((tmp_path / "cell.svg").read_text(encoding="utf-8"))
    labels = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert (status, out) == (0, "")
    assert err.replace("\n", "") == f"{tmp_path / 'cell.svg'} written"
    assert {"conv3x3@0.5", "avgpool3x3", "conv1x1", "dwconv3x3", "skip"} <= set(labels)


@pytest.mark.parametrize("arguments", [["0-3:skip", "--space", "nope"], ["0-9:skip"]])
def test_show_refuses_wrong_input(run: Main, arguments: list[str]) -> None:
    status, _, err = run("show", *arguments)
    assert status == 2
    assert err.startswith("spikenas: ")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["estimate", "--help"], ["estimate", "0-3:conv3x3"]])
def test_help_and_estimate_do_not_import_torch(arguments: list[str]) -> None:
    done = lightly(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "heavy: []\n"
    assert done.stdout
