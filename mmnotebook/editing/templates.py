"""Patterns of several steps that are added at once, with what is not given left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmnotebook.editing import fields, nodes, placing
from mmnotebook.editing.document import Document, Edit, refused
from mmnotebook.editing.fields import Command
from mmnotebook.graph import checks
from mmnotebook.graph.graph import Gather, Graph, Input, Node


@dataclass(frozen=True)
class Template:
    """A pattern.

    Attributes
    ----------
    name
        As the command has it.
    title, summary
        What it is called, and what it does in one line.
    roles
        What it can be filled with: "data", one name; "models", a list of names; "function".
    """

    name: str
    title: str
    summary: str
    roles: tuple[str, ...] = ("data", "models")


TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        Template("ab_split", "A/B split", "part of the data to one model, the rest to the other"),
        Template("mirror", "Mirror", "all data to both models"),
        Template(
            "sequence",
            "Sequence",
            "one model's output, through a function, into the next",
            ("data", "models", "function"),
        ),
        Template("keyed", "Model per key", "a field of the element, or the key of a pair, chooses"),
        Template("ensemble", "Ensemble", "several models vote on each element"),
        Template("cascade", "Cascade", "a small model first; what it is unsure of to a big one"),
    )
}


@dataclass(frozen=True)
class Fill:
    """What a template is filled with; what is not given is None or ()."""

    data: str | None
    models: tuple[str, ...]
    function: str | None

    def several(self, count: int) -> tuple[str | None, ...]:
        """The models, as many as there are, or as the template has at least."""
        return (*self.models, *[None] * (count - len(self.models)))


class _Sketch:
    """The nodes of a template as they are made, beside those of a document."""

    def __init__(self, document: Document) -> None:
        self._there = document.graph
        self._taken = document.taken
        self.nodes: list[Node] = []

    def add(
        self, kind: str, inputs: tuple[Input, ...] = (), gather: Gather | None = None, **params: Any
    ) -> Input:
        """What comes out of a new node."""
        node = nodes.made(kind, params, self._taken)
        self._taken.add(node.name)
        self.nodes.append(Node(node.name, kind, node.params, inputs, gather))
        return Input(node.name)

    def source(self, data: str | None) -> Input:
        """Data, which is there once."""
        wanted = (("data", data),)
        for node in self._there:
            if node.kind == "source" and node.params == wanted:
                return Input(node.name)
        return self.add("source", data=data)


def template(document: Document, command: Command) -> Edit:
    name = fields.text(command, "name")
    if name not in TEMPLATES:
        raise refused(f"there is no template {name!r}", name, known=TEMPLATES)
    fill, sketch = _fill(fields.fields(command, "fill")), _Sketch(document)
    data = sketch.source(fill.data)
    _MAKERS[name](sketch, data, fill)
    new = tuple(node.name for node in sketch.nodes)
    block = placing.arranged(nodes.part(Graph(tuple(sketch.nodes)), new))
    corner = fields.place(command, "at") or placing.beside(data.node, document.places)
    block = placing.shifted(placing.at_corner(block, corner), document.places.values())
    return Edit(document.grown(sketch.nodes, block), f"add {TEMPLATES[name].title}", new)


def _fill(given: Mapping[str, Any]) -> Fill:
    roles = {"op": "template", **given}
    data, function = (fields.text_or_none(roles, role) for role in ("data", "function"))
    return Fill(data, fields.texts(roles, "models"), function)


def _ab_split(sketch: _Sketch, data: Input, fill: Fill) -> None:
    models = fill.several(2)
    names = [model or "ab"[n % 2] for n, model in enumerate(models)]
    arms = (
        names if len(set(names)) == len(names) and all(map(checks.is_name, names)) else ["a", "b"]
    )
    part = round(1 / len(arms), 2)
    parts = [round(1 - part * (len(arms) - 1), 2), *[part] * (len(arms) - 1)]
    split = sketch.add("split", (data,), arms=tuple(zip(arms, parts, strict=True)))
    for arm, model in zip(arms, models, strict=True):
        sketch.add("model", (Input(split.node, arm),), model=model)


def _mirror(sketch: _Sketch, data: Input, fill: Fill) -> None:
    for model in fill.several(2):
        sketch.add("model", (data,), model=model)


def _sequence(sketch: _Sketch, data: Input, fill: Fill) -> None:
    first, *others = fill.several(2)
    end = sketch.add("model", (data,), model=first)
    for model in others:
        end = sketch.add("map", (end,), function=fill.function)
        end = sketch.add("model", (end,), model=model)


def _keyed(sketch: _Sketch, data: Input, fill: Fill) -> None:
    models = [((f"KEY_{n}",), model) for n, model in enumerate(fill.models, 1)]
    sketch.add("keyed", (data,), models=models or None)


def _ensemble(sketch: _Sketch, data: Input, fill: Fill) -> None:
    ends = [sketch.add("model", (data,), model=model) for model in fill.several(3)]
    sketch.add("vote", tuple(ends), "join")


def _cascade(sketch: _Sketch, data: Input, fill: Fill) -> None:
    small, big = fill.several(2)[:2]
    sketch.add("cascade", (data,), small=small, big=big, below=0.8)


_MAKERS: Mapping[str, Callable[[_Sketch, Input, Fill], None]] = {
    "ab_split": _ab_split,
    "mirror": _mirror,
    "sequence": _sequence,
    "keyed": _keyed,
    "ensemble": _ensemble,
    "cascade": _cascade,
}
