"""The editor of a node's inputs: selection, key and gather mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from ipywidgets import HTML, Combobox, Dropdown, HBox, Layout, Text, VBox

from mmnotebook.graph import field_selection
from mmnotebook.graph.graph import Input
from mmnotebook.graph.kinds import KINDS
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.editors import offer
from mmnotebook.ui.builder.controls.fields import Context, InvalidInput, read_select, select_text
from mmnotebook.ui.builder.controls.quiet import Quiet
from mmnotebook.ui.builder.controls.style import button, put, show_if
from mmnotebook.ui.common.close_widgets import discard

Edit = Callable[[dict[str, Any]], "str | None"]
End = tuple[str, str | None] | tuple[str, str | None, str]
"""An output; for all but the first wire from it, also the key of the wire."""
_GATHERS = [
    ("join: the outputs for one element together", "join"),
    ("union: each element separately", "union"),
]


class WireEditor(Quiet):
    """Edits one input: its selected fields and its key in a join; has a button to remove it."""

    def __init__(self, edit: Edit) -> None:
        self._apply = edit
        self._wire: Input | None = None
        self._target = ""
        self._one_of_several = False
        self._name = HTML(layout=Layout(flex="1 1 0", min_width="0"))
        self.cut = button("", "disconnect this input", "chain-broken", width="34px")
        self.select = style.field(Combobox, "field, or fields", continuous_update=False)
        self.select.placeholder = "the whole value"
        self.label = style.field(Text, "key in the join", continuous_update=False)
        self._line = style.note()
        self.cut.on_click(self._disconnect)
        self.select.observe(self._changed, "value")
        self.label.observe(self._changed, "value")
        parts = [HBox([self._name, self.cut]), self.select, self.label, self._line]
        super().__init__(parts, layout=Layout(width="100%"))

    @property
    def message(self) -> str:
        """The message below the controls, as HTML."""
        return str(self._line.value)

    def show(self, wire: Input, context: Context) -> None:
        """Show a wire; if it has not changed, its controls are not updated."""
        source = wire.node if wire.port is None else f"{wire.node}.{wire.port}"
        ends = [(other.node, other.port) for other in context.node.inputs]
        self._one_of_several = ends.count((wire.node, wire.port)) > 1
        with self._quietly():
            style.put(self._name, f"<b>{escape(source)}</b> →")
            put(self.cut, f"disconnect {source}", "tooltip")
            offer(self.select, context.flowing(wire))
            show_if(self.label, context.node.gather == "join")
            put(self.label, wire.node, "placeholder")
            if wire != self._wire:
                self._write(wire)
        self._wire, self._target = wire, context.node.name

    def _write(self, wire: Input) -> None:
        before = self._wire
        if before is None or before.select != wire.select:
            put(self.select, select_text(wire.select))
        put(self.label, wire.label or "")
        style.put(self._line, "")

    def _changed(self, *_: Any) -> None:
        wire = self._wire
        if wire is None or not self._by_user:
            return
        try:
            select = read_select(self.select.value)
        except InvalidInput as wrong:
            style.put(self._line, style.error(str(wrong)))
            return
        label = self.label.value.strip() or None
        new = Input(wire.node, wire.port, select, label).labelled(label)
        style.put(self._line, "")
        if new == wire:
            return
        end = {"source": wire.node, "port": wire.port, "target": self._target}
        chosen = field_selection.to_data(select)
        command = {"op": "wire", **end, "select": chosen, "label": new.label}
        if self._one_of_several:
            command["key"] = wire.key
        self._show_error(self._apply(command))

    def _disconnect(self, _: Any) -> None:
        if self._wire is not None:
            end = [self._wire.node, self._wire.port, self._target]
            self._show_error(self._apply({"op": "disconnect", "wires": [end]}))

    def _show_error(self, refused: str | None) -> None:
        if refused is not None:
            style.put(self._line, style.error(refused))


class InputsEditor(Quiet):
    """Edits all inputs of a node, and how several inputs are combined."""

    def __init__(self, edit: Edit) -> None:
        self._apply = edit
        self._target = ""
        self.wires: dict[End, WireEditor] = {}
        self._title = HTML("<h4>Inputs</h4>")
        self.gather = style.field(Dropdown, "several inputs are", options=_GATHERS)
        self.gather.observe(self._gathered, "value")
        self._rows = VBox()
        self._line = style.note()
        super().__init__([self._title, self._rows, self.gather, self._line])

    @property
    def message(self) -> str:
        """The message below the controls, as HTML."""
        return str(self._line.value)

    def show(self, context: Context) -> None:
        """Show the inputs of the node; the controls of known wires are reused."""
        node, kind = context.node, KINDS[context.node.kind]
        with self._quietly():
            show_if(self, kind.inputs != "none")
            several = len(node.inputs) > 1 and kind.inputs != "join"
            show_if(self.gather, several)
            if node.gather is not None:
                put(self.gather, node.gather)
            style.put(self._line, "" if node.inputs else style.hint("no input yet"))
            self._show_wires(context)
        self._target = node.name

    def _show_wires(self, context: Context) -> None:
        wanted = _by_end(context.node.inputs)
        removed = [editor for end, editor in self.wires.items() if end not in wanted]
        self.wires = {end: self.wires.get(end) or WireEditor(self._apply) for end in wanted}
        for end, editor in self.wires.items():
            editor.show(wanted[end], context)
        rows = tuple(self.wires.values())
        if self._rows.children != rows:
            self._rows.children = rows
        for editor in removed:
            discard(editor)

    def _gathered(self, change: Any) -> None:
        if not self._by_user:
            return
        refused = self._apply({"op": "gather", "node": self._target, "gather": change["new"]})
        if refused is not None:
            with self._quietly():
                put(self.gather, change["old"])
            style.put(self._line, style.error(refused))


def _by_end(wires: Iterable[Input]) -> dict[End, Input]:
    """Return the wires by output; of several from one output, all but the first also by key."""
    found: dict[End, Input] = {}
    for wire in wires:
        end = (wire.node, wire.port)
        found[(*end, wire.key) if end in found else end] = wire
    return found
