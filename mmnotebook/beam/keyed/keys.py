"""Keys of elements, the models that they choose, and grouping by model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.tracking import NODE_NAMESPACE, add_values, weight
from mmnotebook.elements import routing
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.columns import Column, Tuples
from mmnotebook.elements.elements import Key, Select, by_value, own
from mmnotebook.elements.packing import pack
from mmnotebook.errors import nearest, shown
from mmnotebook.graph.graph import Node
from mmnotebook.results.memory import model_of

WINDOW_BYTES = 256 << 20
"""Approximate maximum size, in bytes, of the elements processed together."""
_SHOWN = 12
_OTHERWISE = 'for other elements, set by="field" or by=function'


class UnmappedKeyError(LookupError):
    """Raised for an element whose key has no model."""


@dataclass(frozen=True)
class Routes:
    """The mapping of keys to models."""

    models: Mapping[str, str]
    default: str | None

    @classmethod
    def of(cls, node: Node) -> Routes:
        """Return the routes of a keyed node."""
        return cls(model_of(node["models"]), node["default"])

    def model(self, key: str) -> str:
        """Return the name of the model for a key."""
        name = self.models.get(key, self.default)
        if name is None:
            raise self._unmapped(key)
        return name

    def _unmapped(self, key: str) -> UnmappedKeyError:
        mapped = ", ".join(map(repr, list(self.models)[:_SHOWN]))
        more = len(self.models) - _SHOWN
        close = nearest(key, self.models)
        return UnmappedKeyError(
            f"no model for the key {key!r}; mapped: {mapped}"
            + (f" and {more:,} more" if more > 0 else "")
            + (f"; did you mean {close!r}?" if close else "")
            + "; remedy: map it, or set default= to a model for all other keys"
        )


class NoPairError(TypeError):
    """Raised for an element that is not a (key, value) pair."""


class ElementKeys:
    """Returns the key of an element: a field, or a function's result for the value, as text.

    Without a field or function, the elements must be (key, value) pairs, as for Beam's own keyed
    models. The model then receives only the value.
    """

    def __init__(self, node: Node, function: Callable[[Any], Any] | None) -> None:
        self.by, self.function, self.routes = node["by"], function, Routes.of(node)
        self.pairs = self.by is None and function is None

    def of(self, element: tuple[Key, Any]) -> str:
        """Return the key of one element; raise if it has no key, or the key has no model."""
        text = routing.token(self._chosen(*element))
        self.routes.model(text)
        return text

    def _chosen(self, key: Key, value: Any) -> Any:
        if self.function is not None:
            return self.function(own(value))
        if self.by is not None:
            return by_value(key, value, self.by)
        if not is_pair(value):
            raise NoPairError(f"{shown(value)} is not a (key, value) pair; {_OTHERWISE}")
        return value[0]

    def given(self, values: Column) -> Column:
        """Return the inputs of the models: the values, or the second item of (key, value) pairs."""
        if not self.pairs:
            return values
        if isinstance(values, Tuples):
            return values.columns[1]
        return pack([value for _, value in values])


def is_pair(value: Any) -> bool:
    """Return whether this is a (key, value) pair; a named tuple is a record."""
    return type(value) is tuple and len(value) == 2


class KeyFn(NodeFn):
    """Adds the key to each element; splits blocks at the end of each window of elements.

    Parameters
    ----------
    rows
        The number of elements processed together.
    grouped
        Whether elements are grouped by model before the inference.
    apart
        Whether the output is (model, block).
    """

    enters = leaves = False
    step = "key"

    def __init__(
        self,
        node: Node,
        run_id: str,
        select: Select,
        keys: ElementKeys,
        rows: int,
        grouped: bool,
        apart: bool,
    ) -> None:
        super().__init__(node.name, run_id, select)
        self.keys, self.rows, self.grouped, self.apart = keys, rows, grouped, apart

    def start_bundle(self) -> None:
        self.filled = 0
        self.largest = 0

    def blocks(self, block: Block) -> Iterator[Any]:
        outcome = self.track.each(block.ids, block.elements(), self.keys.of)
        kept = block.take(outcome.places).with_choices(model_keys=outcome.results)
        kept = replace(kept, values=self.keys.given(kept.values))
        failed = [*block.failed, *outcome.failed]
        self._note(row_size(kept, self.rows))
        if self.apart:
            yield from self._by_model(kept, failed)
            return
        if failed:
            yield Block([], pack([]), failed=failed)
        yield from self._cut(kept)

    def _note(self, each: int) -> None:
        """Publish the window size and grouping, which a forecast from the result needs."""
        if each > self.largest:
            self.largest = each
            seen = {"window_rows": self.rows // each, "grouped": int(self.grouped)}
            add_values(self.track.run, NODE_NAMESPACE + self.node, seen)

    def _cut(self, block: Block) -> Iterator[Block]:
        each = row_size(block, self.rows)
        start = 0
        while start < len(block):
            room = (self.rows - self.filled) // each
            if not room:
                self.filled = 0
                continue
            stop = min(start + room, len(block))
            yield block.take(range(start, stop))
            self.filled += (stop - start) * each
            start = stop

    def _by_model(self, block: Block, failed: list[Any]) -> Iterator[tuple[str, Block]]:
        if failed:
            yield "", Block([], pack([]), failed=failed)
        for name, places in by_model(block, self.keys.routes).items():
            yield name, block.take(places)
        self.track.flow.given += len(block) + len(failed)


def row_size(block: Block, rows: int) -> int:
    """Return the number of rows of a window that one row counts as: 1, or more for big rows."""
    each = block.nbytes / max(1, len(block))
    return min(rows, max(1, -int(-each * rows // WINDOW_BYTES)))


def by_model(block: Block, routes: Routes) -> dict[str, list[int]]:
    """Return the positions of each model's elements; the models are sorted by first element."""
    places: dict[str, list[int]] = {}
    for place, key in enumerate(block.model_keys or ()):
        places.setdefault(routes.model(str(key)), []).append(place)
    return places


class Together(NodeFn):
    """Yields the blocks of one model, one after the other."""

    enters = leaves = False
    step = "together"

    def blocks(self, element: tuple[str, Iterable[Block]]) -> Iterable[Block]:
        return element[1]

    def weight(self, element: tuple[str, Iterable[Block]]) -> int:
        return sum(map(weight, element[1]))


def grouped(node: Node, pcoll: Any, step: KeyFn) -> Any:
    """Group the (model, block) pairs of a step by model, and return the blocks."""
    pairs = pcoll | f"{node.name}: key" >> beam.ParDo(step)
    pairs.element_type = KV[str, Element]
    whole = pairs | f"{node.name}: by model" >> beam.GroupByKey()
    return apply(f"{node.name}: together", whole, Together(node.name, step.run_id))
