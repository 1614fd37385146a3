"""Control and inspection of the visual builder in a page."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Locator, Page, Position, expect

from tests.browser.lab import DARK, LIGHT, ROOT, SECONDS, Lab, Notebook

SHOTS = ROOT / "test-results"
_STEPS = 12  # steps of a drag: the pointer of a user does not jump
_POLL_MS = 50

# True if nothing on the canvas moves, neither by itself nor with the page.
_AT_REST = """async root => {
    const FRAMES = 6;
    const frame = () => new Promise(requestAnimationFrame);
    const look = () => {
        const {x, y, width, height} = root.getBoundingClientRect();
        const flow = root.querySelector(".react-flow__viewport").style.transform;
        return JSON.stringify([x, y, width, height, flow]);
    };
    let before = look();
    for (let same = 0; same < FRAMES; ) {
        await frame();
        const now = look();
        same = now === before ? same + 1 : 0;
        before = now;
    }
}"""
_EXECUTE = """async code => {
    const kernel = window.mmPanel.sessionContext.session.kernel;
    const user_expressions = {value: code};
    const future = kernel.requestExecute({code: "", store_history: false, user_expressions});
    return (await future.done).content.user_expressions.value;
}"""
_MARK_TEXTS = """studio => {
    const isText = node => node.nodeType === Node.TEXT_NODE && node.data.trim();
    for (const element of studio.querySelectorAll("*")) {
        const isUsed = !element.closest(
            ":disabled, [aria-disabled=true], .mm-hidden, .mm-marks, style, textarea, option");
        element.toggleAttribute("data-mm-text", isUsed && [...element.childNodes].some(isText));
    }
}"""
_RUN_CELL = """async ([index, source]) => {
    const notebook = window.mmPanel.content;
    notebook.activeCellIndex = index;
    notebook.activeCell.model.sharedModel.setSource(source);
    await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
_WATCH_STATES = """status => {
    const states = window.mmStates = [];
    new MutationObserver(() => states.push(status.className))
        .observe(status, {attributes: true, attributeFilter: ["class"]});
}"""


class Studio:
    """The builder in a page; elements are found by role, name and data attributes.

    Parameters
    ----------
    page, notebook
        The page and the notebook that show it.
    builder
        The Python expression of the builder.
    view
        The index of the view among those displayed, from the top.
    """

    def __init__(
        self, page: Page, notebook: Notebook, *, builder: str = "builder", view: int = 0
    ) -> None:
        self.page, self.notebook, self.builder = page, notebook, builder
        self.whole = page.locator(".mm-studio").nth(view)
        self.root = page.locator(".mm-builder").nth(view)
        self.canvas = self.root.get_by_role("application", name="Pipeline canvas")
        self.palette = self.root.get_by_role("navigation", name="Palette")
        self.tools = self.root.get_by_role("toolbar", name="Tools")
        self.area = self.root.get_by_role("textbox", name="Pipeline text")
        expect(self.root).to_be_visible()

    # Wait

    def wait_for(self, read: Callable[[], Any], expected: Any, seconds: float = SECONDS) -> None:
        """Wait until a value is as expected."""
        deadline = time.monotonic() + seconds
        while (seen := read()) != expected:
            assert time.monotonic() < deadline, f"after {seconds} s: {seen!r}, not {expected!r}"
            self.page.wait_for_timeout(_POLL_MS)

    def settle(self) -> None:
        """Wait until the canvas is visible and at rest, and the kernel is idle."""
        expect(self.root.get_by_role("img", name="working")).to_have_count(0)
        self.canvas.scroll_into_view_if_needed()
        self.root.evaluate(_AT_REST)

    # Python

    def python(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, after all earlier requests."""
        answer = self.page.evaluate(_EXECUTE, expression)
        assert answer["status"] == "ok", f"{expression}: {answer}"
        shown = answer["data"]["text/plain"]
        try:
            return ast.literal_eval(shown)
        except (SyntaxError, ValueError):  # not a literal: return it as text
            return shown

    def scene(self) -> dict[str, Any]:
        """Return the scene that Python sends to the canvas."""
        canvas = f"{self.builder}.children[0].children[0]"
        scene: dict[str, Any] = json.loads(self.python(f"__import__('json').dumps({canvas}.scene)"))
        return scene

    # Look

    def names(self) -> list[str]:
        """Return the nodes on the canvas by name."""
        found: list[str] = self.root.locator(".react-flow__node").evaluate_all(
            "nodes => nodes.map(node => node.dataset.id)"
        )
        return sorted(found)

    def node(self, name: str) -> Locator:
        return self.root.locator(f'.react-flow__node[data-id="{name}"]')

    def handle(self, name: str, port: str | None = None) -> Locator:
        """Return the output of a node."""
        handle = "out" if port is None else f"out:{port}"
        place = f'[data-nodeid="{name}"][data-handleid="{handle}"]'
        return self.root.locator(f".react-flow__handle.source{place}")

    def entry(self, name: str) -> Locator:
        """Return the input of a node."""
        return self.root.locator(f'.react-flow__handle.target[data-nodeid="{name}"]')

    def status(self, name: str) -> str:
        """Return the counts below a node; "" before a run."""
        footer = self.node(name).locator(".mm-footer")
        return footer.inner_text() if footer.count() else ""

    def wires(self) -> dict[tuple[str, str | None, str], str]:
        """Return the count of each wire; "" for none."""
        found = self.root.locator(".react-flow__edge").evaluate_all(
            """edges => edges.map(edge => [
                edge.dataset.id, edge.querySelector(".mm-wire-count")?.textContent ?? ""])"""
        )
        return {tuple(json.loads(wire)): count for wire, count in found}

    def places(self) -> dict[str, list[float]]:
        """Return the positions of the nodes in canvas units."""
        found: dict[str, list[float]] = self.root.evaluate(
            r"""root => Object.fromEntries([...root.querySelectorAll(".react-flow__node")].map(
                node => [node.dataset.id, node.style.transform.match(/-?[\d.]+(?=px)/g).map(Number)]
            ))"""
        )
        return found

    def selected(self) -> list[str]:
        found: list[str] = self.root.locator(".react-flow__node.selected").evaluate_all(
            "nodes => nodes.map(node => node.dataset.id)"
        )
        return sorted(found)

    def text(self) -> str:
        return self.area.input_value()

    def problems(self) -> list[str]:
        """Return the list of problems."""
        return self.root.get_by_role("region", name="Problems").locator("li").all_inner_texts()

    def state(self) -> str:
        """Return the state of the run, one line."""
        return self.root.locator(".mm-status-line").inner_text()

    # Act

    def tool(self, name: str) -> Locator:
        """Return the toolbar button whose name begins with this text."""
        return self.tools.get_by_role("button", name=re.compile(rf"^{re.escape(name)}(:|$)"))

    def item(self, title: str) -> Locator:
        """Return the palette item with this title."""
        return self.palette.get_by_role("button", name=re.compile(rf"^Add {_pattern(title)}(,|$)"))

    def add(self, title: str) -> None:
        """Add from the palette with a click."""
        self.item(title).click()

    def drop(self, title: str, x: float, y: float) -> None:
        """Drag from the palette to a position on the canvas, given as shares of its size."""
        self.settle()
        self.item(title).drag_to(self.canvas, target_position=self._at(x, y))

    def _at(self, x: float, y: float) -> Position:
        box = self.canvas.bounding_box()
        assert box is not None
        return {"x": box["width"] * x, "y": box["height"] * y}

    def centre(self, of: Locator) -> tuple[float, float]:
        box = of.bounding_box()
        assert box is not None, "not visible"
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    @contextmanager
    def held(self, start: Locator, end: Locator) -> Iterator[None]:
        """Press the pointer on one element and move it over another; release it afterwards."""
        self.settle()
        start.hover()
        (x0, y0), (x1, y1) = self.centre(start), self.centre(end)
        self.page.mouse.down()
        self.page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2 + 1, steps=_STEPS)
        self.page.mouse.move(x1, y1, steps=_STEPS)
        yield
        self.page.mouse.up()

    def connect(self, source: str, port: str | None, target: str) -> None:
        """Drag a wire from an output to the input of a node."""
        with self.held(self.handle(source, port), self.entry(target)):
            pass

    def move(self, name: str, x: float, y: float) -> None:
        """Drag a node by a multiple of its height."""
        self.settle()
        node = self.node(name)
        node.hover()
        box = node.bounding_box()
        assert box is not None
        (x0, y0), height = self.centre(node), box["height"]
        self.page.mouse.down()
        self.page.mouse.move(x0 + x * height, y0 + y * height, steps=_STEPS)
        self.page.mouse.up()

    def select(self, *names: str) -> None:
        """Click a node, and Ctrl-click the others."""
        self.settle()
        for place, name in enumerate(names):
            self.node(name).click(modifiers=["Control"] if place else [])
        self.wait_for(self.selected, sorted(names))

    def type_text(self, text: str) -> None:
        """Replace the pipeline's text; the focus stays in the editor."""
        self.area.click()
        self.area.fill(text)

    def undo(self) -> None:
        self.tool("Undo").click()

    def redo(self) -> None:
        self.tool("Redo").click()

    def run(self, seconds: float = 60) -> str:
        """Run, wait for the end, and return how it ended: "done", "failed" or "stopped"."""
        status = self.root.locator(".mm-status")
        status.evaluate(_WATCH_STATES)
        self.tool("Run").click()
        self.page.wait_for_function(
            """() => {
                const states = window.mmStates.map(name => name.split("mm-status-")[1]);
                const goes = state => ["preparing", "running"].includes(state);
                return states.some(goes) && !goes(states.at(-1));
            }""",
            timeout=seconds * 1000,
        )
        name: str = status.evaluate("status => status.className.split('mm-status-')[1]")
        return name

    def screenshot(self, name: str) -> None:
        """Take screenshots of the page in both themes."""
        for theme in (DARK, LIGHT):
            self.notebook.change_theme(theme)
            self.settle()
            self.picture(f"{name}-{theme.rpartition(' ')[2].lower()}")

    def picture(self, name: str) -> None:
        """Take a screenshot of the page now."""
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def unreadable(self) -> dict[str, float]:
        """Return the texts with less contrast than WCAG 2 AA requires, except disabled ones."""
        self.whole.evaluate(_MARK_TEXTS)
        found = self.notebook.contrasts("[data-mm-text]")
        return {text: round(value, 1) for text, value in found.items() if value < 4.5}


def _pattern(title: str) -> str:
    """Return the text as a pattern between slashes, as Playwright's selectors need it."""
    return re.escape(title).replace("/", r"\/")


def open_studio(lab: Lab, page: Page, name: str, sources: Sequence[str], **how: Any) -> Studio:
    """Open a notebook with these cells, run them, and return the builder that one displays."""
    lab.write(name, sources)
    notebook = lab.open(page, name)
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    notebook.run_all()
    assert not notebook.errors(), notebook.errors()
    return Studio(page, notebook, **how)


def run_cell(notebook: Notebook, index: int, source: str) -> None:
    """Put this code into a cell and run it."""
    notebook.page.evaluate(_RUN_CELL, [index, source])
    notebook.wait_for_idle()
    assert not notebook.errors(), notebook.errors()
