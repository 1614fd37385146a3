"""`mlp`, `model(mlp, watch="models/*.pt")`: one prediction per element."""

from __future__ import annotations

from mmnotebook.graph.checks import is_text
from mmnotebook.graph.graph import Input
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.graph.template import Fill, Sketch, Template
from mmnotebook.steps.kinds.params import model


def _mirror(sketch: Sketch, data: Input, fill: Fill) -> None:
    for name in fill.several(2):
        sketch.add("model", (data,), model=name)


def _sequence(sketch: Sketch, data: Input, fill: Fill) -> None:
    first, *others = fill.several(2)
    end = sketch.add("model", (data,), model=first)
    for name in others:
        end = sketch.add("map", (end,), function=fill.function)
        end = sketch.add("model", (end,), model=name)


KIND = StepKind(
    "model",
    "model",
    "one prediction per element by a registered model",
    (model("model", required=True), Param("watch", is_text, "a pattern such as models/*.pt")),
    lowering="mmnotebook.beam.lowering.model:LOWERING",
    lean="mmnotebook.beam.lowering.model:TOGETHER",
    script="mmnotebook.export.beam_script.steps:model",
    bare="model",
    named_after="model",
    listed=False,
    rank=30,
    templates=(
        Template("mirror", "Mirror", "all data to both models", _mirror, rank=20),
        Template(
            "sequence",
            "Sequence",
            "one model's output, through a function, into the next",
            _sequence,
            ("data", "models", "function"),
            rank=30,
        ),
    ),
)
