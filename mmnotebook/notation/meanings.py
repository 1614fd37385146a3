"""What the names of pipelines that are taken into another stand for, there and here."""

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
    """A name that stands for two things.

    Attributes
    ----------
    name
        The name.
    pipeline
        The pipeline in which it stands for one of them.
    message
        What it stands for, and where.
    """

    name: str
    pipeline: str
    message: str

    @property
    def remedy(self) -> str:
        return f"give one of the two another name than {self.name}"


class Meanings:
    """The objects behind the names of pipelines that are taken in.

    Attributes
    ----------
    bindings
        The objects that those pipelines bring along.
    pipelines
        Their names, and those of the pipelines in them.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._meant: dict[str, tuple[Any, str]] = {}
        self.bindings: dict[str, Any] = {}
        self.pipelines: dict[str, None] = {}

    def take(self, called: str, pipeline: Graph, nodes: Iterable[Node]) -> list[Clash]:
        """Take in what the names in `nodes` of a pipeline stand for; the names that clash."""
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
        """The names that stand for something else in the pipeline that takes these in.

        Parameters
        ----------
        nodes
            Those that are its own.
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
