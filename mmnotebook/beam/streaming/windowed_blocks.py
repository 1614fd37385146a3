"""Conversion of a Beam transform's elements to blocks with windows and timestamps."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.transforms.display import DisplayData
from apache_beam.transforms.window import FixedWindows, GlobalWindows, Sessions, WindowFn

from mmnotebook.beam.dofns.merge_fn import MergeFn
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.lowering.sources import carry
from mmnotebook.compat import beam_files
from mmnotebook.compat.beam import (
    FnApiRunner,
    PipelineVisitor,
)
from mmnotebook.elements import pickling, routing
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import size_of
from mmnotebook.elements.elements import pick
from mmnotebook.elements.packing import pack
from mmnotebook.errors import RunError, one_line
from mmnotebook.graph.names import is_a

_MESSAGE = {("apache_beam", "PubsubMessage")}
_ONE_WINDOW = (GlobalWindows, FixedWindows, Sessions)


def is_transform(value: Any) -> bool:
    """Return whether an object of the notebook is a Beam transform."""
    return isinstance(value, beam.PTransform)


def is_pcollection(value: Any) -> bool:
    """Return whether an object is a PCollection of a pipeline of the user."""
    return isinstance(value, beam.PCollection)


def begin(name: str, pipeline: Any, transform: Any) -> Any:
    """Apply a transform at the beginning of a pipeline; return its PCollection.

    Raises
    ------
    RunError
        If the transform needs an input, or cannot be used.
    """
    pickling.keep_classes(transform)
    try:
        pcoll = pipeline | f"{name}: from" >> unused(transform)
    except Exception as error:
        raise _no_source(name, transform, one_line(error)) from error
    if not isinstance(pcoll, beam.PCollection):
        raise _no_source(name, transform, f"it returns a {type(pcoll).__name__}")
    return pcoll


class _Patterns(PipelineVisitor):
    """Collects the file patterns that the transforms of a pipeline declare."""

    def __init__(self) -> None:
        self.found: dict[str, None] = {}

    def enter_composite_transform(self, transform_node: Any) -> None:
        self.visit_transform(transform_node)

    def visit_transform(self, transform_node: Any) -> None:
        if transform_node.transform is not None:
            shown = DisplayData.create_from(transform_node.transform).items
            paths = (str(item.value) for item in shown if item.key == "file_pattern")
            self.found.update((path.removeprefix("file://"), None) for path in paths)


def files(name: str, transform: Any) -> list[str]:
    """Return the files or glob patterns in the display data of a transform that reads files.

    Raises
    ------
    RunError
        If the transform needs an input, or cannot be used.
    """
    with beam_files.keeping_options():
        pipeline = beam.Pipeline(FnApiRunner())
    begin(name, pipeline, transform)
    patterns = _Patterns()
    pipeline.visit(patterns)
    return list(patterns.found)


def unused(transform: Any) -> Any:
    """Return a copy without a pipeline, because many transforms can be applied only once."""
    kept: dict[int, Any] = {}
    _keep(transform, kept)
    try:
        return copy.deepcopy(transform, kept)
    except Exception:  # noqa: BLE001 - whatever an object that cannot be copied raises
        return transform


def pipelines_in(transform: Any) -> frozenset[Any]:
    """Return the pipelines of the PCollections that a transform holds."""
    kept: dict[int, Any] = {}
    _keep(transform, kept)
    held = (one.pvalue if isinstance(one, beam.pvalue.AsSideInput) else one
            for one in kept.values() if one is not None)  # fmt: skip
    return frozenset(one.pipeline for one in held)


def _keep(value: Any, kept: dict[int, Any]) -> None:
    """Add the PCollections that a transform holds to `kept`, and None for its pipeline."""
    if id(value) in kept:
        return
    if isinstance(value, (beam.pvalue.PValue, beam.pvalue.AsSideInput)):
        kept[id(value)] = value
    elif isinstance(value, beam.Pipeline):
        kept[id(value)] = None
    elif isinstance(value, beam.PTransform):
        for part in vars(value).values():
            _keep(part, kept)
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            _keep(part, kept)


def _no_source(name: str, transform: Any, why: str) -> RunError:
    return RunError(
        f"source {name!r} is a {type(transform).__name__}, which produces no elements: {why}",
        remedy="a transform that reads: beam.Create(...), beam.io.ReadFromPubSub(...), TestStream",
        node=name,
    )


def plain(value: Any) -> Any:
    """Return an element's plain value: rows, named tuples and Pub/Sub messages become dicts."""
    if isinstance(value, beam.Row):
        return value.as_dict()
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if is_a(value, _MESSAGE):
        return {name: part for name, part in vars(value).items() if not name.startswith("_")}
    return value


def name_in(field: str, windowfn: WindowFn) -> Callable[[Any, Any], str]:
    """Return a function that returns an element's id from a field of its value and its window.

    If an element can be in several windows, it is a different element in each window. So its id
    also contains the end of the window in microseconds.
    """
    if isinstance(windowfn, _ONE_WINDOW):
        return lambda value, window: routing.token(pick(value, field))
    return lambda value, window: f"{routing.token(pick(value, field))}@{window.end.micros}"


def named(
    track: Tracker, ids: Sequence[str], block: Block, name: Callable[[Any], str] | None
) -> Block:
    """Return the block with the ids that `name` returns. If `name` raises, the element fails."""
    if name is None:
        return block
    outcome = track.each(ids, block.values, name)
    return replace(block.take(outcome.places), ids=outcome.results, failed=outcome.failed)


class _Enter(MergeFn):
    """Merges elements without ids into blocks."""

    def __init__(
        self, node: str, carried: tuple[str, ...], name: Callable[[Any, Any], str] | None
    ) -> None:
        self.node, self.carried, self.name = node, carried, name

    def setup(self) -> None:
        self.track = Tracker(self.node, "", enters=False)

    def item(self, element: Any) -> tuple[Any, int]:
        value = plain(element)
        return value, size_of(value)

    def block(self, items: list[Any], window: Any) -> Block:
        # Created only here, so that all later steps see the same id.
        ids = [uuid.uuid4().hex for _ in items]
        name = self.name
        call = None if name is None else lambda value: name(value, window)
        block = named(self.track, ids, Block(ids, pack(items)), call)
        return replace(block, fields=carry(block.values, self.carried))


def read(
    label: str, pipeline: Any, transform: Any, id_field: str | None, carried: tuple[str, ...]
) -> dict[str | None, Any]:
    """Return a transform's elements as blocks, each in its window and at its timestamp.

    An element's id is the value of the field `id_field`. If this is None, the id is 32 random hex
    digits.
    """
    pcoll = begin(label, pipeline, transform)
    name = None if id_field is None else name_in(id_field, pcoll.windowing.windowfn)
    enter = beam.ParDo(_Enter(label, carried, name)).with_output_types(Block)
    return {None: pcoll | label >> enter}
