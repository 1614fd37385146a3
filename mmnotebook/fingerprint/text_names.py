"""Global variables that a function reads by a name within a text, as in `df.query("a > @K")`."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator
from typing import Any

from mmnotebook.fingerprint import codes

_EVALUATES = {"eval", "exec", "evaluate", "globals"}
"""Functions and methods for which every name in a text may be that of a variable."""
_QUERIES = "query"
"""The method of pandas for which only names after an @ are those of variables."""
_NAME, _MARKED = re.compile(r"[^\W\d]\w*"), re.compile(r"@\s*([^\W\d]\w*)")


def of(function: types.FunctionType) -> dict[str, Any]:
    """Return the global variables that the texts of a function name, if it may evaluate texts.

    The texts are the strings in its code, and the strings that it reads from global variables, its
    closure and its default arguments. A text that it computes or receives is not known.

    Examples
    --------
    >>> K = 3
    >>> of(lambda table: table.query("size > @K"))
    {'K': 3}
    >>> of(lambda table: table["K"])
    {}
    """
    used = {name for code in codes.inside(function.__code__) for name in code.co_names}
    if used.isdisjoint(_EVALUATES) and _QUERIES not in used:
        return {}
    pattern = _MARKED if used.isdisjoint(_EVALUATES) else _NAME
    outside = function.__globals__
    named = {name for text in _texts(function, used) for name in pattern.findall(text)}
    return {name: outside[name] for name in sorted(named) if name in outside}


def _texts(function: types.FunctionType, used: Iterable[str]) -> Iterator[str]:
    """Yield the texts that a function may evaluate."""
    for code in codes.inside(function.__code__):
        yield from strings(code.co_consts)
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    outside = (function.__globals__.get(name) for name in used)
    yield from (one for one in (*defaults, *outside) if isinstance(one, str))
    for cell in function.__closure__ or ():
        try:
            held = cell.cell_contents
        except ValueError:  # the variable has no value yet
            continue
        if isinstance(held, str):
            yield held


def strings(constants: Iterable[Any]) -> Iterator[str]:
    """Yield the strings among the constants of code, also those inside tuples and sets."""
    for one in constants:
        if isinstance(one, str):
            yield one
        elif isinstance(one, (tuple, frozenset)):
            yield from strings(one)
