"""`cascade(small, big, below=0.8)`: a big model predicts where a small model is unsure."""

from __future__ import annotations

from mmnotebook.graph.checks import is_fraction, is_name
from mmnotebook.graph.graph import Input, Node
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.graph.template import Fill, Sketch, Template
from mmnotebook.steps.kinds.params import OPEN, model

_SUMMARY = "a small model first; where it is not confident, a big one"


def _describe(node: Node) -> str:
    given = dict(node.params)
    below = given.get("below")
    bound = f"{below:g}" if isinstance(below, (int, float)) else OPEN
    return f"{given.get('small', OPEN)} → {given.get('big', OPEN)} below {bound}"


def _template(sketch: Sketch, data: Input, fill: Fill) -> None:
    small, big = fill.several(2)[:2]
    sketch.add("cascade", (data,), small=small, big=big, below=0.8)


KIND = StepKind(
    "cascade",
    "model",
    _SUMMARY,
    (
        model("small", required=True),
        model("big", required=True),
        Param(
            "below",
            is_fraction,
            "a confidence from 0 to 1",
            required=True,
            form="number",
            keyword=True,
        ),
        Param(
            "score",
            is_name,
            "the name of a function of the small model's raw output",
            names="function",
        ),
    ),
    lowering="mmnotebook.beam.lowering.cascade:LOWERING",
    script="mmnotebook.export.beam_script.steps:cascade",
    rank=90,
    describe=_describe,
    templates=(Template("cascade", "Cascade", _SUMMARY, _template, rank=60),),
)
