"""Combination of several outputs for one element: vote, mean and stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnotebook.beam.dofns.call_fn import CallFn
from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.beam.lowering.step import Lowering
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.columns import Arrays, Column, Numbers, Records, Tensors
from mmnotebook.elements.elements import array_of
from mmnotebook.errors import shown
from mmnotebook.results.labels import labeled
from mmnotebook.results.values import array, plain

Array = np.ndarray[Any, Any]


def vote(outputs: Mapping[str, Any]) -> Any:
    """Return the label that most models returned; in a tie, the label that comes first.

    If an output is a dict {"label", "score"} or a list of such dicts, the label with the highest
    score is used.

    Raises
    ------
    TypeError
        If a model returned None, scores or anything else in place of one label.
    """
    labels = {name: _label(output) for name, output in _given(outputs).items()}
    for name, label in labels.items():
        if isinstance(label, np.ndarray):
            raise TypeError(
                f"vote takes one label per model; {name} returned {label.size} numbers: "
                "register it with output='argmax', or use mean()"
            )
        if not isinstance(label, Hashable):
            raise TypeError(
                f"vote takes one label per model; {name} returned {shown(label)}: "
                "register it with output=, a function that returns the label"
            )
    return Counter(labels.values()).most_common(1)[0][0]


def mean(outputs: Mapping[str, Any]) -> Any:
    """Return the elementwise mean of the models' outputs, which must have the same shape.

    Raises
    ------
    TypeError, ValueError
        If a model did not return numbers, or the outputs have different shapes.
    """
    given = _given(outputs)
    arrays = {name: np.asarray(value) for name, value in given.items()}
    for name, one in arrays.items():
        if one.dtype.kind not in "biuf":
            raise TypeError(f"mean takes numbers; {name} returned {shown(given[name])}; use vote()")
    _check_shapes(arrays)  # NumPy might broadcast
    return plain(_mean([one.astype(float) for one in arrays.values()]))


def stack(outputs: Mapping[str, Any]) -> Any:
    """Stack the models' outputs in one array; the first axis has one index per model.

    Raises
    ------
    TypeError, ValueError
        If some outputs are strings and others numbers, or the outputs have different shapes.
    """
    given = _given(outputs)
    arrays = {name: array_of(value) for name, value in given.items()}
    _check_shapes(arrays)
    kinds = {one.dtype.kind for one in arrays.values()}
    if kinds & set("US") and kinds & set("biufc"):  # NumPy would turn numbers into strings
        found = ", ".join(f"{name} {shown(value)}" for name, value in given.items())
        raise TypeError(f"stack cannot combine strings and numbers in one array: {found}")
    return np.stack(list(arrays.values()))


def _given(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the models' outputs as plain values; raise TypeError for None."""
    given = {name: plain(value) for name, value in outputs.items()}
    for name, value in given.items():
        if value is None:
            raise TypeError(
                f"{name} returned None; a model without an output for an element must raise an "
                "exception; missing= says how it is handled"
            )
    return given


def _label(output: Any) -> Any:
    found = labeled(output)
    return output if found is None else found.label


def _check_shapes(arrays: Mapping[str, Array]) -> None:
    if len({one.shape for one in arrays.values()}) > 1:
        found = ", ".join(f"{name} {one.shape}" for name, one in arrays.items())
        raise ValueError(f"all outputs must have the same shape: {found}")


def _mean(arrays: Sequence[Array]) -> Array:
    # Not np.mean: its order of additions depends on the shape, and results for single elements and
    # for whole columns must be equal.
    total = arrays[0]
    for one in arrays[1:]:
        total = total + one
    return total / len(arrays)


def _votes(arrays: Sequence[Array]) -> Column | None:
    if any(one.ndim > 1 for one in arrays) or len({one.dtype for one in arrays}) > 1:
        return None
    labels = np.stack(arrays)
    # As in a Counter, a value that is not equal to itself (NaN) counts once.
    counts = [(labels == one).sum(axis=0) + (one != one) for one in arrays]
    chosen = np.argmax(counts, axis=0)
    return Numbers(labels[chosen, np.arange(len(chosen))])


def _means(arrays: Sequence[Array]) -> Column | None:
    if len({one.shape for one in arrays}) > 1:
        return None
    means = _mean([one.astype(float) for one in arrays])
    return Numbers(means) if means.ndim == 1 else Arrays(means)


def _stacks(arrays: Sequence[Array]) -> Column | None:
    if len({one.shape for one in arrays}) > 1:
        return None
    return Arrays(np.stack(arrays, axis=1))


@dataclass(frozen=True)
class Combine:
    """How a step combines the outputs for an element.

    Attributes
    ----------
    one
        Combines the outputs for one element, which are in a dict.
    whole
        Combines the outputs for all elements, one array per model; returns None if this is
        impossible.
    """

    one: Callable[[Mapping[str, Any]], Any]
    whole: Callable[[Sequence[Array]], Column | None]

    def column(self, values: Column) -> Column | None:
        """Combine all elements at once, with the same results as `one`; None if impossible."""
        if not isinstance(values, Records) or not len(values):
            return None
        arrays = [numbers(inferences(column)) for column in values.columns.values()]
        known = [one for one in arrays if one is not None]
        return self.whole(known) if len(known) == len(arrays) else None


def numbers(values: Column) -> Array | None:
    """Return a column's numbers as an array of Python's number types; None for other columns.

    The result equals `np.asarray` of each `plain` value.
    """
    if isinstance(values, Tensors):
        values = Arrays(array(values.tensor))
    if not isinstance(values, Arrays) or values.array.dtype.kind not in "biuf":
        return None
    numbers = values.array
    if numbers.ndim > 1:
        return numbers
    own = {"b": np.dtype(bool), "i": np.dtype(np.int64), "f": np.dtype(np.float64)}
    dtype = own.get(numbers.dtype.kind, np.dtype(np.int64))
    return numbers.astype(dtype) if np.can_cast(numbers.dtype, dtype) else None


class Combining(CallFn):
    """Combines several outputs for an element; all elements at once if the outputs are numbers."""

    def __init__(self, node: str, run_id: str, how: Combine) -> None:
        super().__init__(node, run_id, None, how.one)
        self.how = how

    def blocks(self, block: Block) -> Iterable[Block]:
        made = self.how.column(block.values)
        if made is None:
            return super().blocks(block)
        self.track.check()
        self.track.count_inputs(len(block))
        return in_parts(block.with_values(made, block.failed))


def combining(how: Combine) -> Lowering:
    """Return the lowering of a step that combines the outputs for an element with `how`."""
    return Lowering(dofn=lambda step: Combining(step.node.name, step.run_id, how))


BY_VOTE = Combine(vote, _votes)
BY_MEAN = Combine(mean, _means)
BY_STACK = Combine(stack, _stacks)
VOTE, MEAN, STACK = map(combining, (BY_VOTE, BY_MEAN, BY_STACK))
