"""`compile_graph`: the PCollections of a graph by node name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PBegin
from apache_beam.transforms.window import GlobalWindows

from mmnotebook import storage
from mmnotebook.beam.assemble import assemble
from mmnotebook.beam.elsewhere import area, shipping, workers
from mmnotebook.beam.elsewhere.shipped import Shipper
from mmnotebook.beam.lowering import union
from mmnotebook.beam.lowering.sources import Stored
from mmnotebook.beam.prepare import Prepared, check_graph, prepare
from mmnotebook.beam.readiness import lint
from mmnotebook.beam.transforms import new_ids
from mmnotebook.compat import beam_files
from mmnotebook.compat.beam import current_label
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.elements import Key
from mmnotebook.errors import MMError, RunError, nearest, shown
from mmnotebook.graph.graph import Graph
from mmnotebook.model.registered import newest_file
from mmnotebook.results.records import Failure
from mmnotebook.sources import objects
from mmnotebook.store import shards


class Compiled(Mapping[str, "beam.PCollection[Any]"]):
    """The PCollection of every node by its name; `failed` has all failures of the graph.

    A node's elements are (key, value) pairs. The key contains the element's id. The value is the
    node's output for the element; the output of a model is Beam's `PredictionResult`.

    See Also
    --------
    compile_graph : Add a graph to a Beam pipeline.

    Examples
    --------
    >>> import apache_beam as beam
    >>> import mmnotebook as mm
    >>> def inverse(x):
    ...     return 1 / x
    >>> graph = mm.pipeline("numbers | inverse", numbers=[0, 2], inverse=inverse)
    >>> with beam.Pipeline() as pipeline:
    ...     nodes = mm.compile_graph(graph, pipeline)
    ...     printed = nodes["inverse"] | beam.Values() | "outputs" >> beam.Map(print)
    ...     errors = nodes.failed | beam.Map(lambda failure: failure.error)
    ...     printed = errors | "failures" >> beam.Map(print)
    0.5
    ZeroDivisionError
    >>> list(nodes)
    ['numbers', 'inverse']
    """

    def __init__(self, blocks: Mapping[str, beam.PCollection[Any]], label: str = "") -> None:
        self._blocks, self._label = dict(blocks), f"{label}/" if label else ""
        self._elements: dict[str, beam.PCollection[Any]] = {}

    def __getitem__(self, name: str) -> beam.PCollection[Any]:
        # Nodes work on blocks; a node's single elements are created on access.
        if name not in self._elements:
            step = beam.FlatMap(_elements).with_output_types(Element)
            label = f"{self._label}{name}: elements"
            self._elements[name] = self._blocks[name] | label >> step
        return self._elements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __repr__(self) -> str:
        return f"PCollections of {', '.join(self._blocks)}; of failures: .failed"

    @cached_property
    def failed(self) -> beam.PCollection[Any]:
        """A `Failure` for each element that failed in any node."""
        step = beam.FlatMap(_failures).with_output_types(Element)
        label = self._label
        blocks = self._blocks.items()
        parts = [pcoll | f"{label}{name}: failures" >> step for name, pcoll in blocks]
        if any(part.windowing.windowfn != parts[0].windowing.windowfn for part in parts):
            parts = [
                part | f"{label}{name}: failures in one window" >> beam.WindowInto(GlobalWindows())
                for name, part in zip(self._blocks, parts, strict=True)
            ]
        whole: beam.PCollection[Any] = parts | f"{label}all failures" >> beam.Flatten()
        return whole


def _elements(block: Block) -> Iterator[tuple[Key, Any]]:
    return block.elements()


def _failures(block: Block) -> list[Failure]:
    return block.failed


def compile_graph(
    graph: Graph,
    pipeline: beam.Pipeline,
    *,
    limit: int | None = None,
    watch_every: float = newest_file.INTERVAL,
    label: str | None = None,
) -> Compiled:
    """Add a graph to a Beam pipeline, for any runner, batch or streaming.

    A source may be a PCollection of the pipeline, or a Beam transform that reads, bounded or
    unbounded. Every element keeps its window. Every element also keeps its timestamp, except
    after RunInference and joins. The timestamp of their outputs is the end of the window.

    If the workers of the pipeline's runner may have another file system, models and data of the
    notebook go through the folder in the pipeline option `temp_location`. Without this option, they
    become a part of the pipeline if they have at most 1 MiB in total.

    Parameters
    ----------
    graph
        The graph. Names that are not bound in it are looked up in the notebook, models in the
        registry.
    pipeline
        The pipeline to which the transforms are added, labeled by node name.
    limit
        The number of elements to use from each source; None uses all. Not supported for Beam
        transforms.
    watch_every
        Seconds between checks for newer files of a `model(m, watch=...)` in a stream. If the source
        is bounded, the newest file is used, once.
    label
        The label of a transform that contains all transforms of the graph. With different labels, a
        graph can be added to a pipeline several times. None adds the transforms without it.

    Returns
    -------
    Compiled
        A mapping from node names to PCollections of (key, value). A key contains the element's `id`
        and `origin` (the id of its source element). It also contains the choices of steps for the
        element: the `branch` of a split or switch, the `key` of a model per key, the `model` of a
        cascade. `failed` of the mapping is a PCollection with a `Failure` for each element that
        failed in any node.

    Raises
    ------
    GraphError, ModelError, RunError
        If the graph is not valid, a name is unknown, a source cannot be read or is a PCollection of
        another pipeline, or the pipeline already has transforms with these labels; if workers may
        have another file system, also if a `write` has a local path, or models and data are too
        big for the pipeline.

    Warns
    -----
    ReadinessWarning
        If the workers of the pipeline may be on other machines, and something in the graph would
        not work there, or work otherwise; see `check`.

    See Also
    --------
    run : Run a graph in the notebook, with a cache and a result.
    Graph.transform : The graph as a transform of a PCollection.

    Examples
    --------
    >>> import apache_beam as beam
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> with beam.Pipeline() as pipeline:
    ...     nodes = mm.compile_graph(graph, pipeline)
    ...     printed = nodes["double"] | beam.Values() | beam.Map(print)
    2
    4
    6
    """
    if not isinstance(pipeline, beam.Pipeline):
        raise RunError(
            f"pipeline={shown(pipeline)}; allowed: a beam.Pipeline",
            remedy="with beam.Pipeline() as pipeline: mm.compile_graph(graph, pipeline)",
        )
    beam_files.use(pipeline.options)
    prepared = replace(prepare(graph, limit), watch_every=watch_every)
    _check_pipelines(prepared, pipeline)
    with _own_labels(graph, label):
        if label is None:
            return _compiled(prepared, pipeline)
        given: Any = dict(prepared.pcollections) or pipeline
        made: Compiled = given | label >> _Contents(prepared)
        return made


def _compiled(prepared: Prepared, pipeline: beam.Pipeline, label: str = "") -> Compiled:
    new_ids.warn(prepared.graph, prepared.decisions)
    lint.warn(prepared, pipeline)
    stored: Mapping[str, Stored]
    stored = {name: _written(blocks) for name, blocks in prepared.objects.items()}
    if workers.of(pipeline.runner, pipeline.options).apart:
        shipper = Shipper(area.of_options(pipeline.options))
        prepared = shipping.shipped(prepared, shipper)
        stored = shipping.ShippedStored(stored, shipper)
    blocks = assemble(prepared, pipeline, "", stored, prepared.graph.names)
    union.compare(prepared.graph, prepared.objects, blocks)
    return Compiled(blocks, label)


def _check_pipelines(prepared: Prepared, pipeline: beam.Pipeline) -> None:
    """Raise RunError if a PCollection belongs to another pipeline."""
    for name, pcoll in prepared.pcollections.items():
        if pcoll.pipeline is not pipeline:
            raise RunError(
                f"source {name!r} is a PCollection of another pipeline than the one passed",
                remedy="mm.compile_graph(graph, pcoll.pipeline), or pcoll | graph.transform()",
                node=name,
            )


@contextlib.contextmanager
def _own_labels(graph: Graph, label: str | None) -> Iterator[None]:
    """Raise RunError if Beam finds that a label is used twice."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, MMError) or "already exists in the pipeline" not in str(error):
            raise
        used = "with the same node names" if label is None else f"with the label {label!r}"
        raise RunError(
            f"the pipeline already has transforms {used}",
            remedy='another label=, mm.compile_graph(graph, pipeline, label="second")',
        ) from None


class _Contents(beam.PTransform[Any, Any]):
    """The transforms of a prepared graph, applied to its PCollections or to the pipeline."""

    def __init__(self, prepared: Prepared) -> None:
        super().__init__()
        self._prepared = prepared

    def expand(self, given: Any) -> Compiled:
        pipeline = (
            given.pipeline if isinstance(given, PBegin) else next(iter(given.values())).pipeline
        )
        return _compiled(self._prepared, pipeline, current_label(pipeline))


class GraphTransform(beam.PTransform[Any, Any]):
    """A graph as a transform of the PCollections that take the place of its sources."""

    def __init__(self, graph: Graph, label: str) -> None:
        super().__init__(label)
        self._graph = graph

    def expand(self, given: Any) -> Compiled:
        if isinstance(given, PBegin):
            pcolls: Mapping[str, Any] = {}
            pipeline = given.pipeline
        else:
            pcolls = _by_source(self._graph, given)
            pipeline = next(iter(pcolls.values())).pipeline
        beam_files.use(pipeline.options)
        prepared = prepare(self._graph, given=pcolls)
        _check_pipelines(prepared, pipeline)
        return _compiled(prepared, pipeline, current_label(pipeline))


def transform(graph: Graph, label: str) -> GraphTransform:
    """Return a graph as a Beam transform; see `Graph.transform`."""
    return GraphTransform(graph, label)


def _by_source(graph: Graph, given: Any) -> dict[str, Any]:
    """Return the PCollections by the names of the source nodes whose place they take."""
    check_graph(graph)
    sources = [node for node in graph if not node.inputs]
    names = ", ".join(repr(node.name) for node in sources)
    if isinstance(given, beam.PCollection):
        if len(sources) != 1:
            raise RunError(
                f"the graph has {len(sources)} sources ({names}); one PCollection was passed",
                remedy='{"source": pcoll, ...} | graph.transform(label)',
            )
        return {sources[0].name: given}
    if not isinstance(given, Mapping) or not given:
        raise RunError(
            f"a graph cannot be applied to {shown(given)}; allowed: a PCollection, or a dict of "
            f"PCollections by source: {names}"
        )
    named = {name: node.name for node in sources for name in (node.name, *node.data)}
    for name, pcoll in given.items():
        if name not in named or not isinstance(pcoll, beam.PCollection):
            close = nearest(str(name), list(named))
            what = f"{name!r}: {shown(pcoll)}"
            raise RunError(
                f"{what} is not a PCollection for a source of the graph; its sources: {names}"
                + (f"; did you mean {close!r}?" if close and close != name else "")
            )
    return {named[name]: pcoll for name, pcoll in given.items()}


def _written(blocks: Sequence[Block]) -> Stored:
    """Write the elements of an object into private files of this process."""
    folder = storage.new_folder("source")
    try:
        infos = [
            shards.write(folder / f"{place:06d}.shard", [block], len(block))
            for place, block in enumerate(blocks)
        ]
    except Exception as error:
        raise objects.unstorable_element(error) from error
    return Stored(tuple((str(folder), info) for info in infos))
