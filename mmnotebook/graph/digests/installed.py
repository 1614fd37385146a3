"""Installed packages: by the record of their installation, and the stamps of their files."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Iterator
from importlib.metadata import Distribution

from mmnotebook.graph.digests.tokens import hashed

_ENDINGS = (*importlib.machinery.SOURCE_SUFFIXES, *importlib.machinery.EXTENSION_SUFFIXES)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@functools.lru_cache(maxsize=1024)
def content(top: str) -> str:
    """What is installed of a package, as 32 hex digits: it, and all that it needs, as recorded.

    Taken once in a process: code that is loaded stays as it is.
    """
    parts = [repr(stamp).encode() for place in _places(top) for stamp in _stamps(place)]
    waiting = [one for name in _distributions(top) if (one := _distribution(name)) is not None]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        name = _normal(one.name)
        if name not in seen:
            seen.add(name)
            parts.append(hashed(name.encode(), _recorded(one)))
            waiting += [two for key in _needs(one) if (two := _distribution(key)) is not None]
    return hashed(*sorted(parts)).hex()


def _distributions(top: str) -> list[str]:
    """The distributions that a package is of; most have its name."""
    if _distribution(top) is not None:
        return [top]
    return list(_by_package().get(top, ()))


@functools.lru_cache(maxsize=1)
def _by_package() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


@functools.lru_cache(maxsize=4096)
def _distribution(name: str) -> Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _recorded(one: Distribution) -> bytes:
    """The version, and the digests of all files as they were installed."""
    record = one.read_text("RECORD") or one.read_text("installed-files.txt") or ""
    return hashed(str(one.version).encode(), record.encode("utf-8", "surrogateescape"))


def _needs(one: Distribution) -> Iterator[str]:
    """The names of what a distribution requires, without its extras."""
    for line in one.requires or ():
        found = _NAME.match(line)
        if found is not None and "extra" not in line.partition(";")[2]:
            yield found[0]


def _places(top: str) -> list[str]:
    """The folders, or the one file, of a package."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        # A package may put Path objects there, as transformers does.
        return [os.fspath(place) for place in spec.submodule_search_locations]
    return [spec.origin] if spec.has_location and spec.origin else []


def _stamps(place: str) -> Iterator[tuple[str, int, int]]:
    """The path, size and time of change of every file of code."""
    waiting = [place] if os.path.isdir(place) else []  # noqa: PTH112
    if not waiting:
        yield from _stamp(place, "")
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir():
                        waiting += [entry.path] * (entry.name != "__pycache__")
                    elif entry.name.endswith(_ENDINGS):
                        yield from _stamp(entry.path, entry.path[len(place) :])
        except OSError:
            continue


def _stamp(path: str, name: str) -> Iterator[tuple[str, int, int]]:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return
    yield name, found.st_size, found.st_mtime_ns
