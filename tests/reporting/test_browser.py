"""The report in Chromium. Skipped without it; SPIKENAS_SCREENSHOTS names a folder that keeps the pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spikenas.reporting import write_report

CHROMIUM = shutil.which("chromium")
AXE = os.environ.get("SPIKENAS_AXE")  # axe.min.js of the npm package axe-core
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        opened = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report([folder], path)
    return path.as_uri()


class Opened:
    """A page, what went wrong on it, and what it asked the network for."""

    def __init__(self, browser: Any, address: str, viewport: dict[str, int] = WIDE, **options: Any) -> None:
        self.page = browser.new_context(viewport=viewport, **options).new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def draw_all(self) -> int:
        self.page.wait_for_selector("html[data-ready]", state="attached")
        plots = self.page.locator(".canvas")
        for number in range(plots.count()):
            plots.nth(number).scroll_into_view_if_needed()
            plots.nth(number).and_(self.page.locator("[data-drawn]")).wait_for()
        return int(plots.count())


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Opened]:
    found = Opened(browser, address)
    yield found
    found.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_is_drawn_without_errors_and_without_the_network(
    browser: Any, address: str, viewport: dict[str, int], scheme: str
) -> None:
    found = Opened(browser, address, viewport, color_scheme=scheme)
    assert found.draw_all() == 8
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert found.page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    if kept := os.environ.get("SPIKENAS_SCREENSHOTS"):
        found.page.wait_for_timeout(300)
        found.page.screenshot(path=f"{kept}/report-{viewport['width']}-{scheme}.png", full_page=True)
    found.page.context.close()


def test_without_javascript_the_answer_is_there(browser: Any, address: str) -> None:
    found = Opened(browser, address, java_script_enabled=False)
    assert found.page.locator(".headline").is_visible()
    assert found.page.locator("noscript").inner_text().startswith("JavaScript is off")
    found.page.locator("summary").first.click()
    assert found.page.locator("details[open] table").first.is_visible()
    found.page.context.close()


@pytest.mark.skipif(AXE is None, reason="SPIKENAS_AXE names no axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(browser: Any, address: str, scheme: str) -> None:
    found = Opened(browser, address, color_scheme=scheme)
    found.draw_all()
    found.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found.page.add_script_tag(path=AXE)
    violations = found.page.evaluate("axe.run()")["violations"]
    told = [(v["id"], v["nodes"][0]["target"], v["nodes"][0]["failureSummary"]) for v in violations]
    assert told == []
    found.page.context.close()


def test_pointing_at_a_candidate_names_its_genotype(opened: Opened) -> None:
    opened.draw_all()
    point = opened.page.locator("#trials-0 .scatterlayer .point").first
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    opened.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    hover = opened.page.locator("#trials-0 .hovertext")
    hover.first.wait_for()
    assert "0-1:" in hover.first.text_content() or "0-3:" in hover.first.text_content()
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chosen = opened.page.locator(".chosen")
    chosen.wait_for()
    assert "cell 1:" in chosen.inner_text()
    assert "of flash" in chosen.inner_text() or "flash" in chosen.inner_text()


def test_the_keyboard_reaches_every_candidate(opened: Opened) -> None:
    opened.draw_all()
    plot = opened.page.locator("#trials-0 .canvas")
    plot.focus()
    said = opened.page.locator("#trials-0 .said")
    heard = set()
    plot.press("Home")
    for _ in range(5):
        heard.add(said.inner_text())
        plot.press("ArrowRight")
    assert len(heard) == 5
    assert all("conv" in text or "skip" in text for text in heard)
    plot.press("End")
    plot.press("Enter")
    assert opened.page.locator(".chosen").is_visible()
    for name in ("search-0", "training-0", "confusion-0", "spikes-0", "flash-0", "ram-0", "operations-0"):
        opened.page.locator(f"#{name} .canvas").focus()
        opened.page.keyboard.press("ArrowRight")
        assert opened.page.locator(f"#{name} .said").inner_text(), name


def test_another_kind_of_memory_can_be_chosen(opened: Opened) -> None:
    opened.draw_all()
    title = opened.page.locator("#trials-0 .xtitle")
    assert "RAM" in title.text_content()
    opened.page.locator("#trials-0 select").select_option("flash")
    opened.page.wait_for_function("document.querySelector('#trials-0 .xtitle').textContent.includes('flash')")
    assert opened.errors == []


_COVERED = """() => [...document.querySelectorAll('.canvas')].flatMap((plot) => {
  const bar = plot.querySelector('.modebar').getBoundingClientRect();
  const parts = plot.querySelectorAll('.legend .bg, .legend .traces, .colorbar, .infolayer .annotation');
  return [...parts].filter((part) => {
    const box = part.getBoundingClientRect();
    const beside = box.left >= bar.right || bar.left >= box.right || box.top >= bar.bottom || bar.top >= box.bottom;
    return box.width && !beside;
  }).map((part) => `${plot.dataset.plot}: ${part.getAttribute('class')}`);
})"""


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_bar_of_a_plot_covers_no_legend(browser: Any, address: str, viewport: dict[str, int]) -> None:
    found = Opened(browser, address, viewport)
    found.draw_all()
    assert found.page.locator(".legend, .colorbar").count() > 0
    assert found.page.evaluate(_COVERED) == []
    found.page.context.close()


def test_the_colours_follow_the_system(opened: Opened) -> None:
    opened.draw_all()
    ink = "getComputedStyle(document.querySelector('#search-0 .xtitle')).fill"
    before = opened.page.evaluate(ink)
    opened.page.emulate_media(color_scheme="dark")
    opened.page.wait_for_function(f"{ink} !== '{before}'")


def test_edges_of_a_cell_say_what_they_compute(opened: Opened) -> None:
    titles = opened.page.locator("svg.genotype g title").all_text_contents()
    assert any("params" in title and "flash" in title for title in titles)


def test_it_prints(opened: Opened) -> None:
    opened.draw_all()
    pdf = opened.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000
    assert opened.errors == []


def test_many_candidates(browser: Any, large: Path, tmp_path: Path) -> None:
    write_report([large], tmp_path / "report.html")
    found = Opened(browser, (tmp_path / "report.html").as_uri())
    found.draw_all()
    assert found.page.locator("#trials-0 .scatterlayer .point").count() >= 15625
    assert found.errors == []
    found.page.context.close()
