"""Form fields of the example: the first element of data, or a typed value."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from ipywidgets import Dropdown, Layout, Text, VBox

from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.editors import choose
from mmnotebook.ui.builder.controls.fields import InvalidInput


class ExampleFields(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The fields of the example; `changed` is called after every change by the user."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._known: Sequence[str] = ()
        self.data = style.field(Dropdown, "try it on", options=[("a typed example", "")])
        self.typed = style.field(Text, "example", placeholder='[0.1, 0.2], {"x": 1.0} or "text"')
        self._line = style.note()
        for control in (self.data, self.typed):
            control.observe(lambda _: changed(), "value")
        super().__init__([self.data, self.typed, self._line], layout=Layout(width="100%"))

    @property
    def message(self) -> str:
        """The message below the fields, as HTML."""
        return str(self._line.value)

    def refresh(self, names: Sequence[str]) -> None:
        """Offer these data variables; choose the first if none was chosen."""
        options = [
            *((f"the first element of {name}", name) for name in names),
            ("a typed example", ""),
        ]
        known = self.data.value if self.data.value in names else ""
        is_unused = not self._known and not self.typed.value.strip()
        self._known = names
        choose(self.data, options, names[0] if names and is_unused else known, "not found")

    def check(self) -> str | None:
        """Show the error of the example, and return it; None if the example is valid."""
        style.show_if(self.typed, not self.data.value)
        try:
            if not self.data.value:
                self.literal()
        except InvalidInput as wrong:
            filled = bool(self.typed.value.strip())
            style.put(self._line, style.error(str(wrong)) if filled else "")
            return str(wrong)
        style.put(self._line, "")
        return None

    def literal(self) -> Any:
        """Return the example that was typed."""
        try:
            return ast.literal_eval(self.typed.value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            raise InvalidInput(
                "expected a number, a string in quotes, or a list or dict of these"
            ) from None
