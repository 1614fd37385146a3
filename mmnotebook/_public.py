"""Public names, imported when they are first used: `__init__.pyi` says where each one is.

Type checkers and editors read that stub, and so does this module, when it is asked for the first
name. `lazy_loader.attach_stub` reads it when the package is imported, which would make importing
take nearly twice as long; nor does it know modules of subpackages, as `events` is.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

_PACKAGE = __name__.rpartition(".")[0]
_OF_GRAPH = {
    "explain": "running.explain",
    "from_json": "graph.json_format",
    "html": "steps.drawing",
    "installed_kinds": "steps.registry",
    "own_kinds": "steps.registry",
    "problems": "steps.validation",
    "svg": "steps.drawing",
    "to_json": "graph.json_format",
    "to_text": "notation.text",
}
_homes: dict[str, str] = {}


def homes() -> dict[str, str]:
    """The module that each public name is imported from."""
    if not _homes:
        import ast
        import pkgutil

        stub = ast.parse(pkgutil.get_data(_PACKAGE, "__init__.pyi") or b"")
        imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
        # A stub offers what it imports under the same name, "X as X", and nothing else.
        named = {a.name: str(node.module) for node in imports for a in node.names if a.asname}
        _homes.update(sorted(named.items()))
    return _homes


def resolve(name: str) -> Any:
    """Import a public name, or `__all__`; AttributeError, with the nearest name, for others."""
    if name == "last":
        return _last()
    found: Any
    if name == "__all__":
        found = list(homes())
    elif name in homes():
        # As `from HOME import NAME` does it: the name of a module too.
        found = getattr(__import__(homes()[name], fromlist=[name]), name)
    else:
        from mmnotebook.errors import no_attribute

        raise no_attribute(f"module {_PACKAGE!r}", name, list(homes()))
    setattr(sys.modules[_PACKAGE], name, found)
    return found


def listed() -> list[str]:
    """All names of the package, public and others: its `dir()`."""
    return sorted({*vars(sys.modules[_PACKAGE]), *homes(), "__all__", "last"})


def of_graph(name: str) -> Callable[..., Any]:
    """Return the function of a layer above that the graph layer asks for by this name."""
    function: Callable[..., Any] = getattr(import_module(f"{_PACKAGE}.{_OF_GRAPH[name]}"), name)
    return function


def load_ipython_extension(ip: InteractiveShell) -> None:
    """`%load_ext mmnotebook`: the `%mm_…` magics and their completion."""
    from mmnotebook.ui import extension

    extension.load(ip, sys.modules[_PACKAGE])


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """`%unload_ext mmnotebook`: takes out what `load_ipython_extension` put in."""
    from mmnotebook.ui import extension

    extension.unload(ip, sys.modules[_PACKAGE])


def _last() -> Any:
    """The latest `Result`; None, without importing Beam, when there can be none."""
    from mmnotebook.results import latest

    return latest.last()
