"""Edits of a graph of 300 steps in the kernel, and moves of one of its steps on the canvas."""

from __future__ import annotations

import gc
import json
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import comm
import pandas as pd
from jupyter_client.session import Session
from playwright.sync_api import CDPSession, Page, Route, sync_playwright

import mmnotebook as mm
import mmnotebook.ui
from tests.benchmarks.measuring import Report, report
from tests.browser.lab import chromium_flags, open_page

LINES = 30
EDIT_MS, FRAME_MS = 50, 8
MOVES = 60
WIDTH, HEIGHT = 1400, 1000
STATIC = Path(mmnotebook.ui.__file__).parent / "static"
ADDRESS = "http://127.0.0.1/"
PAGE = f"""<!doctype html><link rel="stylesheet" href="builder.css">
<div id="root" style="width: {WIDTH - 40}px"></div>
<script type="module">
import code from "./builder.js";
const traits = await (await fetch("./traits.json")).json();
const model = {{
    get: name => traits[name], set() {{}}, save_changes() {{}}, on() {{}}, off() {{}}, send() {{}},
}};
code.render({{model, el: document.getElementById("root")}});
</script>"""
MIDDLE = """() => {
    const middle = box => [box.x + box.width / 2, box.y + box.height / 2];
    const [x, y] = middle(document.querySelector(".mm-canvas").getBoundingClientRect());
    const from = ([x1, y1]) => Math.hypot(x1 - x, y1 - y);
    const nodes = [...document.querySelectorAll(".react-flow__node")];
    return nodes.map(node => middle(node.getBoundingClientRect()))
        .sort((a, b) => from(a) - from(b))[0];
}"""
FRAME = "() => new Promise(requestAnimationFrame)"


def same(value: Any) -> Any:
    """Return the value; every function of the graph."""
    return value


def text() -> str:
    """Return the text of the graph: a source, and 30 lines of ten steps that read it."""
    lines = []
    for i in range(LINES):
        models = f"[map(a{i}), map(b{i}), map(c{i})] | vote()"
        split = f"fork{i} = rows | map(f{i}) | {models} | filter(k{i}) | map(h{i})"
        lines.append(f'{split} | split({{"x": 0.9, "y": 0.1}}, by="a")')
        lines.append(f'end{i} = fork{i}.x | map(g{i}) | write("x{i}")')
    return "\n".join(lines)


def builder() -> mm.Builder:
    """Return a builder of the graph, with all of its names bound."""
    functions = {f"{letter}{i}": same for i in range(LINES) for letter in "abcfghk"}
    rows = pd.DataFrame({"a": [1, 2]})
    made = mm.Builder(mm.pipeline(text(), rows=rows, **functions))
    assert len(made.graph) >= 300
    assert made.problems == []
    return made


def edits(made: mm.Builder) -> dict[str, Callable[[], None]]:
    """Return edits by command, in an order in which each can be applied repeatedly."""
    wire = ("h3", None, "fork3")
    typed = made.text

    def do(op: str, **fields: Any) -> Callable[[], None]:
        return lambda: made.edit(op, **fields)

    return {
        "move": do("move", places={"f3": (503, 707)}),
        "configure": do("configure", node="k3", params={"function": "k4"}),
        "rename": do("rename", old="h5", new="renamed"),
        "disconnect": do("disconnect", wires=[wire]),
        "connect": do("connect", source="h3", port=None, target="fork3"),
        "add": do("add", kind="vote", params={}),
        "remove": do("remove", nodes=["g5"], wires=[]),
        "undo": do("undo"),
        "redo": do("redo"),
        "arrange": do("arrange"),
        "text": do("text", text=typed.replace("map(h7)", "map(g8)")),
        "text_as_before": do("text", text=typed),
    }


@contextmanager
def sent() -> Iterator[list[int]]:
    """Serialize the messages of the widgets as a kernel does; yield their sizes in bytes."""
    session, sizes = Session(key=b"wide"), []

    def publish(self: Any, kind: str, data: Any = None, metadata: Any = None, **_: Any) -> None:
        content = {"data": data or {}, "comm_id": self.comm_id}
        parts = session.serialize(session.msg(kind, content, metadata=metadata or {}))
        sizes.append(sum(map(len, parts)))

    with mock.patch.object(comm.DummyComm, "publish_msg", publish):
        yield sizes


def processor_ms(work: Callable[[], None]) -> float:
    """Return the processor time of one call in milliseconds."""
    gc.collect()
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def edited(repeat: int) -> tuple[dict[str, list[float]], int]:
    """Return the processor ms of each edit, and the size of the largest message in bytes."""
    times: dict[str, list[float]] = {}
    largest = 0
    for turn in range(repeat + 1):  # the first is a warm-up
        made = builder()
        with sent() as sizes:
            for op, edit in edits(made).items():
                took = processor_ms(edit)
                if turn:
                    times.setdefault(op, []).append(took)
        largest = max(largest, *sizes)
        made.close()
    return times, largest


def traits() -> str:
    """Return the traits that the canvas gets from Python, as JSON."""
    made = builder()
    canvas = made.children[0].children[0]
    names = ("scene", "kinds", "palette", "status", "selection", "seen", "height", "busy")
    values = json.dumps({**{name: getattr(canvas, name) for name in names}, "height": HEIGHT - 150})
    made.close()
    return values


@contextmanager
def opened() -> Iterator[Page]:
    """Open a page that shows the builder without a notebook and without a kernel."""
    state = traits()

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        if name == "":
            route.fulfill(body=PAGE, content_type="text/html")
        elif name == "traits.json":
            route.fulfill(body=state, content_type="application/json")
        elif (file := STATIC / name).is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=404)

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=chromium_flags(), headless=True
        )
        with open_page(chromium, WIDTH, HEIGHT) as page:
            page.route(f"{ADDRESS}*", answer)
            page.goto(ADDRESS)
            page.locator(".react-flow__node").first.wait_for()
            yield page
        chromium.close()


def used(session: CDPSession) -> dict[str, float]:
    """Return the milliseconds that the page has used so far, by kind of work."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return {item["name"]: 1000 * item["value"] for item in metrics}


def dragged(page: Page) -> dict[str, float]:
    """Drag the step in the middle; return the milliseconds per frame by kind of work."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    x, y = page.evaluate(MIDDLE)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 5, y + 5, steps=2)
    page.evaluate(FRAME)
    before = used(session)
    for step in range(MOVES):
        page.mouse.move(x + 5 + step % 20, y + 6 + step)
        page.evaluate(FRAME)
    after = used(session)
    page.mouse.up()
    kinds = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration")
    return {kind: (after[kind] - before[kind]) / MOVES for kind in kinds}


def drags(repeat: int) -> dict[str, list[dict[str, float]]]:
    """Return the milliseconds per frame of each drag: of the whole graph, and of a part of it."""
    found: dict[str, list[dict[str, float]]] = {"whole": [], "part": []}
    with opened() as page:
        count = page.locator(".react-flow__node").count()
        assert count >= 300, f"{count} nodes are visible"
        found["whole"] = [dragged(page) for _ in range(repeat + 1)][1:]
        for _ in range(6):
            page.get_by_role("button", name="Zoom in").click()
        found["part"] = [dragged(page) for _ in range(repeat + 1)][1:]
    return found


def measure(repeat: int) -> Report:
    """Compare the slowest edit, and the script time per frame of a drag, with their limits."""
    times, largest = edited(repeat)
    frames = drags(repeat)
    scripts = {view: [one["ScriptDuration"] for one in all_] for view, all_ in frames.items()}
    edit_ms = [max(turn) for turn in zip(*times.values(), strict=True)]
    frame_ms = [max(turn) for turn in zip(*scripts.values(), strict=True)]
    shares = [
        max(edit / EDIT_MS, frame / FRAME_MS) for edit, frame in zip(edit_ms, frame_ms, strict=True)
    ]
    return report(
        f"time / limit; limits {EDIT_MS} ms per edit, {FRAME_MS} ms of script per frame",
        shares,
        at_most=1,
        edits_ms={op: round(statistics.median(took), 1) for op, took in times.items()},
        frame_ms={
            view: {kind: round(statistics.median(one[kind] for one in all_), 2) for kind in all_[0]}
            for view, all_ in frames.items()
        },
        largest_message_bytes=largest,
    )
