"""`parameter`: names of a graph that the caller of a run sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmnotebook.errors import RunError, nearest, shown
from mmnotebook.graph.graph import Graph


@dataclass(frozen=True)
class Parameter:
    """The value of a name that the caller of a run sets; `mm.parameter` creates it.

    Attributes
    ----------
    what
        What to set, in a few words: "path".
    """

    what: str

    def __repr__(self) -> str:
        return f"mm.parameter({self.what!r})"


def parameter(what: str = "path") -> Parameter:
    """Return a placeholder for data that the caller of a run sets by name.

    Parameters
    ----------
    what
        What to set, in a few words. Messages show it. Default: "path".

    Returns
    -------
    Parameter
        The placeholder, to be bound to the name of a source.

    Raises
    ------
    RunError
        If `what` is not text.

    See Also
    --------
    mmnotebook.run : Its `set=` sets the parameters of a graph.
    mmnotebook.open : Open a graph from a file.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("data | double", data=mm.parameter("path"), double=double)
    >>> try:
    ...     mm.run(graph, progress=False)
    ... except mm.RunError as error:
    ...     print(error.message)
    the parameter 'data' (path) is not set
    >>> mm.run(graph, set={"data": [1, 2]}, progress=False)["double"]["value"].tolist()
    [2, 4]
    """
    if not isinstance(what, str) or not what.strip():
        raise RunError(
            f"mm.parameter({shown(what)}); allowed: what to set, in words",
            remedy='mm.parameter("path")',
        )
    return Parameter(what)


def with_set(graph: Graph, values: Mapping[str, Any] | None) -> Graph:
    """Return the graph with these values bound to its names of data and functions.

    Raises
    ------
    RunError
        If a name is not the name of data or a function in the graph.
    """
    if values is None:
        return graph
    if not isinstance(values, Mapping):
        raise RunError(f"set={shown(values)}; allowed: a dict of values by name")
    names = {name for node in graph for name in (*node.data, *node.functions)}
    for name in values:
        if name not in names:
            raise _unknown(graph, name, sorted(names))
    return graph.bind(**values)


def _unknown(graph: Graph, name: Any, names: list[str]) -> RunError:
    if any(name in node.models for node in graph):
        return RunError(
            f"set= is for data and functions; {name!r} is a model",
            remedy=f'mm.register("{name}", model), or --model {name}=path on the command line',
        )
    close = nearest(str(name), names)
    return RunError(
        f"set={{{name!r}: ...}}: the graph uses no such name; allowed: {', '.join(names) or 'none'}"
        + (f"; did you mean {close!r}?" if close else "")
    )


def unset(name: str, value: Parameter, node: str) -> RunError:
    """Return the error for a parameter without a value."""
    return RunError(
        f"the parameter {name!r} ({value.what}) is not set",
        remedy=f"mm.run(graph, set={{{name!r}: ...}}), graph.bind({name}=...), "
        f"or --set {name}=... on the command line",
        node=node,
    )
