"""A hand on the keyboard, for the visual builder in a page."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.studio import Studio

MOST_TABS = 60

# Is something drawn around what has the focus, or around the card or the field that it stands for?
_FOCUS_IS_SEEN = """() => {
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
    """Presses keys, and sees after each where the focus is."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self.page = studio, studio.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def at(self) -> str:
        """What has the focus: a node's name, or what a control is called."""
        said: str = self.page.evaluate(_ACTIVE)
        return said.strip()

    def reach(self, name: str, key: str = "Tab") -> None:
        """Press a key until the focus is there; it is seen at each step within the builder."""
        for _ in range(MOST_TABS):
            self.press(key)
            self.page.evaluate("() => new Promise(requestAnimationFrame)")
            if self.page.evaluate("() => document.activeElement.closest('.mm-studio') !== null"):
                self.seen()
            if re.match(name, self.at()):
                return
        raise AssertionError(
            f"{MOST_TABS} times {key} do not lead to {name!r}, but to {self.at()!r}"
        )

    def wait_at(self, name: str) -> None:
        self.studio.wait_for(self.at, name)
        self.seen()

    def seen(self) -> None:
        assert self.page.evaluate(_FOCUS_IS_SEEN), f"the focus on {self.at()!r} is not seen"

    def told(self, text: str) -> None:
        """Wait for what screen readers are told."""
        expect(self.studio.root.locator(".mm-live")).to_have_text(re.compile(re.escape(text)))

    def add(self, query: str, title: str) -> None:
        """Add what the search in the palette finds first."""
        self.press("a")
        self.wait_at("Search what can be added")
        self.press("Control+a")
        self.type(query)
        self.press("ArrowDown", "ArrowDown")
        assert self.at().startswith(f"Add {title}")
        self.press("Enter")
        self.told(f"{title} added")
        self.press("Escape")
        self.wait_at(title)
