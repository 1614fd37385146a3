"""Where in a model's outputs each element of its batch is, proven by batches of several sizes."""

from __future__ import annotations

import dataclasses
import itertools
import numbers
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnotebook.graph.names import is_a


class WrongOutputsError(ValueError):
    """What a model returned for a batch is not one output per element.

    Attributes
    ----------
    remedy
        What can be done about it.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class Each(list[Any]):
    """Outputs of which it is certain that there is one per element, in their order."""


@dataclass(frozen=True)
class OutputRows:
    """An array, tensor or list with an entry per element along one of these axes."""

    axes: frozenset[int]


@dataclass(frozen=True)
class Left:
    """None, or a single number for a whole batch: it belongs to no element and is left out."""

    number: bool = False


@dataclass(frozen=True)
class NamedOutputs:
    """Several outputs by name, or by position where `kind` is a tuple or list."""

    kind: type
    names: tuple[Hashable, ...]
    parts: tuple[Layout, ...]


Layout = OutputRows | Left | NamedOutputs
Axes = int | Mapping[str, int] | Sequence[int] | None
"""The axis of the batch in the outputs, one for each output, or None: the first, if proven."""


def fits(made: Any, count: int, axes: Axes = None) -> tuple[Layout, ...]:
    """The layouts by which some outputs can be those of `count` elements."""
    if isinstance(made, Each):
        return (OutputRows(frozenset({0})),) if len(made) == count else ()
    found = _fits(made, count, axes)
    return tuple(layout for layout in found if _has_rows(layout))


def meet(first: Iterable[Layout], second: Iterable[Layout]) -> tuple[Layout, ...]:
    """The layouts that explain both of two batches."""
    pairs = itertools.product(first, second)
    both = [found for one, other in pairs if (found := _both(one, other)) is not None]
    return tuple(dict.fromkeys(both))


def parts_of(made: Any) -> tuple[type, dict[Hashable, Any]] | None:
    """The outputs that a model returns together, by name; None where there is one.

    Raises
    ------
    WrongOutputsError
        When two columns of a frame have one name.
    """
    if isinstance(made, Mapping):
        return (dict, dict(made)) if made else None
    if is_a(made, {("pandas", "DataFrame")}):
        twice = made.columns[made.columns.duplicated()]
        if len(twice):
            raise WrongOutputsError(
                f"returned a DataFrame with two columns named {twice[0]!r}", "rename one of them"
            )
        return dict, {name: made.iloc[:, place] for place, name in enumerate(made.columns)}
    if isinstance(made, np.ndarray) and made.dtype.names:
        return dict, {name: made[name] for name in made.dtype.names}
    if dataclasses.is_dataclass(made) and not isinstance(made, type):
        return dict, {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
    if isinstance(made, tuple) and hasattr(made, "_fields"):
        return type(made), dict(zip(made._fields, made, strict=True))
    if isinstance(made, (tuple, list)) and made:
        kind = tuple if isinstance(made, tuple) else list
        return kind, dict(enumerate(made))
    return None


def is_number(made: Any) -> bool:
    """Is it one number, or an array or tensor that holds one without an axis?"""
    if isinstance(made, (numbers.Number, np.generic)):
        return True
    return is_array(made) and shape_of(made) == ()


def is_array(made: Any) -> bool:
    """Has it a shape and a dtype, by its class? An object's own attributes are not asked for."""
    return hasattr(type(made), "shape") and hasattr(type(made), "dtype")


def shape_of(made: Any) -> tuple[int, ...] | None:
    """The shape of an array, or of a list with one more axis than its items; None of others."""
    if getattr(type(made), "is_nested", None) is not None and made.is_nested:
        return (int(made.size(0)),)  # of torch, with rows of several shapes
    if is_array(made):
        return tuple(int(size) for size in made.shape)
    if isinstance(made, (list, tuple)) and not hasattr(made, "_fields"):
        return (len(made), *_common(made))
    return None


def words(made: Any) -> str:
    """What some outputs are, in words: their shapes, or their type."""
    shape = shape_of(made)
    if shape is not None and is_array(made):
        return f"an array of shape {shape}" if shape else "a single number"
    parts = parts_of(made)
    if parts is None:
        return "a single number" if is_number(made) else f"a {type(made).__name__}"
    kind, named = parts
    few = list(named.items())[:4]
    more = ", …" if len(named) > len(few) else ""
    if kind is dict or hasattr(kind, "_fields"):
        return f"a {kind.__name__} ({', '.join(f'{n}: {_short(p)}' for n, p in few)}{more})"
    return f"a {kind.__name__} of {len(named)} ({', '.join(_short(p) for _, p in few)}{more})"


def _short(made: Any) -> str:
    shape = shape_of(made)
    if shape is None or not is_array(made):
        return f"{type(made).__name__}" + ("" if shape is None else f" of {len(made)}")
    return f"shape {shape}"


def _fits(made: Any, count: int, axes: Axes, depth: int = 0) -> list[Layout]:
    if made is None or is_number(made):
        return [Left(made is not None)]
    structured = isinstance(made, np.ndarray) and made.dtype.names
    found = [] if structured else _rows(made, count, axes if isinstance(axes, int) else None)
    parts = None if _is_one_output(made) or depth > _DEPTH else parts_of(made)
    if parts is None:
        return found
    kind, named = parts
    ways: list[list[Layout]] = []
    for place, (name, part) in enumerate(named.items()):
        ways.append(_fits(part, count, _axes_of(axes, name, place), depth + 1))
        if not ways[-1]:
            return found
    if sum(len(way) > 1 for way in ways) > _MOST_DOUBTS:
        ways = [way[:1] for way in ways]
    whole = [NamedOutputs(kind, tuple(named), parts) for parts in itertools.product(*ways)]
    several = [one for one in whole if _has_rows(one)]
    return [*several, *found] if kind is tuple else [*found, *several]


_DEPTH = 8
"""How deep outputs are looked for in others."""
_MOST_DOUBTS = 6
"""Of how many outputs that can be read in several ways all combinations are looked at."""


def _is_one_output(made: Any) -> bool:
    """Is it a list of plain values, which cannot be outputs of a batch each?"""
    if not isinstance(made, (list, tuple)) or hasattr(made, "_fields") or not made:
        return False
    first = made[0]
    if isinstance(made, list) and isinstance(first, Mapping):
        return True
    return isinstance(first, (str, bytes)) or (is_number(first) and all(map(is_number, made)))


def _axes_of(axes: Axes, name: Any, place: int) -> Axes:
    if isinstance(axes, Mapping):
        return axes.get(name, 0)
    if isinstance(axes, Sequence):
        return axes[place] if place < len(axes) else 0
    return axes


def _rows(made: Any, count: int, axis: int | None) -> list[Layout]:
    shape = shape_of(made)
    if shape is None:
        sized = isinstance(made, Collection) and not isinstance(made, (str, bytes, Mapping, Set))
        sized = sized and parts_of(made) is None and len(made) == count
        return [OutputRows(frozenset({0}))] if sized else []
    if axis is not None:
        axis = axis + len(shape) if axis < 0 else axis
    along = [place for place, size in enumerate(shape) if size == count and axis in (None, place)]
    if not is_array(made) and 0 not in along:
        return []  # a list's second axis is that of its items: see its parts
    return [OutputRows(frozenset(along))] if along else []


def _common(items: Sequence[Any]) -> tuple[int, ...]:
    """The shape that all items of a list have."""
    if not all(map(is_array, items)):
        return ()
    shapes = {tuple(map(int, item.shape)) for item in items}
    return shapes.pop() if len(shapes) == 1 else ()


def _has_rows(layout: Layout) -> bool:
    if isinstance(layout, NamedOutputs):
        return any(map(_has_rows, layout.parts))
    return isinstance(layout, OutputRows)


def _both(first: Layout, second: Layout) -> Layout | None:
    if isinstance(first, OutputRows) and isinstance(second, OutputRows):
        axes = first.axes & second.axes
        return OutputRows(axes) if axes else None
    if isinstance(first, NamedOutputs) and isinstance(second, NamedOutputs):
        if (first.kind, first.names) != (second.kind, second.names):
            return None
        parts = [_both(*pair) for pair in zip(first.parts, second.parts, strict=True)]
        whole = [part for part in parts if part is not None]
        return replace(first, tuple(whole)) if len(whole) == len(parts) else None
    if isinstance(first, Left) and isinstance(second, Left):
        return Left(first.number or second.number)
    return None


def replace(fields: NamedOutputs, parts: tuple[Layout, ...]) -> NamedOutputs:
    """The same outputs with other layouts."""
    return dataclasses.replace(fields, parts=parts)


def axes_of(layout: Layout) -> list[frozenset[int]]:
    """Of each output with an entry per element, the axes along which that can be."""
    if isinstance(layout, NamedOutputs):
        return [axes for part in layout.parts for axes in axes_of(part)]
    return [layout.axes] if isinstance(layout, OutputRows) else []


def left_out(layout: Layout, name: Hashable = "") -> list[Hashable]:
    """The names of the outputs that are a single number for a whole batch."""
    if isinstance(layout, NamedOutputs):
        pairs = zip(layout.names, layout.parts, strict=True)
        return [found for inner, part in pairs for found in left_out(part, inner)]
    return [name] if isinstance(layout, Left) and layout.number else []
