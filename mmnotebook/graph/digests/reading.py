"""What the code of a function reads, changes and calls, as far as its bytecode tells."""

from __future__ import annotations

import builtins
import dis
import importlib.util
import inspect
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

MISSING = object()
_SILENT = {"EXTENDED_ARG", "CACHE", "PUSH_NULL", "PRECALL", "KW_NAMES", "NOP", "RESUME"}
_FROM_OUTSIDE = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_FROM_CELLS = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}


@dataclass(frozen=True)
class Link:
    """A name, or an attribute of one, that code reads.

    Attributes
    ----------
    text
        As it is written: "np.random.rand".
    value
        What it stands for now; `MISSING` when that takes running something.
    parent, attribute
        The module or class that it was taken from, and its name there.
    given
        Is it called with something first, other than None?
    """

    text: str
    value: Any
    parent: Any = None
    attribute: str = ""
    given: bool = False


@dataclass
class Reading:
    """What one function reads.

    Attributes
    ----------
    globals
        By name, `MISSING` for what does not exist (yet); Python's own included.
    modules
        By name, those that it imports itself.
    links
        Every name and attribute, in the order of the code.
    attributes
        Every name of any use in the code.
    loose
        Attributes of what cannot be known without running it: `read_text` of `Path(x).read_text`.
    changes
        The first global, or variable of an enclosing function, that it assigns to or deletes.
    """

    globals: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    attributes: frozenset[str] = frozenset()
    loose: set[str] = field(default_factory=set)
    changes: tuple[str, str] | None = None


def read(function: types.FunctionType) -> Reading:
    """What a function and the functions inside it read."""
    scan = _Scan(function)
    names: set[str] = set()
    for code in codes(function.__code__):
        scan.code(code)
        names.update(code.co_names)
    scan.reading.attributes = frozenset(names)
    return scan.reading


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and all those inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes(const)


def cells(function: types.FunctionType) -> dict[str, Any]:
    """The values that a function closes over, `MISSING` for one that is not there yet."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            found[name] = MISSING
    return found


def member(parent: Any, name: str) -> Any:
    """An attribute of a module or class, without running anything."""
    if isinstance(parent, types.ModuleType):
        return vars(parent).get(name, MISSING)
    if isinstance(parent, type):
        return inspect.getattr_static(parent, name, MISSING)
    return MISSING


class _Scan:
    """Follows names through bytecode, line by line; it runs nothing and takes no branches."""

    def __init__(self, function: types.FunctionType) -> None:
        self.reading = Reading()
        self._outside = function.__globals__
        self._cells = cells(function)
        self._locals: dict[str, Link] = {}
        self._top: Link | None = None
        self._module: Link | None = None
        self._last: list[Any] = []

    def code(self, code: types.CodeType) -> None:
        steps = [s for s in dis.get_instructions(code) if s.opname not in _SILENT]
        self._top = None
        for place, step in enumerate(steps):
            self._step(step, steps[place + 1 : place + 2])
            self._last = [*self._last[-1:], step.argval]

    def _step(self, step: dis.Instruction, following: Sequence[dis.Instruction]) -> None:
        name, argument = step.opname, step.argval
        if name in _FROM_OUTSIDE:
            self._push(self._global(argument), following)
        elif name in _FROM_CELLS:
            known = self._cells.get(argument, MISSING)
            here = self._locals.get(argument)
            self._push(here if known is MISSING else Link(argument, known), following)
        elif name.startswith("LOAD_FAST"):
            last = argument[-1] if isinstance(argument, tuple) else argument
            self._push(self._locals.get(last), following)
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            self._push(self._attribute(argument), following)
        elif name.startswith("IMPORT_"):
            self._import(name, argument, following)
        elif name.startswith(("STORE_", "DELETE_")):
            self._store(name, argument)
        elif name not in ("SWAP", "ROT_TWO", "COPY"):
            self._top = None
        elif self._module is not None and self._top is not None:
            self._module = self._top  # import a.b.c as d goes from module to module

    def _push(self, link: Link | None, following: Sequence[dis.Instruction]) -> None:
        if link is not None:
            given = any(_is_argument(step) for step in following)
            link = Link(link.text, link.value, link.parent, link.attribute, given)
            self.reading.links.append(link)
        self._top = link

    def _global(self, name: str) -> Link:
        value = self._outside.get(name, vars(builtins).get(name, MISSING))
        self.reading.globals[name] = value
        parent = None if name in self._outside else builtins
        return Link(name, value, parent, name)

    def _attribute(self, name: str) -> Link | None:
        parent = None if self._top is None else self._top.value
        if not isinstance(parent, types.ModuleType):
            self.reading.loose.add(name)
        if self._top is None:
            return None
        return Link(f"{self._top.text}.{name}", member(parent, name), parent, name)

    def _import(self, kind: str, name: str, following: Sequence[dis.Instruction]) -> None:
        if kind == "IMPORT_FROM" and self._module is not None:
            parent = self._module.value
            value = member(parent, name)
            if value is MISSING and isinstance(parent, types.ModuleType):
                value = sys.modules.get(f"{parent.__name__}.{name}", MISSING)
            self._push(Link(f"{self._module.text}.{name}", value, parent, name), following)
        elif kind == "IMPORT_NAME":
            level, names = self._last
            if level:
                name = self._absolute("." * level + name)
            whole = name if names else name.partition(".")[0]
            module = sys.modules.get(whole, MISSING)
            self.reading.modules.update({name: sys.modules.get(name, MISSING), whole: module})
            self._module = Link(whole, module)
            self._push(self._module, following)

    def _absolute(self, name: str) -> str:
        try:
            return importlib.util.resolve_name(name, self._outside.get("__package__"))
        except ImportError:
            return name

    def _store(self, kind: str, argument: Any) -> None:
        where = kind.partition("_")[2]
        if where == "GLOBAL":
            self.reading.changes = self.reading.changes or (argument, "global")
        elif where == "DEREF" and argument in self._cells:
            self.reading.changes = self.reading.changes or (argument, "variable")
        names = argument if isinstance(argument, tuple) else (argument,)
        if self._top is not None and kind.startswith(("STORE_FAST", "STORE_DEREF", "STORE_NAME")):
            self._locals[names[0]] = self._top
        self._top = self._locals.get(names[1]) if where.endswith("LOAD_FAST") else None


def _is_argument(step: dis.Instruction) -> bool:
    if step.opname == "LOAD_CONST":
        return step.argval is not None
    return step.opname.startswith("LOAD_") and step.opname not in ("LOAD_ATTR", "LOAD_METHOD")
