"""The position of each element in the outputs of a model, proven by batches of several sizes."""

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
    """The return value of a model for a batch does not have one output per element.

    Attributes
    ----------
    remedy
        How the user can fix the model or its registration.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


class Each(list[Any]):
    """A list with exactly one output per element, in order."""


@dataclass(frozen=True)
class OutputRows:
    """An array, tensor or list with one entry per element along one of these axes."""

    axes: frozenset[int]


@dataclass(frozen=True)
class Left:
    """A value that is left out of the outputs: None, or a single number for a whole batch."""

    number: bool = False


@dataclass(frozen=True)
class NamedOutputs:
    """Several outputs by name, or by position if `kind` is a tuple or list."""

    kind: type
    names: tuple[Hashable, ...]
    parts: tuple[Layout, ...]


Layout = OutputRows | Left | NamedOutputs
Axes = int | Mapping[str, int] | Sequence[int] | None
"""One batch axis for all outputs, or one per output; None means the first axis, if proven."""


def fits(made: Any, count: int, axes: Axes = None) -> tuple[Layout, ...]:
    """Return the possible layouts of the outputs for `count` elements."""
    if isinstance(made, Each):
        return (OutputRows(frozenset({0})),) if len(made) == count else ()
    found = _fits(made, count, axes)
    return tuple(layout for layout in found if _has_rows(layout))


def meet(first: Iterable[Layout], second: Iterable[Layout]) -> tuple[Layout, ...]:
    """Return the layouts that are possible for two batches, from the layouts for each batch."""
    pairs = itertools.product(first, second)
    both = [found for one, other in pairs if (found := _both(one, other)) is not None]
    return tuple(dict.fromkeys(both))


def parts_of(made: Any) -> tuple[type, dict[Hashable, Any]] | None:
    """Return several outputs of a model by name; None for a single output.

    Raises
    ------
    WrongOutputsError
        If two columns of a frame have the same name.
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
    """Return whether a value is a number, or an array or tensor without axes."""
    if isinstance(made, (numbers.Number, np.generic)):
        return True
    return is_array(made) and shape_of(made) == ()


def is_array(made: Any) -> bool:
    """Return whether the class of a value has a shape and a dtype; no attribute is read."""
    return hasattr(type(made), "shape") and hasattr(type(made), "dtype")


def shape_of(made: Any) -> tuple[int, ...] | None:
    """Return the shape of an array, or of a list of items with equal shapes; None for others."""
    if getattr(type(made), "is_nested", None) is not None and made.is_nested:
        return (int(made.size(0)),)  # a nested tensor, whose rows have different shapes
    if is_array(made):
        return tuple(int(size) for size in made.shape)
    if isinstance(made, (list, tuple)) and not hasattr(made, "_fields"):
        return (len(made), *_common(made))
    return None


def words(made: Any) -> str:
    """Describe outputs by their shapes or types."""
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
"""The maximum depth of nested outputs that is searched."""
_MOST_DOUBTS = 6
"""The maximum number of ambiguous outputs for which all combinations are tried."""


def _is_one_output(made: Any) -> bool:
    """Return whether outputs are a list of plain values, none of which can be a batch."""
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
        return []  # the other axes of a list belong to its items, which are checked as its parts
    return [OutputRows(frozenset(along))] if along else []


def _common(items: Sequence[Any]) -> tuple[int, ...]:
    """Return the common shape of all items of a list; () if there is none."""
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
    """Return outputs with the same names and other layouts."""
    return dataclasses.replace(fields, parts=parts)


def axes_of(layout: Layout) -> list[frozenset[int]]:
    """Return the possible batch axes of each output that has one entry per element."""
    if isinstance(layout, NamedOutputs):
        return [axes for part in layout.parts for axes in axes_of(part)]
    return [layout.axes] if isinstance(layout, OutputRows) else []


def left_out(layout: Layout, name: Hashable = "") -> list[Hashable]:
    """List the names of outputs that are a single number for a whole batch."""
    if isinstance(layout, NamedOutputs):
        pairs = zip(layout.names, layout.parts, strict=True)
        return [found for inner, part in pairs for found in left_out(part, inner)]
    return [name] if isinstance(layout, Left) and layout.number else []
