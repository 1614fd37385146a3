"""The objects to which the names in inlined pipelines refer."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from mmnotebook.errors import shown
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.names import Names

_NOTHING = object()


@dataclass(frozen=True)
class Clash:
    """A name that refers to two different objects.

    Attributes
    ----------
    name
        The name.
    pipeline
        The pipeline in which the name refers to the first of the two objects.
    message
        A message with the two objects, and with the pipeline of each.
    """

    name: str
    pipeline: str
    message: str

    @property
    def remedy(self) -> str:
        return f"rename one of the two, which are both {self.name}"


class Meanings:
    """The objects to which names in inlined pipelines refer.

    Attributes
    ----------
    bindings
        The objects that are bound in the inlined pipelines.
    pipelines
        The names of the inlined pipelines, and of the pipelines inlined into these pipelines.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._meant: dict[str, tuple[Any, str]] = {}
        self.bindings: dict[str, Any] = {}
        self.pipelines: dict[str, None] = {}

    def take(self, called: str, pipeline: Graph, nodes: Iterable[Node]) -> list[Clash]:
        """Record the objects to which names in `nodes` refer; return the names that clash."""
        self.pipelines.update(dict.fromkeys([called, *pipeline.pipelines]))
        found = []
        for name in _names(nodes):
            if name in pipeline.bindings:
                value = self.bindings[name] = pipeline.bindings[name]
            else:
                value = self._names.notebook.get(name, getattr(builtins, name, _NOTHING))
            if value is _NOTHING:
                continue
            other, where = self._meant.setdefault(name, (value, called))
            if not _same(value, other):
                found.append(_clash(name, called, value, f"in {where!r}", other))
        return found

    def own(self, nodes: Iterable[Node]) -> Iterator[Clash]:
        """Yield the names that refer to different objects in an inlined and in the outer pipeline.

        Parameters
        ----------
        nodes
            Nodes of the outer pipeline itself.
        """
        for name in dict.fromkeys([*self._names.given, *_names(nodes)]):
            if name not in self._meant:
                continue
            try:
                here = self._names.object(name)
            except KeyError:
                here = getattr(builtins, name, _NOTHING)
            value, called = self._meant[name]
            if here is not _NOTHING and not _same(value, here):
                yield _clash(name, called, value, "here", here)


def _names(nodes: Iterable[Node]) -> dict[str, None]:
    return dict.fromkeys(name for node in nodes for name in (*node.data, *node.functions))


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    return isinstance(one, (str, PurePath)) and type(one) is type(other) and bool(one == other)


def _clash(name: str, called: str, value: Any, where: str, other: Any) -> Clash:
    message = f"{name!r} is {shown(value)} in {called!r}, and {where} {shown(other)}"
    return Clash(name, called, message)
