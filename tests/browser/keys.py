"""Keyboard control of the visual builder in a page."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.studio import Studio

MOST_TABS = 60

# Is an outline drawn around the focused element, or around the card or field that contains it?
_FOCUS_IS_VISIBLE = """() => {
    const active = document.activeElement;
    const drawn = (element, pseudo) => {
        const {outlineStyle, outlineWidth, boxShadow, borderTopWidth, borderTopStyle, content} =
            getComputedStyle(element, pseudo);
        if (pseudo) return content !== "none" && borderTopStyle !== "none";
        return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
    };
    const around = [active, active.querySelector(".mm-step"), active.closest(".mm-editor"),
                    active.closest(".mm-grip")].filter(Boolean);
    return around.some(element => drawn(element)) || drawn(active, "::after");
}"""
_ACTIVE = """() => {
    const active = document.activeElement;
    const label = active.labels?.[0]?.textContent;
    return active.closest(".react-flow__node")?.dataset.id
        ?? active.getAttribute("aria-label") ?? label ?? active.textContent.slice(0, 80);
}"""


class Keys:
    """Presses keys, and checks the focus after each."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.page = studio, studio.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def at(self) -> str:
        """Return what has the focus: the name of a node, or the label of a control."""
        said: str = self.page.evaluate(_ACTIVE)
        return said.strip()

    def reach(self, name: str, key: str = "Tab") -> None:
        """Press a key until the element has the focus, which is visible at each step."""
        for _ in range(MOST_TABS):
            self.press(key)
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
            if self.page.evaluate("() => document.activeElement.closest('.mm-studio') !== null"):
                self.check_focus_is_visible()
            if re.match(name, self.at()):
                return
        raise AssertionError(
            f"{MOST_TABS} times {key} do not lead to {name!r}, but to {self.at()!r}"
        )

    def wait_at(self, name: str) -> None:
        self.studio.wait_for(self.at, name)
        self.check_focus_is_visible()

    def check_focus_is_visible(self) -> None:
        assert self.page.evaluate(_FOCUS_IS_VISIBLE), f"the focus on {self.at()!r} is not visible"

    def wait_for_announcement(self, text: str) -> None:
        """Wait for a message to screen readers."""
        expect(self.studio.root.locator(".mm-live")).to_have_text(re.compile(re.escape(text)))

    def add(self, query: str, title: str) -> None:
        """Add the first match of a search in the palette."""
        self.press("a")
        self.wait_at("Search what can be added")
        self.press("Control+a")
        self.type(query)
        self.press("ArrowDown", "ArrowDown")
        assert self.at().startswith(f"Add {title}")
        self.press("Enter")
        self.wait_for_announcement(f"{title} added")
        self.press("Escape")
        self.wait_at(title)
