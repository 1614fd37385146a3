"""`[a, b] | stack()`: the models' outputs as one array."""

from __future__ import annotations

from mmnotebook.graph.checks import one_of, rest_of_a_stack
from mmnotebook.graph.kinds import Param, StepKind

KIND = StepKind(
    "stack",
    "combining",
    "the models' outputs as one array, in order",
    (
        Param(
            "missing",
            one_of("fail", "skip"),
            '"fail" or "skip"',
            default="fail",
            why=rest_of_a_stack,
        ),
    ),
    lowering="mmnotebook.beam.lowering.combine:STACK",
    script="mmnotebook.export.beam_script.steps:stack",
    inputs="join",
    rank=130,
    how="the outputs as one array",
)
