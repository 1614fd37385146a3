"""`Lowering`: how a step of one kind becomes Beam transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from mmnotebook.beam.dofns.call_fn import CallFn
from mmnotebook.beam.dofns.node_fn import NodeFn, apply
from mmnotebook.beam.dofns.reuse import Reuse
from mmnotebook.elements.block import Block
from mmnotebook.elements.elements import Select
from mmnotebook.errors import Problem, RunError, one_line
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.graph.kinds import StepKind
from mmnotebook.graph.models import ModelSpec

Arms = dict[str | None, Any]
"""A node's outputs: all blocks under None, the blocks of a branch under the branch's name."""
Objects = Mapping[str, Sequence[Block]]
"""The elements of each source node, where known before the run."""


@dataclass(frozen=True)
class BoundStep:
    """One step to lower, with all objects that its parameters name.

    Attributes
    ----------
    node
        The node.
    functions, models
        The functions and the registered models, by the names in its parameters.
    select
        The fields that the step selects from each value; None for the whole value.
    run_id
        The id of the run that counts the elements; "" outside a run.
    keys
        The key under which a loaded model is kept, by model name.
    reuse
        The stored outputs that the step may reuse.
    decision
        The return value of the lowering's `decide`.
    above
        The upstream nodes, for a step that ends a graph.
    watch_every
        Seconds between checks for newer model files in a stream.
    """

    node: Node
    functions: Mapping[str, Callable[[Any], Any]]
    models: Mapping[str, ModelSpec]
    select: Select = None
    run_id: str = ""
    keys: Mapping[str, str | None] = field(default_factory=dict)
    reuse: Reuse | None = None
    decision: Any = None
    above: Sequence[str] = ()
    watch_every: float = 0.0

    def function(self, param: str = "function") -> Callable[[Any], Any]:
        """Return the function that a parameter names."""
        return self.functions[self.node[param]]

    def function_or_none(self, param: str) -> Callable[[Any], Any] | None:
        """Return the function that an optional parameter names."""
        return None if self.node[param] is None else self.function(param)

    def model(self, param: str = "model") -> ModelSpec:
        """Return the registered model that a parameter names."""
        return self.models[self.node[param]]


@dataclass(frozen=True)
class Lowering:
    """How a step of one kind becomes Beam transforms.

    One of the attributes `each`, `dofn` and `transforms` is set.

    Attributes
    ----------
    each
        Returns the function that the step calls with each value; the function's results are the
        outputs.
    dofn
        Returns the DoFn of a step that processes each block alone. The elements of such a step can
        be computed outside a pipeline too.
    transforms
        Applies the transforms of the step to a PCollection of blocks, for any other step.
    entered
        Returns the names of the steps through which elements pass, given the node and the
        decision; a node is finished when each of these steps has processed all its elements. None
        if this is not known: such a node finishes when the run ends.
    decide
        Decides before the run how the step runs, from the graph, the step and the known elements.
        Raises MMError if the step cannot run.
    problems
        Yields the problems of a step, from the graph, the node, the known elements and the names of
        the sources that are files.
    uncacheable
        Returns why the outputs of a step are not cacheable, given the decision; "" if they are.
    explain
        Returns a text that says how the step runs and why. If None, the description of the step
        kind is used.
    """

    each: Callable[[BoundStep], Callable[[Any], Any]] | None = None
    dofn: Callable[[BoundStep], NodeFn] | None = None
    transforms: Callable[[BoundStep, Any], Arms] | None = None
    entered: Callable[[Node, Any], tuple[str, ...] | None] = lambda node, decision: (NodeFn.step,)
    decide: Callable[[Graph, BoundStep, Objects], Any] | None = None
    problems: Callable[[Graph, Node, Objects, Sequence[str]], Iterator[Problem]] | None = None
    uncacheable: Callable[[Any], str] | None = None
    explain: Callable[[BoundStep], str] | None = None

    @property
    def is_alone(self) -> bool:
        """Whether the elements of such a step can be computed outside a pipeline."""
        return self.transforms is None

    @property
    def code(self) -> Callable[..., Any]:
        """The function that creates such a step; its code determines what the step computes."""
        made = self.each or self.dofn or self.transforms
        assert made is not None
        return made

    def function(self, step: BoundStep) -> NodeFn:
        """Return the DoFn of a step that processes each block alone."""
        if self.each is not None:
            return CallFn(step.node.name, step.run_id, step.select, self.each(step))
        assert self.dofn is not None
        return self.dofn(step)

    def apply(self, step: BoundStep, pcoll: Any) -> Arms:
        """Apply a step to a PCollection of blocks."""
        if self.transforms is not None:
            return self.transforms(step, pcoll)
        function = self.function(step)
        function.reuse = step.reuse
        tags = {arm: tag(arm) for arm in step.node.arms}
        outputs = apply(step.node.name, pcoll, function, *tags.values())
        if not tags:
            return {None: outputs}
        return {None: outputs["main"], **{arm: outputs[one] for arm, one in tags.items()}}


def tag(arm: str) -> str:
    """Return the tag of a branch among the outputs of a DoFn."""
    return f"branch_{arm}"


def of_kind(kind: StepKind, lean: bool = False) -> Lowering:
    """Return the lowering of a step kind.

    Parameters
    ----------
    lean
        True for a run in this process, which may use the kind's second lowering.

    Raises
    ------
    RunError
        If the module that the kind names has no usable lowering.
    """
    return _named(kind.name, kind.lean if lean and kind.lean is not None else kind.lowering)


@cache
def _named(kind: str, place: str) -> Lowering:
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name)
    except Exception as error:
        raise _unusable(kind, place, one_line(error)) from error
    if not isinstance(found, Lowering):
        raise _unusable(kind, place, f"it is a {type(found).__name__}, not a Lowering")
    if found.each is None and found.dofn is None and found.transforms is None:
        raise _unusable(kind, place, "it has none of each=, dofn= and transforms=")
    return found


def _unusable(kind: str, place: str, why: str) -> RunError:
    return RunError(
        f"the step kind {kind!r} cannot run: its lowering {place!r} is not usable: {why}",
        remedy=f"correct it in the package that brings {kind!r}",
    )
