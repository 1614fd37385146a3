"""`write("out.parquet")`: the elements as files."""

from __future__ import annotations

from mmnotebook.graph.checks import is_text
from mmnotebook.graph.kinds import Param, StepKind

KIND = StepKind(
    "write",
    "write",
    "the elements as files: parquet, csv or jsonl by the path's ending",
    (Param("path", is_text, "a path", required=True),),
    lowering="mmnotebook.beam.lowering.write:LOWERING",
    lean="mmnotebook.beam.lowering.write:LEAN",
    ends=True,
    rank=140,
    how="all elements in one file",
)
