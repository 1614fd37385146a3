"""The base class of parameter editors: shows, validates and sends values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipywidgets import Layout

from mmnotebook.graph import checks, kinds
from mmnotebook.graph.kinds import Param
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.fields import Context, InvalidInput
from mmnotebook.ui.builder.controls.quiet import Quiet

Values = dict[str, Any]
Send = Callable[["ParameterEditor", Values], "str | None"]
"""Applies an editor's values; returns why they cannot be applied, or None."""

WORDS = {True: "yes", False: "no"}


class ParameterEditor(Quiet):
    """Controls for a parameter, or for several alternative ones, and a message for invalid input.

    Only valid values are sent. Typed input is kept until the value in the document changes.

    Parameters
    ----------
    params
        The parameters that it edits.
    required
        Whether one of them must have a value.
    """

    def __init__(self, params: tuple[Param, ...], required: bool, send: Send) -> None:
        self.params, self.required = params, required
        self._send = send
        self._known: Values | None = None
        self._sent: Values | None = None
        self._line = style.note()
        super().__init__([*self._controls(), self._line], layout=Layout(width="100%"))
        self._say("")

    @property
    def title(self) -> str:
        return self.params[0].name + (" *" if self.required else "")

    @property
    def message(self) -> str:
        """The message below the controls, as HTML."""
        return str(self._line.value)

    def show(self, values: Mapping[str, Any], context: Context) -> None:
        """Show the document's values; controls that already show them are not updated."""
        shown = {param.name: values.get(param.name) for param in self.params}
        with self._quietly():
            self._offer(context)
            if shown not in (self._known, self._sent):
                wrong = {p.name: shown[p.name] for p in self.params if not _fits(p, shown[p.name])}
                self._write({**shown, **dict.fromkeys(wrong)})
                self._say("; ".join(f"{name}: {v!r}" for name, v in wrong.items()), bool(wrong))
            self._known = shown

    def focus_first(self) -> None:
        """Focus the first control."""
        self.children[0].focus()

    # To be defined by subclasses.

    def _controls(self) -> Sequence[Any]:
        raise NotImplementedError

    def _offer(self, context: Context) -> None:
        """Update the choices."""

    def _write(self, values: Values) -> None:
        raise NotImplementedError

    def _read(self) -> Values:
        """Read the values from the controls; raise InvalidInput if they are not valid."""
        raise NotImplementedError

    # Common to all editors.

    def _changed(self, *_: Any) -> None:
        if not self._by_user:
            return
        try:
            values = self._checked(self._read())
        except InvalidInput as wrong:
            self._say(str(wrong), wrong=True)
            return
        self._say("")
        if values == self._known:
            return
        self._sent = values
        refused = self._send(self, values)
        self._sent = None
        if refused is not None:
            self._say(refused, wrong=True)

    def _checked(self, values: Values) -> Values:
        """Return the values in a node's form; raise InvalidInput if one is not allowed."""
        if self.required and all(value is None for value in values.values()):
            raise InvalidInput(f"required: {self.params[0].allowed}")
        kept = {}
        for param in self.params:
            value = values[param.name]
            if value is not None:
                value = canonical(param, value)
            if value is not None and not param.check(value):
                reason = param.why(value) if param.why is not None else None
                raise InvalidInput(reason or f"{param.name}: {param.allowed}")
            kept[param.name] = value
        return kept

    def _say(self, text: str, wrong: bool = False) -> None:
        style.put(self._line, style.error(text) if wrong else style.hint(text or self._hint()))

    def _hint(self) -> str:
        default = self.params[0].default
        return "" if default is None else f"default: {WORDS.get(default, default)}"


def _fits(param: Param, value: Any) -> bool:
    return value is None or param.check(value)


def canonical(param: Param, value: Any) -> Any:
    """Return a value in the form that nodes have; None for the default."""
    value = kinds.frozen(value)
    if param.check is checks.is_mapping:
        value = checks.once_each(value)
    same = type(value) is type(param.default) and value == param.default
    return None if same and not param.required else value


class SingleEditor(ParameterEditor):
    """An editor of one parameter."""

    @property
    def param(self) -> Param:
        return self.params[0]

    def _write(self, values: Values) -> None:
        self._put(values[self.param.name])

    def _read(self) -> Values:
        return {self.param.name: self._take()}

    def _put(self, value: Any) -> None:
        raise NotImplementedError

    def _take(self) -> Any:
        raise NotImplementedError
