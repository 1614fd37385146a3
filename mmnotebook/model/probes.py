"""Probes: checks whether the outputs of a model depend on the batch, or differ between calls.

The model is called with a few elements one by one and in one batch. Then it is called with the same
elements again, one by one and in one batch in reverse order.
Its outputs for single elements are also compared with the first batches of the run. Outputs count
as equal if they differ by at most `TOLERANCE` times the largest number in the output for an
element, since sums in batches of different sizes are computed in different orders. Values other
than floating-point numbers must be exactly equal.
"""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmnotebook.elements.columns import Column, size_of
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.errors import MMError
from mmnotebook.model.layouts import WrongOutputsError
from mmnotebook.results.values import array

TOLERANCE = {2: 2e-2, 4: 1e-4, 8: 1e-5}
"""The tolerance, relative to the largest number of an output, by the size of a float in bytes.

Numbers of 8 bytes are often computed from numbers of 4 bytes.
"""
ELEMENTS = 3
"""The maximum number of elements that are compared."""
NEAR = 64
"""The number of elements from which the compared elements are chosen."""
SECONDS, SHARE = 1.0, 0.02
"""The time limit: in seconds, or as a fraction of the time of the model's calls if that is more."""


@dataclass(frozen=True)
class Verdict:
    """The result of a probe.

    Attributes
    ----------
    repeatable
        Whether equal calls returned equal outputs; None if the elements could not be compared.
    invariant
        Whether the outputs for elements alone and in a batch were equal; None for one element.
    difference
        A description of the difference.
    alone
        The output for each element alone, by position.
    """

    repeatable: bool | None
    invariant: bool | None
    difference: str = ""
    alone: Mapping[int, Any] = field(default_factory=dict)


class TooSlow(Exception):
    """A probe would take too long.

    Attributes
    ----------
    needed
        The estimated time in seconds.
    """

    def __init__(self, needed: float) -> None:
        super().__init__(needed)
        self.needed = needed


def allowance(seconds: float) -> float:
    """Return the time limit of a probe, from the seconds that calls of the model took so far."""
    return max(SECONDS, SHARE * seconds)


def chosen(examples: Column) -> list[int]:
    """Return the positions of the elements to compare: the smallest, the largest and the first."""
    sizes = [size_of(value) for value in examples]
    order = sorted(range(len(sizes)), key=sizes.__getitem__)
    wanted = dict.fromkeys([order[0], order[-1], *range(len(sizes))])
    return sorted(list(wanted)[:ELEMENTS])


def compare(
    call: Callable[[Sequence[int]], Column],
    places: Sequence[int],
    limit: float,
    batched: bool = True,
) -> Verdict:
    """Probe a model: compare its outputs in several calls with the same elements.

    Parameters
    ----------
    call
        Returns the outputs of the elements at some positions.
    places
        The positions of the elements to compare.
    limit
        The time limit for all calls, in seconds.
    batched
        Whether a call takes several elements.

    Raises
    ------
    TooSlow
        If the probe would take longer than `limit`; there is no result then.
    """
    alone = [[place] for place in places]
    together = list(places) if batched else []
    timed = _Timed(call, limit, 2 * (len(alone) + bool(together)))
    first = [timed.outputs(batch) for batch in alone]
    beside = _beside(first, timed.outputs(together)) if together else []
    again = [timed.outputs(batch) for batch in alone]
    if together:  # in another order
        beside += _beside(first[::-1], timed.outputs(together[::-1]))
    if _FAILED in beside:
        return Verdict(None, None)
    differ = [difference(*pair) for pair in zip(first, again, strict=True)]
    known = len(places) > 1 or not batched
    kept = {
        place: made[0]
        for place, made in zip(places, first, strict=True)
        if not isinstance(made, BaseException)
    }
    repeatable, invariant = not any(differ), not any(beside) if known else None
    return Verdict(repeatable, invariant, _first([*differ, *beside]), kept)


_FAILED = "a batch failed"


def _beside(alone: Sequence[Any], together: Any) -> list[str]:
    """Return the differences between outputs for elements alone and in a batch."""
    if isinstance(together, BaseException):
        return [_FAILED]
    return [difference(one, [made]) for one, made in zip(alone, together, strict=True)]


class _Timed:
    """A series of calls that stops if there is not enough time for the remaining calls."""

    def __init__(self, call: Callable[[Sequence[int]], Column], limit: float, calls: int) -> None:
        self._call, self._calls, self._left = call, calls, calls
        self._started = time.perf_counter()
        self._limit = limit

    def outputs(self, places: Sequence[int]) -> Any:
        """Return the outputs for some elements, or the exception of the call."""
        started = time.perf_counter()
        try:
            made: Any = list(self._call(places))
        except (*ENDS_RUN, MMError, WrongOutputsError, TooSlow):
            raise
        except BaseException as error:  # noqa: BLE001 - the user's model may raise anything
            made = error
        now = time.perf_counter()
        self._left -= 1
        if now - self._started + self._left * (now - started) > self._limit:
            raise TooSlow(self._calls * (now - started))
        return made


def difference(first: Any, second: Any) -> str:
    """Describe the difference between two lists of outputs, or two errors; "" for none."""
    failed = [made for made in (first, second) if isinstance(made, BaseException)]
    if failed:
        same = len(failed) == 2 and type(first) is type(second)
        return "" if same else f"one of them fails with {type(failed[0]).__name__}: {failed[0]}"
    return _first(_apart(*pair) for pair in zip(first, second, strict=True))


def _apart(one: Any, other: Any) -> str:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return f"fields {', '.join(map(str, one))} and {', '.join(map(str, other))}"
        return _first(_apart(one[name], other[name]) for name in one)
    first, second = _numbers(one), _numbers(other)
    if first is not None and second is not None:
        return _far(first, second)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return f"lengths {len(one)} and {len(other)}"
        return _first(_apart(*pair) for pair in zip(one, other, strict=True))
    return _unequal(one, other)


def _first(found: Iterable[str]) -> str:
    return next((text for text in found if text), "")


Numbers = tuple[np.ndarray[Any, Any], int]
"""Numbers, and the size of each in bytes."""


def _numbers(value: Any) -> Numbers | None:
    """Return an array, tensor, number or nested list of numbers as an array; None for others."""
    if hasattr(type(value), "untyped_storage"):
        return array(value), int(value.element_size())
    if isinstance(value, (str, bytes)) or not isinstance(
        value, (np.ndarray, np.generic, numbers.Number, list, tuple)
    ):
        return None
    try:
        found = np.asarray(value)
    except ValueError:  # unequal lengths
        return None
    return (found, found.dtype.itemsize) if found.dtype.kind in "biufc" else None


def _far(first: Numbers, second: Numbers) -> str:
    (one, size), (other, _) = first, second
    if one.shape != other.shape:
        return f"shapes {one.shape} and {other.shape}"
    if one.dtype.kind not in "fc" or other.dtype.kind not in "fc":
        return "" if np.array_equal(one, other) else _both(one, other)
    if not np.array_equal(np.isnan(one), np.isnan(other)):
        return "NaN in one of them"
    with np.errstate(all="ignore"):
        apart = np.where((one == other) | np.isnan(one), 0, np.abs(one - other))
    scale = np.max(np.abs(other), initial=0, where=np.isfinite(other))
    most = float(apart.max(initial=0))
    size = size // 2 if one.dtype.kind == "c" else size
    return f"numbers {most:.3g} apart" if most > TOLERANCE.get(size, TOLERANCE[8]) * scale else ""


def _both(one: Any, other: Any) -> str:
    return f"{_text(one)} and {_text(other)}"


def _unequal(one: Any, other: Any) -> str:
    """Describe the difference of two texts or None; compare other objects by type only."""
    kinds = (str, bytes, type(None))
    if not (isinstance(one, kinds) or isinstance(other, kinds)):
        return "" if type(one) is type(other) else _both(one, other)
    return "" if type(one) is type(other) and one == other else _both(one, other)


def _text(value: Any) -> str:
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:39] + "…"
