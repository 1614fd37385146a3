"""Writers of elements to one file: parquet, csv or jsonl."""

from __future__ import annotations

import csv
import errno
import os
import stat
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from mmnotebook import storage
from mmnotebook.elements.block import Block
from mmnotebook.errors import RunError, nearest, one_line
from mmnotebook.sources.cells import in_json
from mmnotebook.sources.overlap import ignores_case
from mmnotebook.sources.written import ColumnTypes, Layout, TimeFormats, arrow_of, frame_of

ENDINGS = (".parquet", ".csv", ".jsonl")


def check_paths(paths: Mapping[str, str]) -> None:
    """Check, before a run, that the path of each `write` node can be written."""
    taken: dict[object, str] = {}
    for node, path in paths.items():
        _check_path(node, path)
        other = taken.setdefault(_file(path), node)
        if other != node:
            raise RunError(
                f"{other!r} and {node!r} both write {path!r}", remedy="use a separate file for each"
            )


def target(path: str) -> Path:
    """Return the path of a file after following all links; the file need not exist."""
    return Path(path).expanduser().resolve()


def _file(path: str) -> object:
    """Return a key that is equal for all paths to one file, which may not exist yet."""
    where = target(path)
    if where.exists():
        return where.stat().st_dev, where.stat().st_ino
    return where.parent, where.name.casefold() if ignores_case(where.parent) else where.name


def _check_path(node: str, path: str) -> None:
    try:
        where = target(path)
        mode = _mode(where)
        can_write = where.parent.is_dir() and os.access(where.parent, os.W_OK | os.X_OK)
    except (OSError, ValueError, RuntimeError) as error:  # an invalid path, or a cycle of links
        raise _unwritable(node, path, one_line(error)) from error
    ending = Path(path).suffix
    if ending.lower() not in ENDINGS:
        close = nearest(ending, ENDINGS)
        raise RunError(
            f"{node!r} cannot write {path!r}; allowed endings: {', '.join(ENDINGS)}"
            + (f"; did you mean {close}?" if close else ""),
            node=node,
        )
    if mode is not None and not stat.S_ISREG(mode):
        raise _unwritable(node, path, _no_file(mode), "pass the path of a file, existing or new")
    if not can_write:
        raise _unwritable(node, path, f"no writable folder {str(where.parent)!r}")
    if mode is not None and not os.access(where, os.W_OK):
        raise _unwritable(node, path, "it is write-protected", f"chmod u+w {path}, or another path")


def _mode(where: Path) -> int | None:
    """Return the file type and permissions of a file; None if it does not exist."""
    try:
        return where.lstat().st_mode
    except FileNotFoundError:
        return None


def _no_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if stat.S_ISLNK(mode):
        return "its links form a cycle"
    return "it is a pipe, a device or a socket, not a file"


def _unwritable(node: str, path: str, why: str, remedy: str | None = None) -> RunError:
    return RunError(
        f"{node!r} cannot write {path!r}: {why}",
        remedy=remedy or f"create the folder first; the current folder is {Path.cwd()}",
        node=node,
    )


def write(path: str, blocks: Iterable[Block]) -> None:
    """Write all elements to a temporary file, which replaces the target when it is complete.

    Only the user can read a new file (0600), like all files that mmnotebook writes. An existing
    file keeps its permissions, and a link to it remains a link.

    Parameters
    ----------
    blocks
        The elements, which are read several times, and one block at a time.

    Raises
    ------
    RunError
        If a value cannot be written; the message names its field and element.
    """
    where = target(path)
    layout = Layout.of(blocks)
    draft = where.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with storage.create_private(draft) as file:
            _WRITERS[Path(path).suffix.lower()](layout, blocks, file)
            mode = _mode(where)
            if mode is not None:
                if not stat.S_ISREG(mode):
                    raise OSError(errno.EINVAL, _no_file(mode))
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
        draft.replace(where)
    finally:
        draft.unlink(missing_ok=True)


def _jsonl(layout: Layout, blocks: Iterable[Block], file: BinaryIO) -> None:
    for table in layout.tables(blocks):
        file.writelines(f"{line}\n".encode() for line in table.each(in_json))


def _csv(layout: Layout, blocks: Iterable[Block], file: BinaryIO) -> None:
    types, times = ColumnTypes({}), TimeFormats()
    has_return = any("\r" in name for name in layout.columns)
    for table in layout.tables(blocks):
        cells = table.as_text().cells()
        types.add(cells)
        times.add(cells)
        texts = (cell for some in cells.values() for cell in some if isinstance(cell, str))
        has_return = has_return or any("\r" in text for text in texts)
    dtypes = dict(types.frame(layout.columns).dtypes)
    # Without quotes, a "\r" in a text would end the line.
    quoting = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL
    head = frame_of({name: [] for name in layout.columns}, dtypes)
    file.write(head.to_csv(index=False, quoting=quoting).encode())
    for table in layout.tables(blocks):
        frame = times.as_text(frame_of(table.as_text().cells(), dtypes))
        file.write(frame.to_csv(index=False, header=False, quoting=quoting).encode())


def _parquet(layout: Layout, blocks: Iterable[Block], file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = ColumnTypes(layout.dtypes)
    for table in layout.tables(blocks):
        types.add(table.cells())
    frame = types.frame(layout.columns)
    schema, dtypes = arrow_of(frame).schema, dict(frame.dtypes)
    with pq.ParquetWriter(file, schema) as writer:
        waiting, size = [], 0
        for table in layout.tables(blocks):
            waiting.append(arrow_of(frame_of(table.cells(), dtypes), schema))
            size += waiting[-1].nbytes
            if size > _GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting, size = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


_WRITERS = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}
_GROUP = 16 << 20
"""The approximate size of a row group of a parquet file before compression, in bytes."""


def told(error: Exception) -> tuple[str, str | None]:
    """Return the message, in one line, and the remedy of an error that occurred while writing."""
    if isinstance(error, RunError):
        return error.message, error.remedy
    return one_line(error), _remedy(error)


def _remedy(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return (
            "a text contains half of a character (a lone surrogate): put a function before write "
            'that returns text.encode("utf-8", "replace").decode() instead'
        )
    if not isinstance(error, OSError):
        return "use the same plain fields for all elements; .jsonl supports the most types"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space on the disk, or write to another disk"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "write to a folder in which you can create files"
    return "check that the folder still exists and is writable, or write to another folder"
