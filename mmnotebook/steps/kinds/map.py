"""`crop`, `map(crop)`: one value per element."""

from __future__ import annotations

from mmnotebook.graph.kinds import StepKind
from mmnotebook.steps.kinds.params import FUNCTION, MISSING

KIND = StepKind(
    "map",
    "function",
    "one value per element: f(value)",
    (FUNCTION, MISSING),
    lowering="mmnotebook.beam.lowering.functions:MAP",
    script="mmnotebook.export.beam_script.steps:map_step",
    bare="function",
    named_after="function",
    rank=40,
    how="a function of each value",
)
