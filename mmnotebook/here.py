"""Whether this is a notebook, and which variables it has."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from mmnotebook.compat import ipython
from mmnotebook.compat.python import get_frame

_PACKAGE = __name__.partition(".")[0]


def shell() -> Any:
    """The IPython shell that this runs in, None outside of one; imports nothing."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def has_kernel() -> bool:
    """Is this a notebook, which can show widgets?"""
    return getattr(shell(), "kernel", None) is not None


def variables_of(shell: Any) -> dict[str, Any]:
    """The variables of one IPython shell, without IPython's own.

    While `%run` executes a script they are the script's, which it has in place of the notebook's.
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
    """A variable, of the notebook or of the script that runs, that holds an object; None for none.

    Of several it is the one that was made last.
    """
    names = [name for name, held in _namespace().items() if held is value]
    return next((name for name in reversed(names) if not name.startswith("_")), None)


def package() -> ModuleType:
    """Return the package itself, which most of its modules must not import."""
    return sys.modules[_PACKAGE]


def called(attribute: str) -> str:
    """How `mm.attribute` is written here, with the name that the package has in the notebook."""
    name = name_of(package())
    if name is None:
        name = "mm" if shell() is None else f"import {_PACKAGE}; {_PACKAGE}"
    return f"{name}.{attribute}"


def of_caller(names: Iterable[str]) -> dict[str, Any]:
    """What the names are where the user's code called this package, for those that are variables.

    They may be local variables of a function, or of a module that is not the notebook.
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
    """The script that `%run` executes: it stands in the notebook's place for as long."""
    own, main = shell.user_module, sys.modules.get("__main__")
    is_replaced = getattr(own, "__name__", None) == "__main__" and main is not own
    return main if is_replaced else None
