"""Form fields of a model, validated while typing."""

from __future__ import annotations

import builtins
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from ipywidgets import Combobox, Dropdown, Layout, Text, VBox

from mmnotebook.errors import MMError, nearest, one_line
from mmnotebook.graph.checks import is_count
from mmnotebook.graph.models import registry
from mmnotebook.model import frameworks, settings
from mmnotebook.remote import addresses
from mmnotebook.ui.builder.controls import style
from mmnotebook.ui.builder.controls.editors import choose, offer
from mmnotebook.ui.builder.controls.fields import (
    InvalidInput,
    classes,
    could_be_models,
    existing,
    files,
    is_function,
    record_fields,
    split_names,
)
from mmnotebook.ui.builder.form import call_fields
from mmnotebook.ui.common import arguments

CAN_RUN_CODE = (".pkl", ".pickle", ".joblib", ".pt2")
_TRUST = "Loading such a file can run code: register only files that you trust."
VARIABLE, FILE = "a variable of the notebook", "a file"
AUTO = "detected automatically"
RAW, ARGMAX, FUNCTION = "as it is", "argmax: the highest score", "a function of the output"

Variables = Mapping[str, Any]


class ModelFields(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The fields of a model; `target` and `options` return the arguments of `register`.

    Parameters
    ----------
    variables
        Returns the variables of the notebook.
    changed
        Called after every change by the user.
    """

    def __init__(self, variables: Callable[[], Variables], changed: Callable[[], None]) -> None:
        self._variables, self._on_change = variables, changed
        self._refreshing = False
        self._lines: dict[str, Any] = {}
        self._make()
        super().__init__(self._parts(), layout=Layout(width="100%"))
        for name in (*self._lines, *call_fields.NAMES):
            getattr(self, name).observe(self._changed, "value")

    def _make(self) -> None:
        field = style.field
        self.name = field(Text, "name *", placeholder="mlp")
        self.source = field(Dropdown, "the model is *", options=[VARIABLE, FILE])
        self.variable = field(Dropdown, "variable *", options=[("choose …", "")])
        self.path = field(Combobox, "file *", placeholder="model.pt")
        self.framework = field(Dropdown, "framework", options=_frameworks())
        self.model_class = field(Combobox, "class, for a file of weights", placeholder="Net")
        self.model_params = field(Text, "arguments of the class", placeholder='{"hidden": 64}')
        self.input = field(Combobox, "input: field, or fields", placeholder="the whole value")
        self.batch = field(Text, "batch size", placeholder="64, or that of a handler")
        self.device = field(Dropdown, "device", options=["CPU", "GPU"])
        self.output = field(Dropdown, "output", options=[RAW, ARGMAX, FUNCTION])
        self.function = field(Combobox, "function of one output", placeholder="name")
        self.call = call_fields.CallFields(self._variables, _callable)
        for name in call_fields.NAMES:
            setattr(self, name, getattr(self.call, name))

    def _parts(self) -> Sequence[Any]:
        parts = []
        for name in _FIELDS:
            self._lines[name] = style.note()
            parts += [getattr(self, name), self._lines[name]]
        return [*parts, self.call]

    def message(self, name: str) -> str:
        """Return the message below a field, as HTML."""
        return str(self._lines[name].value)

    def refresh(self) -> None:
        """Update the options of the fields."""
        variables = self._variables()
        self._refreshing = True
        try:
            found = could_be_models(variables)
            options = [("choose …" if found else "none in the notebook", "")]
            options += [(f"{name}: {type(variables[name]).__name__}", name) for name in found]
            known = self.variable.value if self.variable.value in found else ""
            choose(self.variable, options, known, "not found")
            offer(self.path, files())
            offer(self.model_class, classes(variables))
            offer(self.function, _functions(variables))
            self.call.refresh(_functions(variables))
        finally:
            self._refreshing = False
        self.check()

    def suggest(self, example: Any) -> None:
        """Suggest the fields of this data as input."""
        offer(self.input, record_fields(example))

    def check(self) -> dict[str, str]:
        """Show the error of each field below it, and return the errors by field."""
        self._show_relevant_fields()
        wrong: dict[str, str] = {}
        for name in _FIELDS:
            text = ""
            try:
                text = self._checks[name](self) or ""
            except (InvalidInput, MMError) as error:
                wrong[name] = error.message if isinstance(error, MMError) else str(error)
                # An empty field shows no error: its label is marked with an asterisk.
                text = style.error(wrong[name]) if self._filled(name) else ""
            style.put(self._lines[name], text)
        return wrong | self.call.check()

    def _filled(self, name: str) -> bool:
        return bool(str(getattr(self, name).value).strip())

    def _show_relevant_fields(self) -> None:
        file = self.source.value == FILE
        for name, shown in {
            "variable": not file,
            "path": file,
            "model_class": file,
            "model_params": file and bool(self.model_class.value.strip()),
            "function": self.output.value == FUNCTION,
        }.items():
            style.show_if(getattr(self, name), shown)
            style.show_if(self._lines[name], shown)

    def _changed(self, *_: Any) -> None:
        if not self._refreshing:
            self._on_change()

    def target(self) -> Any:
        """Return the model itself, or the path of its file."""
        if self.source.value == FILE:
            return self.path.value.strip()
        if not self.variable.value:
            raise InvalidInput("choose the variable that holds the model")
        variables = self._variables()
        if self.variable.value not in variables:
            raise InvalidInput(f"{self.variable.value!r} is no longer a variable of the notebook")
        return variables[self.variable.value]

    def options(self) -> dict[str, Any]:
        """Return the options of `register` that differ from their defaults."""
        made: dict[str, Any] = {
            "framework": self._framework(),
            "input": self._fields(),
            "batch_size": self._batch(),
            "device": self.device.value,
            "output": self._output(),
        }
        if self.source.value == FILE and self.model_class.value.strip():
            made |= {"model_class": self._class(), "model_params": self._params()}
        made |= self.call.options()
        return {name: value for name, value in made.items() if value is not None}

    # The values of the fields; each method raises InvalidInput if the field is not valid.

    def _check_name(self) -> str:
        name = self.name.value.strip()
        settings.check_name(name)
        before = registry.get(name)
        return "" if before is None else style.hint(f"replaces {before!r}")

    def _check_variable(self) -> None:
        if self.source.value == VARIABLE:
            self.target()

    def _check_path(self) -> str:
        if self.source.value != FILE:
            return ""
        text = self.path.value.strip()
        if not text:
            raise InvalidInput("expected the path of a file")
        if addresses.is_remote(text):
            return style.hint("an address: the file is copied when it is registered")
        path = existing(text)
        if path is None:
            framework = self._framework()
            if framework is not None and frameworks.by_name(framework).named:
                return style.hint("not a file: passed to the framework as a name")
            close = nearest(text, files())
            raise InvalidInput(
                "there is no such file" + (f"; did you mean {close!r}?" if close else "")
            )
        if path.suffix.lower() in CAN_RUN_CODE:
            return style.warning(_TRUST)
        if path.is_dir():
            return style.hint("a folder")
        return style.hint(f"a file of {path.stat().st_size:,} bytes")

    def _framework(self) -> str | None:
        return None if self.framework.value == AUTO else str(self.framework.value)

    def _check_framework(self) -> str:
        name = self._framework()
        return "" if name is None else style.hint(frameworks.by_name(name).words)

    def _class(self) -> Any:
        text = self.model_class.value.strip()
        return _callable(text, self._variables(), "class") if text else None

    def _check_class(self) -> None:
        if self.source.value == FILE:
            self._class()

    def _params(self) -> dict[str, Any]:
        text = self.model_params.value.strip()
        try:
            return arguments.params(text) if text else {}
        except ArgumentTypeError as error:
            raise InvalidInput(str(error)) from None

    def _check_params(self) -> None:
        if self.source.value == FILE:
            self._params()

    def _fields(self) -> str | tuple[str, ...] | None:
        names = split_names(self.input.value)
        return (names[0] if len(names) == 1 else names) if names else None

    def _check_input(self) -> None:
        self._fields()

    def _batch(self) -> int | None:
        text = self.batch.value.strip()
        if text and not (text.isdecimal() and is_count(int(text))):
            raise InvalidInput("expected a positive integer, or an empty field")
        return int(text) if text else None

    def _check_batch(self) -> None:
        self._batch()

    def _check_device(self) -> None:
        name = self._framework()
        devices = ("CPU", "GPU") if name is None else frameworks.by_name(name).devices
        if self.device.value not in devices:
            raise InvalidInput(f"{name} runs on the {' or '.join(devices)}")

    def _output(self) -> Any:
        if self.output.value != FUNCTION:
            return "argmax" if self.output.value == ARGMAX else None
        text = self.function.value.strip()
        if not text:
            raise InvalidInput("expected the name of a function")
        return _callable(text, self._variables(), "function")

    def _check_function(self) -> None:
        self._output()

    _checks: Mapping[str, Callable[[ModelFields], Any]] = {
        "name": _check_name,
        "source": lambda self: None,
        "variable": _check_variable,
        "path": _check_path,
        "framework": _check_framework,
        "model_class": _check_class,
        "model_params": _check_params,
        "input": _check_input,
        "batch": _check_batch,
        "device": _check_device,
        "output": lambda self: None,
        "function": _check_function,
    }


_FIELDS = tuple(ModelFields._checks)


def _frameworks() -> list[str]:
    return [AUTO, *(framework.name for framework in frameworks.every())]


def _functions(variables: Variables) -> list[str]:
    return [name for name, value in variables.items() if name[0] != "_" and is_function(value)]


def _callable(text: str, variables: Variables, kind: str) -> Any:
    """Return the object that `Net` or `torch.nn.Linear` refers to in the notebook."""
    first, *rest = text.split(".")
    try:
        value = variables[first] if first in variables else getattr(builtins, first)
        value = reduce(getattr, rest, value)
    except AttributeError:
        close = nearest(text, variables)
        meant = f"; did you mean {close!r}?" if close else ""
        raise InvalidInput(f"no {kind} is named {text!r} in the notebook{meant}") from None
    except Exception as error:  # a module may raise anything when it loads an attribute
        raise InvalidInput(f"{text!r} cannot be looked up: {one_line(error)}") from error
    if not callable(value):
        raise InvalidInput(f"{text!r} is not a {kind}: it is a {type(value).__name__}")
    return value
