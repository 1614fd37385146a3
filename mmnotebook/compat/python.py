"""Python's own internals. Paths are below CPython's `Lib`, unless they begin with another folder.

The memory layout of Python's random number generator is used in `random.py`.
"""

from __future__ import annotations

import _abc  # type: ignore[import-not-found]
import _thread
import argparse
import contextlib
import importlib._bootstrap
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

get_frame = sys._getframe
"""Return the frame of the function that calls this, or of the caller `depth` levels above it.

Relies on `Python/sysmodule.c`.
"""
FINDS = importlib._bootstrap._find_spec.__code__  # type: ignore[attr-defined]
"""The code that finds a module by its argument `name`; `importlib.util` calls it too.

Relies on `importlib/_bootstrap.py`.
"""
VARIABLE = type(os.environ).__getitem__.__code__
"""The code that reads the environment variable in its argument `key`.

Relies on `_Environ` in `os.py`.
"""
ALL_VARIABLES = type(os.environ).__iter__.__code__
"""The code that iterates over the environment variables. Relies on `_Environ` in `os.py`."""
ABSTRACT = "_abc_impl"
"""The attribute that every abstract class has. Relies on `Modules/_abc.c`."""
WARNINGS = ("warnings", "_py_warnings")
"""The modules with the functions that show a warning; the second since Python 3.14."""
_HOOK = "_showwarnmsg"


def registered(abstract: type) -> list[type]:
    """Return the classes that were registered with an abstract class, in any order.

    Relies on `Modules/_abc.c`.
    """
    known = (reference() for reference in _abc._get_dump(abstract)[0])
    return [one for one in known if one is not None]


def warnings_hook() -> Callable[[warnings.WarningMessage], None]:
    """Return the function that receives each warning, except ignored ones.

    Relies on `warnings.py`.
    """
    hook: Callable[[warnings.WarningMessage], None] = getattr(warnings, _HOOK)
    return hook


def set_warnings_hook(hook: Callable[[warnings.WarningMessage], None]) -> None:
    """Set the function that receives each warning, except ignored ones.

    Relies on `warnings.py`.
    """
    setattr(warnings, _HOOK, hook)


def shows_warnings() -> tuple[Any, ...]:
    """Return the functions that show a warning.

    Users may replace the first; `warnings.catch_warnings` replaces both.

    Relies on `warnings.py`.
    """
    return warnings.showwarning, getattr(warnings, "_showwarnmsg_impl", None)


def forget_shown_warnings() -> None:
    """Let Python show all warnings again, even those that were already shown.

    Relies on `warnings.py`, where this invalidates the registries of all modules.
    """
    getattr(warnings, "_filters_mutated", lambda: None)()


def options(parser: argparse.ArgumentParser) -> list[str]:
    """Return the options of a parser, such as `-n` and `--name`.

    Relies on `argparse.py`.
    """
    return [name for action in parser._actions for name in action.option_strings]


def uuid_source() -> Any:
    """Return the builtin that `uuid.uuid1` calls; None if `uuid` is not imported.

    Relies on `Modules/_uuidmodule.c`.
    """
    unique = sys.modules.get("_uuid")
    return None if unique is None else unique.generate_time_safe


@contextlib.contextmanager
def outside_event_loop() -> Iterator[None]:
    """Let code in this block call `asyncio.run`, although the thread is in an event loop.

    A kernel executes cells in its event loop. Relies on `asyncio/events.py` and on the policies,
    where `asyncio.run` clears the thread's loop.
    """
    asyncio = sys.modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if asyncio is None or loop is None:
        yield
        return
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio.set_event_loop(loop)
        asyncio._set_running_loop(loop)


def current_task() -> Any:
    """Return the asyncio task in which the caller runs, or None.

    Relies on `asyncio/events.py`.
    """
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    return asyncio.current_task()


def is_cancelled(task: Any) -> bool:
    """Return whether a task that is running is to be cancelled when it waits the next time.

    Relies on `asyncio/tasks.py`; `Task.cancelling` is new in Python 3.11.
    """
    return bool(task._must_cancel)


def interrupt(thread: int) -> None:
    """Run the handler of SIGINT in the main thread, whose identifier is `thread`.

    Relies on `Modules/_threadmodule.c` on Windows, which has no signals for a thread.
    """
    if hasattr(signal, "pthread_kill"):  # also ends a system call in which the thread waits
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()


def user_stacklevel() -> int:
    """Return the `stacklevel` with which the caller's warning names the line of the user.

    This is the innermost line that is neither in this package nor in Beam. Relies on
    `Python/sysmodule.c`.
    """
    level, frame = 1, get_frame(1)
    while frame.f_back is not None and _top(frame) in ("mmnotebook", "apache_beam"):
        level, frame = level + 1, frame.f_back
    return level


def _top(frame: FrameType) -> str:
    """Return the name of the package whose code a frame runs."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
