"""What this process has learned of a model from its calls: where its outputs are, and more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from mmnotebook.here import shell
from mmnotebook.model import layout as layouts
from mmnotebook.model.layout import Axes, Layout, NamedOutputs, OutputRows, WrongOutputsError
from mmnotebook.model.probes import Verdict

_MOST = 1000
"""Of how many models it is kept, those used last."""


@dataclass
class Knowledge:
    """What is known of one model, whichever names and nodes it has.

    Attributes
    ----------
    layout
        Where each element is in the outputs; None until batches of two sizes have proven it.
    started
        Was it called?
    remote
        Does it answer from afar?
    invariant, repeatable
        Does an element's output stay the same whatever else is in its batch, and from call to
        call? None: not probed.
    needed
        About the seconds that it would take to compare it with itself.
    tries
        How often it was begun to compare it with itself.
    changes
        Do calls change it? It is then loaded anew in every run.
    difference
        In what its outputs differ, in words.
    seen_in
        The run in which that was seen.
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
        """Was it compared with itself?"""
        return self.repeatable is not None and self.invariant is not None

    @property
    def keeps_state(self) -> bool:
        """Is it known that calls change it, or that the same call can give other outputs?"""
        return self.changes or self.repeatable is False

    @property
    def sizes(self) -> frozenset[int]:
        """The sizes of the batches whose outputs could be those of their elements."""
        return frozenset(self._seen)

    def learn(self, made: Any, count: int, axes: Axes) -> None:
        """Look at the outputs of one more batch.

        Raises
        ------
        WrongOutputsError
            When they are not one per element, or it is proven that another axis is.
        """
        found = layouts.fits(made, count, axes)
        if not found:
            if count == 1:
                return  # a model that squeezes its outputs: larger batches tell
            raise wrong(made, count, axes)
        before = self._seen.get(count)
        self._seen[count] = found if before is None else layouts.meet(before, found)
        self.layout = self._proven(made, count, axes)

    def judge(self, verdict: Verdict) -> None:
        """Keep what a comparison came to."""
        if verdict.repeatable is not None:
            self.repeatable = verdict.repeatable
        if verdict.invariant is not None:
            self.invariant = verdict.invariant
        self.difference = verdict.difference or self.difference

    def settle(self, made: Any, count: int, axes: Axes) -> None:
        """Take the layout that is left when no batch of another size can be had.

        Raises
        ------
        WrongOutputsError
            When more than one is left, or none.
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
            # What a batch of one is like is no proof against larger ones: axes may be squeezed.
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
    """The error for outputs that are not one per element, with the remedy that fits.

    `ways` are the layouts that are known to be possible; without any, this batch tells.
    """
    said = f"returned {layouts.words(made)} for a batch of {count}: that is not one per element"
    found = _elsewhere(ways or layouts.fits(made, count)) if axes is None else None
    if found is not None:
        option = f"""--output-batch-axis {repr(str(found)) if " " in str(found) else found}"""
        remedy = f"register it with output_batch_axis={found}{_in_magic(option)} if that is the "
        remedy += "axis of the batch"
    elif axes is not None:
        remedy = f"output_batch_axis={axes!r} names no axis of {count} in each output"
    else:
        remedy = (
            "return one output per element, in their order, or a dict of such; batched=False"
            f"{_in_magic('--unbatched')} gives the model one element at a time, batch_axis="
            f"{_in_magic('--batch-axis')} says which axis of its input is the batch"
        )
    return WrongOutputsError(said, remedy)


def _in_magic(option: str) -> str:
    """How the magic writes an option, where there are magics."""
    return f" ({option} in %mm_model)" if shell() is not None else ""


def ambiguous(made: Any, count: int) -> WrongOutputsError:
    """The error for outputs of which batches of other sizes do not tell where an element is."""
    return WrongOutputsError(
        f"returned {layouts.words(made)} for a batch of {count}: more than one of its axes can "
        "be that of the batch",
        f"output_batch_axis=0{_in_magic('--output-batch-axis 0')} says that it is the first, if "
        "each row is one element's output",
    )


def _elsewhere(ways: Sequence[Layout]) -> Any:
    """The axis of the batch in each output, where that is one and not the first."""
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
    """The layout, if the batch is the first axis of all outputs."""
    return layout if all(0 in along for along in layouts.axes_of(layout)) else None


_known: OrderedDict[str, Knowledge] = OrderedDict()
_lock = threading.Lock()


def of(identity: str) -> Knowledge:
    """What is known of the model of that identity."""
    with _lock:
        found = _known.setdefault(identity, Knowledge())
        _known.move_to_end(identity)
        while len(_known) > _MOST:
            _known.popitem(last=False)
        return found
