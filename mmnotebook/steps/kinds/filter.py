"""`filter(is_long)`: the elements for which a function is true."""

from __future__ import annotations

from mmnotebook.graph.kinds import StepKind
from mmnotebook.steps.kinds.params import FUNCTION, MISSING

KIND = StepKind(
    "filter",
    "function",
    "the elements for which f(value) is true",
    (FUNCTION, MISSING),
    lowering="mmnotebook.beam.lowering.functions:FILTER",
    script="mmnotebook.export.beam_script.steps:filter_step",
    passes_on=True,
    outputs="one or none",
    named_after="function",
    rank=60,
    how="the values for which a function is true",
)
