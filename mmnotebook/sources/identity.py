"""The identity of data: equal for equal elements, in every process."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from dataclasses import astuple
from importlib.metadata import version
from typing import Any

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Records,
    Same,
    Selected,
    Tensors,
    Tuples,
)
from mmnotebook.errors import RunError
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import digest
from mmnotebook.remote import files
from mmnotebook.sources import readers
from mmnotebook.sources.formats import READERS, label_of
from mmnotebook.sources.sources import Slice, SourcePlan

_FORMAT = "data 3"


def of_blocks(blocks: Iterable[Block]) -> str:
    """Return the identity of data of the notebook: 32 hex digits.

    Raises
    ------
    mmnotebook.fingerprint.identity.Unknowable
        If an element cannot be fingerprinted.
    """
    return digest([_FORMAT, *map(_of_block, blocks)])


def _of_block(block: Block) -> list[Any]:
    failed = [[failure.id, failure.error, failure.message] for failure in block.failed]
    return [digest(block.ids), of_column(block.values), *failed]


def of_column(column: Column) -> str:
    """Return the identity of a column: 32 hex digits; raise the same errors as `of_blocks`."""
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
    """Return a pandas dtype as plain data."""
    categories = getattr(dtype, "categories", None)
    return [repr(dtype)] if categories is None else [categories, dtype.ordered]


def of_files(plan: SourcePlan) -> str:
    """Return the identity of data in files (32 hex digits), from contents, row ids and labels.

    Raises
    ------
    RunError
        If a file cannot be read.
    """
    versions = files.versions([part.path for part in plan.slices if part.is_remote])

    @functools.cache  # a file may have many slices
    def content(path: str) -> str:
        return versions[path]() if path in versions else _content(path)

    return digest([_FORMAT, *(_of_slice(part, content) for part in plan.slices)])


def _of_slice(part: Slice, content_of: Callable[[str], str]) -> list[Any]:
    library = READERS[part.reader].library
    label = label_of(part.path) if part.reader == "image" else ""
    read_by = f"{library} {version(library)}" if library else ""
    try:
        content = content_of(part.path)
    except RunError as error:
        if not part.one_of_many:
            raise
        content = str(error)
    return [*astuple(part), content, label, read_by]


def _content(path: str) -> str:
    """Return the digest of the content of a file."""
    try:
        return contents.of_file(os.path.abspath(path))  # noqa: PTH100 - links are kept
    except OSError as error:
        raise readers.unreadable(path, error) from error
