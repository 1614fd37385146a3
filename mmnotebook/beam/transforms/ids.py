"""Ids of elements that come from a PCollection: from a field, from a pair, or from the content."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.typehints import KV

from mmnotebook.beam.dofns.merge_fn import MergeFn
from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.dofns.windows import InWindows
from mmnotebook.beam.lowering.sources import carry
from mmnotebook.beam.streaming.windowed_blocks import name_in
from mmnotebook.beam.transforms.pairs import Broken, block_of, record
from mmnotebook.compat.beam import WindowedValue, Windowing, create_windowed
from mmnotebook.elements.block import Block
from mmnotebook.elements.coders import Element
from mmnotebook.elements.columns import size_of
from mmnotebook.elements.elements import Key, has_field
from mmnotebook.elements.packing import pack
from mmnotebook.fingerprint.identity import Unknowable, digest

PAIR = "key"
"""The name under which the key of a (key, value) pair is a field of the element."""


class NoIdError(ValueError):
    """The id of an element cannot be computed."""


def parts(value: Any) -> tuple[Any, Any]:
    """Return the key of a (key, value) pair and its value; None and the value if it is no pair.

    A pair is a plain tuple of two whose first item is a string, bytes, an int or a `Key`.
    """
    if type(value) is tuple and len(value) == 2 and type(value[0]) in (str, bytes, int, Key):
        return value[0], record(value[1])
    return None, record(value)


class _Name(PlainFn):
    """Yields each value as a pair of its `Key` and the value.

    Parameters
    ----------
    name
        Returns the id from a value, the key of its pair, and its window.
    carried
        The fields that elements keep, for a later `by=`.
    has_pairs
        Whether a (key, value) pair is an element with this value; if not, it is the value.
    """

    def __init__(
        self,
        node: str,
        run_id: str,
        name: Callable[..., str],
        carried: tuple[str, ...],
        has_pairs: bool,
    ) -> None:
        self.node, self.run_id, self.name, self.carried = node, run_id, name, carried
        self.has_pairs = has_pairs

    def setup(self) -> None:
        self._track = Tracker(self.node, self.run_id, "ids", enters=False)

    def process(self, given: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[Any]:
        self._track.check()
        key, value = parts(given) if self.has_pairs else (None, record(given))
        if isinstance(key, Key):  # of another graph in this pipeline
            yield Key(key.id, key.origin, fields=key.fields), value
            return
        fields = (carry(pack([value]), self.carried) or [()])[0]
        if key is not None and PAIR not in dict(fields):
            fields = ((PAIR, key), *fields)
        try:
            made = self.name(value, key, window)
        except Exception as error:  # noqa: BLE001 - an element without such a field, or any object
            made = uuid.uuid4().hex
            value = Broken(self._track.fail(made, error))
        yield Key(made, made, fields=fields), value

    def finish_bundle(self) -> None:
        self._track.publish()


def from_field(field: str, windowfn: Any) -> Callable[..., str]:
    """Return a function that returns the id from a field, or from the key of a pair."""
    named = name_in(field, windowfn)

    def name(value: Any, key: Any, window: Any) -> str:
        if field == PAIR and key is not None and not has_field(value, PAIR):
            return named({PAIR: key}, window)
        return named(value, window)

    return name


def _from_content(prefix: str, ends: Callable[[], str], value: Any, key: Any, window: Any) -> str:
    try:
        return f"{prefix}#{digest(value if key is None else (key, value))}{ends()}"
    except Unknowable as error:
        raise NoIdError(
            f"this value has no stable hash, which would be its id ({error}); "
            f'source({prefix}, id="field") uses a field'
        ) from None


def _nothing() -> str:
    return ""


def _random() -> str:
    return f"-{uuid.uuid4().hex[:12]}"


class _ById(PlainFn):
    """Yields each pair with its id as the key, and with its time, in one window."""

    def process(
        self,
        element: tuple[Key, Any],
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[WindowedValue]:
        timed = (element[0].id, (timestamp.micros, window, element))
        yield create_windowed(timed, timestamp.micros, (GlobalWindow(),))


class _Number(PlainFn):
    """Makes the ids of equal values distinct by a number, in the order of their times.

    Values with the same id are equal, so it does not matter which of them gets which number.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = f"{prefix}#"

    def process(self, group: tuple[str, Iterable[Any]]) -> Iterator[WindowedValue]:
        found = sorted(group[1], key=lambda one: (one[1].end.micros, one[0]))
        for place, (micros, window, (key, value)) in enumerate(found):
            if place and key.id.startswith(self.prefix):
                name = f"{key.id}#{place}"
                key = key._replace(id=name, origin=name)
            yield create_windowed((key, value), micros, (window,))


class _Together(MergeFn):
    """Merges pairs of a `Key` and a value into blocks."""

    def __init__(self, node: str, run_id: str) -> None:
        self.node, self.run_id = node, run_id

    def setup(self) -> None:
        self.track = Tracker(self.node, self.run_id, "together", enters=False)

    def item(self, element: Any) -> tuple[Any, int]:
        return element, size_of(element[1])

    def block(self, items: list[Any], window: Any) -> Block:
        return block_of(self.track, items)


def together(label: str, pairs: Any, node: str, run_id: str) -> Any:
    """Return pairs of a `Key` and a value as blocks, in their windows and at their timestamps."""
    return pairs | label >> beam.ParDo(_Together(node, run_id)).with_output_types(Block)


def enter(
    node: str,
    pcoll: Any,
    prefix: str,
    run_id: str = "",
    id_field: str | None = None,
    carried: tuple[str, ...] = (),
    has_pairs: bool = False,
) -> Any:
    """Return the elements of a PCollection as blocks, in their windows and at their timestamps.

    Parameters
    ----------
    prefix
        The beginning of each id that is made from the content.
    id_field
        The field whose value is the id, "key" for the key of a pair. Without a field, an id is the
        prefix, "#" and a hash of the content. Further equal values get a number: "#1", "#2". In an
        unbounded PCollection the number would depend on the order of arrival. So there each id ends
        with random characters.
    has_pairs
        Whether a (key, value) pair is an element with this value; if not, it is the value.
    """
    numbered = id_field is None and pcoll.is_bounded
    if id_field is not None:
        name = from_field(id_field, pcoll.windowing.windowfn)
    else:
        name = functools.partial(_from_content, prefix, _nothing if numbered else _random)
    pairs = pcoll | f"{node}: ids" >> beam.ParDo(_Name(node, run_id, name, carried, has_pairs))
    pairs.element_type = Element
    if numbered:
        pairs = _numbered(node, pairs, prefix)
    return together(f"{node}: blocks", pairs, node, run_id)


def _numbered(node: str, pairs: Any, prefix: str) -> Any:
    windowing = pairs.windowing
    by_id = pairs | f"{node}: by id" >> InWindows(_ById(), Windowing(GlobalWindows()))  # type: ignore[no-untyped-call]
    by_id.element_type = KV[str, Element]
    groups = by_id | f"{node}: equal" >> beam.GroupByKey()
    made = groups | f"{node}: numbers" >> InWindows(_Number(prefix), windowing)
    made.element_type = Element
    return made
