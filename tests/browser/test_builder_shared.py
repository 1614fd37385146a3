"""Several builders on a page share one copy of the frontend; their messages are readable."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, WebSocket, expect

from tests.browser.lab import ROOT, SECONDS, Lab
from tests.browser.studio import SHOTS, Studio, open_studio, run_cell

CELLS = [
    """import mmnotebook as mm
numbers = list(range(40))
def double(value):
    return 2 * value
builder = mm.Builder("numbers | double")""",
    "builder",
    "mm.Builder('numbers | double')",
    "mm.Builder()",
    "result = mm.run(builder.graph, progress=False)\nmm.inspect(result, 'double')",
]
SAVE_STATE = "@jupyter-widgets/jupyterlab-manager:saveWidgetState"
CODE = (ROOT / "mmnotebook/ui/static/builder.js").read_text(encoding="utf-8")


def copies(text: str) -> int:
    return text.count(json.dumps(CODE[:2000])[1:-1])


def expect_all(page: Page) -> None:
    """Expect three builders and a table, drawn and styled."""
    expect(page.locator(".mm-builder")).to_have_count(3, timeout=2 * SECONDS * 1000)
    expect(page.locator(".mm-builder .react-flow__node")).to_have_count(4)
    expect(page.locator(".mm-inspector-table tbody tr").first).to_be_visible()
    expect(page.locator(".mm-builder .mm-main").first).to_have_css("display", "flex")
    assert page.locator("style#mmnotebook-builder").count() == 1
    assert page.locator("style#mmnotebook-table").count() == 1


def test_one_copy_draws_all_of_a_page_live_reloaded_and_saved(lab: Lab, page: Page) -> None:
    frames: list[str] = []

    def note(frame: str | bytes) -> None:
        frames.append(frame if isinstance(frame, str) else frame.decode(errors="replace"))

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", note)

    page.on("websocket", listen)
    made = open_studio(lab, page, "shared.ipynb", CELLS)
    expect_all(page)
    assert sum(map(copies, frames)) == 1
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / "shared-live.png")

    made.notebook.save()
    assert copies((lab.root / "shared.ipynb").read_text(encoding="utf-8")) == 0
    lab.open(page, "shared.ipynb")  # the page is loaded again, its kernel keeps running
    expect_all(page)
    again = Studio(page, made.notebook)
    again.add("vote")
    again.wait_for(again.names, ["double", "numbers", "vote"])

    page.evaluate("id => window.jupyterapp.commands.execute(id)", SAVE_STATE)
    page.evaluate("async () => { await window.mmPanel.context.save(); }")
    page.evaluate("id => window.jupyterapp.commands.execute(id)", SAVE_STATE)  # switch it off again
    saved: Path = lab.root / "shared.ipynb"
    assert copies(saved.read_text(encoding="utf-8")) == 1
    made.notebook.shut_down()
    lab.open(page, "shared.ipynb")  # with another kernel, which has no widgets
    # JupyterLab creates the saved widgets again, or finds that no kernel has them.
    expect(page.locator(":is(.mm-builder, .mm-static):visible")).to_have_count(3)
    page.screenshot(path=SHOTS / "shared-reopened.png")


FAILS = """import mmnotebook as mm
numbers = list(range(40))
def picky(value):
    if BAD:
        raise ValueError(f"no {value}")
    return value
BAD = True
builder = mm.Builder("numbers | picky")"""


def test_the_error_of_a_run_keeps_its_line_breaks_until_the_next_run(lab: Lab, page: Page) -> None:
    studio = open_studio(lab, page, "told.ipynb", [FAILS, "builder", "BAD = False"])
    run_cell(studio.notebook, 2, "BAD = True")
    toast = studio.root.locator(".mm-toast-error")
    assert studio.run() == "failed"
    expect(toast).to_have_count(1)
    lines = toast.locator("span").inner_text().splitlines()
    assert len(lines) == 2, lines
    assert lines[0].startswith("node 'picky'") and lines[1].strip().startswith("→ ")
    SHOTS.mkdir(exist_ok=True)
    studio.screenshot("toast")
    toast.hover()  # which keeps it
    run_cell(studio.notebook, 2, "BAD = False")
    expect(toast).to_have_count(1)
    assert studio.run() == "done"
    assert toast.count() == 0
