"""The canvas with a graph of 300 steps: what is rendered while one step is dragged."""

from __future__ import annotations

from tests.benchmarks import wide

# React keeps the properties of an element's latest rendering at the element.
_MARK = """() => {
    const all = ".mm-canvas .react-flow__node, .mm-canvas .react-flow__minimap-node";
    const own = element => Object.keys(element).find(name => name.startsWith("__reactProps$"));
    window.mmRendered = [...document.querySelectorAll(all)].map(e => [e, e[own(e)], own(e)]);
}"""
_RENDERED = """() => window.mmRendered.filter(([e, props, own]) => e[own] !== props)
    .map(([e]) => e.dataset.id ?? "overview")"""


def test_a_drag_renders_only_the_dragged_step() -> None:
    with wide.opened() as page:
        x, y = page.evaluate(wide.MIDDLE)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 8, y + 8, steps=2)
        page.evaluate(wide.FRAME)
        dragged = page.locator(".react-flow__node.dragging").get_attribute("data-id")
        page.evaluate(_MARK)
        page.mouse.move(x + 40, y + 30, steps=5)
        page.evaluate(wide.FRAME)
        assert sorted(page.evaluate(_RENDERED)) == sorted([dragged, "overview"])
        page.mouse.up()
