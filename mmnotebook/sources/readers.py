"""Reading of files, block by block."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmnotebook.elements.block import BYTES, ROWS
from mmnotebook.elements.columns import Column, size_of
from mmnotebook.errors import RunError, one_line
from mmnotebook.remote import files
from mmnotebook.sources import packed
from mmnotebook.sources.formats import READERS, Chunk, label_of
from mmnotebook.sources.partial import Partial, joined

if TYPE_CHECKING:
    from mmnotebook.sources.sources import Slice

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".npy": "npy"}
_PACKED = ("csv", "jsonl")
"""The kinds of files that may be compressed."""
ENDINGS = (*_KINDS, *IMAGES)


def kind_of(path: str) -> str | None:
    """Return the name of the reader for a file, or None."""
    suffix = Path(path).suffix.lower()
    if suffix in packed.ENDINGS:
        kind = _KINDS.get(packed.inner(path))
        return kind if kind in _PACKED else None
    return "image" if suffix in IMAGES else _KINDS.get(suffix)


def allowed() -> str:
    """Return the part of an error message that lists the extensions of readable files."""
    endings, packing = ", ".join(ENDINGS), ", ".join(packed.ENDINGS)
    return f"allowed endings: {endings}; .csv and .jsonl also with one of {packing}"


def images_below(folder: str) -> list[str]:
    """List all image files below a folder, in order."""
    found = (str(Path(top, name)) for top, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if kind_of(path) == "image")


def unreadable(path: str, error: Exception) -> RunError:
    """Return the error for a file that cannot be read at all."""
    return RunError(
        f"cannot read {path!r}: {one_line(error)}",
        remedy="check that the file is complete and matches its extension",
    )


def read_part(part: Sequence[Slice]) -> Iterator[tuple[Slice, Chunk]]:
    """Yield the elements of slices that one worker reads (`sources.SourcePlan.parts`), in blocks.

    Small files share a block: its rows are then ids, and its slice is that of the first file. The
    values are a `Column`, or a `Partial` if there are errors. If a file of a glob or folder cannot
    be read, the file is one element with an error.

    Raises
    ------
    RunError
        If a file that is not part of a glob or folder cannot be read.
    """
    with files.copies([where.path for where in part]) as copied:
        yield from _blocks(part, copied)


def _blocks(part: Sequence[Slice], copied: Mapping[str, str]) -> Iterator[tuple[Slice, Chunk]]:
    waiting: list[tuple[Slice, Chunk]] = []
    rows = size = 0
    for where in part:
        for chunk in _chunks(where, copied[where.path]):
            more = _bytes(chunk[1])
            if waiting and (rows + len(chunk[0]) > ROWS or size + more > BYTES):
                yield _together(waiting)
                waiting, rows, size = [], 0, 0
            waiting.append((where, chunk))
            rows, size = rows + len(chunk[0]), size + more
            if 2 * rows >= ROWS or 2 * size >= BYTES:
                yield _together(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield _together(waiting)


def ids_of(where: Slice, rows: Sequence[int | str]) -> list[str]:
    """Return the ids of rows: `name#row`, or the name of a file with a single element.

    Rows that are already ids are returned unchanged.
    """
    if not READERS[where.reader].has_rows:
        return [row if isinstance(row, str) else where.name for row in rows]
    if isinstance(rows, range):
        return [f"{where.name}#{row}" for row in rows]
    return [row if isinstance(row, str) else f"{where.name}#{row}" for row in rows]


def _chunks(where: Slice, path: str) -> Iterator[Chunk]:
    """Yield the elements of a slice; `path` is the file, or the copy of a remote file."""
    try:
        reader = READERS[where.reader].with_options(**dict(where.options))
        for rows, values in reader.chunks(path, where.start, where.stop):
            yield rows, values if path == where.path else _located(where, path, values)
    except Exception as error:
        _rename(error, path, where.path)
        if not where.one_of_many:
            raise unreadable(where.path, error) from error
        # Elements that were read before the error are kept.
        yield [f"{where.name}#{where.start}" if where.start else _id_of_file(where.name)], [error]


def _located(where: Slice, path: str, values: Sequence[Any]) -> Sequence[Any]:
    """Return values that do not refer to the copy of their file."""
    if READERS[where.reader].has_rows:
        return values
    for value in values:
        if isinstance(value, dict):
            value |= {"path": where.path, "label": label_of(where.path)}
        else:
            _rename(value, path, where.path)
    return values


def _rename(error: Exception, path: str, address: str) -> None:
    """Replace the path of a copy by the address of the file in the message of an error."""
    texts = (one.replace(path, address) if isinstance(one, str) else one for one in error.args)
    if path != address:
        error.args = tuple(texts)


def _id_of_file(name: str) -> str:
    """Return the id of a file that cannot be read: its name, unless a row can have this id."""
    return f"{name}#" if re.search(r"#\d+$", name) else name


def _bytes(values: Sequence[Any]) -> int:
    known = isinstance(values, (Column, Partial))
    return values.nbytes if known else sum(map(size_of, values))  # type: ignore[attr-defined]


def _together(chunks: list[tuple[Slice, Chunk]]) -> tuple[Slice, Chunk]:
    first, (rows, _) = chunks[0]
    if len(chunks) > 1:
        rows = [name for where, (numbers, _) in chunks for name in ids_of(where, numbers)]
    return first, (rows, joined([values for _, (_, values) in chunks]))
