"""The check whether the code of an imported module still matches its file.

If a package is installed again while a process runs, its files differ from the running code. Only
files that changed after the start of the process are compared with the functions in memory.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
import types
from collections.abc import Iterator, Set
from typing import Any

from mmnotebook.fingerprint import codes

_IMPORTED_BY = os.getpid()
"""The process that loaded this module; other processes are forks of it."""
_MISSING = object()


def edited(packages: Set[str]) -> str:
    """Return a module of these packages whose loaded code differs from its file, or ""."""
    for name, module in sorted(sys.modules.items()):
        if name.partition(".")[0] in packages and isinstance(module, types.ModuleType):
            spec = vars(module).get("__spec__")
            if changed_ns(spec) > _began_ns() and not _is_as_in_file(module, spec):
                return name
    return ""


def changed_ns(spec: Any) -> int:
    """Return when a module's file was last changed, in nanoseconds; 0 if there is no .py file."""
    path = getattr(spec, "origin", None)
    if not isinstance(path, str) or not path.endswith(".py"):
        return 0
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return 0
    return max(found.st_mtime_ns, found.st_ctime_ns)


@functools.lru_cache(maxsize=1)
def _began_ns() -> int:
    import psutil

    try:
        # The start time of a process has a low resolution.
        return int((psutil.Process(_IMPORTED_BY).create_time() - 1) * 1e9)
    except psutil.Error:
        return 0


def _is_as_in_file(module: types.ModuleType, spec: Any) -> bool:
    try:
        code = spec.loader.get_code(spec.name)
    except Exception:  # noqa: BLE001 - the file may be invalid or unreadable now
        return False
    inside = set(codes.inside(code))
    functions = (one for one in _functions(module) if one.co_filename == code.co_filename)
    return inside.issuperset(functions) and _has_constants(module, code)


def _functions(module: types.ModuleType) -> Iterator[types.CodeType]:
    """Yield the code of the functions of a module, and of the methods of its classes."""
    for value in list(vars(module).values()):
        owner = getattr(value, "__module__", None)
        if owner == module.__name__:
            held = list(vars(value).values()) if isinstance(value, type) else [value]
            for one in held:
                function = getattr(one, "__func__", one)
                if isinstance(function, types.FunctionType):
                    yield function.__code__


def _has_constants(module: types.ModuleType, code: types.CodeType) -> bool:
    """Return whether the constants of a module have the values in its file.

    Only constants that are assigned once in the file, and not in a function, are compared.
    """
    steps = codes.steps(code)
    stored = [step.about for step in steps if step.kind.startswith("STORE_")]
    others = {
        step.about
        for inner in codes.inside(code)
        for step in codes.steps(inner)
        if step.kind == "STORE_GLOBAL"
    }
    return all(
        vars(module).get(store.about, _MISSING) == load.about
        for load, store in itertools.pairwise(steps)
        if load.kind == "LOAD_CONST"
        and store.kind == "STORE_NAME"
        and stored.count(store.about) == 1
        and store.about not in others
        and isinstance(load.about, (str, bytes, int, float))
    )
