"""Warnings of models and functions, collected per thread and counted.

`warnings` has one hook for the whole process. During a run it is replaced by one that looks up the
node for which the current thread works: warnings of a node are counted, those of every other
thread go on as before. Filters keep their meaning: ignored warnings are not counted, and a warning
that a filter turns into an error fails its element.

The registry of a module remembers which of its warnings were shown, so that most filters let only
the first one through. A counted warning is removed from it again, so that the next one is counted
too, and no trace of the run remains in the registry.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Any

from mmnotebook.compat import python as compat
from mmnotebook.compat.python import get_frame
from mmnotebook.results.records import Warned
from mmnotebook.state import places

_SAID = 5
"""Maximum number of distinct warnings that are shown at the end of a run."""

_lock = threading.Lock()
_inside = 0
_before: Any = None
_shown_by: tuple[Any, ...] = ()


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Count the warnings of nodes in this block; the last block to end removes the hook."""
    _enter()
    try:
        yield
    finally:
        _leave()


def lines(found: Iterable[Warned]) -> list[str]:
    """Return the first warnings of a run, each on a line of its own."""
    each = [f"{one.category} in {_where(one)}: {' '.join(one.message.split())}" for one in found]
    return [*each[:_SAID], *_further(len(each))]


def issue(found: Sequence[tuple[type[Warning], Warned]]) -> None:
    """Issue the first warnings of a run, once each, as if they came from the caller."""
    for category, one in found[:_SAID]:
        message = one.message if one.count == 1 else f"{one.message} [in {_where(one)}]"
        warnings.warn_explicit(
            message, category, one.filename or "mmnotebook", one.lineno, one.module or "mmnotebook"
        )
    for text in _further(len(found)):
        warnings.warn_explicit(text, UserWarning, "mmnotebook", 0)


def _where(one: Warned) -> str:
    by = f"{one.node} (model {one.model})" if one.model not in (None, one.node) else one.node
    return by if one.count == 1 else f"{by}, {one.count:,} times"


def _further(count: int) -> list[str]:
    more = count - _SAID
    return [f"{more:,} more distinct warnings: mm.last.warnings"] if more > 0 else []


def _enter() -> None:
    global _inside, _before, _shown_by
    with _lock:
        if not _inside:
            _before, _shown_by = compat.warnings_hook(), compat.shows_warnings()
            compat.set_warnings_hook(_dispatch)
        _inside += 1
    # Warnings that were shown before the run are counted in it all the same.
    compat.forget_shown_warnings()


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside and compat.warnings_hook() is _dispatch:
            compat.set_warnings_hook(_before)


def _dispatch(message: warnings.WarningMessage) -> None:
    place = places.current()
    if place is None or _is_recorded():
        _before(message)
        return
    category, said = message.category, str(message.message)
    module = _forget(said, category, message)
    place.run.warn(
        place.node, place.model, category, said, message.filename, message.lineno, module
    )


def _is_recorded() -> bool:
    """Return whether anyone, such as the user's code, began to collect warnings in the run."""
    return any(
        now is not before and getattr(now, "__module__", None) not in compat.WARNINGS
        for now, before in zip(compat.shows_warnings(), _shown_by, strict=True)
    )


def _forget(said: str, category: type[Warning], message: warnings.WarningMessage) -> str | None:
    """Remove a warning from the registry where it was noted; return the module's name."""
    frame: FrameType | None = get_frame(2)
    while frame is not None:
        if frame.f_lineno == message.lineno and frame.f_code.co_filename == message.filename:
            registry = frame.f_globals.get("__warningregistry__", {})
            for key in ((said, category, message.lineno), (said, category, 0), (said, category)):
                registry.pop(key, None)
            return str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return None
