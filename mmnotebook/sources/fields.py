"""The fields of the elements of a source, from its blocks or the first lines of its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Arrays, Column, Records, Tensors
from mmnotebook.errors import MMError
from mmnotebook.sources import objects, sources
from mmnotebook.sources.formats import READERS
from mmnotebook.steps import shapes
from mmnotebook.steps.shapes import RecordFields, Shape, together

MOST = 64
"""The maximum number of files that are opened; the fields of more files are unknown."""


def of_blocks(blocks: Sequence[Block]) -> Shape:
    """Return the shape of the elements of some blocks; None if there are none."""
    return together([of_column(block.values) for block in blocks])


def of_column(column: Column) -> Shape:
    """Return the shape of the values of a column."""
    if isinstance(column, Records):
        return RecordFields(column.columns, lambda name: of_column(column.columns[name]))
    if isinstance(column, Arrays):
        return {name: {} for name in column.array.dtype.names or ()}
    return {} if isinstance(column, Tensors) else shapes.of_values(column.rows())


def of_plan(plan: sources.SourcePlan) -> Shape:
    """Return the shape of elements read from files; None if whole files would have to be read."""
    files = {(part.reader, part.path) for part in plan.slices}
    if any(part.is_remote and READERS[part.reader].has_rows for part in plan.slices):
        return None
    try:
        found = (
            [READERS[reader].fields(path) for reader, path in files] if len(files) <= MOST else []
        )
    except Exception:  # noqa: BLE001 - an unreadable file; the run will report it
        return None
    return together(found)


def of_data(value: Any) -> Shape:
    """Return the shape of the elements of notebook data, or of files if it is a path."""
    if not objects.is_path(value):
        return shapes.of_data(value)
    try:
        return of_plan(sources.plan_path(str(value), None))
    except MMError:  # no such file; the run will report it
        return None
