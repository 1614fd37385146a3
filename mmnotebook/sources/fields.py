"""What fields the elements of a source have: of its blocks, or of the first lines of its files."""

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
"""Files that are looked into; of more it is not known what fields they have."""


def of_blocks(blocks: Sequence[Block]) -> Shape:
    """The shape of the elements of some blocks; None where there are none."""
    return together([of_column(block.values) for block in blocks])


def of_column(column: Column) -> Shape:
    """The shape of the values of a column."""
    if isinstance(column, Records):
        return RecordFields(column.columns, lambda name: of_column(column.columns[name]))
    if isinstance(column, Arrays):
        return {name: {} for name in column.array.dtype.names or ()}
    return {} if isinstance(column, Tensors) else shapes.of_values(column.rows())


def of_plan(plan: sources.SourcePlan) -> Shape:
    """The shape of what is read from files; None where that takes reading them whole."""
    files = {(part.reader, part.path) for part in plan.slices}
    try:
        found = (
            [READERS[reader].fields(path) for reader, path in files] if len(files) <= MOST else []
        )
    except Exception:  # noqa: BLE001 - a file that cannot be read, as the run will say
        return None
    return together(found)


def of_data(value: Any) -> Shape:
    """The shape of the elements of a notebook's data, or of files where it is a path."""
    if not objects.is_path(value):
        return shapes.of_data(value)
    try:
        return of_plan(sources.plan_path(str(value), None))
    except MMError:  # no such file, as the run will say
        return None
