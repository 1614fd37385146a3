"""The panel of one node: name, parameters, inputs and problems."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from ipywidgets import HTML, Layout, Text

from mmnotebook.errors import Problem
from mmnotebook.graph import checks
from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.editors import (
    ByEditor,
    ChoiceEditor,
    CountEditor,
    FieldEditor,
    FunctionEditor,
    NameEditor,
    NumberEditor,
    TextEditor,
)
from mmnotebook.ui.builder.controls.fields import Context
from mmnotebook.ui.builder.controls.inputs_editor import InputsEditor
from mmnotebook.ui.builder.controls.parameter import ParameterEditor, Send, Values
from mmnotebook.ui.builder.controls.quiet import Quiet
from mmnotebook.ui.builder.controls.rows import ArmsEditor, MappingEditor, WeightsEditor

Edit = Callable[[dict[str, Any]], "str | None"]
_PAUSE = 1.5
"""Seconds without typing after which the next edit is a separate step for undo."""
_numbers = itertools.count(1)
_BY_CHECK: dict[Any, type[ParameterEditor]] = {
    checks.is_fraction: NumberEditor,
    checks.is_count: CountEditor,
    checks.is_weights: WeightsEditor,
    checks.is_arms: ArmsEditor,
    checks.is_mapping: MappingEditor,
}
_BY_NAME: dict[str, type[ParameterEditor]] = {
    "by": ByEditor,
    "id": FieldEditor,
    "transform": NameEditor,
}
_BY_ROLE: dict[str, type[ParameterEditor]] = {
    "model": NameEditor,
    "data": NameEditor,
    "function": FunctionEditor,
}


def editor_of(param: Param) -> type[ParameterEditor]:
    """Return the class of a parameter's editor, by the kind of its values."""
    if param.check in _BY_CHECK:
        return _BY_CHECK[param.check]
    if param.names is not None:
        return _BY_NAME.get(param.name) or _BY_ROLE[param.names]
    if param.check is checks.is_text:
        return _BY_NAME.get(param.name, TextEditor)
    return ChoiceEditor


def editors_of(kind: StepKind, send: Send) -> dict[str, ParameterEditor]:
    """Create an editor for each parameter; `by` and `by_function` share one."""
    made: dict[str, ParameterEditor] = {}
    for param in kind.params:
        if param.name == "by_function":
            made[param.name] = made["by"]
            continue
        both = tuple(p for p in kind.params if p.name in ("by", "by_function"))
        params = both if param.name == "by" else (param,)
        made[param.name] = editor_of(param)(params, param.required, send)
    return made


class Gestures:
    """Names that combine consecutive edits of a parameter into one step of undo."""

    def __init__(self) -> None:
        self._last: tuple[object, float, str] = (None, 0.0, "")

    def of(self, target: object) -> str:
        """Return the name of the gesture to which an edit of `target` belongs."""
        before, when, name = self._last
        now = time.monotonic()
        if before != target or now - when > _PAUSE:
            name = f"panel {next(_numbers)}"
        self._last = (target, now, name)
        return name


class NodeView(Quiet):
    """The controls of one node; reused for nodes of the same kind."""

    def __init__(self, kind: StepKind, edit: Edit) -> None:
        self.kind = kind
        self.node = ""
        self._edit = edit
        self._gestures = Gestures()
        self._shown: str | None = None
        self._sent: str | None = None
        self.title = HTML(_title(kind))
        self.name = style.field(Text, "name", continuous_update=False)
        self.name.observe(self._renamed, "value")
        self._line = style.note()
        self.problems = style.note()
        self.editors = editors_of(kind, self._configure)
        self.inputs = InputsEditor(edit)
        self.remove = style.button("Delete", "delete this step and its wires", "trash")
        self.remove.on_click(lambda _: self._remove())
        params = list(dict.fromkeys(self.editors.values()))
        top = [self.title, self.name, self._line, self.problems]
        parts = [*top, *params, self.inputs, self.remove]
        super().__init__(parts, layout=Layout(width="100%"))

    @property
    def message(self) -> str:
        """The message below the name, as HTML."""
        return str(self._line.value)

    def show(self, context: Context, problems: Iterable[Problem]) -> None:
        """Show the current state of the node."""
        node = context.node
        self.node = node.name
        if node.name not in (self._shown, self._sent):
            with self._quietly():
                style.put(self.name, node.name)
            style.put(self._line, "")
        self._shown = node.name
        listed = [replace(p, node=None) for p in problems if p.node == node.name]
        style.put(self.problems, style.problems(listed))
        values = dict(node.params)
        for editor in dict.fromkeys(self.editors.values()):
            editor.show(values, context)
        self.inputs.show(context)

    def focus_first(self) -> None:
        """Focus the first parameter, or the name."""
        first = next(iter(self.editors.values()), None)
        if first is None:
            self.name.focus()
        else:
            first.focus_first()

    def _configure(self, editor: ParameterEditor, values: Values) -> str | None:
        gesture = self._gestures.of(editor)
        command = {"op": "configure", "node": self.node, "params": values, "gesture": gesture}
        return self._edit(command)

    def _renamed(self, change: Any) -> None:
        new = change["new"].strip()
        if not self._by_user or new == self.node:
            return
        if not checks.is_name(new):
            wrong = f"{new!r} is not a valid name: {checks.NAMING}"
            style.put(self._line, style.error(wrong))
            return
        style.put(self._line, "")
        self._sent = new
        refused = self._edit({"op": "rename", "old": self.node, "new": new})
        self._sent = None
        if refused is not None:
            style.put(self._line, style.error(refused))

    def _remove(self) -> None:
        refused = self._edit({"op": "remove", "nodes": [self.node], "wires": []})
        if refused is not None:
            style.put(self._line, style.error(refused))


def _title(kind: StepKind) -> str:
    return f'<div><span class="mm-kind">{escape(kind.name)}</span></div>{style.hint(kind.summary)}'


def rows_of(node: Node, problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """Describe a node as rows of a table: its kind, parameters, inputs and problems."""
    rows = [("kind", node.kind), *((name, str(value)) for name, value in node.params)]
    inputs = ", ".join(wire.node for wire in node.inputs)
    rows += [("inputs", inputs)] if inputs else []
    return [*rows, *(("problem", str(p)) for p in problems if p.node == node.name)]
