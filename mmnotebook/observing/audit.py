"""Interpretation of Python's audit events: files, processes, the network."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import CodeType
from typing import Any
from urllib.parse import unquote, urlsplit

from mmnotebook.compat.python import get_frame
from mmnotebook.observing import current, origins, paths
from mmnotebook.observing.current import Work
from mmnotebook.observing.origins import Origin, Whose

_Handler = Callable[[Work, Origin, tuple[Any, ...]], None]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_RANDOM = ("/dev/random", "/dev/urandom")


def notice(event: str, arguments: tuple[Any, ...]) -> None:
    """Record an audit event for the node that this thread is computing."""
    handler = _handler(event)
    if handler is None or current.is_unseen():
        return
    with current.unseen():
        frame = get_frame(2) if _has_frames() else None
        for work in current.concerned(frame):
            record = work.record
            try:
                who = origins.caller(frame, record.entries)
                builtin = record.is_direct and who.outermost is None
                if who.whose is not Whose.OURS or builtin:
                    handler(work, who, arguments)
            except Exception as error:  # noqa: BLE001 - observing must not make the observed code fail
                record.misses(f"{event} could not be tracked: {type(error).__name__}")


def _has_frames() -> bool:
    try:
        get_frame(3)
    except ValueError:
        return False
    return True


def _opened(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    path, mode, flags = arguments[:3]
    writes = bool((flags or 0) & _WRITES)
    if who.importing:  # imports also write compiled modules, through a file descriptor
        if not writes and not isinstance(path, int) and os.path.isfile(path):
            work.record.reads(os.fsdecode(path))
        return
    if isinstance(path, int):
        work.varies("it reads or writes through a file descriptor")
        return
    path = os.fsdecode(path)
    if paths.is_kernel(path):
        _asked_kernel(work, who, path)
    elif writes:
        work.varies(f"it writes files ({os.path.basename(path)})")
    elif mode is None and not os.path.isabs(path) and not os.path.exists(path):
        work.varies("it opens files relative to an open folder")
    elif os.path.isdir(path):
        work.record.lists(path)
    else:
        work.record.reads(path)


def _asked_kernel(work: Work, who: Origin, path: str) -> None:
    if path in _RANDOM:
        work.varies("it drew random numbers (operating system)")
    elif not path.startswith("/dev/") and who.whose is Whose.USER:
        work.varies(f"it queries the operating system ({path})")
    elif path.startswith("/proc/") and work.later is not None:
        work.later(who, f"it queries the operating system ({path})")
    elif path == "/dev/stdin":
        work.varies("it reads user input")


def _listed(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    path = arguments[0] if arguments and arguments[0] is not None else "."
    if who.importing:
        return
    if isinstance(path, int):
        work.varies("it lists a folder through a file descriptor")
        return
    path = os.fsdecode(path)
    if paths.is_kernel(path):
        _asked_kernel(work, who, path)
    else:
        work.record.lists(path or ".")


def _connected(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    work.record.connects()


def _started(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    if not who.importing:
        what = arguments[0] if arguments else None
        name = os.path.basename(os.fsdecode(what)) if isinstance(what, (str, bytes)) else ""
        work.varies(f"it starts another process{f' ({name})' if name else ''}")


def _loaded(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    name = arguments[0]
    if who.whose is Whose.USER and not who.importing:
        work.varies(f"it calls compiled code through ctypes ({name})")
    elif isinstance(name, (str, bytes)) and os.path.exists(name):
        work.record.reads(os.fsdecode(name))


def _imported(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    file = arguments[1]
    if isinstance(file, str):
        work.record.reads(file)


def _executed(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    code, known = arguments[0], work.record.known_codes
    if known is None or not isinstance(code, CodeType) or code in known:
        return
    directly = who.outermost is None
    imported = who.importing and not code.co_filename.startswith("<")  # libraries generate code too
    if (imported or directly) and origins.is_users(code.co_filename):
        work.varies(f"it ran code that cannot be tracked ({code.co_name})")


def _database(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    name = os.fsdecode(arguments[0])
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    if name in ("", ":memory:"):
        return
    for path in (name, f"{name}-wal", f"{name}-journal"):
        work.record.reads(path)


def _changed(what: str) -> _Handler:
    def handler(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
        if not who.importing:
            work.varies(what)

    return handler


def _named(work: Work, who: Origin, arguments: tuple[Any, ...]) -> None:
    if who.whose is Whose.USER:
        work.varies("it reads the host name")


_HANDLERS: dict[str, _Handler | None] = {
    "builtins.input": _changed("it reads user input"),
    "ctypes.dlopen": _loaded,
    "exec": _executed,
    "import": _imported,
    "open": _opened,
    "os.chdir": _changed("it changes the working directory"),
    "os.fwalk": None,
    "os.getxattr": _changed("it reads extended attributes of files"),
    "os.kill": _changed("it sends signals"),
    "os.killpg": _changed("it sends signals"),
    "os.listdir": _listed,
    "os.listxattr": _changed("it reads extended attributes of files"),
    "os.putenv": _changed("it changes environment variables"),
    "os.scandir": _listed,
    "os.unsetenv": _changed("it changes environment variables"),
    "os.walk": None,
    "socket.__new__": None,
    "socket.gethostname": _named,
    "sqlite3.connect": _database,
    "subprocess.Popen": _started,
    "urllib.Request": _connected,
}
"""Handlers by event name, which take precedence over `_FAMILIES`; None ignores the event."""
_PROCESSES = ("exec", "fork", "forkpty", "posix_spawn", "spawn", "startfile", "system")
_FAMILIES: dict[str, Callable[[str], _Handler]] = {
    "os": lambda name: _started if name in _PROCESSES else _changed(f"it changes files ({name})"),
    "pty": lambda name: _started,
    "shutil": lambda name: _changed(f"it changes files ({name})"),
    "socket": lambda name: _connected,
    "tempfile": lambda name: _changed(f"it changes files ({name})"),
}
"""Handlers of all other events, by module, including events of future Python versions."""


@functools.lru_cache(maxsize=1024)
def _handler(event: str) -> _Handler | None:
    if event in _HANDLERS:
        return _HANDLERS[event]
    module, _, name = event.partition(".")
    family = _FAMILIES.get(module)
    return family(name) if family is not None else None
