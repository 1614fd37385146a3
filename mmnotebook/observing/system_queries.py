"""Builtin functions of Python's modules that query the system."""

from __future__ import annotations

import enum
import os
import sys
import time
from collections.abc import Iterator
from datetime import date
from types import BuiltinFunctionType, ModuleType
from typing import Any

from mmnotebook.compat.python import uuid_source


class Kind(enum.Enum):
    """The kind of information that a builtin reads from the system."""

    CLOCK = enum.auto()
    ENTROPY = enum.auto()
    FILE = enum.auto()
    """Whether a file exists, and its stamps (size, times, mode)."""
    FOLDER = enum.auto()
    """The working directory."""
    SYSTEM = enum.auto()
    """Other information about the process or the machine."""


_SYSTEM = os.name  # the module from which `os` imports its builtins: posix, nt
_KINDS = {
    Kind.ENTROPY: "urandom getrandom",
    Kind.FILE: "stat lstat access readlink pathconf",
    Kind.FOLDER: "getcwd getcwdb",
}
_SILENT = """
    WCOREDUMP WEXITSTATUS WIFCONTINUED WIFEXITED WIFSIGNALED WIFSTOPPED WSTOPSIG WTERMSIG
    waitstatus_to_exitcode _path_normpath _path_splitroot _path_splitroot_ex fspath strerror major
    minor makedev register_at_fork sched_yield close closerange dup dup2 fdatasync fsync ftruncate
    get_blocking set_blocking get_inheritable set_inheritable isatty lseek lockf pipe pipe2
    posix_fadvise posix_fallocate pread preadv pwrite pwritev read readv write writev sendfile
    splice sync memfd_create device_encoding
    chdir chmod chown exec execv execve fork forkpty getxattr kill killpg lchown link listdir
    listxattr mkdir open posix_spawn posix_spawnp putenv remove removexattr rename replace rmdir
    scandir setxattr symlink system truncate unlink unsetenv utime
    _isdir _path_exists _path_isdir _path_isfile _path_islink
"""
"""Builtins that use only their arguments or an open file, or that cause an audit event. Every other
builtin of the system's module counts as a query of the system.
"""
_OF_SYSTEM = ("resource", "pwd", "grp", "spwd")
"""Further modules whose builtins all query the operating system; they need not be loaded."""
_WITHOUT_CLOCK = ("sleep", "tzset", "get_clock_info", "clock_getres", "mktime", "strptime")
_CLOCK_ARGUMENTS = {"strftime": 1, "clock_gettime": 1, "clock_gettime_ns": 1}
"""The maximum number of arguments with which a function of `time` reads the clock; default 0."""
_TODAY = ("now", "today", "utcnow")


def _found() -> Iterator[tuple[Any, Kind]]:
    for one, value in vars(time).items():
        if isinstance(value, BuiltinFunctionType) and one not in _WITHOUT_CLOCK:
            yield value, Kind.CLOCK
    kinds = {one: kind for kind, names in _KINDS.items() for one in names.split()}
    silent = set(_SILENT.split())
    for one, value in vars(sys.modules[_SYSTEM]).items():
        if isinstance(value, BuiltinFunctionType) and one not in silent:
            yield value, kinds.get(one, Kind.SYSTEM)
    # The module of this function is loaded on the first use of `uuid`.
    if (source := uuid_source()) is not None:
        yield source, Kind.ENTROPY


_KNOWN: dict[Any, Kind] = dict(_found())


def kind(function: Any) -> Kind | None:
    """Return the kind of information that a builtin reads from the system, or None."""
    try:
        known = _KNOWN.get(function)
    except TypeError:  # a method of an unhashable object
        return None
    if known is not None:
        return known
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type) and issubclass(owner, date) and function.__name__ in _TODAY:
        return Kind.CLOCK
    if isinstance(owner, os.DirEntry) and function.__name__ == "stat":
        return Kind.FILE
    if isinstance(owner, ModuleType) and owner.__name__ in _OF_SYSTEM:
        return Kind.SYSTEM
    return None


def name(function: Any) -> str:
    """Return the name of a builtin with its module: `time.time`, `datetime.now`."""
    owner = getattr(function, "__self__", None)
    module = getattr(owner, "__name__", None) or type(owner).__name__
    return f"{'os' if module == _SYSTEM else module}.{function.__name__}"


def reads_clock(function: Any, count: int) -> bool:
    """Return whether a call of a clock function with `count` arguments reads the clock."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        return True
    return count <= _CLOCK_ARGUMENTS.get(function.__name__, 0)


def is_interval(function: Any) -> bool:
    """Return whether a clock has no defined start, so that it can only measure durations."""
    clock = function.__name__.removesuffix("_ns")
    try:
        return not time.get_clock_info(clock).adjustable
    except ValueError:
        return False


def path(function: Any) -> str | None:
    """Return the path of the `os.DirEntry` that a method belongs to; None for other builtins."""
    owner = getattr(function, "__self__", None)
    return os.fsdecode(owner.path) if isinstance(owner, os.DirEntry) else None
