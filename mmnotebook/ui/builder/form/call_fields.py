"""Form fields about model calls: batches, axes, state, remote, version."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipywidgets import Accordion, Combobox, Dropdown, Layout, Text, VBox

from mmnotebook.errors import MMError
from mmnotebook.model import settings
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.editors import offer
from mmnotebook.ui.builder.controls.fields import InvalidInput
from mmnotebook.ui.common import arguments

BATCH, SINGLE = "with a batch of elements", "with one element, without a batch axis"
BLOCKS, ELEMENT = (
    "by block (remote models: by element)",
    "by element: only new elements are computed",
)
FOUND, REMOTE, HERE = (
    "detected in its first call",
    "remote: called for predictions only",
    "in this process",
)
TITLE = "Calls: batch axis, state, remote, version"

Variables = Mapping[str, Any]
Named = Callable[[str, Variables, str], Any]


class CallFields(Accordion):  # type: ignore[misc]  # ipywidgets has no types
    """Options that few models need; collapsed at first.

    Parameters
    ----------
    variables
        Returns the variables of the notebook.
    named
        Returns the function of the notebook that a text refers to.
    """

    def __init__(self, variables: Callable[[], Variables], named: Named) -> None:
        self._variables, self._named = variables, named
        field = style.field
        self.batched = field(Dropdown, "each call is made", options=[BATCH, SINGLE])
        self.batch_axis = field(Text, "batch axis of the input", placeholder="0")
        self.output_batch_axis = field(
            Text, "batch axis of the output", placeholder="the first; 1; (0, 1)"
        )
        self.collate = field(
            Combobox, "function that builds a batch from a list", placeholder="stacked"
        )
        self.reset = field(Combobox, "method or function that resets its state", placeholder="none")
        self.remote = field(Dropdown, "where it runs", options=[FOUND, REMOTE, HERE])
        self.version = field(
            Text,
            "version of its predictions",
            placeholder="none, or for example 2026-10; change it if the predictions may change",
        )
        self.cache = field(Dropdown, "its predictions are cached", options=[BLOCKS, ELEMENT])
        self._lines = {name: style.note() for name in NAMES}
        parts = [part for name in NAMES for part in (getattr(self, name), self._lines[name])]
        box = VBox(parts, layout=Layout(width="100%"))
        super().__init__([box], titles=(TITLE,), selected_index=None)
        self.layout.width = "auto"
        self.add_class("mm-section")

    def refresh(self, functions: Sequence[str]) -> None:
        """Update the functions that can be chosen."""
        offer(self.collate, functions)
        offer(self.reset, functions)

    def check(self) -> dict[str, str]:
        """Show the error of each field below it, and return the errors by field."""
        wrong: dict[str, str] = {}
        for name in NAMES:
            try:
                self._value(name)
            except (InvalidInput, MMError, ArgumentTypeError) as error:
                wrong[name] = error.message if isinstance(error, MMError) else str(error)
            style.put(self._lines[name], style.error(wrong[name]) if name in wrong else "")
        return wrong

    def options(self) -> dict[str, Any]:
        """Return the options of `register` that differ from their defaults."""
        made = {name: self._value(name) for name in NAMES}
        return {name: value for name, value in made.items() if value is not None}

    def _value(self, name: str) -> Any:
        """Return a field's value; None for the default. Raise an error if it is not valid."""
        if name == "batched":
            return False if self.batched.value == SINGLE else None
        if name == "remote":
            return {REMOTE: True, HERE: False}.get(self.remote.value)
        if name == "cache":
            return "element" if self.cache.value == ELEMENT else None
        text = getattr(self, name).value.strip()
        if not text:
            return None
        if name == "version":
            return text
        if name == "batch_axis":
            return arguments.axis(text)
        if name == "output_batch_axis":
            return settings.axes(name, arguments.axes(text))
        variables = self._variables()
        if name == "reset" and text.isidentifier() and text not in variables:
            return text  # a method: register checks that the model has it
        return self._named(text, variables, "function")


NAMES = (
    "batched",
    "batch_axis",
    "output_batch_axis",
    "collate",
    "reset",
    "remote",
    "version",
    "cache",
)
