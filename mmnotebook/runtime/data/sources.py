"""Where elements come from: the notebook's data, written once to private files, and user files.

A source becomes a plan: a few small references to slices of files. The data itself never enters a
pipeline.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmnotebook.errors import RunError, nearest
from mmnotebook.graph.names import is_a
from mmnotebook.runtime import coders, routing
from mmnotebook.runtime.data import readers, storage

CHUNK = 4096
_SLICED = {("pandas", "DataFrame"), ("numpy", "ndarray"), ("torch", "Tensor"), ("builtins", "list")}


@dataclass(frozen=True)
class Slice:
    """Rows `start` to `stop` of one file; `stop` None is its end.

    Attributes
    ----------
    reader
        The name of its reader in `readers.READERS`.
    prefix
        What comes before `row` in an element's id: "path#" for the user's files.
    id
        The column that holds the ids, None for the row's number or the reader's own.
    """

    reader: str
    path: str
    start: int = 0
    stop: int | None = None
    prefix: str = ""
    id: str | None = None


@dataclass(frozen=True)
class Plan:
    """All slices of a source.

    Attributes
    ----------
    count
        The number of its elements, None where that takes reading the files.
    folder
        The private folder that was written for it, None for files of the user's.
    """

    slices: tuple[Slice, ...]
    count: int | None
    folder: Path | None = None

    def first(self, limit: int) -> Plan:
        """The first `limit` elements of the plan."""
        kept: list[Slice] = []
        left = limit
        for part in self.slices:
            if left <= 0:
                break
            end = _count(part) if part.stop is None else part.stop
            take = min(left, end - part.start)
            kept.append(replace(part, stop=part.start + take))
            left -= take
        return Plan(tuple(kept), limit - left, self.folder)


def _count(part: Slice, *, quickly: bool = False) -> Any:
    reader = readers.READERS[part.reader]
    try:
        return reader.quick_count(part.path) if quickly else reader.count(part.path)
    except Exception as error:
        raise readers.unreadable(part.path, error) from error


def plan_object(name: str, value: Any, id_column: str | None, limit: int | None = None) -> Plan:
    """The plan for an object of the notebook; writes it to a private file unless it is a path."""
    if limit is not None and is_a(value, _SLICED):
        value = value[:limit]
    if isinstance(value, (str, Path)):
        return plan_path(str(value), id_column)
    if is_a(value, {("pandas", "DataFrame")}):
        return _plan_frame(name, value, id_column)
    if id_column is not None:
        raise RunError(
            f"source {name!r}: id={id_column!r} names a column; a {type(value).__name__} has none",
            remedy="its elements are called by their position; leave id= out",
        )
    if is_a(value, {("numpy", "ndarray")}):
        return _plan_array(name, value)
    if is_a(value, {("torch", "Tensor")}):
        return _plan_tensor(name, value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return _plan_list(value)
    raise RunError(
        f"source {name!r} is a {type(value).__name__}; allowed: a DataFrame, list, numpy array, "
        "torch tensor, path or glob"
    )


def plan_path(path: str, id_column: str | None) -> Plan:
    """The plan for files of the user's: a path, a glob, or a folder of images."""
    path = str(Path(path).expanduser())
    if Path(path).is_dir():
        files = readers.images_below(path)
    else:
        # Path.glob takes no pattern that begins with a folder of its own.
        files = [path] if Path(path).is_file() else sorted(glob.glob(path, recursive=True))  # noqa: PTH207
        files = [file for file in files if Path(file).is_file()]
    if not files:
        raise RunError(f"no file matches {path!r}", remedy=f"the current folder is {Path.cwd()}")
    slices = tuple(_file_slice(file, id_column) for file in files)
    counts = [_count(part, quickly=True) for part in slices]
    known = [count for count in counts if count is not None]
    return Plan(slices, sum(known) if len(known) == len(counts) else None)


def _file_slice(file: str, id_column: str | None) -> Slice:
    kind = readers.kind_of(file)
    if kind is None:
        endings = ", ".join(readers.ENDINGS)
        close = nearest(Path(file).suffix, readers.ENDINGS)
        raise RunError(
            f"cannot read {file!r}; allowed endings: {endings}"
            + (f"; did you mean {close}?" if close else "")
        )
    if id_column is not None and kind in ("npy", "image"):
        raise RunError(f"{file!r} has no columns, so no id={id_column!r}", remedy="leave id= out")
    return Slice(kind, file, prefix=f"{file}#", id=id_column)


def _plan_frame(name: str, frame: Any, id_column: str | None) -> Plan:
    import pandas as pd

    columns = [str(column) for column in frame.columns]
    if len(set(columns)) != len(columns):
        raise RunError(f"source {name!r}: two columns have one name", remedy="rename one")
    frame = frame.set_axis(columns, axis=1)
    if id_column is None:
        ids = pd.Series(frame.index.map(_id_text), dtype=object)
    elif id_column in frame:
        ids = pd.Series(frame[id_column].map(_id_text).array, dtype=object)
    else:
        close = nearest(id_column, columns)
        raise RunError(
            f"source {name!r} has no column {id_column!r} for id=; it has: {', '.join(columns)}"
            + (f"; did you mean {close!r}?" if close else "")
        )
    _check_unique(name, ids, "index" if id_column is None else f"column {id_column!r}")
    folder = storage.new_folder("source")
    slices = []
    for start in range(0, len(frame), CHUNK):
        part = frame.iloc[start : start + CHUNK]
        chunk = (ids.iloc[start : start + CHUNK].tolist(), part.to_dict("records"))
        slices.append(_write_chunk(folder, start, chunk, len(part)))
    return Plan(tuple(slices), len(frame), folder)


def _id_text(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(str(part) for part in value)
    return routing.token(value) if isinstance(value, (float, np.floating)) else str(value)


def _check_unique(name: str, ids: Any, where: str) -> None:
    twice = ids[ids.duplicated()]
    if len(twice):
        raise RunError(
            f"source {name!r}: its {where} has {len(twice):,} duplicates, first {twice.iloc[0]!r}; "
            "an element's id must be its own",
            remedy="frame.reset_index(drop=True), or id= with a column that tells rows apart",
        )


def _plan_list(values: Sequence[Any]) -> Plan:
    folder = storage.new_folder("source")
    slices = []
    for start in range(0, len(values), CHUNK):
        part = list(values[start : start + CHUNK])
        ids = [str(start + offset) for offset in range(len(part))]
        slices.append(_write_chunk(folder, start, (ids, part), len(part)))
    return Plan(tuple(slices), len(values), folder)


def _write_chunk(folder: Path, start: int, chunk: Any, count: int) -> Slice:
    path = folder / f"{start:012d}.chunk"
    try:
        with storage.create_private(path) as file:
            coders.dump(chunk, file)
    except Exception as error:
        raise RunError(
            f"an element of the source cannot be stored: {error}",
            remedy="elements are plain data: numbers, texts, arrays, tensors, records of these",
        ) from error
    return Slice("chunk", str(path), 0, count)


def _plan_array(name: str, array: Any) -> Plan:
    if array.ndim == 0:
        raise RunError(f"source {name!r} is an array without rows", remedy="array.reshape(1, -1)")
    if array.dtype.hasobject:
        return _plan_list(list(array))
    path = storage.new_folder("source") / "array.npy"
    with storage.create_private(path) as file:
        np.save(file, array, allow_pickle=False)
    return _in_slices("npy", path, len(array))


def _plan_tensor(name: str, tensor: Any) -> Plan:
    import torch

    if tensor.dim() == 0:
        raise RunError(f"source {name!r} is a tensor without rows", remedy="tensor.reshape(1, -1)")
    path = storage.new_folder("source") / "tensor.pt"
    with storage.create_private(path) as file:
        # A clone, so that a view of a bigger tensor does not bring its whole storage along.
        torch.save(tensor.detach().cpu().clone(), file)
    return _in_slices("tensor", path, len(tensor))


def _in_slices(reader: str, path: Path, count: int) -> Plan:
    starts = range(0, count, CHUNK)
    slices = (Slice(reader, str(path), start, min(start + CHUNK, count)) for start in starts)
    return Plan(tuple(slices), count, path.parent)
