"""A hand and an eye for the visual builder in a page."""

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
_STEPS = 12  # of a drag: a real hand's pointer does not jump
_POLL_MS = 50

# Nothing on the canvas moves any more, neither by itself nor with the page.
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
    """The builder that a page shows; things are found by role, name and data attributes.

    Parameters
    ----------
    page, notebook
        Where it is displayed.
    builder
        The Python expression that it is.
    view
        Which of the displayed ones, from the top.
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

    # Waiting.

    def wait_for(self, read: Callable[[], Any], expected: Any, seconds: float = SECONDS) -> None:
        """Look until something is as expected."""
        deadline = time.monotonic() + seconds
        while (seen := read()) != expected:
            assert time.monotonic() < deadline, f"after {seconds} s: {seen!r}, not {expected!r}"
            self.page.wait_for_timeout(_POLL_MS)

    def settle(self) -> None:
        """Wait until the canvas is in sight, at rest, and Python has nothing to do for it."""
        expect(self.root.get_by_role("img", name="working")).to_have_count(0)
        self.canvas.scroll_into_view_if_needed()
        self.root.evaluate(_AT_REST)

    # Python.

    def python(self, expression: str) -> Any:
        """The value of an expression in the kernel, after all that was asked for before."""
        answer = self.page.evaluate(_EXECUTE, expression)
        assert answer["status"] == "ok", f"{expression}: {answer}"
        shown = answer["data"]["text/plain"]
        try:
            return ast.literal_eval(shown)
        except (SyntaxError, ValueError):  # no literal: as it is shown
            return shown

    def scene(self) -> dict[str, Any]:
        """What Python has the canvas show."""
        canvas = f"{self.builder}.children[0].children[0]"
        scene: dict[str, Any] = json.loads(self.python(f"__import__('json').dumps({canvas}.scene)"))
        return scene

    # Seeing.

    def names(self) -> list[str]:
        """The nodes on the canvas, by name."""
        found: list[str] = self.root.locator(".react-flow__node").evaluate_all(
            "nodes => nodes.map(node => node.dataset.id)"
        )
        return sorted(found)

    def node(self, name: str) -> Locator:
        return self.root.locator(f'.react-flow__node[data-id="{name}"]')

    def handle(self, name: str, port: str | None = None) -> Locator:
        """A node's output."""
        handle = "out" if port is None else f"out:{port}"
        place = f'[data-nodeid="{name}"][data-handleid="{handle}"]'
        return self.root.locator(f".react-flow__handle.source{place}")

    def entry(self, name: str) -> Locator:
        """A node's input."""
        return self.root.locator(f'.react-flow__handle.target[data-nodeid="{name}"]')

    def status(self, name: str) -> str:
        """What stands below a node: its counts; "" before a run."""
        footer = self.node(name).locator(".mm-footer")
        return footer.inner_text() if footer.count() else ""

    def wires(self) -> dict[tuple[str, str | None, str], str]:
        """By wire the count on it, "" where there is none."""
        found = self.root.locator(".react-flow__edge").evaluate_all(
            """edges => edges.map(edge => [
                edge.dataset.id, edge.querySelector(".mm-wire-count")?.textContent ?? ""])"""
        )
        return {tuple(json.loads(wire)): count for wire, count in found}

    def places(self) -> dict[str, list[float]]:
        """Where the nodes stand on the canvas, in its own units."""
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
        """The list of what is wrong."""
        return self.root.get_by_role("region", name="Problems").locator("li").all_inner_texts()

    def state(self) -> str:
        """Of the run, in one line."""
        return self.root.locator(".mm-status-line").inner_text()

    # Doing.

    def tool(self, name: str) -> Locator:
        """A button of the toolbar, by what its name begins with."""
        return self.tools.get_by_role("button", name=re.compile(rf"^{re.escape(name)}(:|$)"))

    def item(self, title: str) -> Locator:
        """What the palette offers under this title."""
        return self.palette.get_by_role("button", name=re.compile(rf"^Add {_pattern(title)}(,|$)"))

    def add(self, title: str) -> None:
        """Add from the palette by a click."""
        self.item(title).click()

    def drop(self, title: str, x: float, y: float) -> None:
        """Drag from the palette to a place on the canvas, given as shares of its size."""
        self.settle()
        self.item(title).drag_to(self.canvas, target_position=self._at(x, y))

    def _at(self, x: float, y: float) -> Position:
        box = self.canvas.bounding_box()
        assert box is not None
        return {"x": box["width"] * x, "y": box["height"] * y}

    def centre(self, of: Locator) -> tuple[float, float]:
        box = of.bounding_box()
        assert box is not None, "not in sight"
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    @contextmanager
    def held(self, start: Locator, end: Locator) -> Iterator[None]:
        """The pointer has taken hold of the one and stands over the other; let go afterwards."""
        self.settle()
        start.hover()
        (x0, y0), (x1, y1) = self.centre(start), self.centre(end)
        self.page.mouse.down()
        self.page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2 + 1, steps=_STEPS)
        self.page.mouse.move(x1, y1, steps=_STEPS)
        yield
        self.page.mouse.up()

    def connect(self, source: str, port: str | None, target: str) -> None:
        """Drag a wire from an output to a node's input."""
        with self.held(self.handle(source, port), self.entry(target)):
            pass

    def move(self, name: str, x: float, y: float) -> None:
        """Drag a node by so many heights of its own."""
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
        """Click on a node, and with Ctrl on the others."""
        self.settle()
        for place, name in enumerate(names):
            self.node(name).click(modifiers=["Control"] if place else [])
        self.wait_for(self.selected, sorted(names))

    def type_text(self, text: str) -> None:
        """Put another text in place of the pipeline's; the focus stays there."""
        self.area.click()
        self.area.fill(text)

    def undo(self) -> None:
        self.tool("Undo").click()

    def redo(self) -> None:
        self.tool("Redo").click()

    def run(self, seconds: float = 60) -> str:
        """Run and wait for the end; how it ended: "done", "failed" or "stopped"."""
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
        """Pictures of the page in both themes."""
        for theme in (DARK, LIGHT):
            self.notebook.change_theme(theme)
            self.settle()
            self.picture(f"{name}-{theme.rpartition(' ')[2].lower()}")

    def picture(self, name: str) -> None:
        """A picture of the page as it is at this moment."""
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def unreadable(self) -> dict[str, float]:
        """The texts with less contrast than WCAG 2 AA asks for; what is disabled may have less."""
        self.whole.evaluate(_MARK_TEXTS)
        found = self.notebook.contrasts("[data-mm-text]")
        return {text: round(value, 1) for text, value in found.items() if value < 4.5}


def _pattern(title: str) -> str:
    """As Playwright's selectors need it: they stand between slashes."""
    return re.escape(title).replace("/", r"\/")


def open_studio(lab: Lab, page: Page, name: str, sources: Sequence[str], **how: Any) -> Studio:
    """Open a notebook of these cells, run them, and take the builder that one of them displays."""
    lab.write(name, sources)
    notebook = lab.open(page, name)
    page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    notebook.run_all()
    assert not notebook.errors(), notebook.errors()
    return Studio(page, notebook, **how)


def run_cell(notebook: Notebook, index: int, source: str) -> None:
    """Put this into a cell and run it."""
    notebook.page.evaluate(_RUN_CELL, [index, source])
    notebook.wait_for_idle()
    assert not notebook.errors(), notebook.errors()
