"""`switch(route, cheap=a, costly=b)`: each element to the branch that a function names."""

from __future__ import annotations

from mmnotebook.graph.checks import is_arms
from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.steps.kinds.params import FUNCTION, OPEN


def _describe(node: Node) -> str:
    function = dict(node.params).get("function", OPEN)
    return f"switch {function}: {', '.join(node.arms) or OPEN}"


KIND = StepKind(
    "switch",
    "routing",
    "each element to the branch that a function names",
    (
        FUNCTION,
        Param("arms", is_arms, "two or more different names", required=True, form="branches"),
    ),
    lowering="mmnotebook.beam.lowering.branches:SWITCH",
    script="mmnotebook.export.beam_script.steps:switch",
    arms="arms",
    passes_on=True,
    rank=80,
    start={"arms": ("a", "b")},
    how="a function of each value chooses its branch",
    describe=_describe,
)
