"""`compile_graph`: the PCollections of a graph by node name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import apache_beam as beam

from mmnotebook import storage
from mmnotebook.beam.assemble import assemble
from mmnotebook.beam.elsewhere import area, shipping, workers
from mmnotebook.beam.elsewhere.shipped import Shipper
from mmnotebook.beam.lowering.sources import Stored
from mmnotebook.beam.prepare import prepare
from mmnotebook.beam.readiness import lint
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.elements import Key
from mmnotebook.errors import RunError, shown
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

    def __init__(self, blocks: Mapping[str, beam.PCollection[Any]]) -> None:
        self._blocks = dict(blocks)
        self._elements: dict[str, beam.PCollection[Any]] = {}

    def __getitem__(self, name: str) -> beam.PCollection[Any]:
        # Nodes work on blocks; a node's single elements are created on access.
        if name not in self._elements:
            step = beam.FlatMap(_elements).with_output_types(Element)
            self._elements[name] = self._blocks[name] | f"{name}: elements" >> step
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
        parts = [pcoll | f"{name}: failures" >> step for name, pcoll in self._blocks.items()]
        whole: beam.PCollection[Any] = parts | "failures: all" >> beam.Flatten()
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
) -> Compiled:
    """Add a graph to a Beam pipeline, for any runner, batch or streaming.

    A source may be a Beam transform that reads, bounded or unbounded. Every element keeps its
    window. Every element also keeps its timestamp, except after RunInference and joins. The
    timestamp of their outputs is the end of the window.

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
        If the graph is not valid, a name is unknown, or a source cannot be read; if workers may
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
    prepared = replace(prepare(graph, limit), watch_every=watch_every)
    lint.warn(prepared, pipeline)
    stored: Mapping[str, Stored]
    stored = {name: _written(blocks) for name, blocks in prepared.objects.items()}
    if workers.of(pipeline.runner, pipeline.options).apart:
        shipper = Shipper(area.of_options(pipeline.options))
        prepared = shipping.shipped(prepared, shipper)
        stored = shipping.ShippedStored(stored, shipper)
    return Compiled(assemble(prepared, pipeline, "", stored, prepared.graph.names))


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
