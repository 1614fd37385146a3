"""`flat_map(words)`: any number of values per element."""

from __future__ import annotations

from mmnotebook.graph.kinds import StepKind
from mmnotebook.steps.kinds.params import FUNCTION, MISSING

KIND = StepKind(
    "flat_map",
    "function",
    "any number of values per element: each of f(value)",
    (FUNCTION, MISSING),
    lowering="mmnotebook.beam.lowering.functions:FLAT_MAP",
    script="mmnotebook.export.beam_script.steps:flat_map",
    outputs="any number",
    named_after="function",
    rank=50,
    how="a function of each value; each item it returns is an element",
)
