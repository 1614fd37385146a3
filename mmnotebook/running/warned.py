"""The warnings of models and functions: taken in the threads that call them, and counted.

`warnings` has one hook for the whole process. While a run is in progress it is replaced by one that
asks which node the current thread works for: the warnings of a node are counted, those of every
other thread go on as before. Filters stay as they are: what they ignore is not counted, and what
they turn into an error fails its element.

The registry of a module remembers which of its warnings were shown, so that most filters let only
the first one through. A warning that is counted is removed from it again, so that the next one is
counted too and nothing in the registry tells of the run.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Any

from mmnotebook.results.records import Warned
from mmnotebook.state import places

_SAID = 5
"""The most distinct warnings that are shown at the end of a run."""
_HOOK = "_showwarnmsg"
_OWN_MODULES = ("warnings", "_py_warnings")


_lock = threading.Lock()
_inside = 0
_before: Any = None
_shown_by: tuple[Any, ...] = ()


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Count the warnings of nodes while this lasts; the last one to leave removes the hook."""
    _enter()
    try:
        yield
    finally:
        _leave()


def lines(found: Iterable[Warned]) -> list[str]:
    """The warnings of a run, each on a line of its own, the first few of them."""
    each = [f"{one.category} in {_where(one)}: {' '.join(one.message.split())}" for one in found]
    return [*each[:_SAID], *_further(len(each))]


def issue(found: Sequence[tuple[type[Warning], Warned]]) -> None:
    """Issue the warnings of a run once each, the first few of them, as if they arose here."""
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
            _before, _shown_by = getattr(warnings, _HOOK), _showing()
            setattr(warnings, _HOOK, _dispatch)
        _inside += 1
    # What was shown before the run is counted in it all the same.
    getattr(warnings, "_filters_mutated", lambda: None)()


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside and getattr(warnings, _HOOK) is _dispatch:
            setattr(warnings, _HOOK, _before)


def _showing() -> tuple[Any, ...]:
    """The functions that show a warning; a user may set the first, `catch_warnings` sets both."""
    return warnings.showwarning, getattr(warnings, "_showwarnmsg_impl", None)


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
    """Does somebody collect warnings who did not when the run began: the user's code, say?"""
    return any(
        now is not before and getattr(now, "__module__", None) not in _OWN_MODULES
        for now, before in zip(_showing(), _shown_by, strict=True)
    )


def _forget(said: str, category: type[Warning], message: warnings.WarningMessage) -> str | None:
    """Remove a warning from the registry that it was noted in; gives the name of the module."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_lineno == message.lineno and frame.f_code.co_filename == message.filename:
            registry = frame.f_globals.get("__warningregistry__", {})
            for key in ((said, category, message.lineno), (said, category, 0), (said, category)):
                registry.pop(key, None)
            return str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return None
