"""Windowing of a graph's PCollections: kept when blocks are read, checked at joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import apache_beam as beam
from apache_beam.transforms.trigger import DefaultTrigger
from apache_beam.transforms.window import GlobalWindows

from mmnotebook.beam.dofns.node_fn import PlainFn
from mmnotebook.compat.beam import Windowing
from mmnotebook.elements.block import Block
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph, Node


class InWindows(beam.ParDo):
    """A ParDo whose output and input have different windowing.

    The function itself yields each element with its windows. `WindowInto` would assign other
    windows where a step has moved the timestamp to the end of the window.
    """

    def __init__(self, function: beam.DoFn, windowing: Windowing) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._given = windowing

    def get_windowing(self, inputs: Any) -> Windowing:
        return self._given


class _Same(PlainFn):
    """Yields its input."""

    def process(self, element: Any) -> list[Any]:
        return [element]


def kept(windowing: Windowing) -> Windowing | None:
    """Return the same windows with the default trigger; None for Beam's default windowing."""
    plain = Windowing(windowing.windowfn)
    return None if plain.is_default() else plain


def of_nodes(
    graph: Graph,
    sources: Mapping[str, Windowing | None],
    changed: Mapping[str, Windowing | None] = MappingProxyType({}),
) -> dict[str, Windowing | None]:
    """Return the windowing of each node's elements, by node name; None for Beam's default.

    `changed` has the nodes whose output and input have different windowing.
    """
    found: dict[str, Windowing | None] = {}
    for node in graph.order():
        above = [found[wire.node] for wire in node.inputs]
        if not node.inputs:
            found[node.name] = sources.get(node.name)
        elif node.name in changed:
            found[node.name] = changed[node.name]
        else:
            found[node.name] = None if node.step.ends else above[0]
    return found


def together(node: Node, inputs: Sequence[Any]) -> list[Any]:
    """Return the inputs of a node with a common windowing that suits the node.

    Raises
    ------
    RunError
        If the inputs have different windows, or the node would wait forever for its input.
    """
    windowings = [pcoll.windowing for pcoll in inputs]
    first = windowings[0]
    if any(windowing.windowfn != first.windowfn for windowing in windowings):
        names = ", ".join(repr(wire.node) for wire in node.inputs)
        raise RunError(
            f"node {node.name!r} joins inputs with incompatible windowing: {names}",
            remedy="give their sources the same windows: source | beam.WindowInto(...)",
            node=node.name,
        )
    _check_ends(node, inputs)
    if node.step.ends:
        return [_whole(node, place, pcoll) for place, pcoll in enumerate(inputs)]
    if node.gather == "join":
        return [_once(node, place, pcoll) for place, pcoll in enumerate(inputs)]
    return list(inputs)


def _check_ends(node: Node, inputs: Sequence[Any]) -> None:
    if all(pcoll.is_bounded for pcoll in inputs):
        return
    if node.step.ends:
        raise RunError(
            f"node {node.name!r} writes all elements at once, but its source is unbounded",
            remedy="remove the step, and write the node's PCollection with a Beam sink",
            node=node.name,
        )
    if node.gather == "join" and isinstance(inputs[0].windowing.windowfn, GlobalWindows):
        raise RunError(
            f"node {node.name!r} joins the outputs of several nodes for one element, but "
            "its source is unbounded and has no windows",
            remedy="set windows on the source: source | beam.WindowInto(FixedWindows(60))",
            node=node.name,
        )


def _whole(node: Node, place: int, pcoll: Any) -> Any:
    if pcoll.windowing.is_default():
        return pcoll
    return _typed(pcoll | f"{node.name}: whole {place}" >> beam.WindowInto(GlobalWindows()))


def _once(node: Node, place: int, pcoll: Any) -> Any:
    """Set a trigger at the end of the window: an earlier pane would lack outputs of some inputs."""
    windowing = pcoll.windowing
    if isinstance(windowing.triggerfn, DefaultTrigger):
        return pcoll
    once = Windowing(windowing.windowfn, allowed_lateness=windowing.allowed_lateness)
    same = InWindows(_Same(), once)  # type: ignore[no-untyped-call]
    return _typed(pcoll | f"{node.name}: once {place}" >> same)


def _typed(pcoll: Any) -> Any:
    pcoll.element_type = Block
    return pcoll
