"""The builder in several places, after a reload, and with many nodes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.browser.lab import SECONDS, Lab, open_page
from tests.browser.studio import SHOTS, Studio, open_studio

SETUP = """
import mmnotebook as mm
numbers = list(range(40))
def double(value):
    return 2 * value
def half(value):
    return value / 2
builder = mm.Builder("numbers | double | half")"""
MANY = 300
QUIET = 5  # number of measurements, of some frames each
# Chains of steps next to each other.
CROWD = """
import mmnotebook as mm
numbers = list(range(40))
def same(value):
    return value
lines = [f"s{row} = numbers" + " | same" * 23 for row in range(13)]
builder = mm.Builder("\\n".join(lines))"""
_FRAMES = """() => {
    const frames = window.mmFrames = [];
    const look = time => {
        frames.push(time);
        window.mmFrame = requestAnimationFrame(look);
    };
    window.mmFrame = requestAnimationFrame(look);
}"""


class Traffic:
    """The messages between a page's widgets and their kernel."""

    def __init__(self, page: Page) -> None:
        self.sent: list[str] = []
        self.received: list[str] = []
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: self._note(self.sent, frame))
        socket.on("framereceived", lambda frame: self._note(self.received, frame))

    @staticmethod
    def _note(kept: list[str], frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        kind = re.search(r'"msg_type": ?"(\w+)"', text)  # the first is the message's own
        if kind is not None and kind[1] == "comm_msg":
            kept.append(text)

    def clear(self) -> None:
        self.sent.clear()
        self.received.clear()

    def count(self) -> tuple[int, int]:
        return len(self.sent), len(self.received)

    def updates(self, trait: str) -> int:
        """Return how often the kernel sent a value of a trait."""
        pattern = re.compile(rf'"method": ?"update", ?"state": ?\{{.*"{trait}":')
        return sum(pattern.search(text) is not None for text in self.received)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_page(browser, 1440, 1200) as fresh:
        yield fresh


def test_a_reloaded_page_continues(lab: Lab, page: Page) -> None:
    made = open_studio(lab, page, "reload.ipynb", [SETUP, "builder"])
    made.move("half", 0, 2)
    made.wait_for(lambda: made.scene()["undo"], "move half")
    made.select("half")
    assert made.run() == "done"
    before = (made.names(), made.places(), made.wires(), made.text(), made.selected())
    made.notebook.save()

    reopened = lab.open(page, "reload.ipynb")
    # ipywidgets requests each widget separately if the kernel did not send all within four seconds.
    expect(page.locator(".mm-builder")).to_be_visible(timeout=2 * SECONDS * 1000)
    again = Studio(page, reopened)
    again.wait_for(again.names, ["double", "half", "numbers"])
    assert again.notebook.errors() == []
    again.wait_for(
        lambda: (again.names(), again.places(), again.wires(), again.text(), again.selected()),
        before,
    )
    assert again.status("half").startswith("40 ·")
    expect(again.whole.get_by_role("tab", name="Elements", exact=True)).to_be_visible()
    again.add("vote")
    again.wait_for(again.names, ["double", "half", "numbers", "vote"])
    again.undo()
    again.wait_for(again.names, ["double", "half", "numbers"])
    again.undo()
    again.wait_for(lambda: again.scene()["redo"], "move half")
    assert again.run() == "done"


def test_two_views_of_one_builder_show_the_same(lab: Lab, page: Page) -> None:
    traffic = Traffic(page)
    one = open_studio(lab, page, "two.ipynb", [SETUP, "builder", "builder"])
    other = Studio(page, one.notebook, view=1)
    assert one.names() == other.names() == ["double", "half", "numbers"]

    traffic.clear()
    one.select("double")
    other.wait_for(other.selected, ["double"])
    quiet(one, traffic)
    assert len(traffic.sent) == 1

    traffic.clear()
    stood = one.places()
    other.move("half", 0, 1)
    one.wait_for(lambda: one.places() == other.places() != stood, True)
    quiet(one, traffic)
    assert len(traffic.sent) == 2, traffic.sent  # the selection, and its new position
    assert traffic.updates("scene") == 1
    one.wait_for(one.selected, ["half"])

    one.add("vote")
    other.wait_for(other.names, ["double", "half", "numbers", "vote"])
    other.tool("Undo").click()
    one.wait_for(one.names, ["double", "half", "numbers"])
    one.type_text("numbers | half")
    other.wait_for(other.names, ["half", "numbers"])
    other.wait_for(other.text, "numbers | map(half)")
    assert other.run() == "done"
    one.wait_for(lambda: one.status("half"), other.status("half"))


def quiet(made: Studio, traffic: Traffic) -> None:
    """Wait until neither side sends messages."""
    before, same = None, 0
    while same < QUIET:
        made.settle()
        made.notebook.wait_for_idle()
        same = same + 1 if traffic.count() == before else 0
        before = traffic.count()


def test_three_hundred_nodes_are_moved_and_found(
    lab: Lab, page: Page, record_property: Callable[[str, object], None]
) -> None:
    made = open_studio(lab, page, "many.ipynb", [CROWD, "builder"])
    assert len(made.scene()["nodes"]) == MANY
    made.settle()
    made.picture("views-300")
    name = made.python("list(builder.graph)[150].name")
    before = {node["name"]: [node["x"], node["y"]] for node in made.scene()["nodes"]}
    page.evaluate(_FRAMES)
    made.move(name, 3, 3)
    frames = page.evaluate(
        "() => { cancelAnimationFrame(window.mmFrame); return window.mmFrames; }"
    )
    times = sorted(after - was for was, after in pairwise(frames))
    measured = {
        "frames": len(times),
        "median_ms": round(times[len(times) // 2], 1),
        "p95_ms": round(times[len(times) * 95 // 100], 1),
        "longest_ms": round(times[-1], 1),
    }
    record_property("drag of one among 300 nodes", measured)
    SHOTS.mkdir(exist_ok=True)
    (SHOTS / "300-nodes.json").write_text(json.dumps(measured), encoding="utf-8")
    made.wait_for(lambda: made.scene()["undo"], f"move {name}")
    moved = {node["name"]: [node["x"], node["y"]] for node in made.scene()["nodes"]}
    assert moved.pop(name) != before.pop(name)
    assert moved == before
    made.tool("Zoom in").click()
    made.undo()
    made.wait_for(lambda: made.scene()["undo"], None)
