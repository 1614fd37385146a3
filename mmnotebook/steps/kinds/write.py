"""`write("out.parquet")`, `write("out/")`: the elements as files."""

from __future__ import annotations

from mmnotebook.graph.checks import is_text
from mmnotebook.graph.graph import Node
from mmnotebook.graph.kinds import Param, StepKind


def _how(node: Node) -> str:
    in_folder = node["path"].endswith("/")
    return "all elements in a folder of files" if in_folder else "all elements in one file"


KIND = StepKind(
    "write",
    "write",
    "the elements as files: parquet, csv or jsonl by the path's ending",
    (Param("path", is_text, "a path", required=True),),
    lowering="mmnotebook.beam.lowering.write:LOWERING",
    lean="mmnotebook.beam.lowering.write:LEAN",
    script="mmnotebook.export.beam_script.steps:write",
    ends=True,
    rank=140,
    how=_how,
)
