"""The CacheManager behind InteractiveRunner: a folder per PCollection, shards of elements."""

from __future__ import annotations

import io
import itertools
import pickle
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.runners.interactive import cache_manager
from apache_beam.runners.interactive.utils import obfuscate
from apache_beam.testing.test_stream import WindowedValueHolder
from apache_beam.utils import windowed_value

from mmnotebook.errors import RunError, one_line
from mmnotebook.runtime import coders
from mmnotebook.runtime.data import storage
from mmnotebook.runtime.running import live

SHARD = 4096


class ShardCache(cache_manager.CacheManager):
    """Keeps PCollections by the name under which they are watched.

    Beam's default writes a line of text per element: pickled, quoted, base64 and bzip2. Here 4,096
    elements at a time are pickled into one private file.

    Beam hands over labels whose first part is a hash of the watched name, the rest memory
    addresses. Only the first part is used, so that a name alone finds its elements again.
    """

    def __init__(self, folder: Path, names: Iterable[str] = (), run_id: str = "") -> None:
        self.folder, self.run_id = folder, run_id
        self._names = {_hashed(name): name for name in names}
        self._coders: dict[tuple[str, ...], Any] = {}

    def elements(self, name: str) -> Iterator[Any]:
        """The elements of the PCollection that was watched under `name`, in the order written."""
        return _read_shards(self.folder / _hashed(name))

    def name_in(self, label: str) -> str | None:
        """The name of the PCollection that a label of Beam's cache speaks of."""
        return next((name for key, name in self._names.items() if f"Cache_{key}-" in label), None)

    def name_size(self, name: str) -> int:
        """Bytes on disk of the PCollection that was watched under `name`."""
        return _folder_size(self.folder / _hashed(name))

    def exists(self, *labels: str) -> bool:
        return self._path(labels).is_dir()

    def read(self, *labels: str, **args: Any) -> tuple[Iterator[Any], int]:
        if not self.exists(*labels):
            return iter(()), -1
        stored = _read_shards(self._path(labels))
        windowed = (windowed_value.create(e, 0, (_WINDOW,)) for e in stored)
        return windowed, 0

    def write(self, values: list[Any], *labels: str) -> None:
        path = self._path(labels)
        path.mkdir(mode=0o700, exist_ok=True)
        _write_shard(path, 0, [getattr(v, "value", v) for v in values])

    def clear(self, *labels: str) -> bool:
        path = self._path(labels)
        if not path.is_dir():
            return False
        for shard in path.iterdir():
            shard.unlink()
        path.rmdir()
        return True

    def source(self, *labels: str) -> Any:
        return beam.Create([str(self._path(labels))]) | beam.ParDo(_ReadShards())  # type: ignore[no-untyped-call]

    def sink(self, labels: tuple[str, ...], is_capture: bool = False) -> Any:
        path = self._path(labels)
        path.mkdir(mode=0o700, exist_ok=True)
        name = self._names.get(path.name, path.name)
        return beam.ParDo(_WriteShards(str(path), name, self.run_id))

    def save_pcoder(self, pcoder: Any, *labels: str) -> None:
        self._coders[labels] = pcoder

    def load_pcoder(self, *labels: str) -> Any:
        return self._coders.get(labels, coders.ElementCoder())

    def cleanup(self) -> None:
        """Nothing: the folder goes with its result, or with the process."""

    def size(self, *labels: str) -> int:
        return _folder_size(self._path(labels))

    def _latest_version(self, *labels: str) -> str:
        return "0"

    def _path(self, labels: tuple[str, ...]) -> Path:
        return self.folder / labels[-1].split("-", 1)[0]


_WINDOW = beam.transforms.window.GlobalWindow()


def unstorable(message: str, node: str) -> RunError:
    """The error for a node that gave something that cannot be pickled."""
    remedy = (
        "return plain data: numbers, texts, arrays, records, or lists of these "
        "(a list in place of a generator)"
    )
    return RunError(message, remedy=remedy, node=node)


def _hashed(name: str) -> str:
    return str(obfuscate(name))[:10]


def _folder_size(path: Path) -> int:
    return sum(shard.stat().st_size for shard in path.glob("*.shard"))


def _write_shard(folder: Path, number: int, elements: list[Any]) -> None:
    # Ordered by time first, so that reading gives elements in the order they were written.
    name = f"{time.time_ns():020d}-{number:06d}-{uuid.uuid4().hex[:8]}"
    draft = folder / f"{name}.part"
    with storage.create_private(draft) as file:
        coders.dump(elements, file)
    draft.replace(folder / f"{name}.shard")


def _read_shards(folder: Path) -> Iterator[Any]:
    for shard in sorted(folder.glob("*.shard")):
        with shard.open("rb") as file:
            yield from pickle.load(file)


class _WriteShards(beam.DoFn):
    def __init__(self, path: str, name: str, run_id: str) -> None:
        self.path, self.name, self.run_id = path, name, run_id

    def start_bundle(self) -> None:
        self._buffer: list[Any] = []
        self._numbers = itertools.count()

    def process(self, element: Any) -> None:
        self._buffer.append(element.windowed_value.value)
        if len(self._buffer) >= SHARD:
            self._flush()

    def finish_bundle(self) -> None:
        if self._buffer:
            self._flush()

    def _flush(self) -> None:
        try:
            _write_shard(Path(self.path), next(self._numbers), self._buffer)
        except Exception as error:
            raise live.stop(self.run_id, self._cause(error)) from error
        self._buffer = []

    def _cause(self, error: Exception) -> RunError:
        """Which element cannot be stored, or that the disk cannot take them."""
        for element in self._buffer:
            try:
                coders.dump(element, io.BytesIO())
            except Exception as own:  # noqa: BLE001 - whatever a foreign object's pickling raises
                name = getattr(element[0], "id", None) if isinstance(element, tuple) else None
                said = f"node {self.name!r}: the value for {name!r} cannot be stored: "
                return unstorable(said + one_line(own), self.name)
        return RunError(f"node {self.name!r}: its elements cannot be stored: {one_line(error)}")


class _ReadShards(beam.DoFn):
    def process(self, path: str) -> Iterator[Any]:
        for element in _read_shards(Path(path)):
            yield WindowedValueHolder(windowed_value.create(element, 0, (_WINDOW,)))
