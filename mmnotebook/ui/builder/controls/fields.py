"""Suggestions of fields, functions, models and data; parsing of lists of names."""

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
"""Maximum number of fields that are suggested."""
_FRAME = {("pandas", "DataFrame")}
_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,"]*))(?:(,)|\Z)')
_ALL_BUT = re.compile(r"all but(?:\s+|\Z)")


class InvalidInput(Exception):
    """The text in a control is not valid; the message says why."""


@dataclass(frozen=True)
class Context:
    """The context in which a node is edited: the graph, the node, and the lookup of names."""

    graph: Graph
    node: Node
    names: Names

    def models(self) -> list[str]:
        return list(self.names.models)

    def data(self) -> list[str]:
        return list(self.names.known("data"))

    def functions(self) -> list[str]:
        """Return the functions of the notebook; those defined in it come before imported ones."""
        known = list(self.names.known("function"))
        return sorted(known, key=lambda name: not _is_defined_here(self.names.object(name)))

    def transforms(self) -> list[str]:
        """Return the Beam transforms of the notebook."""
        return list(self.names.known("transform"))

    def fields(self) -> list[str]:
        """Return the fields of the data of all sources upstream of the node."""
        found: dict[str, None] = {}
        for name in self._sources():
            found.update(dict.fromkeys(fields_of(self.names, name)))
        return list(found)

    def _sources(self) -> list[str]:
        if self.node.name not in self.graph:
            return []
        upstream = self.graph.upto(self.node.name)
        return [name for node in upstream for name in node.data]

    def flowing(self, wire: Input) -> list[str]:
        """Return the known fields of the elements that pass through a wire."""
        return list(dict.fromkeys(self._through(wire.node, set())))

    def _through(self, name: str, seen: set[str]) -> list[str]:
        if name not in self.graph or name in seen:
            return []
        node = self.graph[name]
        if node.data:
            return [f for data in node.data for f in fields_of(self.names, data)]
        wires = node.inputs if node.step.passes_on and node.gather != "join" else ()
        upstream = [wire.node for wire in wires if wire.select is None]
        return [field for node in upstream for field in self._through(node, {*seen, name})]


def fields_of(names: Names, data: str) -> list[str]:
    """Return the columns of a table, or the keys of a list's first record; [] for other data."""
    if not isinstance(data, str) or not names.is_data(data):
        return []
    return record_fields(names.object(data))


def record_fields(value: Any) -> list[str]:
    """Return the fields of data that are known without reading files."""
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


def _is_defined_here(value: Any) -> bool:
    return type(value) is FunctionType and value.__module__ == "__main__"


def models_of(graph: Graph) -> list[str]:
    """Return the distinct models of a graph."""
    return list(dict.fromkeys(m for n in graph for m in names_of(n.kind, dict(n.params), "model")))


def join_names(names: Iterable[str]) -> str:
    """Join names with commas, in the form that `split_names` parses."""
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    plain = name and name == name.strip() and name.isprintable() and not _ALL_BUT.match(name)
    if plain and not set(name) & {",", '"'}:
        return name
    return '"' + name.replace('"', '""') + '"'


def split_names(text: str) -> tuple[str, ...]:
    """Split a list of names at commas; a name with a comma is in quotes.

    Raises
    ------
    InvalidInput
        If a quote is not closed, or a name is missing.
    """
    parts: list[str] = []
    place = 0 if text.strip() else None
    while place is not None:
        found = _PART.match(text, place)
        if found is None:
            raise InvalidInput('a quote is not closed; for example: a, "b, c"')
        quoted, plain, comma = found.groups()
        if quoted is None and not plain.strip():
            raise InvalidInput("a name is missing before or after a comma")
        parts.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        place = found.end() if comma else None
    return tuple(parts)


def select_text(select: Any) -> str:
    """Return the selected field or fields of a wire in the form that is typed."""
    if select is None:
        return ""
    if isinstance(select, Drop):
        return f"all but {join_names(select.names)}"
    if isinstance(select, str):
        return join_names([select])
    names = join_names(select)
    return names + "," if len(select) == 1 else names


def read_select(text: str) -> Select:
    """Parse a selection of fields; None for the whole value.

    `a` is one field, `a, b` a record of these, `a,` a record with one field, and `all but a, b` the
    record without these.
    """
    dropped = _ALL_BUT.match(text.strip())
    text = text.strip()[dropped.end() :] if dropped else text.rstrip()
    alone = text.endswith(",")
    names = split_names(text.removesuffix(","))
    if not names:
        if alone or dropped:
            raise InvalidInput("expected the name of a field, or names separated by commas")
        return None
    if "" in names or len(set(names)) < len(names):
        raise InvalidInput("expected names of fields, without duplicates")
    if dropped:
        return Drop(names)
    return names[0] if len(names) == 1 and not alone else names


def could_be_models(variables: Mapping[str, Any]) -> list[str]:
    """Return the variables that can be registered as models, such as a torch module."""
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
    """Return the path of an existing file or folder; None if there is none."""
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
