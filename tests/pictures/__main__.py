"""Take all screenshots in JupyterLab and Chromium; see `tests.pictures`."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.lab import LIGHT, SECONDS, Lab, chromium_flags, open_page, start_lab
from tests.browser.studio import Studio, open_studio
from tests.pictures import PICTURES, ROOT, Picture, cells, code, record

WIDTH, HEIGHT = 1400, 2300
_CYCLE = "would create a cycle"
_BUILDER = "05_graph_builder.ipynb"


def _take(studio: Studio, to: Path, height: float | None = None) -> None:
    """Take a screenshot of the builder and the part below it, down to a height."""
    studio.settle()
    box = studio.whole.bounding_box()
    assert box is not None
    clip = {**box, "height": min(height or box["height"], box["height"])}
    studio.page.screenshot(path=to, clip=clip)  # type: ignore[arg-type]


def _setup() -> list[str]:
    """Return the cells of the builder's tutorial up to the models."""
    sources = code(_BUILDER)
    last = next(place for place, source in enumerate(sources) if "mm.register" in source)
    return sources[: last + 1]


def split(lab: Lab, page: Page, to: Path) -> None:
    """Take pictures of an empty canvas, of the A/B split, and of a model's elements."""
    studio = open_studio(lab, page, "split.ipynb", [*_setup(), "%mm_builder digits_ab"])
    studio.notebook.change_theme(LIGHT)
    _take(studio, to / "empty.png")
    studio.item("A/B split").click()
    assert studio.run() == "done"
    page.mouse.move(0, 0)
    _take(studio, to / "split.png", _upper(studio))
    studio.select("mlp")
    expect(studio.whole.get_by_role("tab", name="Failed (2)")).to_be_visible()
    expect(studio.whole.get_by_label("watch")).to_be_visible()
    studio.whole.get_by_role("button", name="As images").click()
    expect(studio.whole.locator(".mm-inspector-table img").first).to_be_visible()
    page.mouse.move(0, 0)
    _take(studio, to / "builder.png", 990)
    studio.notebook.shut_down()


def vote(lab: Lab, page: Page, to: Path) -> None:
    """Take pictures of a refused wire, of an element that failed, and of two runs side by side."""
    sources = code(_BUILDER)
    start = next(place for place, source in enumerate(sources) if "mm.Builder(" in source)
    rest = sources[start:]
    run = next(place for place, source in enumerate(rest) if "builder.wait()" in source)
    shown = [*_setup(), "%mm_builder digits_ab", *rest[: run + 1]]
    shown = [source for source in shown if not source.startswith(("try:", "another", "%mm_"))]
    studio = open_studio(lab, page, "vote.ipynb", shown)
    studio.notebook.change_theme(LIGHT)
    studio.tool("Arrange").click()
    studio.tool("Fit").click()
    studio.canvas.click(position={"x": 5, "y": 5})
    studio.wait_for(studio.selected, [])
    with studio.held(studio.handle("agreed"), studio.entry("tree")):
        expect(studio.root.get_by_text(_CYCLE).first).to_be_visible()
        page.screenshot(path=to / "refused.png", clip=studio.canvas.bounding_box())
    studio.select("mlp")
    studio.whole.get_by_role("tab", name="Failed (3)").click()
    rows = studio.whole.locator(".mm-inspector-table tbody tr:visible")
    rows.filter(has_text="scan-1200").locator("td").first.click()
    expect(studio.whole.get_by_role("table", name="through the graph")).to_be_visible()
    page.mouse.move(0, 0)
    _below(studio, to / "trace.png")
    studio.python("exec(" + repr("\n".join(_mended(rest))) + ")")
    studio.whole.get_by_role("tab", name="Metrics").click()
    for box in studio.whole.get_by_role("checkbox").all():
        box.check()
    page.mouse.move(0, 0)
    _below(studio, to / "metrics.png", 640)
    studio.notebook.shut_down()


def result(lab: Lab, page: Page, to: Path) -> None:
    """Take a picture of the cell in the first tutorial that runs a split, with its output."""
    sources = code("01_ab.ipynb")
    last = next(place for place, source in enumerate(sources) if "--run" in source)
    lab.write("ab.ipynb", sources[: last + 1])
    notebook = lab.open(page, "ab.ipynb")
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    notebook.run_all()
    assert not notebook.errors(), notebook.errors()
    notebook.change_theme(LIGHT)
    page.evaluate("() => { window.mmPanel.content.activeCellIndex = 0; }")
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(last)
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    assert box is not None
    page.screenshot(path=to / "ab.png", clip={**box, "width": 960})  # type: ignore[arg-type]
    notebook.shut_down()


def _upper(studio: Studio) -> float:
    box = studio.whole.locator(".mm-upper").bounding_box()
    assert box is not None
    return box["height"]


def _below(studio: Studio, to: Path, height: float | None = None) -> None:
    """Return the part below the canvas."""
    studio.settle()
    whole = studio.whole.bounding_box()
    assert whole is not None
    top = _upper(studio)
    left = whole["height"] - top
    clip = {**whole, "y": whole["y"] + top, "height": min(height or left, left)}
    studio.page.screenshot(path=to, clip=clip)  # type: ignore[arg-type]


def _mended(sources: list[str]) -> list[str]:
    """Return the tutorial's cells that repair the scans and run again."""
    start = next(place for place, source in enumerate(sources) if "def mended" in source)
    return sources[start : start + 2]


def _store(picture: Picture, taken: Path) -> None:
    """Write a picture with 256 colors, which takes a third of the bytes."""
    with Image.open(taken) as image:
        image.convert("RGB").quantize(256).save(taken, optimize=True)
    if not picture.is_attached:
        shutil.copy(taken, ROOT / "notebooks/images" / picture.name)
        return
    path = ROOT / "notebooks" / picture.notebook
    text = path.read_text("utf-8")
    content = base64.b64encode(taken.read_bytes()).decode()
    for cell in cells(picture.notebook):
        if before := cell.get("attachments", {}).get(picture.name):
            # Keep the rest of the file's text.
            (kind,) = before
            text = text.replace(json.dumps(before[kind]), json.dumps(content))
    path.write_text(text, "utf-8")


def main() -> None:
    executable = shutil.which("chromium")
    assert executable, "apt-get install chromium fonts-dejavu-core"
    expect.set_options(timeout=SECONDS * 1000)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser: Browser = playwright.chromium.launch(
            executable_path=executable, args=chromium_flags(), headless=True
        )
        with start_lab(folder) as lab:
            for scene in (split, vote, result):
                with open_page(browser, WIDTH, HEIGHT) as page:
                    page.set_default_timeout(SECONDS * 2000)
                    scene(lab, page, folder)
        browser.close()
        for picture in PICTURES:
            _store(picture, folder / picture.name)
    record()


if __name__ == "__main__":
    main()
