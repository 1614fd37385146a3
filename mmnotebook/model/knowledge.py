"""Facts about models that this process learned from their calls, such as output layouts."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from mmnotebook.model import layouts
from mmnotebook.model.layouts import Axes, Layout, NamedOutputs, OutputRows, WrongOutputsError
from mmnotebook.model.probes import Verdict
from mmnotebook.notebook_state import shell

_MOST = 1000
"""The maximum number of models that are remembered: the most recently used ones."""


@dataclass
class Knowledge:
    """The facts about one model, which apply under any name and in any node.

    Attributes
    ----------
    layout
        The position of each element in the outputs; None until batches of two sizes prove it.
    started
        Whether the model was called.
    remote
        Whether the model runs in another process or on another machine.
    invariant, repeatable
        Whether the output for an element is independent of the rest of its batch, and whether it
        is equal in each call; None if this was not probed.
    needed
        The estimated time of a probe in seconds; a probe compares outputs of the model.
    tries
        The number of probes that were started.
    changes
        Whether calls change the model; such a model is loaded again in every run.
    difference
        A description of the difference between outputs that should be equal; "" for none.
    seen_in
        The run in which the difference was found.
    """

    layout: Layout | None = None
    started: bool = False
    remote: bool = False
    invariant: bool | None = None
    repeatable: bool | None = None
    needed: float = 0.0
    tries: int = 0
    changes: bool = False
    difference: str = ""
    seen_in: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _seen: dict[int, tuple[Layout, ...]] = field(default_factory=dict)

    @property
    def probed(self) -> bool:
        """Whether the model was probed: its outputs were compared."""
        return self.repeatable is not None and self.invariant is not None

    @property
    def keeps_state(self) -> bool:
        """Whether calls change the model, or equal calls return different outputs."""
        return self.changes or self.repeatable is False

    @property
    def is_proven(self) -> bool:
        """Whether batches of two sizes have shown the layout."""
        return self.layout is not None and len(self._seen) > 1

    @property
    def sizes(self) -> frozenset[int]:
        """The sizes of batches whose outputs could be one per element."""
        return frozenset(self._seen)

    def learn(self, made: Any, count: int, axes: Axes) -> None:
        """Learn from the outputs of one more batch.

        Raises
        ------
        WrongOutputsError
            If there is not one output per element, or another axis is proven to be the batch axis.
        """
        found = layouts.fits(made, count, axes)
        if not found:
            if count == 1:
                return  # the model may squeeze its outputs; larger batches will show the layout
            raise wrong(made, count, axes)
        before = self._seen.get(count)
        self._seen[count] = found if before is None else layouts.meet(before, found)
        self.layout = self._proven(made, count, axes)

    def judge(self, verdict: Verdict) -> None:
        """Store the result of a probe."""
        if verdict.repeatable is not None:
            self.repeatable = verdict.repeatable
        if verdict.invariant is not None:
            self.invariant = verdict.invariant
        self.difference = verdict.difference or self.difference

    def settle(self, made: Any, count: int, axes: Axes) -> None:
        """Accept the only remaining layout if there is no batch of another size.

        Raises
        ------
        WrongOutputsError
            If several layouts remain, or none.
        """
        left = reduce(layouts.meet, self._seen.values(), layouts.fits(made, count, axes))
        if not left or (axes is None and _first_axis(left[0]) is None):
            raise wrong(made, count, axes, left)
        if len(left) > 1 or any(len(along) > 1 for along in layouts.axes_of(left[0])):
            raise ambiguous(made, count)
        self.layout = left[0]

    def _proven(self, made: Any, count: int, axes: Axes) -> Layout | None:
        several = [ways for size, ways in self._seen.items() if size > 1]
        known = several if len(several) > 1 else list(self._seen.values())
        left = reduce(layouts.meet, known)
        if not left:
            # A batch of one element proves nothing about larger batches: its axes may be squeezed.
            if len(several) <= 1 < len(known):
                return None
            raise wrong(made, count, axes)
        exact = len(left) == 1 and all(len(along) == 1 for along in layouts.axes_of(left[0]))
        if len(known) == 1 and not (exact and count == 1):
            return None
        if not exact:
            raise ambiguous(made, count)
        if axes is None and _first_axis(left[0]) is None:
            raise wrong(made, count, axes, left)
        return left[0]


def wrong(made: Any, count: int, axes: Axes, ways: tuple[Layout, ...] = ()) -> WrongOutputsError:
    """Return the error, with a remedy, for a return value without one output per element.

    `ways` are the possible layouts, as far as known; if there are none, this batch determines them.
    """
    message = f"returned {layouts.words(made)} for a batch of {count}: not one output per element"
    found = _elsewhere(ways or layouts.fits(made, count)) if axes is None else None
    if found is not None:
        option = f"""--output-batch-axis {repr(str(found)) if " " in str(found) else found}"""
        remedy = f"register it with output_batch_axis={found}{_in_magic(option)} if that is the "
        remedy += "axis of the batch"
    elif axes is not None:
        remedy = f"output_batch_axis={axes!r} is not an axis of size {count} in each output"
    else:
        remedy = (
            "return one output per element, in order, or a dict of such outputs; batched=False"
            f"{_in_magic('--unbatched')} passes the model one element at a time, batch_axis="
            f"{_in_magic('--batch-axis')} sets the batch axis of its input"
        )
    return WrongOutputsError(message, remedy)


def _in_magic(option: str) -> str:
    """Return a hint that contains the option of %mm_model; "" outside of IPython."""
    return f" ({option} in %mm_model)" if shell() is not None else ""


def ambiguous(made: Any, count: int) -> WrongOutputsError:
    """Return the error for outputs whose batch axis cannot be determined from any batch."""
    return WrongOutputsError(
        f"returned {layouts.words(made)} for a batch of {count}: more than one axis could "
        "be the batch axis",
        f"output_batch_axis=0{_in_magic('--output-batch-axis 0')} selects the first axis, if each "
        "row is the output for one element",
    )


def _elsewhere(ways: Sequence[Layout]) -> Any:
    """Return the batch axis of the outputs if it is unique and not the first axis, else None."""
    ways = [way for way in ways if _first_axis(way) is None]
    if len(ways) != 1 or any(len(along) > 1 for along in layouts.axes_of(ways[0])):
        return None
    return _named_axes(ways[0])


def _named_axes(layout: Layout) -> Any:
    if isinstance(layout, OutputRows):
        return min(layout.axes)
    if not isinstance(layout, NamedOutputs):
        return 0
    each = [_named_axes(part) for part in layout.parts]
    if layout.kind is dict:
        return dict(zip(layout.names, each, strict=True))
    return each[0] if len(set(map(str, each))) == 1 else tuple(each)


def _first_axis(layout: Layout) -> Layout | None:
    """Return the layout if the batch is the first axis of all outputs, else None."""
    return layout if all(0 in along for along in layouts.axes_of(layout)) else None


_known: OrderedDict[str, Knowledge] = OrderedDict()
_lock = threading.Lock()


def of(identity: str) -> Knowledge:
    """Return the knowledge about the model with this identity."""
    with _lock:
        found = _known.setdefault(identity, Knowledge())
        _known.move_to_end(identity)
        while len(_known) > _MOST:
            _known.popitem(last=False)
        return found
