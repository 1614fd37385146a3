"""The identity of data: the same for the same elements, in every process and at every time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mmnotebook.errors import RunError
from mmnotebook.graph.fingerprint import digest
from mmnotebook.runtime.blocks.block import Block
from mmnotebook.runtime.blocks.columns import (
    Arrays,
    Cells,
    Column,
    Records,
    Same,
    Selected,
    Tensors,
    Tuples,
)
from mmnotebook.runtime.data import readers, storage
from mmnotebook.runtime.data.formats import READERS, label_of
from mmnotebook.runtime.data.sources import Plan, Slice

_FORMAT = "data 2"
_SETTLED = 2.0
"""Seconds after which another change of a file has another time, on every file system."""

_Stamp = tuple[int, int, int, int, int]
_known: dict[str, tuple[_Stamp, str]] = {}
_lock = threading.Lock()


def of_blocks(blocks: Iterable[Block]) -> str:
    """The identity of the notebook's own data, 32 hex digits.

    Raises
    ------
    mmnotebook.graph.fingerprint.Unknowable
        When an element is of a kind that cannot be taken apart.
    """
    return digest([_FORMAT, *map(_of_block, blocks)])


def _of_block(block: Block) -> list[Any]:
    failed = [[failure.id, failure.error, failure.message] for failure in block.failed]
    return [digest(block.ids), of_column(block.values), *failed]


def of_column(column: Column) -> str:
    """The identity of values, 32 hex digits; raises as `of_blocks` does."""
    kind = type(column).__name__
    if isinstance(column, Arrays):
        return digest([kind, column.array])
    if isinstance(column, Tensors):
        return digest([kind, column.tensor])
    if isinstance(column, Same):
        return digest([kind, column.value, column.length])
    if isinstance(column, Records):
        fields = ((name, of_column(part)) for name, part in column.columns.items())
        return digest([kind, *fields, *((n, of_dtype(d)) for n, d in column.dtypes.items())])
    if isinstance(column, Cells):
        return digest([kind, of_column(column.cells), of_dtype(column.dtype)])
    if isinstance(column, Selected):
        return digest([kind, of_column(column.records)])
    if isinstance(column, Tuples):
        return digest([kind, column.kind, *map(of_column, column.columns)])
    return digest([kind, column.rows()])


def of_dtype(dtype: Any) -> list[Any]:
    """What a pandas dtype is, as plain data."""
    categories = getattr(dtype, "categories", None)
    return [repr(dtype)] if categories is None else [categories, dtype.ordered]


def of_files(plan: Plan) -> str:
    """The identity of what is read of files, 32 hex digits: their content, and what names it.

    The digest of a file is remembered in this process for as long as the file is not touched.

    Raises
    ------
    RunError
        When a file cannot be read.
    """
    return digest([_FORMAT, *map(_of_slice, plan.slices)])


def _of_slice(part: Slice) -> list[Any]:
    library = READERS[part.reader].library
    label = label_of(part.path) if part.reader == "image" else ""
    read_by = f"{library} {version(library)}" if library else ""
    try:
        content = _content(part.path)
    except RunError as error:
        if not part.one_of_many:
            raise
        content = str(error)
    return [*astuple(part), content, label, read_by]


def _content(path: str) -> str:
    """The digest of a file's content."""
    where = str(Path(path).absolute())
    try:
        stamp = _stamp(where)
        with _lock:
            remembered = _known.get(where)
        if remembered is not None and remembered[0] == stamp:
            return remembered[1]
        begun = time.time_ns()
        content = storage.fingerprint(Path(where))
        if _stamp(where) == stamp and max(stamp[2:4]) < begun - _SETTLED * 1e9:
            with _lock:
                _known[where] = (stamp, content)
    except OSError as error:
        raise readers.unreadable(path, error) from error
    return content


def _stamp(path: str) -> _Stamp:
    """What changes with a file: device, inode, times of change, size."""
    found = os.stat(path)  # noqa: PTH116
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
