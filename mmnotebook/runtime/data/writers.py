"""Elements as flat records, and records as one file: parquet, csv or jsonl by its ending."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmnotebook.analysis.values import is_prediction, plain
from mmnotebook.errors import RunError, nearest, one_line
from mmnotebook.runtime.data import storage
from mmnotebook.runtime.data.overlap import ignores_case

ENDINGS = (".parquet", ".csv", ".jsonl")


def check_paths(paths: Mapping[str, str]) -> None:
    """Refuse paths, by node, that cannot be written, before anything has run."""
    taken: dict[object, str] = {}
    for node, path in paths.items():
        _check_path(node, path)
        other = taken.setdefault(_file(path), node)
        if other != node:
            raise RunError(
                f"{other!r} and {node!r} both write {path!r}", remedy="give each a file of its own"
            )


def _file(path: str) -> object:
    """The same for all paths that lead to one file, whether it is there yet or not."""
    where = Path(path).expanduser().resolve()
    if where.exists():
        return where.stat().st_dev, where.stat().st_ino
    return where.parent, where.name.casefold() if ignores_case(where.parent) else where.name


def _check_path(node: str, path: str) -> None:
    try:
        where = Path(path).expanduser()
        where.resolve()
        is_folder = where.is_dir()
        can_write = where.parent.is_dir() and os.access(where.parent, os.W_OK | os.X_OK)
    except (OSError, ValueError, RuntimeError) as error:  # no path, or none that leads anywhere
        raise _unwritable(node, path, one_line(error)) from error
    if where.suffix.lower() not in ENDINGS:
        close = nearest(where.suffix, ENDINGS)
        raise RunError(
            f"{node!r} cannot write {path!r}; allowed endings: {', '.join(ENDINGS)}"
            + (f"; did you mean {close}?" if close else ""),
            node=node,
        )
    if is_folder:
        raise _unwritable(node, path, "it is a folder")
    if not can_write:
        raise _unwritable(node, path, f"no writable folder {str(where.parent)!r}")


def _unwritable(node: str, path: str, why: str) -> RunError:
    return RunError(
        f"{node!r} cannot write {path!r}: {why}",
        remedy=f"make the folder first; the current one is {Path.cwd()}",
        node=node,
    )


def record(key: Any, value: Any) -> dict[str, Any]:
    """An element as a row: id, then the record's fields, the prediction and model, or the value."""
    row: dict[str, Any] = {"id": key.id}
    if key.key is not None:
        row["key"] = key.key
    if is_prediction(value):
        return {**row, "prediction": _plain(value.inference), "model": value.model_id}
    if isinstance(value, Mapping):
        named = {str(name): _plain(part) for name, part in value.items()}
        return {**row, **{f"{name}_field" if name in row else name: v for name, v in named.items()}}
    return {**row, "value": _plain(value)}


def write(path: str, records: list[dict[str, Any]]) -> None:
    """Write all records, through a file beside it that takes its place when it is whole.

    The file is its user's alone (0600), as everything that mmnotebook writes.
    """
    where = Path(path).expanduser()
    draft = where.with_name(f".{where.name}.{os.getpid()}.part")
    try:
        with storage.create_private(draft) as file:
            if where.suffix.lower() == ".jsonl":
                lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in records)
                file.writelines(line.encode() for line in lines)
            else:
                import pandas as pd

                frame = pd.DataFrame(records, columns=None if records else ["id"])
                if where.suffix.lower() == ".csv":
                    frame.to_csv(file, index=False)
                else:
                    frame.to_parquet(file, index=False)
        draft.replace(where)
    finally:
        draft.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """Arrays and tensors as lists, predictions by their inference, all the way down."""
    value = plain(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value
