"""The current state of a file, folder or environment variable, as a comparable string.

A state consists of facets, separated by commas. The facets of a file are its content, its stamps
(size, time, mode) and its kind, if it exists:
"content 1f0e..., stamp 12 1700000000000000000 33188, there file".
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from mmnotebook import storage

THERE, CONTENT, STAMP = "there", "content", "stamp"
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder"}
WORKING_FOLDER = "."
"""The name of the working directory among the environment variables."""
ALL_VARIABLES = "*"
"""The name that means all environment variables."""


class NoContent(OSError):
    """The path is a pipe, socket or device, which cannot be read without changing it."""


def of(path: str, facets: Iterable[str]) -> str | None:
    """Return the state of a file with these facets; None if it does not exist."""
    try:
        found = os.stat(path)
        return ", ".join(f"{facet} {_FACETS[facet](path, found)}" for facet in sorted(set(facets)))
    except NoContent:
        raise
    except (OSError, ValueError):
        return None


def facets(state: str) -> dict[str, str]:
    """Split a state into its facets, and the value of each."""
    parts = (one.partition(" ") for one in state.split(", "))
    return {facet: value for facet, _, value in parts}


def agree(one: str | None, other: str | None) -> bool:
    """Return whether two states can belong to one file at one time."""
    if one is None or other is None:
        return one == other
    mine, theirs = facets(one), facets(other)
    return all(mine[facet] == theirs[facet] for facet in mine.keys() & theirs.keys())


def joined(one: str, other: str) -> str:
    """Join two states that agree."""
    both = {**facets(one), **facets(other)}
    return ", ".join(f"{facet} {both[facet]}" for facet in sorted(both))


def again(path: str, state: str | None) -> str | None:
    """Return the current state of a file, with the facets of an earlier state."""
    try:
        return of(path, [THERE] if state is None else facets(state))
    except NoContent:
        return "no content"


def listing(path: str) -> str:
    """Return a digest of the names and types of files in a folder; "" if it cannot be listed."""
    try:
        with os.scandir(path) as found:
            names = sorted((one.name, one.is_dir(), one.is_symlink()) for one in found)
    except OSError:
        return ""
    return _digest(repr(names))


def variable(name: str) -> str | None:
    """Return a digest of an environment variable's value; None if it is not set."""
    if name == WORKING_FOLDER:
        return working_folder()
    if name == ALL_VARIABLES:
        return _digest(repr(sorted(os.environ.items())))
    value = os.environ.get(name)
    return None if value is None else _digest(value)


def working_folder() -> str | None:
    """Return a digest of the working directory's path; None if it does not exist."""
    try:
        return _digest(os.getcwd())
    except OSError:
        return None


def _content(path: str, found: os.stat_result) -> str:
    if stat.S_ISDIR(found.st_mode):
        return listing(path)
    if not stat.S_ISREG(found.st_mode):
        raise NoContent(path)
    return storage.fingerprint(Path(path))


def _stamp(path: str, found: os.stat_result) -> str:
    return f"{found.st_size} {found.st_mtime_ns} {found.st_mode}"


def _there(path: str, found: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(found.st_mode), "other")


_FACETS = {THERE: _there, CONTENT: _content, STAMP: _stamp}


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
