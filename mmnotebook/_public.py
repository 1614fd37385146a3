"""The public names, imported on first use; `__init__.pyi` lists the module of each name.

Type checkers and editors read that stub. This module reads it too, when a name is first used.
`lazy_loader.attach_stub` would read the stub when the package is imported, and the import would
take nearly twice as long. It also does not support modules of subpackages, such as `events`.
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
    "transform": "beam.compiler",
}
_homes: dict[str, str] = {}


def homes() -> dict[str, str]:
    """Return the name of the module of each public name."""
    if not _homes:
        import ast
        import pkgutil

        stub = ast.parse(pkgutil.get_data(_PACKAGE, "__init__.pyi") or b"")
        imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
        # A stub exports only the names that it imports in the form `X as X`.
        named = {a.name: str(node.module) for node in imports for a in node.names if a.asname}
        _homes.update(sorted(named.items()))
    return _homes


def resolve(name: str) -> Any:
    """Return the object with a public name, imported if necessary; also `__all__` and `last`.

    Raises
    ------
    AttributeError
        If the package has no such name; the message suggests the most similar name.
    """
    if name == "last":
        return _last()
    found: Any
    if name == "__all__":
        found = list(homes())
    elif homes().get(name) == _PACKAGE:
        found = import_module(f"{_PACKAGE}.{name}")
    elif name in homes():
        # As in `from HOME import NAME`, NAME can also be a module.
        found = getattr(_imported(homes()[name], name), name)
    else:
        from mmnotebook.errors import no_attribute

        raise no_attribute(f"module {_PACKAGE!r}", name, list(homes()))
    setattr(sys.modules[_PACKAGE], name, found)
    return found


def _imported(home: str, name: str) -> Any:
    """Import the module of a public name as a whole.

    A Ctrl-C takes effect after the import: a half-imported torch or NumPy cannot be imported again
    in this process. A second Ctrl-C ends the import.
    """
    import signal
    import threading

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        return __import__(home, fromlist=[name])
    pressed: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, _deferring(before, pressed))
    try:
        found = __import__(home, fromlist=[name])
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        from mmnotebook.errors import interruptible

        with interruptible(f"stopped by you while {_PACKAGE} was imported"):
            before(*pressed[0])
    return found


def _deferring(before: Callable[..., Any], pressed: list[tuple[int, Any]]) -> Callable[..., Any]:
    """Return a handler that records the first signal, and passes later ones on to `before`."""

    def press(number: int, frame: Any) -> None:
        pressed.append((number, frame))
        if len(pressed) > 1:
            before(number, frame)

    return press


def listed() -> list[str]:
    """Return the names of the package for `dir()`: its public names, and its loaded attributes."""
    return sorted({*vars(sys.modules[_PACKAGE]), *homes(), "__all__", "last"})


def of_graph(name: str) -> Callable[..., Any]:
    """Import and return the function that the graph layer calls by this name.

    The function is in a layer above the graph layer, so the graph layer cannot import it.
    """
    function: Callable[..., Any] = getattr(import_module(f"{_PACKAGE}.{_OF_GRAPH[name]}"), name)
    return function


def load_ipython_extension(ip: InteractiveShell) -> None:
    """Load the `%mm_…` magics and their completion: `%load_ext mmnotebook`."""
    from mmnotebook.ui import extension

    extension.load(ip, sys.modules[_PACKAGE])


def unload_ipython_extension(ip: InteractiveShell) -> None:
    """Remove what `load_ipython_extension` added, for `%unload_ext mmnotebook`."""
    from mmnotebook.ui import extension

    extension.unload(ip, sys.modules[_PACKAGE])


def _last() -> Any:
    """Return the latest `Result`, or None; this never imports Beam."""
    from mmnotebook.results import latest

    return latest.last()
