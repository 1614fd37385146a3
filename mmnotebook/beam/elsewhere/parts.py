"""Outputs of nodes as parts: the files of committed bundles, and manifests that list them.

Each bundle writes files with new names, and yields these names as its output. A runner that
processes a bundle again keeps the output of one attempt, so files of other attempts are in no
manifest. The manifest of a node is written when all its bundles are finished.

Files and manifests are authenticated with a key that is sent inside the pipeline and is never in
the staging area, so that whoever can write there cannot make this process unpickle something.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindows

from mmnotebook import storage
from mmnotebook.beam.dofns.cache_manager import cannot_store
from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.beam.dofns.tracking import weight
from mmnotebook.beam.elsewhere import area, sample
from mmnotebook.beam.elsewhere.area import Area
from mmnotebook.beam.elsewhere.sample import Sampler, Sampling
from mmnotebook.compat.beam import WindowedValue
from mmnotebook.errors import RunError, StorageError
from mmnotebook.sources import writers
from mmnotebook.store import outlines, timed

LABEL = ": store"
_PARQUET = ".parquet"


@dataclass(frozen=True)
class PartFile:
    """A file of a part: its name, its size in bytes and its keyed digest."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class OutputPart:
    """A file of blocks of a committed bundle.

    Attributes
    ----------
    rows, failed
        The numbers of outputs and of failures in the bundle.
    kept
        The number of outputs in the file.
    limit
        The highest hash of the elements in the file; see `sample`.
    files
        The shard, and the files beside it; () if nothing was kept.
    """

    rows: int
    failed: int
    kept: int
    limit: int
    files: tuple[PartFile, ...] = ()


@dataclass(frozen=True)
class RunPlace:
    """Where the outputs of one run are.

    Attributes
    ----------
    area
        The staging area.
    run_id
        The id of the run.
    key
        The key of the digests of this run.
    """

    area: Area
    run_id: str
    key: bytes

    def url(self, *parts: str) -> str:
        """Return the address of a file of this run."""
        return self.area.url("runs", self.run_id, *parts)

    def kept(self, number: int) -> str:
        """Return the address of the folder with the Parquet files of the node with this number."""
        return self.url("kept", f"{number:04d}")

    def manifest(self, number: int) -> str:
        """Return the address of the manifest of the node with this number."""
        return self.url("manifests", f"{number:04d}.json")


@dataclass(frozen=True)
class Form:
    """How the outputs of a node are stored.

    Attributes
    ----------
    sampling
        How many elements to store; None for all.
    parquet
        Whether to write them as Parquet files too.
    """

    sampling: Sampling | None = None
    parquet: bool = False


class WriteParts(PlainFn):
    """Writes a node's blocks into files, and yields a line about each file."""

    def __init__(self, place: RunPlace, node: str, number: int, form: Form) -> None:
        self.place, self.node, self.number, self.form = place, node, number, form

    def start_bundle(self) -> None:
        self._writer = timed.Writer(storage.new_folder("part"), outlines.write_plain)
        self._sampler = None if self.form.sampling is None else Sampler(self.form.sampling)
        self._last: Any = None

    def process(
        self,
        element: Any,
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
        pane: Any = beam.DoFn.PaneInfoParam,
    ) -> Iterator[str]:
        self._last = (timestamp.micros, (window,), pane)
        if not weight(element):
            return
        if self._sampler is not None:
            self._sampler.add(element, self._last)
            return
        self._writer.add(element, self._last)
        if self._writer.full:
            yield self._flush()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for line in self._lines():
            yield timed.at(line, self._last)
        self._writer.folder.rmdir()

    def _lines(self) -> Iterator[str]:
        sampler = self._sampler
        if sampler is None:
            if self._writer.buffer:
                yield self._flush()
            return
        sampler.shrink()
        for block, when in sampler.kept:
            self._writer.add(block, when)
            if self._writer.full:
                yield self._flush()
        if self._writer.buffer:
            yield self._flush()
        if sampler.rows:
            yield _line(OutputPart(sampler.rows, 0, 0, sampler.limit))

    def _flush(self) -> str:
        blocks = self._writer.buffer
        kept, failed = sum(map(len, blocks)), sum(len(block.failed) for block in blocks)
        try:
            shard = self._writer.flush()
        except Exception as error:
            raise cannot_store(error, blocks, self.node) from error
        folder, sampler = self._writer.folder, self._sampler
        if self.form.parquet:
            with suppress(Exception):  # values that Parquet cannot hold are in the shard
                writers.write(str((folder / shard).with_suffix(_PARQUET)), blocks)
        names = sorted((one.name for one in folder.iterdir()), key=lambda name: name != shard)
        files = tuple(self._sent(folder / name) for name in names)
        if sampler is None:
            return _line(OutputPart(kept, failed, kept, sample.ALL, files))
        return _line(OutputPart(0, failed, kept, sampler.limit, files))

    def _sent(self, path: Path) -> PartFile:
        place, size = self.place, path.stat().st_size
        digest = area.digest_of(path, place.key)
        with path.open("rb") as file:
            place.area.write(place.url("parts", f"{self.number:04d}", path.name), file)
        path.unlink()
        return PartFile(path.name, size, digest)


def _line(part: OutputPart) -> str:
    return json.dumps(asdict(part))


class _Publish(PlainFn):
    """Writes the manifest of a node, which lists the lines that `WriteParts` has yielded."""

    def __init__(self, place: RunPlace, node: str, number: int) -> None:
        self.place, self.node, self.number = place, node, number

    def process(self, element: bytes, lines: Any) -> Iterator[str]:
        parts = sorted(map(json.loads, lines), key=_name)
        self._keep([_part(one) for one in parts])
        body = {"run": self.place.run_id, "node": self.node, "parts": parts}
        write_signed(self.place, self.place.manifest(self.number), body)
        return iter(())

    def _keep(self, found: Sequence[OutputPart]) -> None:
        """Move the Parquet files into a folder of their own, if every part has one."""
        filed = [part for part in found if part.files]
        names = [one.name for part in filed for one in part.files if one.name.endswith(_PARQUET)]
        if len(names) < len(filed):
            return
        place = self.place
        for number, name in enumerate(names):
            target = f"part-{number:05d}-of-{len(names):05d}{_PARQUET}"
            source = place.url("parts", f"{self.number:04d}", name)
            place.area.move(source, area.joined(place.kept(self.number), target))


def _name(part: dict[str, Any]) -> str:
    return str(part["files"][0]["name"]) if part["files"] else ""


def store(node: str, number: int, pcoll: Any, place: RunPlace, form: Form) -> None:
    """Add the transforms that store a node's blocks, or a sample, as parts with a manifest."""
    label = f"{node}{LABEL}"
    lines = (
        pcoll
        | label >> beam.ParDo(WriteParts(place, node, number, form)).with_output_types(str)
        | f"{label}, together" >> beam.WindowInto(GlobalWindows())
    )
    names = beam.pvalue.AsList(lines)
    once = pcoll.pipeline | f"{label}, once" >> beam.Impulse()
    publish = beam.ParDo(_Publish(place, node, number), names).with_output_types(str)
    once | f"{label}, manifest" >> publish


def _signature(key: bytes, body: bytes) -> str:
    digest = area.new_digest(key)
    digest.update(body)
    return str(digest.hexdigest())


def manifest(place: RunPlace, node: str, number: int) -> list[OutputPart] | None:
    """Return the parts of a node in the order of writing; None if its manifest is missing.

    Raises
    ------
    StorageError
        If the manifest was not written by this run.
    """
    found = read_signed(place, place.manifest(number))
    if found is None:
        return None
    if (found["run"], found["node"]) != (place.run_id, node):
        raise altered(place.manifest(number))
    return [_part(one) for one in found["parts"]]


def write_signed(place: RunPlace, url: str, body: Mapping[str, Any]) -> None:
    """Write a document, authenticated with the key of the run."""
    text = json.dumps(body).encode()
    place.area.write(url, io.BytesIO(_signature(place.key, text).encode() + b"\n" + text))


def read_signed(place: RunPlace, url: str) -> Any:
    """Return a document; None if it is missing. Raise StorageError if this run did not write it."""
    with place.area.used():
        if not area.exists(url):
            return None
        signature, _, body = area.text(url).partition("\n")
    if not area.same(signature, _signature(place.key, body.encode())):
        raise altered(url)
    return json.loads(body)


def _part(found: Mapping[str, Any]) -> OutputPart:
    return OutputPart(**{**found, "files": tuple(PartFile(**one) for one in found["files"])})


def receive(place: RunPlace, number: int, part: OutputPart, folder: Path) -> None:
    """Copy the files of a part into a local folder; raise StorageError if one was altered."""
    for file in part.files:
        if file.name.endswith(_PARQUET):
            continue
        url, target = place.url("parts", f"{number:04d}", file.name), folder / file.name
        if not area.same(place.area.read(url, target, place.key), file.digest):
            target.unlink()
            raise altered(url)


def altered(url: str) -> StorageError:
    """Return the error for a file that this run has not written as it is."""
    return StorageError(
        f"the file {url!r} in the staging area is not as the run has written it",
        remedy="nothing of it was loaded; run the graph again, in a staging area that only you "
        "can write",
    )


def check(node: str, parts: Sequence[OutputPart], rows: int, failed: int) -> None:
    """Raise RunError if the parts of a node do not have the numbers of elements that it counted."""
    found = sum(part.rows for part in parts), sum(part.failed for part in parts)
    if found != (rows, failed):
        raise RunError(
            f"node {node!r} counted {rows:,} outputs and {failed:,} failures, but {found[0]:,} and "
            f"{found[1]:,} came back from the workers; nothing was stored",
            remedy="run it again; if the difference remains, this runner does not report exact "
            "counts, and its results cannot be verified",
            node=node,
        )
