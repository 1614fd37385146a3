"""Warnings of models and functions, collected per thread and counted.

`warnings` has one hook for the whole process. A run replaces this hook by a function that looks up
the node for which the current thread works. Warnings of a node are counted. Warnings in threads
that work for no node are shown as before. Warning filters still apply: ignored warnings are not
counted, and if a filter turns a warning into an error, the element fails.

The `__warningregistry__` of a module lists the warnings that were shown, so that most filters show
equal warnings only once. The run removes a counted warning from the registry. So the next equal
warning is counted too, and the registry does not contain the warnings of the run.
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
from mmnotebook.errors import counted as with_noun
from mmnotebook.results.records import Warned
from mmnotebook.state import places

_SHOWN = 5
"""Maximum number of distinct warnings that are shown at the end of a run."""

_lock = threading.Lock()
_active = 0
_before: Any = None
_shown_by: tuple[Any, ...] = ()


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Count the warnings of nodes in this `with` block; the last block to end removes the hook."""
    _enter()
    try:
        yield
    finally:
        _leave()


def lines(found: Iterable[Warned]) -> list[str]:
    """Return the first warnings of a run, one per line."""
    each = [f"{one.category} in {_where(one)}: {' '.join(one.message.split())}" for one in found]
    return [*each[:_SHOWN], *_remaining(len(each))]


def issue(found: Sequence[tuple[type[Warning], Warned]]) -> None:
    """Issue the first warnings of a run, once each, with the file and line of the original."""
    for category, one in found[:_SHOWN]:
        message = one.message if one.count == 1 else f"{one.message} [in {_where(one)}]"
        warnings.warn_explicit(
            message, category, one.filename or "mmnotebook", one.lineno, one.module or "mmnotebook"
        )
    for text in _remaining(len(found)):
        warnings.warn_explicit(text, UserWarning, "mmnotebook", 0)


def _where(one: Warned) -> str:
    by = f"{one.node} (model {one.model})" if one.model not in (None, one.node) else one.node
    return by if one.count == 1 else f"{by}, {one.count:,} times"


def _remaining(count: int) -> list[str]:
    more = count - _SHOWN
    return [f"{with_noun(more, 'more distinct warning')}: mm.last.warnings"] if more > 0 else []


def _enter() -> None:
    global _active, _before, _shown_by
    with _lock:
        if not _active:
            _before, _shown_by = compat.warnings_hook(), compat.shows_warnings()
            compat.set_warnings_hook(_dispatch)
        _active += 1
    # Without this, warnings that were already shown before the run would not be counted.
    compat.forget_shown_warnings()


def _leave() -> None:
    global _active
    with _lock:
        _active -= 1
        if not _active and compat.warnings_hook() is _dispatch:
            compat.set_warnings_hook(_before)


def _dispatch(message: warnings.WarningMessage) -> None:
    place = places.current()
    if place is None or _is_recorded():
        _before(message)
        return
    category, text = message.category, str(message.message)
    module = _forget(text, category, message)
    place.run.warn(
        place.node, place.model, category, text, message.filename, message.lineno, module
    )


def _is_recorded() -> bool:
    """Return whether other code, such as a user's function, now records or shows warnings."""
    return any(
        now is not before and getattr(now, "__module__", None) not in compat.WARNINGS
        for now, before in zip(compat.shows_warnings(), _shown_by, strict=True)
    )


def _forget(text: str, category: type[Warning], message: warnings.WarningMessage) -> str | None:
    """Remove a warning from the registry of its module; return the module's name."""
    frame: FrameType | None = get_frame(2)
    while frame is not None:
        if frame.f_lineno == message.lineno and frame.f_code.co_filename == message.filename:
            registry = frame.f_globals.get("__warningregistry__", {})
            for key in ((text, category, message.lineno), (text, category, 0), (text, category)):
                registry.pop(key, None)
            return str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return None
