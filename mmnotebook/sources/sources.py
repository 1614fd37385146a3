"""File sources: a small, picklable plan of which rows of which files to read."""

from __future__ import annotations

import glob
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from mmnotebook.elements.block import BYTES
from mmnotebook.errors import RunError, nearest
from mmnotebook.remote import addresses, files
from mmnotebook.sources import readers
from mmnotebook.sources.formats import READERS

_TOGETHER = 64  # small files that one worker reads together


@dataclass(frozen=True)
class Slice:
    """The rows of one file from `start` up to `stop`; None for the end of the file.

    Attributes
    ----------
    reader
        The name of the file's reader in `formats.READERS`.
    name
        The path of the file below the root of its pattern (`root`). It is the id of the file's
        element, or the part of an element's id before "#" and the row number.
    id
        The column with the ids; None for row numbers or the ids of the reader.
    options
        Further options of the reader, as (name, value) pairs.
    size
        The size of a remote file in bytes.
    one_of_many
        Whether the file belongs to a glob or folder. Such a file fails as one element if it cannot
        be read.
    """

    reader: str
    path: str
    start: int = 0
    stop: int | None = None
    name: str = ""
    id: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    one_of_many: bool = False
    size: int | None = None

    @property
    def is_remote(self) -> bool:
        """Whether the file is not on this machine; it is copied before it is read."""
        return addresses.is_remote(self.path)

    def first_id(self) -> str | None:
        """Return the id of the first element if that is known without reading the elements."""
        if self.id is not None:
            return None
        if not READERS[self.reader].has_rows:
            return self.name
        return f"{self.name}#0" if not self.start and _quick_count(self) else None


@dataclass(frozen=True)
class SourcePlan:
    """All slices of a source.

    Attributes
    ----------
    count
        The number of elements; None if the files must be read to count the elements.
    """

    slices: tuple[Slice, ...]
    count: int | None

    def first(self, limit: int) -> SourcePlan:
        """Return a plan for the first `limit` elements."""
        kept: list[Slice] = []
        left = limit
        for part in self.slices:
            if left <= 0:
                break
            end = _rows(part) if part.stop is None else part.stop
            take = min(left, end - part.start)
            kept.append(replace(part, stop=part.start + take))
            left -= take
        return SourcePlan(tuple(kept), limit - left)

    def parts(self) -> tuple[tuple[Slice, ...], ...]:
        """Return groups of slices, each for one worker: several small files or part of a big file.

        Raises
        ------
        RunError
            If a file cannot be read.
        """
        return tuple(_grouped(self.slices))


def _grouped(slices: tuple[Slice, ...]) -> Iterator[tuple[Slice, ...]]:
    group: list[Slice] = []
    size = 0
    for part in slices:
        pieces = _pieces(part)
        more = _file_bytes(part)
        if group and (len(pieces) > 1 or len(group) == _TOGETHER or size + more > BYTES):
            yield tuple(group)
            group, size = [], 0
        if len(pieces) > 1:
            yield from ((piece,) for piece in pieces)
        else:
            group.append(part)
            size += more
            half = 2 * len(group) >= _TOGETHER or 2 * size >= BYTES
            if half and _ends_group(part.path):
                yield tuple(group)
                group, size = [], 0
    if group:
        yield tuple(group)


def _ends_group(path: str) -> bool:
    """Return whether a group that is at least half full ends with this file.

    The result depends only on the name of the file. If a file is added or removed, the groups after
    the next file that ends a group do not change.
    """
    return zlib.crc32(Path(path).name.encode("utf-8", "surrogateescape")) % 8 == 0


def _pieces(part: Slice) -> list[Slice]:
    if part.is_remote:
        return [part]  # its worker copies the whole file
    try:
        cuts = READERS[part.reader].cuts(part.path)
    except Exception as error:
        if not part.one_of_many:
            raise readers.unreadable(part.path, error) from error
        cuts = ()
    inside = [row for row in cuts if row > part.start and (part.stop is None or row < part.stop)]
    ends = pairwise([part.start, *inside, part.stop])
    return [replace(part, start=start or 0, stop=stop) for start, stop in ends]


def _file_bytes(part: Slice) -> int:
    if part.size is not None:
        return part.size
    try:
        return Path(part.path).stat().st_size
    except OSError as error:
        if not part.one_of_many:
            raise readers.unreadable(part.path, error) from error
        return 0


def _quick_count(part: Slice) -> int | None:
    """Return the number of elements if the metadata of the file contains it, else None."""
    if part.is_remote and READERS[part.reader].has_rows:
        return None
    try:
        return READERS[part.reader].quick_count(part.path)
    except Exception as error:
        if not part.one_of_many:
            raise readers.unreadable(part.path, error) from error
        return None


def _rows(part: Slice) -> int:
    """Count the elements of a file; an unreadable part counts as one element."""
    try:
        with files.copies([part.path]) as found:
            return READERS[part.reader].count(found[part.path])
    except Exception as error:
        if not part.one_of_many:
            raise readers.unreadable(part.path, error) from error
        return sum(len(rows) for _, (rows, _) in readers.read_part([part]))


def plan_path(path: str, id_column: str | None, **options: Any) -> SourcePlan:
    """Plan the reading of files of the user: a path, a glob, or a folder of images.

    Parameters
    ----------
    **options
        Options for the readers of the files, if they differ from the defaults.
    """
    found = listed(path)
    if not found.sizes:
        raise _no_file(path)
    some = any(map(readers.kind_of, found.sizes))
    slices = tuple(
        replace(
            _file_slice(file, id_column, options)
            if readers.kind_of(file) or not some
            else Slice("unknown", file),
            name=file.removeprefix(found.root).replace(os.sep, "/"),
            one_of_many=found.is_many,
            size=size,
        )
        for file, size in found.sizes.items()
    )
    counts = [_quick_count(part) for part in slices]
    known = [count for count in counts if count is not None]
    return SourcePlan(slices, sum(known) if len(known) == len(counts) else None)


@dataclass(frozen=True)
class Listing:
    """The files of a path, a glob or a folder.

    Attributes
    ----------
    sizes
        The files, in order, each with its size in bytes if it is remote.
    root
        The start of their paths that is not part of ids; see `root`.
    is_many
        Whether they belong to a glob or folder.
    """

    sizes: Mapping[str, int | None]
    root: str
    is_many: bool


def listed(path: str) -> Listing:
    """List the files of a path or address: a file, a glob, or a folder of images.

    Raises
    ------
    RemoteFileError
        If remote files cannot be listed.
    """
    path = addresses.local(path)
    if addresses.is_remote(path):
        return _listed_remotely(path)
    path = str(Path(path).expanduser())
    return Listing(dict.fromkeys(matched(path)), root(path), not Path(path).is_file())


def _listed_remotely(path: str) -> Listing:
    found, top = files.matched(path), addresses.root(path)
    is_many = addresses.has_magic(path) and [one.address for one in found] != [path]
    if not found and not addresses.has_magic(path):
        top, is_many = path.rstrip("/") + "/", True
        inside = files.below(top, given=path)
        found = [one for one in inside if readers.kind_of(one.address) == "image"]
    elif not is_many:
        top = addresses.folder(path)
    return Listing({one.address: one.size for one in found}, top, is_many)


def _no_file(path: str) -> RunError:
    remedy = f"the current folder is {Path.cwd()}"
    if addresses.is_remote(path):
        remedy = "check the bucket and the name; names are case-sensitive"
    elif address := addresses.repaired(path):
        remedy = f"pass the address as text, {address!r}, not as a pathlib.Path"
    return RunError(f"no file matches {path!r}", remedy=remedy)


def matched(path: str) -> list[str]:
    """List the files of a path: the file itself, the matches of a glob, a folder's images."""
    if Path(path).is_dir():
        return readers.images_below(path)
    # Path.glob does not accept absolute patterns.
    files = [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))  # noqa: PTH207
    return [file for file in files if Path(file).is_file()]


def root(path: str) -> str:
    """Return the part of a file's path, a glob or a folder that is not part of ids.

    This is the folder of a file, the folder before the first wildcard of a glob, or the folder
    itself. So the ids are equal if the folder is moved or copied, also to another machine.

    Examples
    --------
    >>> from mmnotebook.sources.sources import root
    >>> root("data/2026-*/a.csv")
    'data/'
    """
    if Path(path).is_dir():
        return "" if path == os.curdir else os.path.join(path, "")  # noqa: PTH118
    before = path if Path(path).is_file() else re.split(r"[*?[]", path)[0]
    return before[: before.rfind(os.sep) + 1]


def _file_slice(file: str, id_column: str | None, options: Mapping[str, Any]) -> Slice:
    kind = readers.kind_of(file)
    if kind is None:
        close = nearest(Path(file).suffix, readers.ENDINGS)
        hint = f"; did you mean {close}?" if close else ""
        raise RunError(f"cannot read {file!r}; {readers.allowed()}{hint}")
    if id_column is not None and kind in ("npy", "image"):
        raise RunError(
            f"{file!r} has no columns, so it cannot have id={id_column!r}", remedy="leave id= out"
        )
    unknown = [name for name in options if name not in READERS[kind].options]
    if unknown:
        name = unknown[0]
        raise RunError(
            f"{file!r} is not an image, so it cannot have {name}={options[name]!r}",
            remedy=f"leave {name}= out",
        )
    return Slice(kind, file, id=id_column, options=tuple(options.items()))
