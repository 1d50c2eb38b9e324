"""What the pages show of a terminal, typed again: commands after `$`, and what they printed.

Times, accuracies and long numbers may differ, progress is not compared. A
block below `<!-- not run: why -->` is passed over.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"(<!-- not run: [^>]*-->\n+)?((?:^    .*\n|^\n(?=    ))+)", re.MULTILINE)
PROGRESS = re.compile(r"[a-z ]+: \d+/\d+, ")
NEVER_SAID = re.compile(r"never said: [\d, ]+(and \d+ more, )?")  # after a few epochs they are others elsewhere
CHANGING = re.compile(r"\b\d+(\.\d+)?e-\d+|\b\d+\.\d{4,}|\b\d+(\.\d+)? s\b|\d+\.\d+%|[\d,]+(?= synops)")


def sessions(page: Path) -> list[list[tuple[str, list[str]]]]:
    """By block, the commands and the lines that follow each."""
    found = []
    for skipped, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        lines = [line[4:].rstrip() for line in text.strip("\n").split("\n")]
        if skipped or not lines[0].startswith("$ "):
            continue
        block: list[tuple[str, list[str]]] = []
        for line in lines:
            if line.startswith("$ "):
                block.append((line[2:], []))
            else:
                block[-1][1].append(line)
        found.append(block)
    return found


def plain(text: str) -> str:
    """Words as they are compared: without the lines of a progress, wherever lines end."""
    lines = [line for line in text.splitlines() if not PROGRESS.match(line)]
    return NEVER_SAID.sub("", " ".join(CHANGING.sub("#", "\n".join(lines)).split()))


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if page.name != "status.md" and sessions(page)]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows(page: Path, tmp_path: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "80"}
    for block in sessions(page):
        for command, shown in block:
            if shutil.which(command.split()[0], path=path) is None:
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert plain(done.stdout) == plain("\n".join(shown)), command
