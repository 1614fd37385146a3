"""Files in watched folders that any process opens, reported by inotify.

Only Linux has inotify. It does not report reads from a file that was memory-mapped before the run,
or changes that another machine makes to a file on a network drive.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

FOLDERS = 1000
"""The maximum number of folders that are watched for one node."""
_NEXT = 50
"""The maximum number of subfolders of the working directory that are watched."""
_DEEP = 200
"""The maximum number of folders in a named folder; with more, only the named folder is watched."""
_ACCESS, _MODIFY, _WRITTEN, _OPEN = 0x1, 0x2, 0x8, 0x20
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_OVERFLOW, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x40000000
_MASK = _ACCESS | _MODIFY | _OPEN | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_CHANGES = _MODIFY | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_HEAD = struct.Struct("iIII")
_BUFFER = 1 << 16
_OTHERS = (".ipynb", ".ipynb_checkpoints", "__pycache__")
"""Endings of files that the notebook's frontend and Python's imports read and write at any time."""


class _Kernel:
    """The inotify instance of this process, with the folders that it watches."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self.library: Any = None
        self.handle = -1
        self.folders: dict[int, str] = {}
        self.numbers: dict[str, int] = {}
        self.watched: dict[str, list[Watched]] = {}
        self.inside: list[Watched] = []
        if sys.platform == "linux":
            with suppress(OSError, AttributeError):
                self.library = ctypes.CDLL(None, use_errno=True)
                self.handle = self.library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, folder: str, who: Watched) -> bool:
        """Watch a folder for `who`; return False if the kernel refuses."""
        with self.lock:
            if folder not in self.numbers:
                number = self.library.inotify_add_watch(self.handle, os.fsencode(folder), _MASK)
                if number < 0:
                    return False
                # inotify returns the same number for two names of one folder.
                self.numbers[folder] = number
                self.folders.setdefault(number, folder)
            self.watched.setdefault(self.folders[self.numbers[folder]], []).append(who)
        return True

    def remove(self, folder: str, who: Watched) -> None:
        """Stop watching a folder for `who`."""
        with self.lock:
            first = self.folders.get(self.numbers.get(folder, -1))
            if first is None or who not in self.watched.get(first, ()):
                return
            self.watched[first].remove(who)
            if self.watched[first]:
                return
            number = self.numbers[folder]
            self.library.inotify_rm_watch(self.handle, number)
            del self.watched[first], self.folders[number]
            for name in [name for name, one in self.numbers.items() if one == number]:
                del self.numbers[name]

    def read(self) -> None:
        """Pass new events to the `Watched` objects that are between `enter` and `leave`."""
        with self.lock:
            while True:
                try:
                    data = os.read(self.handle, _BUFFER)
                except OSError:  # no more events
                    return
                for number, mask, name in _events(data):
                    for who in self._concerned(number, mask):
                        who.happened.append((self.folders.get(number, ""), mask, name))

    def _concerned(self, number: int, mask: int) -> list[Watched]:
        if mask & _OVERFLOW:
            return self.inside
        return [one for one in self.watched.get(self.folders.get(number, ""), ()) if one.is_inside]


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    at = 0
    while at < len(data):
        number, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
        at += length
        if not mask & _IGNORED:
            yield number, mask, name


_kernel: _Kernel | None = None
_lock = threading.Lock()


def _get() -> _Kernel:
    global _kernel
    with _lock:
        if _kernel is None or _kernel.pid != os.getpid():  # a fork would read its parent's events
            _kernel = _Kernel()
        return _kernel


class Happened:
    """The events in the watched folders."""

    def __init__(self) -> None:
        self.opened: dict[str, None] = {}
        self.listed: dict[str, None] = {}
        self.written: dict[str, None] = {}
        self.missed = False


class Watched:
    """The folders that are watched for one node.

    Attributes
    ----------
    works
        Whether inotify is available.
    """

    def __init__(self) -> None:
        self._kernel = _get()
        self.works = self._kernel.handle >= 0
        self.happened: list[tuple[str, int, str]] = []
        self.is_inside = 0
        self._folders: set[str] = set()
        self._named: set[str] = set()
        self._working: set[str] = set()

    def add(self, path: str, *, deep: bool = True) -> str | None:
        """Watch a folder (`deep`: with subfolders) or the folder of a file.

        The result is the reason why a folder is not watched, or None.
        """
        if not self.works or path in self._named:
            return None
        if not deep:
            return self._add(path if os.path.isdir(path) else os.path.dirname(path))
        self._named.add(path)
        if not os.path.isdir(path):
            return self._add(os.path.dirname(path))
        found = [path]
        for folder in found:
            with suppress(OSError), os.scandir(folder) as entries:
                found += [one.path for one in entries if one.is_dir(follow_symlinks=False)]
            if len(found) > _DEEP:
                return self._add(path) or f"there are too many folders in {path} to watch them"
        return next((why for one in found if (why := self._add(one)) is not None), None)

    def _add_working_folder(self, folder: str) -> None:
        """Watch the working directory and its subfolders, up to `_NEXT` of them."""
        if folder in self._working:
            return
        self._working.add(folder)
        self._add(folder)
        with os.scandir(folder) as entries:
            found = (one for one in entries if one.name[0] not in "._" and one.is_dir())
            for one in itertools.islice(found, _NEXT):
                self._add(one.path)

    def _add(self, folder: str) -> str | None:
        if folder in self._folders:
            return None
        if len(self._folders) >= FOLDERS:
            return f"it refers to more than {FOLDERS:,} folders"
        self._folders.add(folder)
        if self._kernel.add(folder, self):
            return None
        return f"the folder {folder} cannot be watched"

    def enter(self) -> None:
        """Assign all events to the node from now on, until `leave`."""
        if self.works:
            with suppress(OSError):  # the working directory may no longer exist
                self._add_working_folder(os.getcwd())
            self._kernel.read()
            self.is_inside += 1
            self._kernel.inside.append(self)

    def leave(self) -> Happened | None:
        """Return the events since `enter`; None if there are none."""
        if not self.works:
            return None
        self._kernel.read()
        self.is_inside -= 1
        self._kernel.inside.remove(self)
        if not self.happened:
            return None
        events, self.happened = self.happened, []
        return self._interpreted(events)

    def _interpreted(self, events: list[tuple[str, int, str]]) -> Happened:
        happened = Happened()
        changed = {(folder, name) for folder, mask, name in events if mask & _CHANGES}
        for folder, mask, name in events:
            path = os.path.join(folder, name) if name else folder
            if mask & _OVERFLOW:
                happened.missed = True
            elif path.endswith(_OTHERS) or folder.endswith(_OTHERS):
                continue
            elif mask & _IS_FOLDER and mask & (_CREATE | _MOVED_TO) and self._is_named(path):
                self.add(path)
                happened.written[path] = None
            elif (folder, name) in changed:
                # Other programs may write to folders that are not named.
                if self._is_named(path):
                    happened.written[path] = None
            elif not mask & _IS_FOLDER:
                happened.opened[path] = None
            elif path in self._named or os.path.dirname(path) in self._working:
                happened.listed[path] = None
        return happened

    def _is_named(self, path: str) -> bool:
        """Return whether a path, or a folder that contains it, was named."""
        while path not in self._named:
            above = os.path.dirname(path)
            if above == path:
                return False
            path = above
        return True

    def close(self) -> None:
        """Stop watching."""
        folders, self._folders = self._folders, set()
        for folder in folders:
            self._kernel.remove(folder, self)
