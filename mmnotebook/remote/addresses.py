"""Addresses of remote files, such as `s3://bucket/a.csv`: their parts, and how globs match them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from typing import Any, TypeGuard

_ADDRESS = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://")
_FILE = re.compile(r"file://(localhost)?(?=/)")
_ONE_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")
_MAGIC = re.compile(r"[*?[]")


def is_remote(path: Any) -> TypeGuard[str]:
    """Return whether a path is the address of a remote file.

    Examples
    --------
    >>> from mmnotebook.remote import addresses
    >>> [addresses.is_remote(path) for path in ("s3://bucket/a.csv", "a.csv", "file:///a.csv")]
    [True, False, False]
    """
    return isinstance(path, str) and _ADDRESS.match(path) is not None


def local(path: str) -> str:
    """Return a path without `file://`."""
    return _FILE.sub("", path, count=1)


def repaired(path: str) -> str | None:
    """Return the address from which `pathlib` has made a path, `s3:/bucket/a.csv`, or None."""
    found = _ONE_SLASH.match(path)
    return None if found is None else f"{found[1]}://{path[found.end() :]}"


def scheme(address: str) -> str:
    """Return the scheme of an address: `s3`."""
    return address.partition("://")[0].lower()


def name(address: str) -> str:
    """Return the last part of an address; "" for a folder or a bucket."""
    return address.partition("://")[2].partition("/")[2].rpartition("/")[2]


def last(address: str) -> str:
    """Return the last part of the address of a file, a folder or a bucket."""
    return address.rstrip("/").rpartition("/")[2]


def folder(address: str) -> str:
    """Return an address up to its last slash; the address of a bucket with a slash."""
    whole = address if "/" in address.partition("://")[2] else f"{address}/"
    return whole[: whole.rfind("/") + 1]


def suffix(address: str) -> str:
    """Return the extension of a file's name in lower case: `.csv`."""
    stem, dot, ending = name(address).rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def has_magic(address: str) -> bool:
    """Return whether an address is a glob."""
    return _MAGIC.search(address) is not None


def root(pattern: str) -> str:
    """Return the folder before the first wildcard of a glob."""
    return folder(_MAGIC.split(pattern)[0])


def matches(path: str, pattern: str) -> bool:
    """Return whether a path below a root matches a glob below this root, as Python's `glob` does.

    Examples
    --------
    >>> from mmnotebook.remote import addresses
    >>> [addresses.matches("a/b/x.csv", p) for p in ("**/*.csv", "*/*.csv", "**/b/?.csv", "a/**")]
    [True, False, True, True]
    """
    return _match(path.split("/"), pattern.split("/"))


def _match(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    first, rest = patterns[0], patterns[1:]
    if first == "**":
        if not rest:
            return not any(part.startswith(".") for part in parts)
        visible = range(len(parts))
        for count in visible:
            if _match(parts[count:], rest):
                return True
            if parts[count].startswith("."):
                return False
        return False
    if not parts or (parts[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatch.fnmatchcase(parts[0], first) and _match(parts[1:], rest)
