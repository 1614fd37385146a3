"""The node and model that the current thread works for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import NamedTuple

from mmnotebook import observing
from mmnotebook.state.run_state import RunState, Stopped


class Place(NamedTuple):
    """A node of a run in this process, and the model that it calls."""

    run: RunState
    node: str
    model: str | None


_place: ContextVar[Place | None] = ContextVar("mmnotebook_place", default=None)


def current() -> Place | None:
    """Return the node that this thread works for, or None."""
    return _place.get()


@contextlib.contextmanager
def within(
    run: RunState | None, node: str, model: str | None = None, *, loads: bool = False
) -> Iterator[None]:
    """Make this thread work for a node, or for a model in the node, in this block.

    The settings of the thread that started the run apply. The record of the node observes what the
    block does. An exception is recorded as raised by the node or model. `loads` says that the model
    is loaded, not called.
    """
    if run is None:
        yield
        return
    with contextlib.nullcontext() if run.caller is None else run.caller.entered():
        yield from _noted(run, node, model, loads)


def _noted(run: RunState, node: str, model: str | None, loads: bool) -> Iterator[None]:
    token = _place.set(Place(run, node, model))
    try:
        with observing.within(run.records.get(node), loads=loads):
            yield
        run.check_interrupt()
    except Stopped:
        raise
    except BaseException:
        run.broke(node, model)
        raise
    finally:
        _place.reset(token)


class HeldWarnings:
    """The warnings of a model call that is not a prediction: neither counted nor shown yet."""

    def __init__(self) -> None:
        self.run = RunState("", {})

    def report(self, run: RunState | None, node: str, model: str) -> None:
        """Count the held warnings as warnings of a model in a node."""
        if run is not None:
            for kind, one in self.run.warnings():
                run.warn(node, model, kind, one.message, one.filename, one.lineno, one.module)


@contextlib.contextmanager
def holding_warnings() -> Iterator[HeldWarnings]:
    """Hold the warnings in this block, which calls a model for a check and not for predictions."""
    held = HeldWarnings()
    token = _place.set(Place(held.run, "", None))
    try:
        yield held
    finally:
        _place.reset(token)
