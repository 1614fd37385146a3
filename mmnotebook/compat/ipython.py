"""IPython's internals. This module does not import IPython.

Its files are below `IPython/core`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FILES = "IPCompleter.file_matcher"
"""The name of the completer of files. Relies on `completer.py`."""


def remove_magics(shell: Any, magics: Any) -> None:
    """Remove a class of magics from a shell, if it is registered.

    Relies on `MagicsManager` in `magic.py`.
    """
    for kind, names in magics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(magics.__name__, None)


def line_magics(shell: Any) -> dict[str, Any]:
    """Return a shell's line magics by name.

    Relies on `MagicsManager` in `magic.py`.
    """
    magics: dict[str, Any] = shell.magics_manager.magics["line"]
    return magics


def declared(magic: Any) -> list[Any]:
    """Return the decorators of a magic that has `magic_arguments`.

    Relies on `ArgDecorator` in `magic_arguments.py`.
    """
    decorators: list[Any] = magic.decorators
    return decorators


def parser(magic: Any) -> Any:
    """Return the parser of a magic that has `magic_arguments`.

    Relies on `magic_arguments.py`.
    """
    return magic.parser


def add_matcher(shell: Any, matcher: Callable[[Any], Any]) -> None:
    """Register a matcher for completions with a shell.

    Relies on `completer.py`.
    """
    shell.Completer.custom_matchers.append(matcher)


def remove_matchers(shell: Any, identifier: str) -> None:
    """Remove the matchers with this identifier from a shell.

    Relies on `completer.py`.
    """
    completer = shell.Completer
    completer.custom_matchers = [
        one
        for one in completer.custom_matchers
        if getattr(one, "matcher_identifier", None) != identifier
    ]


def hidden(shell: Any) -> dict[str, Any]:
    """Return the variables that the shell (not the user) defined, with their original values.

    Relies on `interactiveshell.py`.
    """
    variables: dict[str, Any] = shell.user_ns_hidden
    return variables


def drop(shell: Any, name: str, value: Any) -> None:
    """Remove a variable from a shell, if it still holds this value.

    Relies on `interactiveshell.py`.
    """
    shell.drop_by_id({name: value})
