"""The `.mmgraph` file: a graph, and in sections of their own what belongs to it.

The file is JSON: each node, place, note and registration is one line, in the order of the graph.
Sections without content are left out. Reading a file runs no code and opens no other file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

from mmnotebook.errors import GraphError, MMError, Problem, one_line, shown
from mmnotebook.export import registrations
from mmnotebook.graph import json_format
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.parameters import Parameter

VERSION = 1
ENDING = ".mmgraph"
LARGEST = 64 << 20
"""The maximum size of a file in bytes."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_REWRITE = "write it with mm.export.graph(graph, path)"


@dataclass(frozen=True)
class GraphFile:
    """The content of a `.mmgraph` file.

    Attributes
    ----------
    graph
        The graph; names that were bound to parameters are bound to parameters again.
    layout
        The top-left corner of nodes on a canvas, by node name, in canvas units.
    notes
        Text of the user about nodes and groups, by name.
    registrations
        How each model was registered, by model name: options that are plain values, and the digest
        of its content. Nothing is registered when the file is read.
    """

    graph: Graph
    layout: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    registrations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def graph(
    graph: Graph,
    path: str | PathLike[str],
    *,
    layout: Mapping[str, tuple[float, float]] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Write a graph to a `.mmgraph` file, which `mm.open` reads.

    The file has the graph, its parameters, and how its models are registered. It contains no data,
    no functions and no models.

    Parameters
    ----------
    graph
        The graph.
    path
        The path of the file; ".mmgraph" is appended if it has no ending.
    layout
        The top-left corner of nodes on a canvas, by node name. Default: none.
    notes
        Text about nodes and groups, by name. Default: none.

    Returns
    -------
    Path
        The path of the written file.

    Raises
    ------
    GraphError
        If the graph is not valid, `layout` or `notes` names an unknown node, or the file cannot be
        written.

    See Also
    --------
    mmnotebook.open : The reverse.
    mmnotebook.Graph.to_json : The graph alone, as JSON text.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("data | double", data=mm.parameter("path"), double=double)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = mm.export.graph(graph, Path(folder) / "double.mmgraph")
    ...     opened = mm.open(path)
    >>> opened == graph
    True
    >>> opened.bindings
    {'data': mm.parameter('path')}
    """
    if not isinstance(graph, Graph):
        raise GraphError([Problem("expected a graph", found=shown(graph))])
    known = registrations.of_graph(graph)
    file = GraphFile(graph.validate(), layout or {}, notes or {}, known)
    _check(file)
    target = Path(path).expanduser()
    target = target if target.suffix else target.with_suffix(ENDING)
    try:
        target.write_text(to_text(file), encoding="utf-8", newline="\n")
    except OSError as error:
        raise GraphError([Problem(f"cannot write {str(target)!r}: {one_line(error)}")]) from error
    return target


def to_text(file: GraphFile) -> str:
    """Return the content of a file as text."""
    whole, names = file.graph, file.graph.names
    data = json_format.to_data(whole)
    found = {name: one.what for name, one in _parameters(whole).items()}
    sections: dict[str, Mapping[str, Any]] = {
        "parameters": {name: found[name] for name in sorted(found)},
        "layout": {name: list(file.layout[name]) for name in names if name in file.layout},
        "notes": {name: file.notes[name] for name in _named(whole) if name in file.notes},
        "registrations": {name: dict(file.registrations[name]) for name in file.registrations},
    }
    nodes, groups = _list(data["nodes"], "  "), _list(data["groups"], "  ")
    graph = f'{{\n "mmnotebook": {json_format.FORMAT},\n "nodes": {nodes},\n "groups": {groups}\n}}'
    head = [f'"mmgraph": {VERSION}', f'"graph": {graph}']
    more = [f'"{name}": {_dict(content)}' for name, content in sections.items() if content]
    return "{\n" + ",\n".join([*head, *more]) + "\n}\n"


def of_text(text: str) -> GraphFile:
    """Read and validate the result of `to_text`, or the JSON of a graph alone.

    Raises
    ------
    GraphError
        If the text is not such a file, or the graph in it is not valid.
    """
    data = json_format.loaded(text)
    if isinstance(data, Mapping) and "mmgraph" not in data and "mmnotebook" in data:
        return GraphFile(_valid_graph(data))
    if not isinstance(data, Mapping) or "mmgraph" not in data:
        problem = Problem("this is not the file of a graph", found=shown(data))
        raise GraphError([problem], remedy=_REWRITE)
    if data["mmgraph"] != VERSION or isinstance(data["mmgraph"], bool):
        problem = Problem(
            "unknown version of the file", found=shown(data["mmgraph"]), allowed=str(VERSION)
        )
        raise GraphError([problem], remedy="open it with the release that wrote it")
    file = GraphFile(
        _with_parameters(_valid_graph(data.get("graph")), _section(data, "parameters", _is_text)),
        {name: (x, y) for name, (x, y) in _section(data, "layout", _is_place).items()},
        _section(data, "notes", _is_text),
        _section(data, "registrations", lambda one: isinstance(one, dict)),
    )
    _check(file)
    return file


def read(path: str | PathLike[str]) -> GraphFile:
    """Read and validate a file.

    Raises
    ------
    GraphError
        If it cannot be read, or `of_text` refuses its content.
    """
    place = Path(path).expanduser()
    try:
        with place.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        if len(content) > LARGEST:
            problem = Problem(f"{str(place)!r} is too large", allowed=f"{LARGEST >> 20} MiB")
            raise GraphError([problem])
        text = content.decode("utf-8-sig")
    except OSError as error:
        problem = Problem(f"cannot read {str(place)!r}: {error.strerror or one_line(error)}")
        raise GraphError([problem], remedy=f"the current folder is {Path.cwd()}") from error
    except UnicodeDecodeError as error:
        problem = Problem(f"{str(place)!r} is not text in UTF-8")
        raise GraphError([problem], remedy=_REWRITE) from error
    return of_text(text)


def _valid_graph(data: Any) -> Graph:
    try:
        return json_format.of_data(data).validate()
    except MMError:
        raise
    except Exception as error:
        problem = Problem(f"this is not a graph ({one_line(error)})")
        raise GraphError([problem], remedy=_REWRITE) from error


def _parameters(graph: Graph) -> dict[str, Parameter]:
    names = {name for node in graph for name in node.data}
    bound = graph.bindings.items()
    return {name: one for name, one in bound if isinstance(one, Parameter) and name in names}


def _with_parameters(graph: Graph, texts: Mapping[str, str]) -> Graph:
    unknown = sorted(texts.keys() - {name for node in graph for name in node.data})
    if unknown:
        raise _refused("parameters", f"the graph has no data named {unknown[0]!r}")
    return replace(graph, bindings={name: Parameter(what) for name, what in texts.items()})


def _section(data: Mapping[str, Any], name: str, check: Callable[[Any], bool]) -> dict[str, Any]:
    found = data.get(name, {})
    if not isinstance(found, dict):
        raise _refused(name, f"it is {shown(found)}, not an object")
    for key, value in found.items():
        if not check(value):
            raise _refused(name, f"{key!r} has the value {shown(value)}")
    return found


def _refused(section: str, why: str) -> GraphError:
    return GraphError([Problem(f"the section {section!r} is not valid: {why}")], remedy=_REWRITE)


def _named(graph: Graph) -> tuple[str, ...]:
    """Return the names of the nodes, and then of the groups."""
    return (*graph.names, *(group.name for group in graph.groups))


def _check(file: GraphFile) -> None:
    known = {"layout": file.graph.names, "notes": _named(file.graph)}
    for section, content in (("layout", file.layout), ("notes", file.notes)):
        unknown = [name for name in content if name not in known[section]]
        if unknown:
            raise _refused(section, f"the graph has no node {unknown[0]!r}")
    if not all(map(_is_place, file.layout.values())):
        raise _refused("layout", "a place is two finite numbers")
    if not all(map(_is_text, file.notes.values())):
        raise _refused("notes", "a note is text")
    models = {name for node in file.graph for name in node.models}
    stray = [name for name in file.registrations if name not in models]
    if stray:
        raise _refused("registrations", f"the graph has no model {stray[0]!r}")


def _is_place(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    return all(type(part) in (int, float) and math.isfinite(part) for part in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _line(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _list(values: list[Any], indent: str) -> str:
    lines = ",\n".join(indent + _line(value) for value in values)
    return f"[\n{lines}\n{indent[:-1]}]" if values else "[]"


def _dict(content: Mapping[str, Any]) -> str:
    lines = ",\n".join(f" {_line(key)}: {_line(value)}" for key, value in content.items())
    return f"{{\n{lines}\n}}"
