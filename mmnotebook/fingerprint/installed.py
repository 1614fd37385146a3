"""Fingerprints of installed packages, from their records and file timestamps.

The requirements of a package count too. A package is read once per process, since loaded code does
not change, and again when a module is reloaded.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import re
import sys
import time
from collections.abc import Iterator
from importlib.metadata import Distribution
from typing import Any, NamedTuple

from mmnotebook.fingerprint import loaded
from mmnotebook.fingerprint.tokens import hashed

_ENDINGS = (*importlib.machinery.SOURCE_SUFFIXES, *importlib.machinery.EXTENSION_SUFFIXES)
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NEW = object()
_specs: dict[str, Any] = {}
"""The spec of each requested module, by name; a module that is loaded again has a new spec."""


class Installed(NamedTuple):
    """The installed state of a package.

    Attributes
    ----------
    digest
        A digest (32 hex digits) of the records and files of the package and all its requirements.
    packages
        The import names of the package and its requirements.
    edited
        A module of these packages whose code in memory differs from its file; "" for none.
    taken_ns
        When the package was read, in nanoseconds since 1970.
    """

    digest: str
    packages: frozenset[str]
    edited: str
    taken_ns: int


def content(name: str) -> Installed:
    """Return the installed state of the package that contains a module."""
    top = name.partition(".")[0]
    spec = getattr(sys.modules.get(name), "__spec__", None)
    known = _specs.get(name, _NEW)
    if known is not spec:
        _specs[name] = spec
        # The file of the module may be newer than the last reading of the package.
        if known is not _NEW or loaded.changed_ns(spec) > _content(top).taken_ns:
            for read in (_content, _stamped, _distribution, _by_package):
                read.cache_clear()
    return _content(top)


@functools.lru_cache(maxsize=1024)
def _content(top: str) -> Installed:
    taken = time.time_ns()
    parts = [_stamped(place) for place in _places(top)]
    packages = {top}
    waiting = [one for name in distributions(top) if (one := _distribution(name)) is not None]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        name = _normal(one.name)
        if name not in seen:
            seen.add(name)
            inside = _packages(one)
            packages.update(inside)
            places = (place for package in inside for place in _places_of(one, package))
            parts.append(hashed(name.encode(), _recorded(one), *sorted(map(_stamped, places))))
            waiting += [two for key in _needs(one) if (two := _distribution(key)) is not None]
    edited = loaded.edited(packages)
    return Installed(hashed(*sorted(parts)).hex(), frozenset(packages), edited, taken)


def distributions(top: str) -> list[str]:
    """List the distributions of a package; most distributions have the name of the package."""
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


def _record(one: Distribution) -> str:
    return one.read_text("RECORD") or one.read_text("installed-files.txt") or ""


def _recorded(one: Distribution) -> bytes:
    """Return the digest of the version and the recorded files of a distribution."""
    return hashed(str(one.version).encode(), _record(one).encode("utf-8", "surrogateescape"))


def _packages(one: Distribution) -> list[str]:
    """List the import names of the packages in a distribution."""
    stated = (one.read_text("top_level.txt") or "").split()
    found = (line.partition("/") for line in _record(one).splitlines())
    recorded = (
        first.partition(".py,")[0] for first, inside, _ in found if inside or ".py," in first
    )
    names = {name for name in (*stated, *recorded) if name.isidentifier()}
    return sorted(names or {_normal(one.name).replace("-", "_")})


def _places_of(one: Distribution, package: str) -> list[str]:
    """List the folders or the file of a package in a distribution, also for editable installs."""
    beside = [str(one.locate_file(name)) for name in (package, f"{package}.py")]
    return [place for place in beside if os.path.exists(place)] or _places(package)  # noqa: PTH110


def _needs(one: Distribution) -> Iterator[str]:
    """Yield the names of the requirements of a distribution, without extras."""
    for line in one.requires or ():
        found = _NAME.match(line)
        if found is not None and "extra" not in line.partition(";")[2]:
            yield found[0]


def _places(top: str) -> list[str]:
    """List the folders of a package, or the file of a module that is not a package."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        # Some packages, such as transformers, store Path objects in this list.
        return [os.fspath(place) for place in spec.submodule_search_locations]
    return [spec.origin] if spec.has_location and spec.origin else []


@functools.lru_cache(maxsize=4096)
def _stamped(place: str) -> bytes:
    return hashed(*(repr(stamp).encode() for stamp in sorted(_stamps(place))))


def _stamps(place: str) -> Iterator[tuple[str, int, int]]:
    """Yield the path, size and modification time of every code file."""
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
