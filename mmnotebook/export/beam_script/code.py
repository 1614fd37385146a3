"""The source of functions and classes, with the imports and globals that they use."""

from __future__ import annotations

import ast
import builtins
import importlib.metadata
import inspect
import io
import linecache
import sys
import textwrap
import tokenize
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from mmnotebook.errors import one_line, shown
from mmnotebook.export.beam_script import helpers
from mmnotebook.export.typed_json import NotWritable

_LITERALS = (str, bytes, int, float, bool, complex, type(None), list, tuple, dict, set, frozenset)
_OURS = "mmnotebook"

_HELPERS = {
    name
    for name, one in vars(helpers).items()
    if getattr(one, "__module__", "") == helpers.__name__
}
RESERVED = {
    *("HERE", "MODELS", "RESULTS", "build", "failed", "models", "nodes", "run", "sources"),
    *("argparse", "beam", "functools", "mm", "pathlib"),
    *(name for name, one in vars(helpers).items() if isinstance(one, types.ModuleType)),
}
"""Names that a script uses itself."""


class Code:
    """The code that a script needs, in the order in which objects were added.

    Attributes
    ----------
    imports
        Import statements.
    packages
        The top packages of the imports.
    """

    def __init__(self) -> None:
        self.imports: dict[str, None] = {}
        self.packages: set[str] = set()
        self._objects: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        self._helpers: dict[str, str] = {}

    @property
    def user(self) -> list[str]:
        """The source of the user's objects, each after what it uses."""
        return list(self._texts.values())

    @property
    def helpers(self) -> list[str]:
        """The source of the helpers."""
        return [_with_names(text, self._renamed()) for text in self._helpers.values()]

    def helper(self, name: str) -> str:
        """Add a function or class of `helpers`, and what it uses; return its name in the script.

        The name has a suffix if an object of the user has the same name. So the objects of the user
        are added first.
        """
        if name not in self._helpers:
            self._helpers[name] = ""
            text = inspect.getsource(getattr(helpers, name))
            self._add_used(text, vars(helpers), name)
            del self._helpers[name]
            self._helpers[name] = text
        return self._renamed().get(name, name)

    def _renamed(self) -> dict[str, str]:
        return {name: f"{name}_in_beam" for name in self._objects if name in _HELPERS}

    def free(self, wanted: str) -> str:
        """Reserve a name for a function of the script; a number is appended if it is in use."""
        count, name = 1, wanted
        while name in self._objects or name in _HELPERS or name in RESERVED:
            count += 1
            name = f"{wanted}_{count}"
        self._objects[name] = name
        return name

    def imported(self, statement: str) -> None:
        """Add an import statement."""
        self.imports[statement] = None
        self.packages.add(statement.split()[1].split(".")[0])

    def add(self, name: str, value: Any) -> str:
        """Add an object under a name, with all that it uses; return the name.

        Raises
        ------
        NotWritable
            If it has no source, or another object has this name.
        """
        if getattr(builtins, name, None) is value:
            return name
        if name in self._objects:
            if not _same(self._objects[name], value):
                raise NotWritable(f"two different objects are named {name!r}")
            return name
        if name in RESERVED and not isinstance(value, types.ModuleType):
            raise NotWritable(f"the script has a name {name!r} of its own; rename yours")
        self._objects[name] = value
        try:
            self._add_new(name, value)
        except NotWritable:
            del self._objects[name]
            raise
        return name

    def _add_new(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType):
            self._import(name, value.__name__)
        elif isinstance(value, _LITERALS):
            self._texts[name] = f"{name} = {_literal(name, value)}\n"
        elif isinstance(value, type) or callable(value):
            self._add_code(name, value)
        else:
            raise NotWritable(f"{name!r} is {shown(value)}, which has no source")

    def _import(self, name: str, module: str) -> None:
        _refuse_local(name, module)
        top, _, last = module.rpartition(".")
        if name == module:
            self.imported(f"import {module}")
        elif top and last == name:
            self.imported(f"from {top} import {name}")
        else:
            self.imported(f"import {module} as {name}")

    def _add_code(self, name: str, value: Any) -> None:
        own = str(getattr(value, "__name__", ""))
        module = getattr(value, "__module__", None)
        if module and _is_installed(module) and _is_in(module, own, value):
            _refuse_local(name, module)
            self.imported(f"from {module} import {own}" + (f" as {name}" if own != name else ""))
            return
        value = inspect.unwrap(value)
        own = str(getattr(value, "__name__", ""))
        if own == "<lambda>":
            text, own = _of_lambda(value, name), name
        else:
            text = _source(value)
        self._add_used(text, _globals(value), own)
        if own != name:
            if own not in self._objects:
                self._objects[own] = value
                self._texts[own] = text
            self._texts[name] = f"{name} = {own}\n"
        else:
            self._texts[name] = text

    def _add_used(self, text: str, known: Mapping[str, Any], own: str) -> None:
        """Add each global object that a source uses, and the packages that it imports."""
        for used in _used_names(text):
            if used == own or used not in known or used == "__name__":
                continue
            value = known[used]
            if known is vars(helpers):
                self._add_own(used, value)
            else:
                self.add(used, value)
        self.packages.update(_inner_imports(text))

    def _add_own(self, name: str, value: Any) -> None:
        if getattr(value, "__module__", None) == helpers.__name__:
            self.helper(name)
        elif isinstance(value, types.ModuleType):
            self._import(name, value.__name__)
        else:
            self._add_code(name, value)


def _with_names(text: str, names: Mapping[str, str]) -> str:
    """Return a source in which these identifiers are replaced."""
    if not names:
        return text
    lines = text.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(text).readline))):
        if token.type == tokenize.NAME and token.string in names:
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = line[:start] + names[token.string] + line[end:]
    return "".join(lines)


def _same(one: Any, other: Any) -> bool:
    alike = type(one) is type(other) and isinstance(one, _LITERALS)
    return one is other or (alike and bool(one == other))


def _literal(name: str, value: Any) -> str:
    text = repr(value)
    try:
        if ast.literal_eval(text) == value:
            return text
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    raise NotWritable(f"the value of {name!r} cannot be written as source: {shown(value)}")


def _globals(value: Any) -> dict[str, Any]:
    """Return the globals of a function or class, and the variables of its closure."""
    if isinstance(value, type):
        module = sys.modules.get(value.__module__)
        return dict(vars(module)) if module is not None else {}
    closure = inspect.getclosurevars(value).nonlocals
    return {**value.__globals__, **closure}


def _source(value: Any) -> str:
    """Return the source of a function or class without the decorators of this package."""
    if not isinstance(value, (type, types.FunctionType)):
        raise NotWritable(f"{shown(value)} is neither a function nor a class")
    try:
        text = textwrap.dedent(inspect.getsource(value))
        tree = ast.parse(text)
    except (OSError, TypeError, SyntaxError) as error:
        text = _of_class_in_cell(value)
        if not text:
            raise NotWritable(f"its source was not found ({one_line(error)})") from error
        tree = ast.parse(text)
    first = tree.body[0]
    if not isinstance(first, (ast.FunctionDef, ast.ClassDef)):
        raise NotWritable("its source is not one function or class")
    return _without_our_decorators(text, first, _globals(value))


def _of_class_in_cell(value: Any) -> str:
    """Return the source of a class of a notebook cell, found by one of its methods."""
    methods = [one for one in vars(value).values() if isinstance(one, types.FunctionType)]
    for method in methods:
        text = "".join(linecache.getlines(method.__code__.co_filename))
        for node in ast.walk(ast.parse(text)) if text else ():
            if isinstance(node, ast.ClassDef) and node.name == value.__name__:
                return textwrap.dedent(ast.get_source_segment(text, node, padded=True) or "")
    return ""


def _without_our_decorators(text: str, node: Any, known: Mapping[str, Any]) -> str:
    lines = text.splitlines(keepends=True)
    for decorator in node.decorator_list:
        names = [one.id for one in ast.walk(decorator) if isinstance(one, ast.Name)]
        found = [known.get(name) for name in names[:1]]
        if any(_top(one) == _OURS for one in found):
            for place in range(decorator.lineno - 1, decorator.end_lineno or 0):
                lines[place] = ""
    return "".join(lines)


def _top(value: Any) -> str:
    name = value.__name__ if isinstance(value, types.ModuleType) else ""
    return (name or str(getattr(value, "__module__", ""))).partition(".")[0]


def _of_lambda(value: Callable[..., Any], name: str) -> str:
    try:
        text = textwrap.dedent(inspect.getsource(value)).strip()
    except OSError as error:
        raise NotWritable(f"its source was not found ({one_line(error)})") from error
    found = [node for node in _lambdas(text) if _fits(node, value)]
    if len(found) != 1:
        raise NotWritable("it is a lambda beside others; define it with def")
    node = found[0]
    return f"def {name}({ast.unparse(node.args)}):\n    return {ast.unparse(node.body)}\n"


def _lambdas(text: str) -> Iterator[ast.Lambda]:
    """Yield the lambdas in a piece of source, which may be a part of a statement."""
    for start in range(len(text)):
        if not text.startswith("lambda", start):
            continue
        for stop in range(len(text), start, -1):
            try:
                tree = ast.parse(text[start:stop], mode="eval").body
            except SyntaxError:
                continue
            if isinstance(tree, ast.Lambda):
                yield tree
            elif isinstance(tree, ast.Tuple) and isinstance(tree.elts[0], ast.Lambda):
                yield tree.elts[0]
            break


def _fits(node: ast.Lambda, value: Callable[..., Any]) -> bool:
    made = compile(ast.Expression(node), "<lambda>", "eval").co_consts[0]
    code = value.__code__
    return bool(made.co_code == code.co_code and made.co_consts == code.co_consts)


def _used_names(text: str) -> list[str]:
    tree = ast.parse(text)
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return list(dict.fromkeys(names))


def _inner_imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (one.name.split(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _refuse_local(name: str, module: str) -> None:
    top = module.partition(".")[0]
    if top == _OURS:
        raise NotWritable(f"{name!r} is a part of mmnotebook, which the script does not need")
    if not _is_installed(module):
        raise NotWritable(f"{name!r} is the module {module!r}, which is not an installed package")


def _is_in(module: str, name: str, value: Any) -> bool:
    """Return whether `from module import name` imports this object."""
    return getattr(sys.modules.get(module), name, None) is value


def _is_installed(module: str) -> bool:
    """Return whether a module belongs to Python or to an installed distribution."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return top != "__main__"
    return top in distributions()


@cache
def distributions() -> Mapping[str, list[str]]:
    """Return the installed distributions of each top package."""
    return importlib.metadata.packages_distributions()
