"""What the tutorial and the how-to pages tell people to type, typed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import spikenas

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_says(page: Path, tmp_path: Path) -> None:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert blocks
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for language, text in blocks:
        if "make -C" in text and not (shutil.which("make") and shutil.which("cc")):
            continue
        command = ["bash", "-euo", "pipefail", "-c", text] if language == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr


def test_every_page_of_the_site_is_there_and_listed() -> None:
    listed = set(re.findall(r'= "([\w/]+\.md)"', (DOCS.parent / "zensical.toml").read_text(encoding="utf-8")))
    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"status.md"}
    assert listed - {"commands.md"} == there - {"commands.md"}


def test_the_api_page_has_every_public_name() -> None:
    listed = re.findall(r"^::: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    public = [getattr(spikenas, name) for name in spikenas.__all__]
    assert sorted(listed) == sorted(f"{one.__module__}.{one.__qualname__}" for one in public)
