"""`rows`, `source(rows, id="user")`: data in the notebook."""

from __future__ import annotations

from mmnotebook.graph.checks import is_name
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.steps.kinds.params import ID

KIND = StepKind(
    "source",
    "source",
    "data in the notebook: a DataFrame, list, array, tensor, dict of columns, path or glob",
    (Param("data", is_name, "the name of a variable", required=True, names="data"), ID),
    script="mmnotebook.export.beam_script.steps:source",
    inputs="none",
    bare="data",
    named_after="data",
    listed=False,
    rank=10,
)
