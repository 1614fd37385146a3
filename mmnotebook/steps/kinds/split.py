"""`split(a=0.9, b=0.1)`: each element to one branch, by a hash."""

from __future__ import annotations

from mmnotebook.graph import checks
from mmnotebook.graph.graph import Input, Node
from mmnotebook.graph.kinds import Param, StepKind
from mmnotebook.graph.template import Fill, Sketch, Template
from mmnotebook.steps.kinds.params import BY, BY_FUNCTION, OPEN, goes_by, mapping


def _how(node: Node) -> str:
    hashed = "its id"
    if node["by_function"]:
        hashed = f"the value of {node['by_function']}"
    elif node["by"]:
        hashed = f"the field {node['by']!r}"
    return f"by a hash of {hashed}, with salt {node['salt']!r}"


def _describe(node: Node) -> str:
    arms = [
        f"{arm} {weight:.4g}" if isinstance(weight, (int, float)) else f"{arm} {weight}"
        for arm, weight in dict(node.params).get("arms", ())
    ]
    by = goes_by(node)
    return f"split {', '.join(arms) or OPEN}" + (f" by {by}" if by else "")


def _ab_split(sketch: Sketch, data: Input, fill: Fill) -> None:
    models = fill.several(2)
    names = [name or "ab"[n % 2] for n, name in enumerate(models)]
    usable = len(set(names)) == len(names) and all(map(checks.is_name, names))
    arms = names if usable else ["a", "b"]
    part = round(1 / len(arms), 2)
    parts = [round(1 - part * (len(arms) - 1), 2), *[part] * (len(arms) - 1)]
    split = sketch.add("split", (data,), arms=tuple(zip(arms, parts, strict=True)))
    for arm, name in zip(arms, models, strict=True):
        sketch.add("model", (Input(split.node, arm),), model=name)


KIND = StepKind(
    "split",
    "routing",
    "each element to one branch, by a hash of its id or of a field",
    (
        Param(
            "arms",
            checks.is_weights,
            "two or more names, each with a fraction above 0, adding up to 1",
            required=True,
            form="branches",
            meant=checks.split_in_proportion,
        ),
        BY,
        BY_FUNCTION,
        Param("salt", checks.is_text, "a text", default="mmnotebook"),
        mapping("pin", "a dict of id (or tuple of ids) to the branch that it takes"),
    ),
    lowering="mmnotebook.beam.lowering.branches:SPLIT",
    script="mmnotebook.export.beam_script.steps:split",
    arms="arms",
    passes_on=True,
    rank=70,
    start={"arms": (("a", 0.5), ("b", 0.5))},
    how=_how,
    describe=_describe,
    templates=(
        Template(
            "ab_split",
            "A/B split",
            "part of the data to one model, the rest to the other",
            _ab_split,
            rank=10,
        ),
    ),
)
