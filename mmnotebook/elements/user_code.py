"""Rules for what user code may raise and return."""

from __future__ import annotations

import dis
import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmnotebook.elements import coders, pickling
from mmnotebook.elements.columns import Column, Objects, Records, Same, Tuples
from mmnotebook.elements.packing import pack
from mmnotebook.errors import one_line
from mmnotebook.state.run_state import Stopped

ENDS_RUN = (KeyboardInterrupt, Stopped)
"""The exceptions that end the run if a function or a model raises them.

Any other exception, even `SystemExit` or `GeneratorExit`, is the failure of one element. Code that
calls a function or a model has `except ENDS_RUN: raise` before `except BaseException`.
"""

_RAISE = dis.opmap["RAISE_VARARGS"]
_PLAIN = {str, bytes, bool, int, float, complex, type(None)}
_HEAP = 1 << 9
"""The flag of a class that a class statement created."""
_DEPTH = 200
"""The number of lists in which a check nests a value, since storing it later needs more stack."""


def is_raised(error: BaseException) -> bool:
    """Return whether a `raise` statement raised an exception; False for an interrupt by the user.

    Python raises an interrupt at another instruction than that of a `raise` statement.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_lasti < 0:
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == _RAISE


class NotStorableError(TypeError):
    """The value of an element cannot be pickled."""


def not_storable(values: Column) -> dict[int, BaseException]:
    """Return the errors of the values that cannot be stored, by position.

    Numbers, arrays, tensors and strings are not checked. Other values are pickled together, and one
    by one only if that fails; the pickles are discarded.
    """
    if isinstance(values, (Records, Tuples)):
        columns = values.columns.values() if isinstance(values, Records) else values.columns
        found = {at: error for column in columns for at, error in not_storable(column).items()}
        if isinstance(values, Tuples) and (error := _error(values.kind)):
            return dict.fromkeys(range(len(values)), error)
        return dict(sorted(found.items()))
    if isinstance(values, Same):
        error = _error(values.value) if len(values) else None
        return dict.fromkeys(range(len(values)), error) if error else {}
    if not isinstance(values, Objects) or all(map(_is_plain, values.values)):
        return {}
    if _error(values.values) is None:
        return {}
    each = ((at, _error(value)) for at, value in enumerate(values.values))
    return {at: error for at, error in each if error is not None}


def _is_plain(value: Any) -> bool:
    """Return whether a value is a string, a number or an array, which can always be stored."""
    kind = type(value)
    if kind is np.ndarray:
        return not value.dtype.hasobject
    if kind is torch.Tensor:
        return value.layout is torch.strided and value.device.type == "cpu"
    return kind in _PLAIN


def storable(
    values: Column, places: Sequence[int], errors: dict[int, BaseException]
) -> tuple[Sequence[int], Column]:
    """Return the values that can be stored.

    Parameters
    ----------
    places
        The position of each value.
    errors
        Receives the errors of the other values, by position.

    Returns
    -------
    places, values
        The values that can be stored, and their positions.
    """
    found = not_storable(values)
    if not found:
        return places, values
    errors.update((places[at], error) for at, error in found.items())
    kept = [at for at in range(len(places)) if at not in found]
    return [places[at] for at in kept], pack(values.take(kept).rows())


def _error(value: Any) -> BaseException | None:
    """Return the error that storing a value raises; None if it can be stored."""
    try:
        _try(value)
    except ENDS_RUN:
        raise
    except MemoryError as error:  # another attempt may succeed
        return error
    except BaseException as error:  # noqa: BLE001 - whatever a foreign object's pickling raises
        return NotStorableError(
            f"{_named(value)} cannot be stored: {one_line(error, 200)}; allowed: plain data: "
            "numbers, strings, arrays, records, or lists of these (a list in place of a generator)"
        )
    return None


def _named(value: Any) -> str:
    kind = type(value)
    return (
        f"a {kind.__qualname__}"
        if kind.__module__ == "builtins"
        else (f"a {kind.__module__}.{kind.__qualname__}")
    )


def _try(value: Any) -> None:
    """Pickle a value; also unpickle it if a class in it is foreign (see `_Check.foreign`)."""
    deep = value
    for _ in range(_DEPTH):
        deep = [deep]
    check = _Check()
    check.dispatch_table = coders.TABLE
    check.dump(deep)
    if check.foreign:
        whole = io.BytesIO()
        coders.dump(value, whole)
        pickle.loads(whole.getbuffer())


class _Check(pickle.Pickler):
    """A pickler that records the classes of objects which pickle does not handle by itself."""

    def __init__(self) -> None:
        super().__init__(pickling.Nowhere(), protocol=5, buffer_callback=lambda buffer: False)
        self.met: set[type] = set()

    def reducer_override(self, value: Any) -> Any:
        self.met.add(type(value))
        return NotImplemented

    @property
    def foreign(self) -> bool:
        """Whether a class of a pickled object is written in Python and has no entry in `TABLE`."""
        return any(kind.__flags__ & _HEAP for kind in self.met - coders.TABLE.keys())
