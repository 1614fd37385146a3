"""One reader per kind of file: how many elements, and which, between two rows."""

from __future__ import annotations

import csv
import itertools
import json
import os
import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmnotebook.errors import RunError, one_line

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".npy": "npy"}
ENDINGS = (*_KINDS, *IMAGES)

Row = tuple[int | str, Any]
"""A row's number, or its id where the reader knows it, and its element; an error in place of an
element that cannot be read."""


def kind_of(path: str) -> str | None:
    """The name of the reader for a file, None when there is none."""
    suffix = Path(path).suffix.lower()
    return "image" if suffix in IMAGES else _KINDS.get(suffix)


def images_below(folder: str) -> list[str]:
    """All image files below a folder, in order."""
    found = (str(Path(top, name)) for top, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if kind_of(path) == "image")


class Reader(ABC):
    """Reads one kind of file."""

    def quick_count(self, path: str) -> int | None:
        """The number of elements where the file says so at once, else None."""
        return None

    def count(self, path: str) -> int:
        """The number of elements, read if need be."""
        known = self.quick_count(path)
        return known if known is not None else sum(1 for _ in self.rows(path, 0, None))

    @abstractmethod
    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        """The elements from row `start` to before row `stop`."""


class ChunkReader(Reader):
    """A pickle of (ids, elements) that this process wrote to its own private folder."""

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        with Path(path).open("rb") as file:
            ids, elements = pickle.load(file)
        yield from zip(ids[start:stop], elements[start:stop], strict=True)


class NpyReader(Reader):
    """An array: an element per row, mapped from the file, never loaded whole."""

    def quick_count(self, path: str) -> int:
        return len(_npy(path))

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        array = _npy(path)
        for row in range(start, len(array) if stop is None else stop):
            yield row, array[row].copy()


def _npy(path: str) -> np.ndarray[Any, Any]:
    # Opened anew each time: the map of a file that has since become shorter ends the process.
    array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    return array if array.ndim else array.reshape(1)


class TensorReader(Reader):
    """A tensor that this process wrote: an element per row, mapped from the file."""

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        import torch

        tensor = torch.load(path, weights_only=True, mmap=True)
        for row in range(start, len(tensor) if stop is None else stop):
            yield row, tensor[row].clone()


class ParquetReader(Reader):
    """A record per row."""

    def quick_count(self, path: str) -> int:
        import pyarrow.parquet as pq

        return int(pq.ParquetFile(path).metadata.num_rows)

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        import pyarrow.parquet as pq

        row = 0
        for batch in pq.ParquetFile(path).iter_batches(4096):
            if stop is not None and row >= stop:
                return
            if row + batch.num_rows > start:
                for offset, record in enumerate(_records(batch.to_pandas())):
                    if start <= row + offset and (stop is None or row + offset < stop):
                        yield row + offset, record
            row += int(batch.num_rows)


class CsvReader(Reader):
    """A record per row, the types inferred from the whole file; a row of the wrong length fails."""

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        import pandas as pd

        bad = _bad_csv_rows(path)
        skipped = [line for line, _ in bad.values()]
        records = iter(_records(pd.read_csv(path, skiprows=skipped, low_memory=False)))
        for row in itertools.count() if stop is None else range(stop):
            element = bad[row][1] if row in bad else next(records, None)
            if element is None:
                return
            if row >= start:
                yield row, element


def _bad_csv_rows(path: str) -> dict[int, tuple[int, Exception]]:
    """Rows with another number of cells than the header: by row, the line and what is wrong."""
    bad: dict[int, tuple[int, Exception]] = {}
    longest = csv.field_size_limit(2**31 - 1)
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            lines = ((line, cells) for line, cells in enumerate(csv.reader(file)) if cells)
            _, header = next(lines, (0, []))
            for row, (line, cells) in enumerate(lines):
                if len(cells) != len(header):
                    message = f"{len(cells)} cells where the header has {len(header)}"
                    bad[row] = (line, ValueError(message))
    finally:
        csv.field_size_limit(longest)
    return bad


class JsonlReader(Reader):
    """The value of each line; a line that is no JSON fails."""

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        # As bytes, so that a line in another encoding fails alone; json knows UTF-8 and its mark.
        with Path(path).open("rb") as file:
            lines = (line for line in file if line.strip())
            for row, line in enumerate(lines):
                if stop is not None and row >= stop:
                    return
                if row >= start:
                    yield row, _json(line)


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return error


class ImageReader(Reader):
    """One record: image (height x width x 3, or height x width for grey; uint8), path, label.

    The label is the name of the folder that the image lies in.
    """

    def quick_count(self, path: str) -> int:
        return 1

    def rows(self, path: str, start: int, stop: int | None) -> Iterator[Row]:
        if start > 0 or stop == 0:
            return
        try:
            element: Any = {
                "image": _pixels(path),
                "path": path,
                "label": Path(path).absolute().parent.name,
            }
        except Exception as error:  # noqa: BLE001 - a broken image costs itself
            element = error
        yield path, element


def _pixels(path: str) -> np.ndarray[Any, Any]:
    from PIL import Image

    with Image.open(path) as image:
        grey = image.mode in ("1", "L", "I", "I;16", "F")
        return np.asarray(image.convert("L" if grey else "RGB"))


def _records(frame: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = frame.to_dict("records")
    return records


def unreadable(path: str, error: Exception) -> RunError:
    """The error for a file of which nothing can be read."""
    return RunError(
        f"cannot read {path!r}: {one_line(error)}",
        remedy="see that it is whole, and what its ending says it is",
    )


READERS: dict[str, Reader] = {
    "chunk": ChunkReader(),
    "npy": NpyReader(),
    "tensor": TensorReader(),
    "parquet": ParquetReader(),
    "csv": CsvReader(),
    "jsonl": JsonlReader(),
    "image": ImageReader(),
}
