"""Writers of elements to one file or to a folder of files: parquet, csv or jsonl."""

from __future__ import annotations

import csv
import errno
import itertools
import os
import re
import shutil
import stat
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from mmnotebook import storage
from mmnotebook.elements.block import Block
from mmnotebook.errors import RunError, nearest, one_line
from mmnotebook.sources.cells import in_json
from mmnotebook.sources.overlap import ignores_case
from mmnotebook.sources.written import (
    CellTable,
    ColumnTypes,
    FileColumns,
    TimeFormats,
    arrow_of,
    frame_of,
)

ENDINGS = (".parquet", ".csv", ".jsonl")
PART_ROWS = 250_000
"""The approximate number of elements in each file of a folder."""
_PART = re.compile(r"part-\d{5,}-of-\d{5,}\.(parquet|csv|jsonl)")


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
    for node, path in paths.items():
        inside = [
            one for one in paths if one != node and target(path) in target(paths[one]).parents
        ]
        if inside and is_folder(path):
            raise RunError(
                f"{inside[0]!r} writes {paths[inside[0]]!r} into the folder that {node!r} replaces",
                remedy="use a separate folder for each",
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


def is_folder(path: str) -> bool:
    """Return whether a path is that of a folder: it ends with a slash, or has no file's ending."""
    if path.endswith(("/", os.sep)):
        return True
    return Path(path).suffix.lower() not in ENDINGS and target(path).is_dir()


def files(path: str) -> list[Path]:
    """Return the files that a `write` to this path creates or replaces, as far as known."""
    where = Path(path).expanduser()
    if not is_folder(path):
        return [where]
    first = where / f"part-00000-of-00001{_ending(path)}"
    return [first, *(where.iterdir() if where.is_dir() else ())]


def _ending(path: str) -> str:
    """Return the ending of the files; parquet for a folder whose name does not have one."""
    ending = Path(path).suffix.lower()
    return ending if ending in ENDINGS else ENDINGS[0]


def _check_path(node: str, path: str) -> None:
    try:
        where = target(path)
        mode = _mode(where)
        in_folder = is_folder(path)
        can_write = where.parent.is_dir() and os.access(where.parent, os.W_OK | os.X_OK)
    except (OSError, ValueError, RuntimeError) as error:  # an invalid path, or a cycle of links
        raise _unwritable(node, path, one_line(error)) from error
    if not in_folder:
        _check_file(node, path, mode)
    elif mode is not None:
        _check_folder(node, path, where)
    if not can_write:
        raise _unwritable(node, path, f"no writable folder {str(where.parent)!r}")
    if mode is not None and not os.access(where, os.W_OK):
        raise _unwritable(node, path, "it is write-protected", f"chmod u+w {path}, or another path")


def _check_file(node: str, path: str, mode: int | None) -> None:
    ending = Path(path).suffix
    if ending.lower() not in ENDINGS:
        close = nearest(ending, ENDINGS)
        raise RunError(
            f"{node!r} cannot write {path!r}; allowed endings: {', '.join(ENDINGS)}"
            + (f"; did you mean {close}?" if close else ""),
            remedy=f"write({path + '/'!r}) writes a folder of parquet files",
            node=node,
        )
    if mode is not None and not stat.S_ISREG(mode):
        raise _unwritable(node, path, _no_file(mode), "pass the path of a file, existing or new")


def _check_folder(node: str, path: str, where: Path) -> None:
    """Check that only files of an earlier `write` would be replaced."""
    if not where.is_dir():
        raise _unwritable(node, path, "it is not a folder", "remove the slash, or use another path")
    if (other := _other_file(where)) is not None:
        raise _unwritable(node, path, *_refused(other))


def _refused(other: str) -> tuple[str, str]:
    what = f"the folder has other files, such as {other!r}, and would be replaced"
    return what, "use a new or empty folder, or one that only has files of an earlier write"


def _other_file(folder: Path) -> str | None:
    """Return the name of a file in a folder that no `write` has written; None if there is none."""
    names = sorted(one.name for one in folder.iterdir())
    return next((name for name in names if not _PART.fullmatch(name)), None)


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
    """Write all elements to a file, or to several files in a folder.

    The files are temporary until they are complete. Then one renaming replaces the target, so that
    no reader finds a part of the elements. Only the user can read a new file (0600) or folder
    (0700), like all files that mmnotebook writes. An existing file or folder keeps its permissions,
    and a link to it remains a link.

    Parameters
    ----------
    blocks
        The elements, which are read several times, and one block at a time.

    Raises
    ------
    RunError
        If a value cannot be written; the message names its field and element.
    """
    where, ending = target(path), _ending(path)
    columns = FileColumns.of(blocks)
    draft = where.with_name(f".{uuid.uuid4().hex}.part")
    save = _WRITERS[ending](columns, blocks)
    tables = columns.tables(blocks)
    try:
        if is_folder(path) or Path(path).suffix.lower() != ending:
            draft.mkdir(0o700)
            _save_parts(draft, ending, columns.counts, save, tables)
            _replace_folder(draft, where)
        else:
            with storage.create_private(draft) as file:
                save(tables, file)
                _keep_mode(file, where)
            draft.replace(where)
    finally:
        _remove(draft)


def _keep_mode(file: BinaryIO, where: Path) -> None:
    mode = _mode(where)
    if mode is not None:
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, _no_file(mode))
        os.fchmod(file.fileno(), stat.S_IMODE(mode))


def _save_parts(
    folder: Path, ending: str, counts: Sequence[int], save: _Save, tables: Iterator[CellTable]
) -> None:
    """Write files of about `PART_ROWS` elements; all elements stay in order."""
    blocks = Counter(start // PART_ROWS for start in itertools.accumulate(counts[:-1], initial=0))
    parts = [blocks[part] for part in sorted(blocks)] if counts else [0]
    for place, count in enumerate(parts):
        name = f"part-{place:05d}-of-{len(parts):05d}{ending}"
        with storage.create_private(folder / name) as file:
            save(itertools.islice(tables, count), file)


def _replace_folder(draft: Path, where: Path) -> None:
    """Move a complete folder to its place; on an error, an existing folder stays in place."""
    if _mode(where) is None:
        draft.rename(where)
        return
    if (other := _other_file(where)) is not None:
        what, remedy = _refused(other)
        raise RunError(what, remedy=remedy)
    draft.chmod(stat.S_IMODE(where.stat().st_mode))
    before = where.with_name(f".{uuid.uuid4().hex}.part")
    where.rename(before)
    try:
        draft.rename(where)
    except BaseException:
        before.rename(where)
        raise
    _remove(before)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


_Save = Callable[[Iterable[CellTable], BinaryIO], None]
"""A function that writes some of the rows of a table to a file."""


def _jsonl(columns: FileColumns, blocks: Iterable[Block]) -> _Save:
    def save(tables: Iterable[CellTable], file: BinaryIO) -> None:
        for table in tables:
            file.writelines(f"{line}\n".encode() for line in table.each(in_json))

    return save


def _csv(columns: FileColumns, blocks: Iterable[Block]) -> _Save:
    types, times = ColumnTypes({}), TimeFormats()
    has_return = any("\r" in name for name in columns.columns)
    for table in columns.tables(blocks):
        cells = table.as_text().cells()
        types.add(cells)
        times.add(cells)
        texts = (cell for some in cells.values() for cell in some if isinstance(cell, str))
        has_return = has_return or any("\r" in text for text in texts)
    dtypes = dict(types.frame(columns.columns).dtypes)
    # Without quotes, a "\r" in a text would end the line.
    quoting = csv.QUOTE_NONNUMERIC if has_return else csv.QUOTE_MINIMAL

    def save(tables: Iterable[CellTable], file: BinaryIO) -> None:
        head = frame_of({name: [] for name in columns.columns}, dtypes)
        file.write(head.to_csv(index=False, quoting=quoting).encode())
        for table in tables:
            frame = times.as_text(frame_of(table.as_text().cells(), dtypes))
            file.write(frame.to_csv(index=False, header=False, quoting=quoting).encode())

    return save


def _parquet(columns: FileColumns, blocks: Iterable[Block]) -> _Save:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = ColumnTypes(columns.dtypes)
    for table in columns.tables(blocks):
        types.add(table.cells())
    frame = types.frame(columns.columns)
    schema, dtypes = arrow_of(frame).schema, dict(frame.dtypes)

    def save(tables: Iterable[CellTable], file: BinaryIO) -> None:
        with pq.ParquetWriter(file, schema) as writer:
            waiting, size = [], 0
            for table in tables:
                waiting.append(arrow_of(frame_of(table.cells(), dtypes), schema))
                size += waiting[-1].nbytes
                if size > _GROUP:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting, size = [], 0
            if waiting:
                writer.write_table(pa.concat_tables(waiting))

    return save


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
