"""Editors with rows: branches, branches with fractions, and mappings of keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ipywidgets import Dropdown, FloatText, HBox, Layout, Text

from mmnotebook.graph import checks
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.editors import choose
from mmnotebook.ui.builder.controls.fields import Context, InvalidInput, join_names, split_names
from mmnotebook.ui.builder.controls.parameter import SingleEditor
from mmnotebook.ui.builder.controls.style import button, named, put
from mmnotebook.ui.common.close_widgets import discard

_LEAST_ARMS = 2


class RowsEditor(SingleEditor):
    """Edits several values, each in a row of controls; has buttons to add and remove rows."""

    _add_words = "Add"
    _columns = ""

    def _controls(self) -> Sequence[Any]:
        self.rows: list[Any] = []
        title = style.note()
        columns = f" <small>{self._columns}</small>" if self._columns else ""
        title.value = f"<b>{self.title}</b>{columns}"
        self._box = HBox(layout=Layout(flex_flow="column", width="100%"))
        self.add = button(self._add_words, f"add a row to {self.param.name}", "plus")
        self.add.on_click(self._added)
        return [title, self._box, HBox([self.add, *self._buttons()])]

    def _buttons(self) -> Sequence[Any]:
        return []

    def _row(self, place: int) -> Sequence[Any]:
        """Create the controls of a new row."""
        raise NotImplementedError

    def _fill(self, row: Any, value: Any) -> None:
        raise NotImplementedError

    def _value(self, row: Any) -> Any:
        raise NotImplementedError

    def _put(self, value: Any) -> None:
        pairs = value if isinstance(value, tuple) else ()
        self._resize(len(pairs))
        for row, part in zip(self.rows, pairs, strict=True):
            self._fill(row, part)

    def _take(self) -> Any:
        return tuple(map(self._value, self.rows)) or None

    def _resize(self, count: int) -> None:
        """Set the number of rows; remaining rows keep their controls."""
        if count == len(self.rows):
            return
        removed = self.rows[count:]
        del self.rows[count:]
        while len(self.rows) < count:
            self.rows.append(self._made(len(self.rows)))
        self._box.children = tuple(self.rows)
        for row in removed:
            discard(row)

    def _made(self, place: int) -> Any:
        controls = list(self._row(place))
        for control in controls:
            control.observe(self._changed, "value")
        remove = button("", f"remove this row of {self.param.name}", "times", width="32px")
        row = style.row(*controls, remove)
        remove.on_click(lambda _: self._removed(row))
        return row

    def _added(self, _: Any) -> None:
        with self._quietly():
            self._resize(len(self.rows) + 1)
        self.rows[-1].children[0].focus()
        self._changed()

    def _removed(self, row: Any) -> None:
        self.rows = [other for other in self.rows if other is not row]
        self._box.children = tuple(self.rows)
        discard(row)
        self._changed()

    def focus_first(self) -> None:
        (self.rows[0].children[0] if self.rows else self.add).focus()

    def _new_arm(self) -> str:
        """Return an unused name for a branch: the next letter."""
        taken = {row.children[0].value for row in self.rows}
        letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
        numbered = (f"arm_{count}" for count in range(1, len(taken) + 2))
        return next(name for name in [*letters, *numbered] if name not in taken)

    def _check_names(self, names: Sequence[str]) -> None:
        for place, name in enumerate(names):
            if not checks.is_name(name):
                raise InvalidInput(f"{name!r} is not a valid name: {checks.NAMING}")
            if name in names[:place]:
                raise InvalidInput(f"two branches are named {name!r}")
        if len(names) < _LEAST_ARMS:
            raise InvalidInput("at least two branches are needed")


class ArmsEditor(RowsEditor):
    """Edits the names of a switch's branches."""

    _add_words = "Add branch"

    def _row(self, place: int) -> Sequence[Any]:
        return [named(Text, f"name of branch {place + 1}", self._new_arm(), layout=_free())]

    def _fill(self, row: Any, value: Any) -> None:
        put(row.children[0], value)

    def _value(self, row: Any) -> Any:
        return row.children[0].value.strip()

    def _take(self) -> Any:
        names = super()._take()
        self._check_names(names or ())
        return names


class WeightsEditor(RowsEditor):
    """Edits the branches of a split, each with its fraction."""

    _add_words = "Add branch"
    _columns = "branch, fraction of the elements"

    def _buttons(self) -> Sequence[Any]:
        self.even = button("Even", "the same fraction for every branch")
        self.normalize = button("Sum to 1", "scale the fractions so that they add up to 1")
        self.even.on_click(lambda _: self._set([1.0] * len(self.rows)))
        self.normalize.on_click(lambda _: self._set(self._parts()))
        return [self.even, self.normalize]

    def _row(self, place: int) -> Sequence[Any]:
        name = named(Text, f"name of branch {place + 1}", self._new_arm(), layout=_free())
        layout = Layout(width="76px")
        part = named(FloatText, f"fraction of branch {place + 1}", 0.0, step=0.05, layout=layout)
        return [name, part]

    def _fill(self, row: Any, value: Any) -> None:
        put(row.children[0], value[0])
        put(row.children[1], float(value[1]))

    def _value(self, row: Any) -> Any:
        return row.children[0].value.strip(), row.children[1].value

    def _take(self) -> Any:
        pairs = super()._take() or ()
        self._check_names([name for name, _ in pairs])
        wrong = [name for name, part in pairs if not 0 < part <= 1]
        if wrong:
            raise InvalidInput(
                f"the fraction of {wrong[0]!r} must be above 0, and at most 1; {self._sum()}"
            )
        if not checks.is_weights(pairs):
            raise InvalidInput(f"{self._sum()}, not 1: press “Sum to 1”, or change a fraction")
        return pairs

    def _parts(self) -> list[float]:
        return [row.children[1].value for row in self.rows]

    def _sum(self) -> str:
        return f"they add up to {sum(self._parts()):.6g}"

    def _hint(self) -> str:
        return self._sum() if self.rows else ""

    def _set(self, parts: Sequence[float]) -> None:
        """Set fractions that have these ratios and add up to 1."""
        with self._quietly():
            for row, part in zip(self.rows, shares(parts), strict=True):
                put(row.children[1], part)
        self._changed()


def shares(parts: Sequence[float]) -> list[float]:
    """Return fractions that have these ratios and add up to 1, with as few digits as possible."""
    good = [part if 0 < part < float("inf") else 0.0 for part in parts]
    if not sum(good):
        good = [1.0] * len(parts)
    least = min(part for part in good if part) / sum(good)
    digits = max(4, 3 - math.floor(math.log10(least)))
    rounded = [round(part / sum(good), digits) for part in good]
    if rounded:
        largest = rounded.index(max(rounded))
        rounded[largest] = round(rounded[largest] + 1 - sum(rounded), digits)
    return rounded


class MappingEditor(RowsEditor):
    """Edits which model or branch each key is mapped to."""

    _add_words = "Add keys"
    _targets: Sequence[str] = ()

    def _controls(self) -> Sequence[Any]:
        models = self.param.names == "model"
        self._columns = "keys, model" if models else "ids, branch"
        self._marked = "not registered" if models else "not a branch"
        return super()._controls()

    def _offer(self, context: Context) -> None:
        models = self.param.names == "model"
        self._targets = context.models() if models else context.node.arms
        for row in self.rows:
            self._point(row.children[1], row.children[1].value)

    def _row(self, place: int) -> Sequence[Any]:
        words = f"row {place + 1}: keys, separated by commas"
        keys = named(Text, words, layout=_free())
        keys.placeholder = "key, key"
        words = f"row {place + 1}: the model or branch of these keys"
        target = named(Dropdown, words, layout=_free())
        self._point(target, "")
        return [keys, target]

    def _point(self, target: Any, name: str | None) -> None:
        options = [("choose …", ""), *((name, name) for name in self._targets)]
        with self._quietly():
            choose(target, options, name or "", self._marked)

    def _fill(self, row: Any, value: Any) -> None:
        keys, target = row.children[:2]
        if _keys_of(keys.value) != value[0]:
            keys.value = join_names(value[0])
        self._point(target, value[1])

    def _value(self, row: Any) -> Any:
        keys, target = (control.value for control in row.children[:2])
        found = split_names(keys)
        if not found or not target:
            raise InvalidInput(
                f"row {self.rows.index(row) + 1} needs keys and their model or branch"
            )
        return found, target


def _keys_of(text: str) -> tuple[str, ...] | None:
    try:
        return split_names(text)
    except InvalidInput:
        return None


def _free() -> Layout:
    """Return the layout of a control that takes the remaining width."""
    return Layout(flex="1 1 0", min_width="0", width="auto")
