"""`[a, b] | mean()`: the mean of the models' outputs."""

from __future__ import annotations

from mmnotebook.graph.kinds import StepKind
from mmnotebook.steps.kinds.params import MISSING

KIND = StepKind(
    "mean",
    "combining",
    "the mean of the models' outputs",
    (MISSING,),
    lowering="mmnotebook.beam.lowering.combine:MEAN",
    script="mmnotebook.export.beam_script.steps:mean",
    inputs="join",
    rank=120,
    how="the mean of the outputs",
)
