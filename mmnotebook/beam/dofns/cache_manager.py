"""CacheManager for InteractiveRunner: a folder per PCollection, with shards of elements."""

from __future__ import annotations

import io
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from mmnotebook.beam.answers import marks
from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.beam.dofns.tracking import weight
from mmnotebook.cache_folder import reported
from mmnotebook.compat import beam as compat
from mmnotebook.compat.beam import WindowedValue, WindowedValueHolder, time_of
from mmnotebook.elements import coders
from mmnotebook.elements.block import Block
from mmnotebook.errors import MMError, RunError, StorageError, one_line
from mmnotebook.state import run_state
from mmnotebook.store import timed


class ShardCache(compat.CacheManager):
    """Stores PCollections with any elements and windows, thousands of elements per file.

    Beam's default writes a line of text per element: pickled, quoted, base64 and bzip2.

    Beam passes labels that start with a hash of the PCollection's watched name; memory addresses
    follow. For a name in `kept`, only the hash is compared, so that the stored elements are found
    by this name. For other names, the whole label is compared, because two pipelines may use the
    same name.

    A PCollection that is not in `kept` becomes visible when it is completely written, replaces its
    previous content, and is removed by `cleanup`. A PCollection in `kept` is visible shard by
    shard, in a folder that the caller creates and removes.

    This manager does not store unbounded sources that Beam records. For such a pipeline,
    InteractiveRunner replaces it by a StreamingCache, which InteractiveRunner creates from this
    manager's attributes. The recording is then inside this manager's private folder.

    Parameters
    ----------
    folder
        The folder of PCollections that are not in `kept`; if missing, it is created, private to its
        user.
    kept
        The folders of the PCollections that the caller keeps, by watched name.
    run_id
        The id of the run to stop if an element cannot be stored.
    """

    def __init__(
        self, folder: Path, kept: Mapping[str, Path] | None = None, run_id: str = ""
    ) -> None:
        self.folder, self.run_id = folder, run_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._kept = {compat.cache_name(name): (name, path) for name, path in (kept or {}).items()}
        self._versions: dict[Path, tuple[int, object]] = {}
        compat.let_stream(self, folder / "streaming")

    def name_in(self, label: str) -> str | None:
        """Return the name of the kept PCollection to which a label of Beam's cache refers."""
        kept = self._kept.items()
        return next((name for key, (name, _) in kept if compat.is_step_of_cache(label, key)), None)

    def exists(self, *labels: str) -> bool:
        return bool(labels) and all(labels) and self._stamp(labels) is not None

    def read(self, *labels: str, **args: Any) -> tuple[Iterator[Any], int]:
        if not self.exists(*labels):
            return iter(()), -1
        version = self._latest_version(*labels)
        shards = timed.read(self._path(labels))
        return (element for shard in shards for element in timed.windowed(shard)), version

    def write(self, values: Iterable[Any], *labels: str) -> None:
        self.clear(*labels)
        path = self._path(labels)
        _make(path)
        writer = timed.Writer(path)
        for value in values:
            held = value
            if isinstance(value, WindowedValueHolder):
                held = value.windowed_value  # type: ignore[attr-defined]
            if isinstance(held, WindowedValue):
                writer.add(held.value, time_of(held))
            else:
                writer.add(held, None)
            if writer.full:
                writer.flush()
        if writer.buffer:
            writer.flush()

    def clear(self, *labels: str) -> bool:
        existed = self.exists(*labels)
        if self._name(labels) is None:
            shutil.rmtree(self._path(labels), ignore_errors=True)
        else:
            for shard in timed.files(self._path(labels)):
                shard.unlink()
        return existed

    def source(self, *labels: str) -> Any:
        paths = beam.Create([str(self._path(labels))], reshuffle=False)
        return paths | beam.ParDo(_ReadShards())  # type: ignore[no-untyped-call]

    def sink(self, labels: tuple[str, ...], is_capture: bool = False) -> Any:
        name, path = self._name(labels), str(self._path(labels))
        if name is not None:
            return beam.ParDo(_WriteShards(path, name, self.run_id))
        draft = str(self.folder / "drafts" / uuid.uuid4().hex)
        return _WriteWhole(draft, path, _WriteShards(draft, None, self.run_id))

    def save_pcoder(self, pcoder: Any, *labels: str) -> None:
        compat.stream_coders(self)[compat.coder_key(self, labels)] = pcoder

    def load_pcoder(self, *labels: str) -> Any:
        known = compat.stream_coders(self)
        return known.get(compat.coder_key(self, labels), coders.ElementCoder())

    def cleanup(self) -> None:
        """Remove PCollections not in `kept`; Beam calls this at exit and for a changed pipeline."""
        for part in ("elements", "drafts"):
            shutil.rmtree(self.folder / part, ignore_errors=True)
        # Not emptied: a StreamingCache that replaces this manager still uses it.
        compat.forget_stream_coders(self)

    def size(self, *labels: str) -> int:
        return timed.size(self._path(labels)) if self.exists(*labels) else 0

    def _latest_version(self, *labels: str) -> int:
        """Return the latest version, or -1; a PCollection keeps its version when it is removed."""
        path, stamp = self._path(labels), self._stamp(labels)
        version, last = self._versions.get(path, (-1, None))
        if stamp is not None and stamp != last:
            version += 1
            self._versions[path] = version, stamp
        return version

    def _stamp(self, labels: Sequence[str]) -> object:
        """Return a value that changes when a PCollection is written; None if it is missing."""
        path = self._path(labels)
        shards = timed.files(path)
        if shards:
            return shards[-1].name
        # The folder of a name in `kept` exists before its content. So an empty PCollection looks
        # like a missing one, and Beam computes it again, which costs little.
        if self._name(labels) is not None or not path.is_dir():
            return None
        return path.stat().st_ino, path.stat().st_mtime_ns

    def _name(self, labels: Sequence[str]) -> str | None:
        """Return the name in `kept` to which the labels refer, or None."""
        return self._kept.get(compat.cache_name_in(labels), (None, None))[0]

    def _path(self, labels: Sequence[str]) -> Path:
        if (kept := self._kept.get(compat.cache_name_in(labels))) is not None:
            return kept[1]
        return self.folder / "elements" / quote("/".join(labels), safe="")


def unstorable(message: str, node: str | None) -> RunError:
    """Return the error for a node with an output that cannot be pickled."""
    remedy = (
        "return plain data: numbers, strings, arrays, records, or lists of these "
        "(a list in place of a generator)"
    )
    return RunError(message, remedy=remedy, node=node)


def _make(folder: Path) -> None:
    with reported(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)


class _WriteShards(PlainFn):
    """Writes elements into shards; yields the name of each shard when its bundle finishes."""

    def __init__(self, folder: str, name: str | None, run_id: str) -> None:
        self.folder, self.name, self.run_id = folder, name, run_id

    def start_bundle(self) -> None:
        folder = Path(self.folder)
        try:
            _make(folder)
        except StorageError as error:
            raise run_state.stop(self.run_id, error) from error
        write = timed.write_shard if self.name is None else marks.write_shard
        self._writer = timed.Writer(folder, write)
        if self.name is not None and (run := run_state.find(self.run_id)) is not None:
            run.writers[self.name].append(self._writer)
        self._last: Any = None

    def process(self, element: Any) -> Iterator[str]:
        self._last = element.windowed_value
        return self._take(self._last.value, time_of(self._last))

    def _take(self, value: Any, when: timed.Time) -> Iterator[str]:
        if self.name is not None and isinstance(value, Block) and not weight(value):
            return  # the draft of a finished node may be removed; there is nothing to write
        self._writer.add(value, when)
        if self._writer.full:
            yield self._flush()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._writer.buffer:
            yield self._last.with_value(self._flush())

    def _flush(self) -> str:
        elements = sum(weight(one) for one in self._writer.buffer if isinstance(one, Block))
        try:
            name = self._writer.flush()
        except MMError as error:
            raise run_state.stop(self.run_id, error) from error
        except Exception as error:
            cause = cannot_store(error, self._writer.buffer, self.name)
            raise run_state.stop(self.run_id, cause) from error
        run = run_state.find(self.run_id)
        if run is not None and self.name in run.tallies:
            run.tallies[self.name].stored += elements
        return name


def cannot_store(error: Exception, elements: Sequence[Any], node: str | None) -> RunError:
    """Return the error for the user, which names the first element that cannot be stored."""
    what = "a watched PCollection" if node is None else f"node {node!r}"
    for name, value in _named(elements):
        try:
            coders.dump(value, io.BytesIO())
        except Exception as own:  # noqa: BLE001 - whatever a foreign object's pickling raises
            text = f"{what}: the value for {name!r} cannot be stored: "
            return unstorable(text + one_line(own), node)
    return RunError(f"{what}: its elements cannot be stored: {one_line(error)}")


class StoreShards(_WriteShards):
    """Writes a node's blocks into shards, in a pipeline without InteractiveRunner."""

    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        pane: Any = beam.DoFn.PaneInfoParam,
    ) -> Iterator[str]:
        return self._take(element, (timestamp.micros, (window,), pane))

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._writer.buffer:
            self._flush()
        return iter(())


def _named(elements: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the id (or position) and the value of each element; blocks are split into elements."""
    for place, element in enumerate(elements):
        if isinstance(element, Block):
            yield from zip(element.ids, element.values.rows(), strict=True)
        else:
            key = element[0] if isinstance(element, tuple) and element else None
            yield getattr(key, "id", place), element


class _WriteWhole(beam.PTransform[Any, Any]):
    """Writes shards into a draft that replaces the PCollection when all bundles are finished.

    A failed attempt at a bundle does not report its shards, so these shards are removed.
    """

    def __init__(self, draft: str, path: str, write: _WriteShards) -> None:
        super().__init__()
        self.draft, self.path, self.write_shards = draft, path, write

    def expand(self, pcoll: Any) -> Any:
        written = (
            pcoll
            | "Shards" >> beam.ParDo(self.write_shards).with_output_types(str)
            | "Together" >> beam.WindowInto(GlobalWindows())
        )
        publish = beam.ParDo(_Publish(self.draft, self.path), beam.pvalue.AsList(written))
        return pcoll.pipeline | "Once" >> beam.Impulse() | "Publish" >> publish


class _Publish(beam.DoFn):
    def __init__(self, draft: str, path: str) -> None:
        self.draft, self.path = Path(draft), Path(path)

    def process(self, _: Any, written: Sequence[str]) -> None:
        if written and not self.draft.is_dir():
            return  # An earlier attempt at this bundle has renamed the draft.
        _make(self.draft)
        for file in self.draft.iterdir():
            if file.name not in written:
                file.unlink()
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        self.draft.rename(self.path)


class _ReadShards(PlainFn):
    def process(self, path: str) -> Iterator[WindowedValueHolder]:
        for shard in timed.read(Path(path)):
            yield from map(WindowedValueHolder, timed.windowed(shard))
