"""Column methods that an expression of `where=` can call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mmnotebook.results import plain_cells
from mmnotebook.results.plain_cells import Unanswerable
from mmnotebook.results.values import column

Function = Callable[..., Any]
"""A function that receives the column's name for errors, the column, and the arguments."""


def call(
    function: Function, arguments: Sequence[Any], options: Mapping[str, Any], about: str
) -> Any:
    """Call a function from one of the tables in this module.

    Raises
    ------
    TypeError
        When the function does not accept the arguments.
    Unanswerable
        When the function has no answer for any row.
    """
    bound = inspect.signature(function).bind(about, *arguments, **options)
    if not isinstance(bound.args[1], pd.Series):
        raise TypeError(f"it needs a column, not {about}")
    return function(*bound.args, **bound.kwargs)


def _checked(name: str, value: Any, *kinds: type) -> None:
    if type(value) not in kinds:
        allowed = " or ".join("None" if one is type(None) else one.__name__ for one in kinds)
        raise TypeError(f"{name} must be a constant of type {allowed}")


def _isna(about: str, cells: pd.Series) -> pd.Series:
    return plain_cells.missing(cells)


def _notna(about: str, cells: pd.Series) -> pd.Series:
    return ~plain_cells.missing(cells)


def _isin(about: str, cells: pd.Series, values: Any) -> pd.Series:
    _checked("values", values, tuple)
    return plain_cells.contained(cells, values, about)


def _between(
    about: str, cells: pd.Series, left: Any, right: Any, inclusive: Any = "both"
) -> pd.Series:
    signs = {
        "both": (">=", "<="),
        "neither": (">", "<"),
        "left": (">=", "<"),
        "right": (">", "<="),
    }
    _checked("inclusive", inclusive, str)
    if inclusive not in signs:
        raise TypeError(f"inclusive={inclusive!r}; allowed: {', '.join(signs)}")
    low, high = signs[inclusive]
    return plain_cells.compared(
        low, cells, left, (about, "the lower bound")
    ) & plain_cells.compared(high, cells, right, (about, "the upper bound"))


def _abs(about: str, cells: pd.Series) -> Any:
    return plain_cells.magnitude(cells, about)


def _len(about: str, cells: pd.Series) -> pd.Series:
    return plain_cells.lengths(cells, about)


def _made(change: Callable[[str], Any]) -> Callable[[str, pd.Series], pd.Series]:
    def make(about: str, cells: pd.Series) -> pd.Series:
        found = plain_cells.texts(cells, about)
        return column([None if text is None else change(text) for text in found])

    return make


def _strip(about: str, cells: pd.Series, to_strip: Any = None) -> pd.Series:
    _checked("to_strip", to_strip, str, type(None))
    return _made(lambda text: text.strip(to_strip))(about, cells)


def _contains(
    about: str, cells: pd.Series, pat: Any, case: Any = True, na: Any = None, regex: Any = False
) -> pd.Series:
    _checked("pat", pat, str)
    _checked("regex", regex, bool)
    if regex:
        return _searched(about, cells, pat, pat, case, na)
    _checked("case", case, bool)
    if case:
        return _tested(about, cells, lambda text: pat in text, na)
    folded = pat.casefold()
    return _tested(about, cells, lambda text: folded in text.casefold(), na)


def _match(about: str, cells: pd.Series, pat: Any, case: Any = True, na: Any = None) -> pd.Series:
    _checked("pat", pat, str)
    return _searched(about, cells, pat, rf"\A(?:{pat})", case, na)


def _fullmatch(
    about: str, cells: pd.Series, pat: Any, case: Any = True, na: Any = None
) -> pd.Series:
    _checked("pat", pat, str)
    return _searched(about, cells, pat, rf"\A(?:{pat})\z", case, na)


def _begins(about: str, cells: pd.Series, pat: Any, na: Any = None) -> pd.Series:
    _check_ends(pat)
    return _tested(about, cells, lambda text: text.startswith(pat), na)


def _ends(about: str, cells: pd.Series, pat: Any, na: Any = None) -> pd.Series:
    _check_ends(pat)
    return _tested(about, cells, lambda text: text.endswith(pat), na)


def _check_ends(pat: Any) -> None:
    for one in pat if type(pat) is tuple else (pat,):
        _checked("pat", one, str)


def _tested(about: str, cells: pd.Series, test: Callable[[str], bool], na: Any) -> pd.Series:
    _checked("na", na, bool, type(None))
    found = plain_cells.texts(cells, about)
    return pd.Series([na if text is None else test(text) for text in found], dtype="boolean")


def _searched(
    about: str, cells: pd.Series, given: str, pattern: str, case: Any, na: Any
) -> pd.Series:
    """Search with RE2, whose time is linear in the length of the text."""
    _checked("case", case, bool)
    _checked("na", na, bool, type(None))
    found = map(_encodable, plain_cells.texts(cells, about))
    try:
        # Check the pattern alone: a pattern with an extra bracket could close the group around it.
        pc.match_substring_regex(pa.array([""]), given)
        answers = pc.match_substring_regex(
            pa.array(found, pa.large_string()), pattern, ignore_case=not case
        )
    except (pa.ArrowInvalid, UnicodeEncodeError) as error:
        raise Unanswerable(
            f"the pattern {given!r} is not a valid RE2 pattern: {error}",
            "omit regex=True to find a literal text; RE2 has no look-around and no back-references",
        ) from None
    return pd.Series([na if one is None else one for one in answers.to_pylist()], dtype="boolean")


def _encodable(text: str | None) -> str | None:
    """Return the text, or None if UTF-8 cannot encode it."""
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        return None
    return text


METHODS: Mapping[str, Function] = {
    "isna": _isna,
    "isnull": _isna,
    "notna": _notna,
    "notnull": _notna,
    "isin": _isin,
    "between": _between,
    "abs": _abs,
}
"""Methods of any column."""
TEXT: Mapping[str, Function] = {
    "contains": _contains,
    "startswith": _begins,
    "endswith": _ends,
    "match": _match,
    "fullmatch": _fullmatch,
    "lower": _made(str.lower),
    "upper": _made(str.upper),
    "strip": _strip,
    "len": _len,
}
"""Methods of a column of texts, after `.str`."""
FUNCTIONS: Mapping[str, Function] = {"abs": _abs, "len": _len}
