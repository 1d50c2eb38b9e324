"""The page with the network in WebAssembly, in Chromium."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import spikenas as sn
from spikenas.reporting import write_report
from support import Main

CHROMIUM = shutil.which("chromium")
COMPILER = importlib.util.find_spec("ziglang") or (shutil.which("clang") and shutil.which("wasm-ld"))

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or not COMPILER, reason="no Chromium, or no compiler for WebAssembly"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def opened() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser.new_page()
        browser.close()


def test_the_page_says_of_20_pictures_what_python_says(run: Main, trained: Path, tmp_path: Path, opened: Any) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    assert run("export", "--out", folder, "--to", "wasm", "-q")[0] == 0
    page = folder / "export" / "wasm" / "index.html"
    assert f'href="{page.relative_to(folder)}"' in (folder / "report.html").read_text(encoding="utf-8")
    network = sn.load(folder).integers
    rng = np.random.default_rng(1)
    errors: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto((folder / "report.html").as_uri())
    opened.get_by_role("link", name="Try it on a picture of your own").click()
    said: set[str] = set()
    for number in range(20):
        size = (8, 8) if number == 0 else (480, 640) if number == 1 else tuple(rng.integers(8, 200, 2))
        blocks = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        image = Image.fromarray(blocks).resize(size[::-1], Image.Resampling.NEAREST)
        path = tmp_path / f"{number}.{('png', 'jpg', 'webp')[number % 3]}"
        image.save(path)
        opened.locator("#file").set_input_files(path)
        opened.wait_for_function(
            "name => document.getElementById('said').textContent.startsWith(name)", arg=f"{path.name}: "
        )
        found = opened.locator("#class").inner_text()
        assert found == network.predict(str(path)).label, (path.name, opened.locator("#said").inner_text())
        said.add(found)
    assert len(said) > 1
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_page_of_other_integers_is_not_linked(run: Main, trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "run"))
    assert run("export", "--out", folder, "--to", "wasm", "-q")[0] == 0
    assert "export/wasm/index.html" in (folder / "report.html").read_text(encoding="utf-8")
    assert run("quantise", "--out", folder, "--bits", "4", "--tuning", "0", "-q")[0] == 0
    assert "export/wasm/index.html" not in (folder / "report.html").read_text(encoding="utf-8")


def test_what_is_no_picture_is_said(run: Main, trained: Path, tmp_path: Path, opened: Any) -> None:
    network = sn.load(trained).integers
    sn.export(network, tmp_path / "page", to="wasm")
    opened.goto((tmp_path / "page" / "index.html").as_uri())
    (tmp_path / "letter.png").write_text("no picture")
    opened.locator("#file").set_input_files(tmp_path / "letter.png")
    opened.get_by_text("this browser cannot read that").wait_for()


def test_a_report_elsewhere_links_to_the_page(run: Main, trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "a run"))
    assert run("export", "--out", folder, "--to", "wasm", "-q")[0] == 0
    (tmp_path / "elsewhere").mkdir()
    write_report([folder], tmp_path / "elsewhere" / "page.html")
    text = (tmp_path / "elsewhere" / "page.html").read_text(encoding="utf-8")
    assert 'href="../a%20run/export/wasm/index.html"' in text
