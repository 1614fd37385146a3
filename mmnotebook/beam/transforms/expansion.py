"""The expansion of a user's transform: whether each output belongs to one element.

A transform is applied once to a pipeline that never runs. If it is then a chain of ParDos, and no
DoFn in it can output anything between its calls for two elements, each output was computed from
the element of one call. Such a chain can run over pairs of a key and a value instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam import typehints

from mmnotebook.beam.streaming.windowed_blocks import pipelines_in, unused
from mmnotebook.compat.beam import FnApiRunner, PipelineVisitor, Windowing, not_alone
from mmnotebook.elements import pickling
from mmnotebook.errors import RunError, one_line


@dataclass(frozen=True)
class ChainPart:
    """One ParDo of a chain.

    Attributes
    ----------
    transform
        The ParDo.
    windowing
        The windowing of its output; None if it is the same as that of its input.
    """

    transform: Any
    windowing: Windowing | None


@dataclass(frozen=True)
class Expansion:
    """The transforms of which a user's transform consists.

    Attributes
    ----------
    parts
        The ParDos, in order, if each output belongs to one element; otherwise None.
    reason
        Why outputs cannot be assigned to elements; "" if they can.
    windowing
        The windowing of the output; None if it is the same as that of the input, or if there is no
        output.
    output
        The type of the output if it is not a PCollection, such as "PDone"; otherwise "".
    others
        The pipelines of the side inputs and other PCollections that the transform already has.
    """

    parts: tuple[ChainPart, ...] | None
    reason: str = ""
    windowing: Windowing | None = None
    output: str = ""
    others: frozenset[Any] = frozenset()


def of(node: str, transform: Any) -> Expansion:
    """Return the expansion of a node's transform.

    Raises
    ------
    RunError
        If the transform cannot be applied to a PCollection.
    """
    pipeline = beam.Pipeline(FnApiRunner())
    given = pipeline | "values" >> beam.Impulse()
    given.element_type = typehints.Any
    try:
        made = applied(node, given, transform)
    except RunError:
        others = pipelines_in(transform)
        if not others:
            raise
        return Expansion(None, "it uses another PCollection of your pipeline", others=others)
    leaves = _Leaves(pipeline)
    pipeline.visit(leaves)
    others = frozenset(leaves.others)
    if not isinstance(made, beam.PCollection):
        kind = type(made).__name__
        return Expansion(None, f"it returns a {kind}", None, kind, others)
    changed = made.windowing.windowfn is not given.windowing.windowfn
    windowing = made.windowing if changed else None
    found = _chain(given, made, leaves.count - 1)
    if isinstance(found, str):
        return Expansion(None, found, windowing, others=others)
    return Expansion(tuple(map(_part, found)), "", windowing, others=others)


def applied(label: str, pcoll: Any, transform: Any) -> Any:
    """Apply a user's transform to a PCollection; return whatever it returns.

    Raises
    ------
    RunError
        If the transform cannot be applied.
    """
    pickling.keep_classes(transform)
    try:
        return pcoll | label >> unused(transform)
    except Exception as error:
        raise RunError(
            f"node {label!r}: its transform, a {type(transform).__name__}, cannot be applied to a "
            f"PCollection: {one_line(error)}",
            remedy=f"a transform that reads starts a line: {label} | step; "
            "a step receives the values alone",
            node=label,
        ) from error


class _Leaves(PipelineVisitor):
    """Counts the transforms of a pipeline that contain no other transforms.

    Beam also visits the transforms that lead to side inputs; `others` has their pipelines.
    """

    def __init__(self, pipeline: beam.Pipeline) -> None:
        self.pipeline, self.count, self.others = pipeline, 0, set[Any]()

    def visit_transform(self, transform_node: Any) -> None:
        made = next(iter(transform_node.outputs.values()), None)
        if made is not None and made.pipeline is self.pipeline:
            self.count += 1
        elif made is not None:
            self.others.add(made.pipeline)


def _chain(given: Any, made: Any, count: int) -> list[Any] | str:
    """Return the applied ParDos from `given` to `made`, or why they are not a chain of ParDos."""
    found: list[Any] = []
    while made is not given:
        leaf = made.producer
        problem = _problem(leaf, made)
        if problem:
            return problem
        found.append(leaf)
        (made,) = leaf.main_inputs.values()
    if len(found) < count:
        return "it has more than one path from its input to its output"
    return found[::-1]


def _problem(leaf: Any, output: Any) -> str:
    """Return why an output of an applied transform may not belong to one element; "" if it does."""
    transform = leaf.transform
    name = leaf.full_label.rpartition("/")[2] or leaf.full_label
    if not isinstance(transform, beam.ParDo) or len(leaf.main_inputs) != 1:
        return f"it contains {type(transform).__name__}"
    if output.tag is not None:
        return f"it uses the output {output.tag!r} of {name}"
    problem = not_alone(transform.dofn)
    return f"{name} {problem}" if problem else ""


def _part(leaf: Any) -> ChainPart:
    (given,) = leaf.main_inputs.values()
    (made,) = [pcoll for pcoll in leaf.outputs.values() if pcoll.tag is None]
    same = made.windowing.windowfn is given.windowing.windowfn
    return ChainPart(leaf.transform, None if same else made.windowing)
