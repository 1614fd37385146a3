"""The check that a graph does not write to files that it reads."""

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
from mmnotebook.compat.pandas import memory
from mmnotebook.errors import RunError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.remote import addresses
from mmnotebook.sources import sources


class Read(NamedTuple):
    """A path that a graph reads.

    Attributes
    ----------
    by
        The reader, for the error: "source 'rows'".
    path
        A file, a folder or a glob.
    whole
        Whether all files below a folder are read; a source reads only the images in a folder.
    """

    by: str
    path: str
    whole: bool = False


def check(writes: Mapping[str, tuple[str, Iterable[Path]]], reads: Iterable[Read]) -> None:
    """Check that no `write` node writes to a file that this run or the next run reads.

    Parameters
    ----------
    writes
        The path in each `write` node, and the files that the node writes.

    Raises
    ------
    RunError
        For the first `write` node that writes to such a file.
    """
    every = list(reads)
    for node, (path, files) in writes.items():
        both = [one for file in files for one in (file, file.resolve())]
        for read in every:
            if any(_leads(read, one) for one in both) or _leads_to(read, path):
                raise RunError(
                    f"{node!r} cannot write {path!r}: {read.by} reads it"
                    + (f" ({read.path!r})" if read.path != path else ""),
                    remedy="write to a file that the graph does not read",
                    node=node,
                )


def of_object(by: str, value: Any) -> Iterator[Read]:
    """Yield the files from which the data of a source is memory-mapped, as far as known."""
    if is_a(value, {("pandas", "DataFrame")}):
        parts: list[Any] = [value.iloc[:, place].array for place in range(value.shape[1])]
        parts = [memory(part) for part in parts]
    else:
        parts = list(value) if isinstance(value, (list, tuple)) else [value]
    for file in dict.fromkeys(file for part in parts for file in _mapped(part)):
        yield Read(by, file)


def _mapped(value: Any) -> Iterator[str]:
    """Yield the files that an array or tensor is memory-mapped from."""
    while isinstance(value, np.ndarray):
        if isinstance(value, np.memmap) and value.filename:
            yield str(value.filename)
        value = value.base
    if is_a(value, {("torch", "Tensor")}):
        # Some layouts have no storage, and the storages of some devices have no `filename`.
        with suppress(Exception):
            if file := value.untyped_storage().filename:
                yield str(file)


def of_models(models: Iterable[ModelSpec]) -> Iterator[Read]:
    """Yield the files and folders from which models were registered and are loaded."""
    for spec in models:
        for path in dict.fromkeys(filter(None, (spec.path, spec.origin))):
            if addresses.is_remote(path) or Path(path).exists():
                yield Read(f"model {spec.name!r}", path, whole=True)


def of_cache() -> Read:
    """Return the cache folder, in which runs store their results, as a `Read`."""
    return Read("the cache", str(cache_folder.chosen()), whole=True)


def _leads_to(read: Read, address: str) -> bool:
    """Return whether a file written at an address is read, or would be read by the next run."""
    if not (addresses.is_remote(address) and addresses.is_remote(read.path)):
        return False
    new = f"{address}part-00000-of-00001.parquet" if address.endswith("/") else address
    if addresses.has_magic(read.path):
        top = addresses.root(read.path)
        below = new.removeprefix(top)
        return below != new and addresses.matches(below, read.path.removeprefix(top))
    return new == read.path or (read.whole and new.startswith(read.path.rstrip("/") + "/"))


def _leads(read: Read, where: Path) -> bool:
    """Return whether a file written at `where` is read, or would be read by the next run."""
    if addresses.is_remote(read.path):
        return False
    path = str(Path(read.path).expanduser())
    if read.whole and Path(path).is_dir():
        return where.resolve().is_relative_to(Path(path).resolve())
    if where.exists() and any(map(where.samefile, filter(os.path.exists, sources.matched(path)))):
        return True
    return _matches(where, path)


def _matches(where: Path, pattern: str) -> bool:
    """Return whether a glob would match a new file, perhaps in a new folder."""
    top, name = os.path.split(pattern)
    if name == "**":
        top, name = pattern, "*"
    if not _is_in(where.parent, top or os.curdir):
        return False
    if where.name.startswith(".") and not name.startswith("."):
        return False
    names = where.name, name
    if ignores_case(where.parent):
        names = names[0].casefold(), names[1].casefold()
    return fnmatch.fnmatchcase(*names)


def _is_in(folder: Path, pattern: str) -> bool:
    """Return whether a glob matches a folder, or would match it if it existed."""
    if not folder.exists():
        return _matches(folder, pattern)
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207
    if pattern == "**":
        found.append(os.curdir)  # `glob` leaves it out
    return any(Path(one).is_dir() and folder.samefile(one) for one in found)


def ignores_case(folder: Path) -> bool:
    """Return whether a folder ignores the case of names; False if this is unknown."""
    folder = folder.resolve()
    other = folder.with_name(folder.name.swapcase()) if folder.name else folder
    with suppress(OSError):
        return other.name != folder.name and other.samefile(folder)
    return False
