"""`[a, b, c] | vote()`: the label that most models return."""

from __future__ import annotations

from mmnotebook.graph.graph import Input
from mmnotebook.graph.kinds import StepKind
from mmnotebook.graph.template import Fill, Sketch, Template
from mmnotebook.steps.kinds.params import MISSING


def _ensemble(sketch: Sketch, data: Input, fill: Fill) -> None:
    ends = [sketch.add("model", (data,), model=name) for name in fill.several(3)]
    sketch.add("vote", tuple(ends), "join")


KIND = StepKind(
    "vote",
    "combining",
    "the label that most models return",
    (MISSING,),
    lowering="mmnotebook.beam.lowering.combine:VOTE",
    script="mmnotebook.export.beam_script.steps:vote",
    inputs="join",
    rank=110,
    how="the label that most models returned",
    templates=(
        Template(
            "ensemble",
            "Ensemble",
            "several models vote on each element",
            _ensemble,
            models=3,
            rank=50,
        ),
    ),
)
