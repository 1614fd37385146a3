"""Whether what a graph writes would take the place of something that it reads."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmnotebook import cache_folder
from mmnotebook.errors import RunError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.sources import sources


class Read(NamedTuple):
    """What a graph reads.

    Attributes
    ----------
    by
        Who reads it, for the error: "source 'rows'".
    path
        A file, a folder or a glob.
    whole
        Is everything below a folder read? Of a source's folder only the images are.
    """

    by: str
    path: str
    whole: bool = False


def check(writes: Mapping[str, str], reads: Iterable[Read]) -> None:
    """Refuse paths, by node, that lead to what is read, now or in the next run.

    Raises
    ------
    RunError
        For the first of them.
    """
    every = list(reads)
    for node, path in writes.items():
        where = Path(path).expanduser()
        for read in every:
            if any(_leads(read, one) for one in (where, where.resolve())):
                raise RunError(
                    f"{node!r} cannot write {path!r}: {read.by} reads it"
                    + (f" ({read.path!r})" if read.path != path else ""),
                    remedy="write another file, where nothing is read from",
                    node=node,
                )


def of_object(by: str, value: Any) -> Iterator[Read]:
    """The files that the memory of a source's object lies in, as far as it can be known."""
    if is_a(value, {("pandas", "DataFrame")}):
        parts: list[Any] = [value.iloc[:, place].array for place in range(value.shape[1])]
        parts = [getattr(part, "_ndarray", part) for part in parts]
    else:
        parts = list(value) if isinstance(value, (list, tuple)) else [value]
    for file in dict.fromkeys(file for part in parts for file in _mapped(part)):
        yield Read(by, file)


def _mapped(value: Any) -> Iterator[str]:
    """The file that an array or a tensor is mapped from, where there is one."""
    while isinstance(value, np.ndarray):
        if isinstance(value, np.memmap) and value.filename:
            yield str(value.filename)
        value = value.base
    if is_a(value, {("torch", "Tensor")}):
        # Not every layout has a storage, and not every device's knows of files.
        with suppress(Exception):
            if file := value.untyped_storage().filename:
                yield str(file)


def of_models(models: Iterable[ModelSpec]) -> Iterator[Read]:
    """The files and folders that models were registered from, and are loaded from."""
    for spec in models:
        for path in dict.fromkeys(filter(None, (spec.path, spec.origin))):
            if Path(path).exists():
                yield Read(f"model {spec.name!r}", path, whole=True)


def of_cache() -> Read:
    """The folder in which runs store their results."""
    return Read("the cache", str(cache_folder.chosen()), whole=True)


def _leads(read: Read, where: Path) -> bool:
    """Does a path lead to what is read, or would what is written there be read next time?"""
    path = str(Path(read.path).expanduser())
    if read.whole and Path(path).is_dir():
        return where.resolve().is_relative_to(Path(path).resolve())
    if where.exists() and any(map(where.samefile, filter(os.path.exists, sources.matched(path)))):
        return True
    return _matches(where, path)


def _matches(where: Path, pattern: str) -> bool:
    """Would a glob find the file once it is there?"""
    top, name = os.path.split(pattern)
    if name == "**":
        top, name = pattern, "*"
    folders = glob.glob(top or os.curdir, recursive=True)  # noqa: PTH207
    if not any(Path(one).is_dir() and where.parent.samefile(one) for one in folders):
        return False
    if where.name.startswith(".") and not name.startswith("."):
        return False
    names = where.name, name
    if ignores_case(where.parent):
        names = names[0].casefold(), names[1].casefold()
    return fnmatch.fnmatchcase(*names)


def ignores_case(folder: Path) -> bool:
    """Does a folder find a name in capitals and in small letters? False where it cannot tell."""
    folder = folder.resolve()
    other = folder.with_name(folder.name.swapcase()) if folder.name else folder
    with suppress(OSError):
        return other.name != folder.name and other.samefile(folder)
    return False
