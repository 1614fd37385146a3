"""Comparison and arithmetic on columns, for plain values only.

A plain value is a number, text, boolean, date or time whose type is exactly one of these (not a
subclass), or a missing value. No method of any other value is called, because the method could
execute any code. A row with another value, or with two values that cannot be compared, has no
answer (`<NA>`). It is an error if no row has an answer.
"""

from __future__ import annotations

import datetime
import decimal
import itertools
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mmnotebook.errors import nearest, one_line
from mmnotebook.results.values import column

_EQUAL = {"==": operator.eq, "!=": operator.ne}
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    **_EQUAL,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CALCULATE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_NUMBERS = {bool, int, float}
_EQUATED = {
    *_NUMBERS,
    *(str, bytes, complex, type(None), pd.Timestamp, pd.Timedelta),
    *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta),
}
"""Types whose values can be compared for equality with each other without an exception."""
_PLAIN = {*_EQUATED, decimal.Decimal}
_MANY = {list, tuple, set, frozenset, np.ndarray}
_WHOLE = 1 << 63
"""Integers from this size on become floats."""
_OTHER = object()


class Unanswerable(Exception):
    """An expression has no answer for any row.

    Attributes
    ----------
    reason, remedy
        The cause, and what to write instead. The remedy is None if it is obvious.
    """

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def plain(value: Any) -> Any:
    """Convert a value to one of the plain types, or `_OTHER`, without calling its methods."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if value is pd.NA or value is pd.NaT:
        return None
    if issubclass(kind, np.datetime64):
        return pd.Timestamp(value)
    if issubclass(kind, np.timedelta64):
        return pd.Timedelta(value)
    if issubclass(kind, np.generic):
        return _exact(np.generic.item(value))
    for base, exact in ((str, str.__str__), (int, int.__int__), (float, float.__float__)):
        if issubclass(kind, base):  # such as an Enum with values of that type
            return exact(value)
    if kind is np.ndarray and value.ndim == 0:
        return _exact(value.item())
    torch = sys.modules.get("torch")
    if torch is not None and kind is torch.Tensor and value.dim() == 0:
        return _exact(value.item())
    return _OTHER


def _exact(value: Any) -> Any:
    return value if type(value) in _PLAIN else _OTHER


def missing(cells: pd.Series) -> pd.Series:
    """Return for each cell whether it is missing."""
    return cells.isna().astype("boolean")


def truth(value: Any) -> Any:
    """Convert boolean values to dtype `boolean`; None for anything else."""
    if isinstance(value, bool):
        return value
    if isinstance(value, pd.Series):
        if value.dtype in ("bool", "boolean"):
            return value.astype("boolean")
        if value.dtype == object and {*map(type, value)} <= {bool, np.bool_, type(None)}:
            return pd.Series([None if v is None else bool(v) for v in value], dtype="boolean")
    return None


def compared(sign: str, one: Any, other: Any, names: Sequence[str]) -> Any:
    """Compare two columns, or a column and a constant, row by row; None means a missing value.

    Parameters
    ----------
    names
        The names of the two operands in error messages.
    """
    for this, that in ((one, other), (other, one)):
        if that is None and isinstance(this, pd.Series) and sign in _EQUAL:
            return missing(this) if sign == "==" else ~missing(this)
    if not isinstance(one, pd.Series) and not isinstance(other, pd.Series):
        return _scalar(sign, one, other, names)
    if _kind(one) == _kind(other) == "number" or _are_times(one, other):
        try:
            return COMPARE[sign](one, other).astype("boolean")
        except (TypeError, ValueError, OverflowError) as error:
            raise Unanswerable(one_line(error)) from error
    return _each(one, other, COMPARE[sign], names)


def _scalar(sign: str, one: Any, other: Any, names: Sequence[str]) -> bool:
    answer = _answer(COMPARE[sign], one, other)
    if answer is None:
        raise Unanswerable(_incomparable([(one, other)], names))
    return answer


def _kind(value: Any) -> str:
    if not isinstance(value, pd.Series):
        is_small = type(value) in _NUMBERS and not (type(value) is int and abs(value) >= _WHOLE)
        return "number" if is_small else "text" if type(value) is str else "other"
    kinds = {**dict.fromkeys("biuf", "number"), **dict.fromkeys("mM", "time")}
    return kinds.get(value.dtype.kind, "other")


def _are_times(one: Any, other: Any) -> bool:
    kinds = {_kind(one), _kind(other)}
    return kinds in ({"time"}, {"time", "text"})


def _each(
    one: Any, other: Any, compare: Callable[[Any, Any], Any], names: Sequence[str]
) -> pd.Series:
    left, right = _objects(one, other), _objects(other, one)
    kinds = {*map(type, left)} | {*map(type, right)}
    alike = kinds == {str} or kinds <= _NUMBERS
    if alike or (compare in _EQUAL.values() and kinds <= _EQUATED):
        return pd.Series(compare(left, right), dtype="boolean")
    answers = [_answer(compare, a, b) for a, b in zip(left, right, strict=True)]
    return _answered(answers, zip(left, right, strict=True), names)


def _answered(
    answers: list[bool | None], rows: Iterable[tuple[Any, Any]], names: Sequence[str]
) -> pd.Series:
    if all(answer is None for answer in answers):
        pairs = [pair for pair in rows if None not in map(_kept, pair)]
        if pairs:
            raise Unanswerable(*_incomparable_with(pairs, names))
    return pd.Series(answers, dtype="boolean")


def _kept(value: Any) -> Any:
    """Return the plain value; None if it is missing."""
    value = plain(value)
    return None if value is None or (type(value) is float and value != value) else value


def _objects(value: Any, like: Any) -> np.ndarray[Any, Any]:
    if isinstance(value, pd.Series):
        return np.asarray(value, dtype=object)
    cells = np.empty(len(like), dtype=object)
    cells[:] = [value] * len(like)
    return cells


def _answer(compare: Callable[[Any, Any], Any], one: Any, other: Any) -> bool | None:
    one, other = plain(one), plain(other)
    if one is _OTHER or other is _OTHER:
        return None
    try:
        return bool(compare(one, other))
    except (TypeError, ValueError, ArithmeticError):
        return None


def _incomparable_with(
    pairs: list[tuple[Any, Any]], names: Sequence[str]
) -> tuple[str, str | None]:
    """Return why no row has an answer, and what to write instead."""
    for value, name in itertools.chain.from_iterable(
        zip(pair, names, strict=True) for pair in pairs
    ):
        if plain(value) is _OTHER:
            return _not_plain(value, name)
    return _incomparable(pairs, names), None


def _incomparable(pairs: list[tuple[Any, Any]], names: Sequence[str]) -> str:
    one, other = (type(plain(value)).__name__ for value in pairs[0])
    return f"{names[0]} ({one}) and {names[1]} ({other}) cannot be compared"


def _not_plain(value: Any, name: str) -> tuple[str, str]:
    if _is_many(value):
        return (
            f"each row of {name!r} has several numbers, and a comparison needs one",
            f"select one of them, {name}[0], or add a map step that converts it to one number",
        )
    if type(value) is dict:
        key = next((key for key in value if type(key) is str), "name")
        return f"each row of {name!r} has named values", f"select one of them: {name}[{key!r}]"
    return (
        f"{name!r} holds {type(value).__name__} objects, and only plain values are compared",
        "add a map step that converts them to numbers or strings",
    )


def _is_many(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return type(value) in _MANY or (torch is not None and type(value) is torch.Tensor)


def contained(cells: pd.Series, items: Sequence[Any], name: str) -> pd.Series:
    """Return for each cell whether it equals a constant; None matches missing cells."""
    wanted = [item for item in items if item is not None]
    if _kind(cells) == "number":
        found = cells.isin([item for item in wanted if type(item) in _NUMBERS])
    elif _kind(cells) == "time":
        found = pd.Series(data=False, index=cells.index)
        for item in wanted:
            found |= compared("==", cells, item, (name, repr(item)))
    else:
        known = frozenset(wanted)
        answers = [_answer(lambda one, _: one in known, value, None) for value in cells]
        found = _answered(answers, ((value, 0) for value in cells), (name, "the list"))
    return found.astype("boolean") | (missing(cells) if None in items else False)


def calculated(sign: str, one: Any, other: Any, names: Sequence[str]) -> Any:
    """Calculate with two columns, or a column and a constant, row by row."""
    if not isinstance(one, pd.Series) and not isinstance(other, pd.Series):
        result = _number(sign, one, other)
        if result is None:
            raise Unanswerable(f"{names[0]} {sign} {names[1]} is not a number")
        return result
    if _kind(one) == _kind(other) == "number":
        with np.errstate(all="ignore"):
            return _of_numbers(sign, _whole(one), _whole(other))
    if "time" in (_kind(one), _kind(other)):
        try:
            return CALCULATE[sign](one, other)
        except (TypeError, ValueError, OverflowError) as error:
            raise Unanswerable(one_line(error)) from error
    left, right = _objects(one, other), _objects(other, one)
    made = [_number(sign, plain(a), plain(b)) for a, b in zip(left, right, strict=True)]
    if len(made) and all(value is None for value in made):
        raise Unanswerable(f"{names[0]} {sign} {names[1]} is not a number in any row")
    return column(made)


def _of_numbers(sign: str, one: Any, other: Any) -> Any:
    """Return integers if they fit into 64 bits, else floats, so that nothing overflows."""
    are_whole = all(_dtype(value).kind in "iu" for value in (one, other))
    if not are_whole or sign not in ("+", "-", "*", "**"):
        return CALCULATE[sign](one, other)
    reals = (_real(one), _real(other))
    real = CALCULATE[sign](*reals)
    if bool((abs(real) >= _WHOLE).any()) or (sign == "**" and bool(np.any(reals[1] < 0))):
        return real
    return CALCULATE[sign](one, other)


def _dtype(value: Any) -> Any:
    return value.dtype if isinstance(value, pd.Series) else np.dtype(type(value))


def _real(value: Any) -> Any:
    return value.astype("float64") if isinstance(value, pd.Series) else float(value)


def _whole(value: Any) -> Any:
    """Convert booleans and small integers to 64-bit integers; unsigned 64-bit ones to floats."""
    if not isinstance(value, pd.Series):
        return int(value) if type(value) is bool else value
    is_numpy = isinstance(value.dtype, np.dtype)
    if value.dtype.kind == "u" and value.dtype.itemsize == 8:
        return value.astype("float64" if is_numpy else "Float64")
    return value.astype("int64" if is_numpy else "Int64") if value.dtype.kind in "biu" else value


def _number(sign: str, one: Any, other: Any) -> int | float | None:
    """Calculate with two numbers; None if the result is not a number, or too large."""
    if type(one) not in _NUMBERS or type(other) not in _NUMBERS:
        return None
    try:
        if sign == "**":
            return _power(one, other)
        result: int | float = CALCULATE[sign](one, other)
        return float(result) if abs(result) >= _WHOLE else result
    except ArithmeticError:
        return None


def _power(one: float, other: float) -> int | float | None:
    real: float | complex = float(one) ** float(other)
    if isinstance(real, complex):
        return None
    if float in (type(one), type(other)) or other < 0 or abs(real) >= _WHOLE:
        return real
    return int(int(one) ** int(other))


def magnitude(value: Any, name: str) -> Any:
    """Return absolute values."""
    if _kind(value) == "number" or (isinstance(value, pd.Series) and value.dtype.kind == "m"):
        return abs(_whole(value))
    below = compared("<", value, 0, (name, "0"))
    if not isinstance(value, pd.Series):
        return -value if below else value
    return calculated("*", value, column([-1 if b is True else 1 for b in below]), (name, "1"))


def texts(cells: pd.Series, name: str) -> list[str | None]:
    """Return the text in each cell; None for a cell without text."""
    found = [value if type(value) is str else None for value in map(plain, cells)]
    if all(text is None for text in found):
        other = next((value for value in cells if _kept(value) is not None), None)
        if other is not None:
            raise Unanswerable(f"{name!r} holds {type(other).__name__} objects, not text")
    return found


def lengths(cells: pd.Series, name: str) -> pd.Series:
    """Return the number of characters or items of each cell."""
    found = [_length(value) for value in cells]
    if len(found) and all(length is None for length in found):
        raise Unanswerable(f"{name!r} has no length in any row")
    return column(found)


def _length(value: Any) -> int | None:
    if type(value) is np.ndarray and value.ndim == 0:
        return None
    if type(value) in _MANY or type(value) is dict:
        return len(value)
    value = plain(value)
    return len(value) if type(value) is str else None


def items(cells: pd.Series, key: str | int, name: str) -> pd.Series:
    """Return each cell's item under a key or at a position; missing if there is none."""
    found = [_item(value, key) for value in cells]
    if len(found) and all(item is _OTHER for item in found):
        keys = dict.fromkeys(key for value in cells[:100] for key in _keys(value))
        close = nearest(str(key), keys)
        raise Unanswerable(
            f"no value of {name!r} has an item {key!r}"
            + (f", did you mean {close!r}?" if close else "")
            + (f" (they have: {', '.join(map(repr, list(keys)[:20]))})" if keys else "")
        )
    return column([None if item is _OTHER else item for item in found])


def _keys(value: Any) -> Iterator[str]:
    if type(value) is dict:
        yield from (key for key in value if type(key) is str)


def _item(value: Any, key: str | int) -> Any:
    kind = type(value)
    if kind is dict:
        item = value.get(key, _OTHER)
    elif type(key) is int and kind in (list, tuple, str, np.ndarray) and _has(value, key):
        item = value[key]
    else:
        return _OTHER
    made = plain(item)
    return item if made is _OTHER else made


def _has(value: Any, place: int) -> bool:
    size = len(value) if type(value) is not np.ndarray or value.ndim else 0
    return -size <= place < size
