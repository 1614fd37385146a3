"""`scale`, `transform(scale)`: a Beam transform."""

from __future__ import annotations

from mmnotebook.graph.checks import is_name
from mmnotebook.graph.kinds import Param, StepKind

KIND = StepKind(
    "transform",
    "function",
    "a Beam transform of the values, such as beam.Filter, or one that writes them",
    (Param("transform", is_name, "the name of a Beam transform", required=True, names="function"),),
    lowering="mmnotebook.beam.transforms.lowering:LOWERING",
    outputs="unknown",
    bare="transform",
    named_after="transform",
    rank=65,
    how="a Beam transform of the values",
)
