"""Readers of file formats: the number of elements, and the elements in a range of rows."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mmnotebook.elements import frames
from mmnotebook.elements.block import BYTES, ROWS
from mmnotebook.elements.columns import Arrays, Column, Records
from mmnotebook.sources import block_size, images, packed
from mmnotebook.sources.csv_rows import wrong_rows
from mmnotebook.sources.partial import Partial
from mmnotebook.steps.shapes import Shape

_SHARED = 4  # blocks per worker, for a file that several workers read

Chunk = tuple[Sequence[int | str], Sequence[Any]]
"""The row numbers (or the ids, if they are known) and the values of some rows. The values are a
column, a `Partial`, or a list that contains an error for each row that cannot be read.
"""


class FileReader(ABC):
    """A reader of one file format.

    Attributes
    ----------
    library
        The distribution that parses the file, whose version can change the values; "" for none.
    options
        The names of the options of its constructor.
    has_rows
        Whether a file can have several elements, so that their ids contain row numbers.
    """

    library = ""
    has_rows = True
    options: tuple[str, ...] = ()

    def with_options(self, **options: Any) -> FileReader:
        """Return a reader of the same kind with these options."""
        return type(self)(**options)

    def quick_count(self, path: str) -> int | None:
        """Return the number of elements if the file stores this number, else None."""
        return None

    def count(self, path: str) -> int:
        """Return the number of elements, by reading the file if necessary."""
        known = self.quick_count(path)
        return sum(len(rows) for rows, _ in self.chunks(path, 0, None)) if known is None else known

    def cuts(self, path: str) -> Sequence[int]:
        """Return the rows before which a file can be split, so that several workers can read it."""
        return ()

    def fields(self, path: str) -> Shape:
        """Return the shape of the elements; None if it requires reading the whole file."""
        return None

    @abstractmethod
    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        """Yield the elements from row `start` up to, but not including, row `stop`, in blocks."""


class NpyReader(FileReader):
    """A reader of array files: one element per row. A file is memory-mapped, not loaded."""

    def quick_count(self, path: str) -> int:
        return len(_npy(path))

    def fields(self, path: str) -> Shape:
        return {name: {} for name in _npy(path).dtype.names or ()}

    def cuts(self, path: str) -> Sequence[int]:
        array = _npy(path)
        step = _SHARED * _rows_within(array)
        return range(step, len(array), step)

    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        array = _npy(path)
        stop = len(array) if stop is None else stop
        if stop > len(array):
            raise ValueError(f"it has {len(array):,} rows; when it was first read, it had {stop:,}")
        step = _rows_within(array)
        for first in range(start, stop, step):
            rows = range(first, min(first + step, stop))
            yield rows, Arrays(np.array(array[rows.start : rows.stop], order="C"))


def _npy(path: str) -> np.ndarray[Any, Any]:
    # Open the file each time: reading a memory map of a file that was truncated kills the process.
    array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return array if array.ndim else array.reshape(1)


def _rows_within(array: np.ndarray[Any, Any]) -> int:
    return block_size.rows_within(array.nbytes / max(1, len(array)))


class ParquetReader(FileReader):
    """A reader of Parquet files: one record per row.

    In a column of integers with missing cells, the integers are not converted to floats.
    """

    library = "pyarrow"

    def quick_count(self, path: str) -> int:
        return int(_parquet(path).metadata.num_rows)

    def fields(self, path: str) -> Shape:
        schema = _parquet(path).schema_arrow
        names = schema.empty_table().to_pandas().columns  # without index columns
        nested = {name for name in names if schema.field(name).type.num_fields}
        return {str(name): None if name in nested else {} for name in names}

    def cuts(self, path: str) -> Sequence[int]:
        # Only between row groups: to read a part of a group, all rows before it must be decoded.
        found: list[int] = []
        for first, _, _ in _row_groups(_parquet(path)):
            if first - (found[-1] if found else 0) >= _SHARED * ROWS:
                found.append(first)
        return found

    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        file = _parquet(path)
        stop = file.metadata.num_rows if stop is None else stop
        dtypes = _of_whole_file(file)
        for group, (first, count, size) in enumerate(_row_groups(file)):
            if first >= stop or first + count <= start:
                continue
            row = first
            step = block_size.rows_within(size / max(1, count))
            for batch in file.iter_batches(step, row_groups=[group]):
                low, high = max(start, row), min(stop, row + batch.num_rows)
                if low < high:
                    # With this option, a column has the same type in every batch.
                    part = batch.slice(low - row, high - low).to_pandas(integer_object_nulls=True)
                    yield range(low, high), _with_dtypes(frames.records(part), dtypes)
                row += batch.num_rows


def _parquet(path: str) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


def _of_whole_file(file: Any) -> dict[str, Any]:
    """Return the pandas dtypes of the whole file, for columns whose dtype may differ in a part."""
    import pyarrow as pa

    nulls = _null_counts(file)
    found = {}
    for field in file.schema_arrow:
        if pa.types.is_dictionary(field.type):
            found[field.name] = file.read([field.name]).to_pandas().dtypes.get(field.name)
        elif pa.types.is_integer(field.type) or pa.types.is_boolean(field.type):
            count = nulls.get(field.name)
            if count is None:
                count = file.read([field.name]).column(0).null_count
            if count:
                found[field.name] = np.dtype(float if pa.types.is_integer(field.type) else object)
    return found


def _null_counts(file: Any) -> dict[str, int | None]:
    """Return the number of null cells of each column; None if the file does not contain it."""
    found: dict[str, int | None] = {}
    for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            said, before = column.statistics, found.get(column.path_in_schema, 0)
            known = said is not None and said.has_null_count and before is not None
            found[column.path_in_schema] = before + said.null_count if known else None
    return found


def _with_dtypes(records: Column, dtypes: Mapping[str, Any]) -> Column:
    """Return records with `dtypes` in place of their NumPy and categorical dtypes."""
    if not isinstance(records, Records):
        return records
    kept = dict(records.dtypes)
    for name, dtype in dtypes.items():
        own = kept.get(name)
        if isinstance(own, np.dtype) or (hasattr(own, "categories") and dtype is not None):
            kept[name] = dtype
    return Records(records.columns, kept)


def _row_groups(file: Any) -> Iterator[tuple[int, int, int]]:
    """Yield the first row, the number of rows and the bytes of each row group."""
    first = 0
    for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
        yield first, group.num_rows, group.total_byte_size
        first += group.num_rows


class CsvReader(FileReader):
    """A reader of csv files: one record per row, with types inferred from the whole file.

    Rows with a wrong number of cells fail.
    """

    library = "pandas"

    def fields(self, path: str) -> Shape:
        import pandas as pd

        return {str(name): {} for name in pd.read_csv(path, nrows=0).columns}

    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        import pandas as pd

        wrong = wrong_rows(path)
        skipped = [line for line, _ in wrong.values()]
        with packed.opened(path) as file:
            frame = pd.read_csv(file, skiprows=skipped, low_memory=False)
        _keep_whole(frame, path, skipped)
        count = len(frame) + len(wrong)
        stop = count if stop is None else min(stop, count)
        sample = frames.sizes(frame, range(0, len(frame), max(1, len(frame) // 64)))
        step = block_size.rows_within(sum(sample) / max(1, len(sample)))
        before = sum(row < start for row in wrong)
        for first in range(start, stop, step):
            rows = range(first, min(first + step, stop))
            inside = [row for row in rows if row in wrong] if wrong else []
            part = frame.iloc[first - before : rows.stop - before - len(inside)]
            before += len(inside)
            column = frames.records(part)
            errors = {row - first: wrong[row][1] for row in inside}
            yield rows, Partial(column, errors) if errors else column


def _keep_whole(frame: Any, path: str, skipped: list[int]) -> None:
    """Read the integer columns again that pandas converted to floats because of missing cells."""
    import pandas as pd

    for place, name in enumerate(frame.columns):
        if frame[name].dtype != np.float64:
            continue
        most = frame[name].abs().max()
        if not 2**53 <= most < 2**63:
            continue
        # For numbers with a fraction, Int64 raises an error, and the column is not changed.
        with packed.opened(path) as file, suppress(ValueError, TypeError):
            again = pd.read_csv(file, skiprows=skipped, usecols=[place], dtype="Int64")
            if len(again) == len(frame):
                frame[name] = again.iloc[:, 0]


class JsonlReader(FileReader):
    """A reader of jsonl files: one value per line; a line that is not JSON fails."""

    def count(self, path: str) -> int:
        with packed.opened(path) as file:
            return sum(1 for line in file if line.strip())

    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        # Read bytes, so that only the line in another encoding fails; json detects UTF-8 and a BOM.
        with packed.opened(path) as file:
            row, values, size = start, [], 0
            for line in _between((line for line in file if line.strip()), start, stop):
                values.append(_json(line))
                size += len(line)
                if len(values) >= ROWS or size >= BYTES:
                    yield range(row, row + len(values)), values
                    row, values, size = row + len(values), [], 0
            if values:
                yield range(row, row + len(values)), values


def _between(lines: Iterable[bytes], start: int, stop: int | None) -> Iterator[bytes]:
    for row, line in enumerate(lines):
        if stop is not None and row >= stop:
            return
        if row >= start:
            yield line


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return error


class ImageReader(FileReader):
    """A reader of image files: one record per file, with image, path and label.

    The image is the result of `images.pixels`. The label is the name of the folder that contains
    the file.
    """

    library = "pillow"
    options = ("mode", "rotate")
    has_rows = False

    def __init__(self, mode: str = "keep", rotate: bool = True) -> None:
        self.mode, self.rotate = mode, rotate

    def quick_count(self, path: str) -> int:
        return 1

    def fields(self, path: str) -> Shape:
        return {"image": {}, "path": {}, "label": {}}

    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        if start > 0 or stop == 0:
            return
        try:
            image = images.pixels(path, self.mode, self.rotate)
            value: Any = {"image": image, "path": path, "label": label_of(path)}
        except Exception as error:  # noqa: BLE001 - a broken image fails as one element
            value = error
        yield range(1), [value]


def label_of(path: str) -> str:
    """Return the name of the folder that contains a file."""
    return Path(path).absolute().parent.name


class UnknownReader(FileReader):
    """A reader of files with an unknown extension; each file fails as one element."""

    has_rows = False

    def chunks(self, path: str, start: int, stop: int | None) -> Iterator[Chunk]:
        raise ValueError(f"files that end in {Path(path).suffix!r} cannot be read")


READERS: dict[str, FileReader] = {
    "npy": NpyReader(),
    "parquet": ParquetReader(),
    "csv": CsvReader(),
    "jsonl": JsonlReader(),
    "image": ImageReader(),
    "unknown": UnknownReader(),
}
