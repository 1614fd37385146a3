"""Suggestions of fields, functions, models and data, and typed lists of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FunctionType
from typing import Any

from mmnotebook.graph.field_selection import Drop, Select
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.graph.kinds import names_of
from mmnotebook.graph.names import Names, is_a, role_of

ENDINGS = (".pt", ".pth", ".pt2", ".joblib", ".pkl", ".onnx", ".json", ".ubj", ".cbm", ".keras")
"""Suffixes of the files that are suggested."""
_MOST_FILES = 100
MOST_FIELDS = 500
"""Maximum number of fields that are suggested, of a frame or a record."""
_FRAME = {("pandas", "DataFrame")}
_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,"]*))(?:(,)|\Z)')


_ALL_BUT = re.compile(r"all but(?:\s+|\Z)")


class Wrong(Exception):
    """The text in a control is not valid yet; the message says why."""


@dataclass(frozen=True)
class Context:
    """The context in which a node is edited: the graph, the node, and the objects behind names."""

    graph: Graph
    node: Node
    names: Names

    def models(self) -> list[str]:
        return list(self.names.models)

    def data(self) -> list[str]:
        return list(self.names.known("data"))

    def functions(self) -> list[str]:
        """Return the functions of the notebook, its own before imported ones."""
        known = list(self.names.known("function"))
        return sorted(known, key=lambda name: not _own(self.names.object(name)))

    def fields(self) -> list[str]:
        """Return the fields of the data that the node's elements come from; a source's own."""
        found: dict[str, None] = {}
        for name in self._sources():
            found.update(dict.fromkeys(fields_of(self.names, name)))
        return list(found)

    def _sources(self) -> list[str]:
        if self.node.name not in self.graph:
            return []
        above = self.graph.upto(self.node.name)
        return [name for node in above for name in node.data]

    def flowing(self, wire: Input) -> list[str]:
        """Return the fields of the elements that pass through a wire, as far as they are known."""
        return list(dict.fromkeys(self._through(wire.node, set())))

    def _through(self, name: str, seen: set[str]) -> list[str]:
        if name not in self.graph or name in seen:
            return []
        node = self.graph[name]
        if node.data:
            return [f for data in node.data for f in fields_of(self.names, data)]
        wires = node.inputs if node.step.passes_on and node.gather != "join" else ()
        whole = [wire.node for wire in wires if wire.select is None]
        return [field for above in whole for field in self._through(above, {*seen, name})]


def fields_of(names: Names, data: str) -> list[str]:
    """Return the columns of a table, or the keys of a list's first record; [] for other data."""
    if not isinstance(data, str) or not names.is_data(data):
        return []
    return record_fields(names.object(data))


def record_fields(value: Any) -> list[str]:
    """Return the fields of data's elements, as far as they are known without reading anything."""
    try:
        return [str(key) for key in islice(_keys(value), MOST_FIELDS)]
    except Exception:  # noqa: BLE001 - a list of any class may raise anything
        return []


def _keys(value: Any) -> Iterable[Any]:
    if is_a(value, _FRAME):
        return value.columns[:MOST_FIELDS]  # type: ignore[no-any-return]
    if is_a(value, {("datasets", "Dataset")}):
        return value.column_names  # type: ignore[no-any-return]
    if is_a(value, {("numpy", "ndarray")}):
        return value.dtype.names or ()
    if issubclass(type(value), Mapping):
        return value  # type: ignore[no-any-return]
    first = value[0] if issubclass(type(value), (list, tuple)) and value else None
    return first if isinstance(first, Mapping) else ()


def _own(value: Any) -> bool:
    return type(value) is FunctionType and value.__module__ == "__main__"


def models_of(graph: Graph) -> list[str]:
    """Return the models that a graph names, each once."""
    return list(dict.fromkeys(m for n in graph for m in names_of(n.kind, dict(n.params), "model")))


def joined(names: Iterable[str]) -> str:
    """Join names with commas, so that `parted` reads them."""
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    plain = name and name == name.strip() and name.isprintable() and not _ALL_BUT.match(name)
    if plain and not set(name) & {",", '"'}:
        return name
    return '"' + name.replace('"', '""') + '"'


def parted(text: str) -> tuple[str, ...]:
    """Split names at commas; quotes protect a comma in a name.

    Raises
    ------
    Wrong
        If a quote is not closed, or there is nothing between two commas.
    """
    parts: list[str] = []
    place = 0 if text.strip() else None
    while place is not None:
        found = _PART.match(text, place)
        if found is None:
            raise Wrong('a quote is not closed: a, "b, c"')
        quoted, plain, comma = found.groups()
        if quoted is None and not plain.strip():
            raise Wrong("a name on both sides of a comma")
        parts.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        place = found.end() if comma else None
    return tuple(parts)


def select_text(select: Any) -> str:
    """Return the selected field or fields of a wire as they are typed."""
    if select is None:
        return ""
    if isinstance(select, Drop):
        return f"all but {joined(select.names)}"
    if isinstance(select, str):
        return joined([select])
    names = joined(select)
    return names + "," if len(select) == 1 else names


def read_select(text: str) -> Select:
    """Read one field, several, all but some, or None for the whole value.

    `a,` is a record with one field, `all but a, b` is the record without these.
    """
    dropped = _ALL_BUT.match(text.strip())
    text = text.strip()[dropped.end() :] if dropped else text.rstrip()
    alone = text.endswith(",")
    names = parted(text.removesuffix(","))
    if not names:
        if alone or dropped:
            raise Wrong("the name of a field, or names with commas between them")
        return None
    if "" in names or len(set(names)) < len(names):
        raise Wrong("the name of a field, each once")
    if dropped:
        return Drop(names)
    return names[0] if len(names) == 1 and not alone else names


def could_be_models(variables: Mapping[str, Any]) -> list[str]:
    """Return the variables whose values can be registered, such as a torch module."""
    return [name for name, value in variables.items() if _could_be(name, value)]


def _could_be(name: str, value: Any) -> bool:
    if name.startswith("_") or issubclass(type(value), type):
        return False
    return role_of(value) == "unregistered" or (
        role_of(value) is None and callable(getattr(type(value), "predict", None))
    )


def is_function(value: Any) -> bool:
    """Return whether a value is a function and not a class."""
    return role_of(value) == "function" and not issubclass(type(value), type)


def classes(variables: Mapping[str, Any]) -> list[str]:
    """Return the classes among the variables, torch modules first."""
    found = [n for n, value in variables.items() if issubclass(type(value), type) and n[0] != "_"]
    return sorted(found, key=lambda name: not _is_module(variables[name]))


def _is_module(kind: type) -> bool:
    names = {(str(base.__module__).split(".")[0], base.__name__) for base in kind.__mro__}
    return ("torch", "Module") in names


def existing(text: str) -> Path | None:
    """Return the existing file or folder of this path, None if there is none."""
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # too long for a path, no such home, a null byte
        return None


def files() -> list[str]:
    """Return the files in the working folder that could be models."""
    try:
        found = sorted(p.name for p in Path.cwd().iterdir() if p.suffix.lower() in ENDINGS)
    except OSError:
        return []
    return found[:_MOST_FILES]
