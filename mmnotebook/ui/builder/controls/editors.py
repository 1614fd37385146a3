"""Editors of step parameters, one for each kind of value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipywidgets import Combobox, Dropdown, FloatSlider, Layout, Text

from mmnotebook.errors import nearest
from mmnotebook.graph import checks, kinds
from mmnotebook.graph.kinds import Param
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.fields import Context, InvalidInput
from mmnotebook.ui.builder.controls.parameter import WORDS, ParameterEditor, SingleEditor, Values

_CHOICES: tuple[Any, ...] = (*kinds.MISSING, *kinds.LOWERINGS, *kinds.IMAGE_MODES, True, False)
_NOTHING = ""


class TextEditor(SingleEditor):
    """Edits a text, such as a path."""

    def _controls(self) -> Sequence[Any]:
        self.text = style.field(self._kind(), self.title, tooltip=self.param.allowed)
        self.text.placeholder = self.param.allowed
        self.text.observe(self._changed, "value")
        return [self.text]

    def _kind(self) -> type[Any]:
        return Text  # type: ignore[no-any-return]

    def _put(self, value: Any) -> None:
        self.text.value = "" if value is None else str(value)

    def _take(self) -> Any:
        return self.text.value or None


class FieldEditor(TextEditor):
    """Edits the name of a field; suggests those of the data."""

    def _kind(self) -> type[Any]:
        return Combobox  # type: ignore[no-any-return]

    def _offer(self, context: Context) -> None:
        offer(self.text, context.fields())


class FunctionEditor(TextEditor):
    """Edits the name of a function; suggests those of the notebook, but accepts builtins, too."""

    def _kind(self) -> type[Any]:
        return Combobox  # type: ignore[no-any-return]

    def _offer(self, context: Context) -> None:
        self._context = context
        offer(self.text, context.functions())

    def _take(self) -> Any:
        return known_function(self.text.value.strip(), self._context)


class NumberEditor(TextEditor):
    """Edits a number from 0 to 1, typed or set with a slider."""

    def _controls(self) -> Sequence[Any]:
        words = f"{self.param.name}, slider"
        traits = {"min": 0, "max": 1, "step": 0.01, "readout": False, "layout": _slider()}
        self.slider = style.named(FloatSlider, words, 0.5, **traits)
        self.slider.observe(self._slider_moved, "value")
        return [*super()._controls(), self.slider]

    def _put(self, value: Any) -> None:
        self.text.value = "" if value is None else f"{value:.12g}"
        self._follow(value)

    def _follow(self, value: Any) -> None:
        if checks.is_fraction(value):
            self.slider.value = value

    def _slider_moved(self, change: Any) -> None:
        if self._by_user:
            self.text.value = f"{change['new']:.12g}"

    def _take(self) -> Any:
        value = number(self.text.value, self.param)
        with self._quietly():
            self._follow(value)
        return value


class CountEditor(TextEditor):
    """Edits a positive integer."""

    def _take(self) -> Any:
        text = self.text.value.strip()
        if text and not text.isdecimal():
            raise InvalidInput(f"{self.param.name}: {self.param.allowed}")
        return int(text) if text else None


class ChoiceEditor(SingleEditor):
    """Edits a choice among a few values."""

    def _controls(self) -> Sequence[Any]:
        self.choice = style.field(Dropdown, self.title, tooltip=self.param.allowed)
        self.choice.options = self._choices()
        self.choice.observe(self._changed, "value")
        return [self.choice]

    def _choices(self) -> list[tuple[str, Any]]:
        allowed = [value for value in _CHOICES if self.param.check(value)]
        return [(str(WORDS.get(value, value)), value) for value in dict.fromkeys(allowed)]

    def _put(self, value: Any) -> None:
        value = self.param.default if value is None else value
        choose(self.choice, self._choices(), value, "not allowed")

    def _take(self) -> Any:
        return self.choice.value


class NameEditor(SingleEditor):
    """Edits the name of an existing model, of existing data, or of an existing transform."""

    def _controls(self) -> Sequence[Any]:
        self.choice = style.field(Dropdown, self.title, tooltip=self.param.allowed)
        self._listed: list[str] = []
        self._put(None)
        self.choice.observe(self._changed, "value")
        return [self.choice]

    def _offer(self, context: Context) -> None:
        known = {"model": context.models, "data": context.data}
        self._listed = known.get(str(self.param.names), context.transforms)()
        self._put(self.choice.value or None)

    def _put(self, value: Any) -> None:
        marked = "not registered" if self.param.names == "model" else "not in the notebook"
        nothing = "choose …" if self.required else "none"
        options = [(nothing, _NOTHING), *((name, name) for name in self._listed)]
        choose(self.choice, options, _NOTHING if value is None else value, marked)

    def _take(self) -> Any:
        return self.choice.value or None


class ByEditor(ParameterEditor):
    """Edits what elements are routed or grouped by: a field, or a function of the value."""

    _FIELD, _FUNCTION = "a field", "a function"

    def _controls(self) -> Sequence[Any]:
        self.mode = style.field(Dropdown, self.title, options=[self._FIELD, self._FUNCTION])
        self.mode.tooltip = "by a field, or by a function of the value"
        words = self.params[0].allowed
        self.text = style.named(Combobox, words, layout=Layout(**style.WIDE))
        self.text.observe(self._changed, "value")
        self.mode.observe(self._switched, "value")
        return [self.mode, self.text]

    def _offer(self, context: Context) -> None:
        self._context = context
        self._suggest()

    def _suggest(self) -> None:
        function = self.mode.value == self._FUNCTION
        self.text.placeholder = "name of a function" if function else "name of a field"
        offer(self.text, self._context.functions() if function else self._context.fields())

    def _switched(self, *_: Any) -> None:
        """Clear the text, as the name of a field is not that of a function; send nothing yet."""
        if not self._by_user:
            return
        with self._quietly():
            self._suggest()
            self.text.value = ""
        self._say(f"type or choose the {self.text.placeholder}")

    def _write(self, values: Values) -> None:
        field, function = (values[param.name] for param in self.params)
        if field is not None or function is not None:
            self.mode.value = self._FIELD if function is None else self._FUNCTION
        self.text.value = function or field or ""
        self._suggest()

    def _read(self) -> Values:
        field, function = self.params
        text = self.text.value
        if self.mode.value == self._FIELD:
            return {field.name: text or None, function.name: None}
        return {field.name: None, function.name: known_function(text.strip(), self._context)}


def offer(box: Combobox, names: Sequence[str]) -> None:
    """Suggest these names; they are sent to the view only if they changed."""
    if box.options != tuple(names):
        box.options = tuple(names)


def choose(dropdown: Dropdown, options: Sequence[tuple[str, Any]], value: Any, marked: str) -> None:
    """Set the options and the value of a dropdown; an unknown value is added with a mark."""
    known = list(options)
    if all(value != other or type(value) is not type(other) for _, other in known):
        known.append((f"{value} ({marked})", value))
    with dropdown.hold_sync():
        if list(dropdown.options) != known:
            dropdown.options = known
        if dropdown.value != value:
            dropdown.value = value


def number(text: str, param: Param) -> float | None:
    """Parse a typed number; None for an empty text."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"{param.name}: {param.allowed}") from None


def known_function(name: str, context: Context) -> str | None:
    """Return the name of a known function; None if empty; raise InvalidInput if unknown."""
    if not name or context.names.function(name) is not None:
        return name or None
    known = context.functions()
    close = nearest(name, known)
    listed = ", ".join(known[:5]) or "none"
    meant = f"did you mean {close!r}?" if close else f"functions of the notebook: {listed}"
    raise InvalidInput(f"no function is named {name!r}; {meant}")


def _slider() -> Layout:
    return Layout(width="auto", margin="0 8px")
