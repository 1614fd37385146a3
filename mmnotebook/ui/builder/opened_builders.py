"""The builders that `%mm_builder` opened, by variable."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakValueDictionary

from mmnotebook.compat.ipywidgets import is_open
from mmnotebook.graph.graph import Graph
from mmnotebook.ui.builder.builder import Builder

_open: WeakValueDictionary[str, Builder] = WeakValueDictionary()


def opened(name: str, graph: Graph | None, changed: Callable[[Graph], None]) -> Builder:
    """Return the open builder of a variable, updated to its graph, or create one.

    Parameters
    ----------
    name
        The name of the variable.
    graph
        Its graph, None if there is no such variable.
    changed
        Called with the graph after every change that leaves it without problems.
    """
    before = _open.get(name)
    if before is not None and is_open(before):
        if graph is not None:
            before.take(graph)
        return before
    builder = Builder(graph, name=name, changed=changed)
    _open[name] = builder
    return builder
