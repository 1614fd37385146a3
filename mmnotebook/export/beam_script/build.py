"""The function `build` of a script: its statements, and what they use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from mmnotebook.beam.prepare import Prepared
from mmnotebook.export.beam_script import models
from mmnotebook.export.beam_script.code import Code
from mmnotebook.export.beam_script.models import StockModel
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph import field_selection
from mmnotebook.graph.field_selection import Select
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.graph.models import ModelSpec


class Build:
    """The statements of `build`, and the code and the models that they use.

    Attributes
    ----------
    graph, prepared
        The graph, and the objects behind its names.
    code
        The imports, the user's code and the helpers.
    lines
        The statements.
    inputs
        The source of the functions that return inputs of models.
    files
        The content of the models' files, by name.
    """

    def __init__(self, graph: Graph, prepared: Prepared) -> None:
        self.graph, self.prepared, self.code = graph, prepared, Code()
        self.lines: list[str] = []
        self.inputs: list[str] = []
        self.files: dict[str, bytes] = {}
        self._models: dict[str, StockModel] = {}
        self._add_functions()

    def _add_functions(self) -> None:
        """Add the user's functions before any helper, so that they keep their names."""
        specs = self.prepared.models.values()
        options = (one for spec in specs for one in (spec.preprocess, spec.output))
        given = ((getattr(one, "__name__", ""), one) for one in options if callable(one))
        for name, function in (*self.prepared.functions.items(), *given):
            with contextlib.suppress(NotWritable):  # the step that uses it raises this again
                self.code.add(name, function)

    def function(self, name: str) -> str:
        """Add a function of the graph; return its name."""
        return self.code.add(name, self.prepared.functions[name])

    def model(self, name: str) -> StockModel:
        """Return how plain Beam runs a model of the graph."""
        if name not in self._models:
            try:
                self._models[name] = models.stock(self.spec(name), self.code)
            except NotWritable as error:
                raise NotWritable(f"the model {name!r}: {error}") from error
            self.files[self._models[name].file] = self._models[name].content
        return self._models[name]

    def spec(self, name: str) -> ModelSpec:
        """Return the registered model with this name."""
        return self.prepared.models[name]

    def given(self, node: Node) -> tuple[str, Select]:
        """Return the expression of a node's input, and what the node selects from each value."""
        if node.gather == "join":
            return self._joined(node), None
        if len(node.inputs) == 1:
            return ref(node.inputs[0]), node.inputs[0].select
        parts = [self._selected(node, place) for place in range(len(node.inputs))]
        return f'({", ".join(parts)}) | "{node.name}: union" >> beam.Flatten()', None

    def whole(self, node: Node) -> str:
        """Return the expression of a node's input, with the selected fields as values."""
        given, select = self.given(node)
        return given if select is None else self._picked(given, f"{node.name}: select", select)

    def failing(self, node: Node, expression: str, name: str | None = None) -> None:
        """Add the statement of transforms that may fail; `expression` ends with the last one."""
        key = name or node.name
        target = f"nodes[{key!r}], failed[{key!r}]"
        self.lines.append(f"{target} = {expression}.with_exception_handling()")

    def input_of(self, name: str, model: str, node: Node, select: Select, start: str) -> str | None:
        """Add a function that returns a model's input; return its name, or None for none.

        Parameters
        ----------
        start
            The expression of the value from which the fields are selected.
        """
        expression = self.example(model, node, select, start)
        if expression == "value":
            return None
        words = f"Return the input of the model {model!r}."
        body = f'    """{words}"""\n    return {expression}\n'
        return self.defined(name, f"def {{name}}(value):\n{body}")

    def defined(self, wanted: str, source: str) -> str:
        """Add the source of a function of the script, under a free name; return the name."""
        name = self.code.free(wanted)
        self.inputs.append(source.replace("{name}", name))
        return name

    def example(self, model: str, node: Node, select: Select, start: str = "value") -> str:
        """Return the expression of a model's input for the expression of a value."""
        spec, expression = self.spec(model), start
        if node.gather == "join":
            raise NotWritable("a model takes no joined outputs; put a function before it")
        if select is not None:
            expression = self._pick(expression, select)
        elif any(self.predicts(self.graph[wire.node]) for wire in node.inputs):
            expression = f"{self.code.helper('inference')}({expression})"
        if spec.input is not None:
            expression = self._pick(expression, spec.input)
        if spec.preprocess is not None:
            expression = f"{self.named(spec.preprocess)}({expression})"
        return self.model(model).convert(expression)

    def predicts(self, node: Node) -> bool:
        """Return whether the values of a node are predictions."""
        if node.step.family == "model":
            return True
        passes = node.step.passes_on or node.step.outputs == "one or none"
        return passes and any(self.predicts(self.graph[wire.node]) for wire in node.inputs)

    def has_fields(self, node: Node) -> bool:
        """Return whether the values of a node are the records of a source."""
        if not node.inputs:
            return True
        passes = node.step.passes_on or node.step.outputs == "one or none"
        whole = all(wire.select is None for wire in node.inputs) and node.gather != "join"
        return passes and whole and all(self.has_fields(self.graph[w.node]) for w in node.inputs)

    def output_of(self, model: str) -> str | None:
        """Return the name of the function of a model's raw output; None for none."""
        output = self.spec(model).output
        if output is None:
            return None
        return self.code.helper("argmax") if output == "argmax" else self.named(output)

    def named(self, function: Callable[..., Any]) -> str:
        """Add a function under its own name; return the name."""
        name = getattr(function, "__name__", None)
        if name is None or not name.isidentifier():
            raise NotWritable(f"{function!r} has no name")
        return self.code.add(name, function)

    def _pick(self, expression: str, select: Select) -> str:
        return f"{self.code.helper('pick')}({expression}, {field_selection.to_data(select)!r})"

    def _picked(self, given: str, label: str, select: Select) -> str:
        helper = self.code.helper("picked")
        data = field_selection.to_data(select)
        return f"{given} | {label!r} >> beam.Map({helper}, {data!r})"

    def _selected(self, node: Node, place: int) -> str:
        wire = node.inputs[place]
        if wire.select is None:
            return ref(wire)
        return f"({self._picked(ref(wire), f'{node.name}: select {place}', wire.select)})"

    def _joined(self, node: Node) -> str:
        keys = [wire.key for wire in node.inputs]
        parts = [self._selected(node, place) for place in range(len(keys))]
        items = ", ".join(f"{key!r}: {part}" for key, part in zip(keys, parts, strict=True))
        missing = dict(node.params).get("missing", "fail")
        name = f"{node.name}: join"
        helper = self.code.helper("joined")
        groups = f"{{{items}}} | {f'{name} by id'!r} >> beam.CoGroupByKey()"
        self.failing(
            node, f"{groups} | {name!r} >> beam.FlatMap({helper}, {keys!r}, {missing!r})", name
        )
        return f"nodes.pop({name!r})"


def ref(wire: Input) -> str:
    """Return the expression of the PCollection at the start of a wire."""
    name = wire.node if wire.port is None else f"{wire.node}.{wire.port}"
    return f"nodes[{name!r}]"
