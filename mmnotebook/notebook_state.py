"""The notebook in which this process runs, and its variables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from mmnotebook.compat import ipython
from mmnotebook.compat.python import get_frame

_PACKAGE = __name__.partition(".")[0]


def shell() -> Any:
    """Return the IPython shell of this process, or None; IPython is not imported."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def has_kernel() -> bool:
    """Return whether this process is a notebook's kernel, so that widgets can be shown."""
    return getattr(shell(), "kernel", None) is not None


def variables_of(shell: Any) -> dict[str, Any]:
    """Return the variables of an IPython shell, except those that IPython defines.

    While `%run` executes a script, return the variables of the script.
    """
    script = _script(shell)
    if script is not None:
        return {name: value for name, value in vars(script).items() if not name.startswith("__")}
    hidden = ipython.hidden(shell)
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not (name in hidden and hidden[name] is value)
    }


def name_of(value: Any) -> str | None:
    """Return the name of a variable of the notebook, or the running script, that holds an object.

    If several variables hold the object, return the name that was defined last. If no variable
    holds it, return None. Names that begin with an underscore are ignored.
    """
    names = [name for name, held in _namespace().items() if held is value]
    return next((name for name in reversed(names) if not name.startswith("_")), None)


def package() -> ModuleType:
    """Return the package `mmnotebook`, which most of its modules must not import."""
    return sys.modules[_PACKAGE]


def called(attribute: str) -> str:
    """Return the code for an attribute of this package as text, such as `mm.attribute`.

    The text uses the name under which the user imported the package.
    """
    name = name_of(package())
    if name is None:
        name = "mm" if shell() is None else f"import {_PACKAGE}; {_PACKAGE}"
    return f"{name}.{attribute}"


def of_caller(names: Iterable[str]) -> dict[str, Any]:
    """Return the variables, among `names`, of the code that called this package.

    This code may be a function with local variables, or a module other than the notebook.
    """
    frame = get_frame(1)
    while frame.f_back is not None and _is_own(frame.f_globals):
        frame = frame.f_back
    variables = {**frame.f_globals, **frame.f_locals}
    return {name: variables[name] for name in names if name in variables}


def _is_own(variables: Mapping[str, Any]) -> bool:
    return str(variables.get("__name__")).partition(".")[0] == _PACKAGE


def _namespace() -> dict[str, Any]:
    running = shell()
    if running is None:
        return dict(vars(sys.modules["__main__"]))
    script = _script(running)
    return dict(running.user_ns if script is None else vars(script))


def _script(shell: Any) -> ModuleType | None:
    """Return the module of the script that `%run` executes, or None.

    While the script runs, its module replaces the notebook's module in `sys.modules`.
    """
    own, main = shell.user_module, sys.modules.get("__main__")
    is_replaced = getattr(own, "__name__", None) == "__main__" and main is not own
    return main if is_replaced else None
