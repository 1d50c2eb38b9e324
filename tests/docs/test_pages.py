"""What the pages tell people to type, typed.

The tutorial and the how-to pages are followed from their first block to their
last. Commands that other pages list are run one by one, each in a folder where
what it speaks of is there. Terminal sessions are in test_sessions.py.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import typer

import spikenas
from spikenas.cli import app
from support import write_images

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOLLOWED = [
    page
    for page in (DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md")))
    if BLOCK.search(page.read_text(encoding="utf-8"))  # the others are sessions
]

WRITTEN = {"commands.md", "status.md"}  # one by a program, one for whoever goes on
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += [page for page in sorted(DOCS.rglob("*.md")) if page.name not in WRITTEN]
LISTED = re.compile(r"^(?:    )?(?:[^$\n].*&& )?(spikenas .*)$", re.MULTILINE)
MENTIONED = re.compile(r"`(spikenas [^`]*)`")
NOT_RUN = {
    "cifar10|SpikeNAS-Bench|TABLE|cells-cifar10|n-mnist|fashion-mnist": "data that are not here",
    "--by train|--by cmrr,train": "an hour and more",
    "--ray-address": "a cluster that is not here",
    "my-images/ --(target stm32f405|flash 96KiB --ram 128KiB --out runs/sizes)$": "test_people.py does",
    "--time (5m|20m|1h)": "as long as they say",
    "--add conv5x5": "howto/op.md has a smaller one",
    "^spikenas enhance": "what a run begins with",
    "--data digits --target stm32f103$|--bits 4 --tuning 6": "the tutorial does",
    "compare --data digits --flash 16KiB,32KiB": "test_compare.py has smaller ones",
    "^spikenas analyze --data digits$": "test_analyze.py does",
    "--time 2m --twin|--target stm32f405 --twin": "howto/twin.md has a smaller one",
    "my-images/ --(target (rp2040 --lat|nrf52840)|flash 256KiB --ins)": "test_speed_limits.py has smaller",
}


def typed(*command: str, folder: Path) -> None:
    """Run a command of a page; it succeeds, without a traceback on the way."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr


def listed(page: Path) -> list[str]:
    """The commands of a page that stand on a line of their own."""
    found = LISTED.findall(page.read_text(encoding="utf-8").replace("\\\n", " "))
    return [] if page in FOLLOWED else found


def is_run(command: str) -> bool:
    return not any(re.search(pattern, command) for pattern in NOT_RUN)


@pytest.mark.slow
@pytest.mark.parametrize("page", FOLLOWED, ids=lambda page: page.stem)
def test_what_a_page_says(page: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks
    for language, text in blocks:
        if "make -C" in text and not (shutil.which("make") and shutil.which("cc")):
            continue
        before = ["bash", "-euo", "pipefail"] if language == "bash" else [sys.executable]
        typed(*before, "-c", text, folder=tmp_path)


CELLS = list(enumerate(("0-3:conv1x1", "0-3:conv3x3", "0-1:conv3x3 1-3:conv1x1", "0-1:conv3x3 1-3:conv3x3"), start=5))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the commands of the pages speak of."""
    folder = tmp_path_factory.mktemp("workshop")
    write_images(folder / "my-images", each=20)
    shutil.copytree(folder / "my-images" / "3", folder / "new-images")
    (folder / "table.csv").write_text(
        "genotype,accuracy,seconds\n" + "".join(f"{one},{k / 9},60\n" for k, one in CELLS)
    )
    (folder / "scores.csv").write_text("genotype,score\n" + "".join(f"{one},{k**2}\n" for k, one in CELLS))
    (folder / "cells.txt").write_text("0-1:conv3x3 1-3:conv3x3\n0-3:conv3x3\n")
    for words in ("digits --epochs 2 --out runs/digits", "my-images --epochs 2 --out runs/my-images"):
        typed("bash", "-c", f"spikenas run --no-enhance --target stm32f405 --channels 8 --data {words}", folder=folder)
    for name in "abc":
        shutil.copytree(folder / "runs" / "digits", folder / "runs" / name)
    return folder


SNIPPET = re.compile(r"^((?:    (?:from|import) .*\n)(?:    .*\n|\n(?=    ))*)", re.MULTILINE)
SNIPPETS = [(page.stem, text) for page in PAGES for text in SNIPPET.findall(page.read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("text", [text for _, text in SNIPPETS], ids=[name for name, _ in SNIPPETS])
def test_the_python_of_a_page(text: str, workshop: Path) -> None:
    typed(sys.executable, "-c", textwrap.dedent(text), folder=workshop)


COMMANDS = dict.fromkeys(command.partition(" # ")[0].strip() for page in PAGES for command in listed(page))


@pytest.mark.slow
@pytest.mark.parametrize("command", filter(is_run, COMMANDS))
def test_a_command_of_a_page(command: str, workshop: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(workshop, tmp_path / "copy"))
    if command.startswith("spikenas run"):
        shutil.rmtree(folder / "runs")
    typed("bash", "-c", command, folder=folder)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_program_knows_each_command_and_option_of_a_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    context = typer.Context(program := typer.main.get_command(app))
    for command in LISTED.findall(text) + MENTIONED.findall(text):
        _, name, *rest = shlex.split(command.partition(" || ")[0], comments=True)
        if name.startswith("-") or name.isupper():
            continue
        known = program.get_command(context, name)  # type: ignore[attr-defined]
        assert known, command
        if rest:
            known.make_context(name, rest, parent=context)


def test_each_reason_not_to_run_a_command_holds_for_one() -> None:
    assert all(any(re.search(pattern, command) for command in COMMANDS) for pattern in NOT_RUN)


def test_every_page_of_the_site_is_there_and_listed() -> None:
    listed = set(re.findall(r'= "([\w/]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"status.md"}
    assert listed - {"commands.md"} == there - {"commands.md"}


def test_the_api_page_has_every_public_name() -> None:
    listed = re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    public = [getattr(spikenas, name) for name in spikenas.__all__]
    assert sorted(listed) == sorted(f"{one.__module__}.{one.__qualname__}" for one in public)
