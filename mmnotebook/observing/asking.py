"""What the builtin functions of Python's modules ask the world, as far as they do."""

from __future__ import annotations

import enum
import os
import sys
import time
from collections.abc import Iterator
from datetime import date
from types import BuiltinFunctionType, ModuleType
from typing import Any


class Kind(enum.Enum):
    """What a builtin asks for."""

    CLOCK = enum.auto()
    ENTROPY = enum.auto()
    FILE = enum.auto()
    """Whether a file is there, and what its stamps are."""
    FOLDER = enum.auto()
    """The working directory."""
    SYSTEM = enum.auto()
    """Something of the process or of the machine."""


_SYSTEM = os.name  # the module that `os` takes its builtins from: posix, nt
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
"""What is computed of the arguments alone, works on a file that was opened before, or has an event
of its own. Every other builtin of the system's module asks for something."""
_OF_SYSTEM = ("resource", "pwd", "grp", "spwd")
"""Further modules, loaded or not, whose every builtin asks the operating system."""
_WITHOUT_CLOCK = ("sleep", "tzset", "get_clock_info", "clock_getres", "mktime", "strptime")
_CLOCK_ARGUMENTS = {"strftime": 1, "clock_gettime": 1, "clock_gettime_ns": 1}
"""With how many arguments a function of `time` still reads the clock, when it is not none."""
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
    # Its file is not there under its name until something has asked for one.
    if (unique := sys.modules.get("_uuid")) is not None:
        yield unique.generate_time_safe, Kind.ENTROPY


_KNOWN: dict[Any, Kind] = dict(_found())


def kind(function: Any) -> Kind | None:
    """What a builtin asks for, None for one that asks for nothing."""
    try:
        known = _KNOWN.get(function)
    except TypeError:  # a method of what cannot be hashed
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
    """How a builtin is called: `time.time`, `datetime.now`."""
    owner = getattr(function, "__self__", None)
    module = getattr(owner, "__name__", None) or type(owner).__name__
    return f"{'os' if module == _SYSTEM else module}.{function.__name__}"


def reads_clock(function: Any, count: int) -> bool:
    """Does a builtin of a clock read it when it is given so many arguments?"""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        return True
    return count <= _CLOCK_ARGUMENTS.get(function.__name__, 0)


def is_interval(function: Any) -> bool:
    """Does a clock count from no known time, so that it only serves to measure how long?"""
    clock = function.__name__.removesuffix("_ns")
    try:
        return not time.get_clock_info(clock).adjustable
    except ValueError:
        return False


def path(function: Any) -> str | None:
    """The file that a method of an entry in a folder asks for."""
    owner = getattr(function, "__self__", None)
    return os.fsdecode(owner.path) if isinstance(owner, os.DirEntry) else None
