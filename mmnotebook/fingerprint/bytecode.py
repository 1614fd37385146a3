"""Analysis of bytecode: what a function reads, changes and calls."""

from __future__ import annotations

import builtins
import importlib.util
import inspect
import operator
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.fingerprint import codes, text_names
from mmnotebook.fingerprint.codes import CALLED, HANDED, KEPT, READ, Step

MISSING = object()
ANY = "*"
"""A marker in `Reading.names`: the code computes names, so it may look up any name."""
REMAKES = "type()"
"""A marker in `Reading.names`: the code may create objects from the class of another object."""
_FROM_OUTSIDE = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_FROM_CELLS = {"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"}
_BY_NAME = (getattr, vars, dir, operator.attrgetter, operator.methodcaller)
_MAKE_ANOTHER = ("replace", "clone")
_COMPARES = ("IS_OP", "COMPARE_OP", "CONTAINS_OP")
_OF_VARIABLES = (locals, vars, dir)
_SIMPLE = ("LOAD_FAST", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_CONST")
_METADATA = frozenset(
    name for name, held in vars(types.FunctionType).items() if inspect.isdatadescriptor(held)
)


@dataclass(frozen=True)
class Link:
    """A name, or an attribute of a name, that code reads.

    Attributes
    ----------
    text
        The text in the code: "np.random.rand".
    value
        The current value; `MISSING` if it is known only when the code runs.
    parent, attribute
        The module or class from which the code reads the value, and the name of the value there.
    given
        Whether the next instruction loads an argument other than None, as for a call of the value.
    """

    text: str
    value: Any
    parent: Any = None
    attribute: str = ""
    given: bool = False


@dataclass
class Reading:
    """The names and values that the code of one function reads.

    Attributes
    ----------
    globals
        The values of the global variables and builtins that the code reads, by name; `MISSING` for
        a name without a value. They include the variables that a text in the code names.
    modules
        The modules that the code imports, by name; `MISSING` for a module that is not loaded.
    links
        All names and attributes that the code reads, in order.
    attributes
        The names of all global variables, attributes and modules in the code.
    loose
        The names of attributes that are read from other values than known modules: `read_text` in
        `Path(x).read_text`.
    changes
        The name and the kind ("global" or "variable") of the first global variable, or variable of
        an enclosing function, that the code assigns or deletes; None if there is none.
    texts
        Its string constants, and the strings inside other constants.
    names
        The names that the code may look up: all `attributes`, and all strings that are valid names.
        `ANY` is included if the code computes names, `REMAKES` if it uses the class of an object.
    nested
        The code of inner functions that are used in another way than calling them.
    reads_metadata
        Whether the code may read metadata of functions: names, docstrings or parameters.
    passed_on
        The names in `loose` whose values are stored in a variable or passed to other code.
    reads_variables
        Whether the code may read the names of its local variables.
    """

    globals: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    attributes: frozenset[str] = frozenset()
    loose: set[str] = field(default_factory=set)
    changes: tuple[str, str] | None = None
    texts: set[str] = field(default_factory=set)
    names: frozenset[str] = frozenset()
    nested: list[types.CodeType] = field(default_factory=list)
    reads_metadata: bool = False
    passed_on: set[str] = field(default_factory=set)
    reads_variables: bool = False
    _uses: dict[int, set[str]] = field(default_factory=dict)

    def only(self, value: Any, *uses: str) -> bool:
        """Return whether the code uses a value only in the ways `uses`, such as `CALLED`."""
        return self._uses.get(id(value), {HANDED}).issubset(uses)

    def use(self, value: Any, use: str) -> None:
        """Record how the code uses a value."""
        self._uses.setdefault(id(value), set()).add(use)


def read(function: types.FunctionType) -> Reading:
    """Return the names and values that a function and its inner functions read."""
    scan = _Scan(function)
    names: set[str] = set()
    for code in codes.inside(function.__code__):
        scan.code(code)
        names.update(code.co_names)
        scan.reading.texts.update(text_names.strings(code.co_consts))
    for name, value in text_names.of(function).items():
        scan.reading.globals[name] = value
        scan.reading.use(value, HANDED)
    scan.reading.attributes = frozenset(names)
    scan.reading.names |= names.union(filter(str.isidentifier, scan.reading.texts))
    scan.reading.reads_metadata |= not _METADATA.isdisjoint(names)
    scan.settle()
    return scan.reading


def cells(function: types.FunctionType) -> dict[str, Any]:
    """Return the values in the closure of a function; `MISSING` for a variable without a value."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            found[name] = MISSING
    return found


def member(parent: Any, name: str) -> Any:
    """Return an attribute of a module or class, without running any code."""
    if isinstance(parent, types.ModuleType):
        return vars(parent).get(name, MISSING)
    if isinstance(parent, type):
        return inspect.getattr_static(parent, name, MISSING)
    return MISSING


class _Scan:
    """A scan of instructions, in order, that tracks names; it runs no code and ignores jumps."""

    def __init__(self, function: types.FunctionType) -> None:
        self.reading = Reading()
        self._outside = function.__globals__
        self._cells = cells(function)
        self._locals: dict[str, Link] = {}
        self._kept: list[tuple[str, Any]] = []
        self._uses: dict[str, set[str]] = {}
        self._made: list[tuple[str, types.CodeType]] = []
        self._top: Link | None = None
        self._module: Link | None = None
        self._last: list[Any] = []

    def code(self, code: types.CodeType) -> None:
        steps = codes.steps(code)
        self._top = None
        for place, step in enumerate(steps):
            self._step(step, steps[place + 1 : place + 8])
            self._last = [*self._last[-1:], step.about]

    def settle(self) -> None:
        """Record the uses of local variables as uses of their values; set `Reading.nested`."""
        for name, value in self._kept:
            for use in self._uses.get(name, ()):
                self.reading.use(value, use)
        kept = {CALLED, KEPT}
        for name, code in self._made:
            if not name or not self._uses.get(name, set()) <= kept:
                self.reading.nested.append(code)

    def _step(self, step: Step, following: Sequence[Step]) -> None:
        name, argument = step.kind, step.about
        if name in _FROM_OUTSIDE:
            self._push(self._global(argument), step, following)
        elif name in _FROM_CELLS:
            known = self._cells.get(argument, MISSING)
            here = self._locals.get(argument)
            self._note(argument, step)
            self._push(here if known is MISSING else Link(argument, known), step, following)
        elif name.startswith("LOAD_FAST"):
            last = self._note(argument, step)
            self._push(self._locals.get(last), step, following)
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            if argument == "__class__" and _is_class_used(step, following):
                self.reading.names |= {REMAKES}
            self._push(self._attribute(argument, step.use), step, following)
        elif name.startswith("IMPORT_"):
            self._import(step, following)
        elif name == "MAKE_FUNCTION":
            self._make(step, following)
        elif name.startswith(("STORE_", "DELETE_")):
            self._store(name, argument)
        elif name not in ("SWAP", "ROT_TWO", "COPY"):
            self._top = None
        elif self._module is not None and self._top is not None:
            self._module = self._top  # `import a.b.c as d` reads each module from its parent

    def _note(self, argument: Any, step: Step) -> str:
        """Record the use of the loaded variables; return the name of the last one."""
        names = argument if isinstance(argument, tuple) else (argument,)
        for name in names[:-1]:
            self._uses.setdefault(name, set()).add(HANDED)
        use = HANDED if step.use == KEPT else step.use
        self._uses.setdefault(names[-1], set()).add(use)
        return str(names[-1])

    def _push(self, link: Link | None, step: Step, following: Sequence[Step]) -> None:
        if link is not None:
            given = any(_is_argument(one) for one in following[:1])
            link = Link(link.text, link.value, link.parent, link.attribute, given)
            self.reading.links.append(link)
            self.reading.use(link.value, step.use)
            self._look_up(link.value, step, following)
        self._top = link

    def _look_up(self, value: Any, step: Step, following: Sequence[Step]) -> None:
        """Record whether a value lets the code look up names or use the class of an object."""
        if any(value is one for one in _OF_VARIABLES):
            self.reading.reads_variables = True
        if value is type and not (step.use == CALLED and _is_type_shown(following)):
            self.reading.names |= {REMAKES}
        if callable(value) and getattr(value, "__name__", "") in _MAKE_ANOTHER:
            self.reading.names |= {REMAKES}
        by_name = any(value is one for one in _BY_NAME)
        if by_name and not (step.use == CALLED and _is_literal(following)):
            self.reading.names |= {ANY}
            self.reading.reads_metadata = True

    def _global(self, name: str) -> Link:
        value = self._outside.get(name, vars(builtins).get(name, MISSING))
        self.reading.globals[name] = value
        parent = None if name in self._outside else builtins
        return Link(name, value, parent, name)

    def _attribute(self, name: str, use: str) -> Link | None:
        parent = None if self._top is None else self._top.value
        if not isinstance(parent, types.ModuleType):
            self.reading.loose.add(name)
            if use in (HANDED, KEPT):
                self.reading.passed_on.add(name)
        if self._top is None:
            return None
        value = member(parent, name)
        if value is MISSING and isinstance(parent, types.ModuleType):
            self.reading.use(parent, HANDED)  # a use of __dict__ or a custom __getattr__
        return Link(f"{self._top.text}.{name}", value, parent, name)

    def _import(self, step: Step, following: Sequence[Step]) -> None:
        kind, name = step.kind, step.about
        if kind == "IMPORT_FROM" and self._module is not None:
            parent = self._module.value
            value = member(parent, name)
            if value is MISSING and isinstance(parent, types.ModuleType):
                value = sys.modules.get(f"{parent.__name__}.{name}", MISSING)
            link = Link(f"{self._module.text}.{name}", value, parent, name)
            self._push(link, step, following)
        elif kind == "IMPORT_NAME":
            level, names = self._last
            if level:
                name = self._absolute("." * level + name)
            whole = name if names else name.partition(".")[0]
            module = sys.modules.get(whole, MISSING)
            self.reading.modules.update({name: sys.modules.get(name, MISSING), whole: module})
            self.reading.use(self.reading.modules[name], READ)
            self._module = Link(whole, module)
            self._push(self._module, step, following)

    def _absolute(self, name: str) -> str:
        try:
            return importlib.util.resolve_name(name, self._outside.get("__package__"))
        except ImportError:
            return name

    def _make(self, step: Step, following: Sequence[Step]) -> None:
        """Record the code of an inner function, and the variable that stores it, if any."""
        code = next((one for one in reversed(self._last) if isinstance(one, types.CodeType)), None)
        kept = step.use == KEPT
        store = next((one for one in following if one.kind.startswith("STORE_")), None)
        name = store.about if kept and store is not None else ""
        if code is not None:
            self._made.append((name if isinstance(name, str) else name[0], code))
        self._top = None

    def _store(self, kind: str, argument: Any) -> None:
        where = kind.partition("_")[2]
        if where == "GLOBAL":
            self.reading.changes = self.reading.changes or (argument, "global")
        elif where == "DEREF" and argument in self._cells:
            self.reading.changes = self.reading.changes or (argument, "variable")
        names = argument if isinstance(argument, tuple) else (argument,)
        if self._top is not None and kind.startswith(("STORE_FAST", "STORE_DEREF", "STORE_NAME")):
            self._locals[names[0]] = self._top
            self._kept.append((names[0], self._top.value))
        self._top = self._locals.get(names[1]) if where.endswith("LOAD_FAST") else None


def _is_argument(step: Step) -> bool:
    if step.kind == "LOAD_CONST":
        return step.about is not None
    return step.kind.startswith("LOAD_") and step.kind not in ("LOAD_ATTR", "LOAD_METHOD")


def _is_literal(following: Sequence[Step]) -> bool:
    """Return whether a call contains the name as a literal: `getattr(some.thing, "name")`."""
    for place, step in enumerate(following):
        if step.kind == "LOAD_CONST" and isinstance(step.about, str):
            behind = [one.kind for one in following[place + 1 : place + 3]]
            return any(kind.startswith("CALL") for kind in behind)
        if not step.kind.startswith(_SIMPLE):
            return False
    return False


def _is_class_used(step: Step, following: Sequence[Step]) -> bool:
    """Return whether code uses the `__class__` of an object, except to compare or describe it."""
    if step.use in (CALLED, KEPT):
        return True
    return any(one.kind.startswith(("CALL", "RETURN", "BUILD")) for one in following[:1])


def _is_type_shown(following: Sequence[Step]) -> bool:
    """Return whether the code compares `type(thing)` or reads a special attribute of it."""
    places = (place for place, one in enumerate(following) if one.kind.startswith("CALL"))
    behind = following[next(places, len(following)) + 1 :]
    if behind and behind[0].kind == "LOAD_ATTR" and str(behind[0].about).startswith("__"):
        return True
    return any(one.kind in _COMPARES for one in behind[:4])
