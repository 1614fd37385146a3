"""`keyed({"de": m1, "fr": m2}, by="language")`: the element's key chooses the model."""

from __future__ import annotations

from collections.abc import Iterator

from mmnotebook.errors import Gap, Problem
from mmnotebook.graph.checks import is_count, is_grouping, is_text, one_of
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.graph.kinds import LOWERINGS, Param, StepKind
from mmnotebook.graph.template import Fill, Sketch, Template
from mmnotebook.steps.descriptions import cut
from mmnotebook.steps.kinds.params import BY_FUNCTION, GOES_BY, goes_by, mapping, model
from mmnotebook.steps.makers import makers

_SHOWN = 8  # mappings in a tooltip
_LONGEST = 24  # characters of a key


def _describe(node: Node) -> str:
    count = len(node.models)
    return f"{count} model{'' if count == 1 else 's'} by {goes_by(node) or 'key'}"


def _details(node: Node) -> list[str]:
    """Return a line such as `KEY_1 → m1` for each of the first mappings."""
    pairs = node["models"] or ()
    lines = [f"{cut(', '.join(keys), _LONGEST)} → {name}" for keys, name in pairs[:_SHOWN]]
    if len(pairs) > _SHOWN:
        lines.append(f"and {len(pairs) - _SHOWN} more")
    return lines + ([f"all others → {node['default']}"] if node["default"] else [])


def _problems(graph: Graph, node: Node) -> Iterator[Problem]:
    """Yield a problem if a step needs (key, value) pairs, but its input has other elements."""
    if not {"by", "by_function"}.isdisjoint(dict(node.params)):
        return
    for wire in makers(graph, node):
        above = graph[wire.node]
        if wire.select is None and (_has_no_pairs(above) or above.gather == "join"):
            message = (
                "without 'by' the elements must be (key, value) pairs; "
                f"{above.name!r} does not return pairs"
            )
            yield Gap(message, node=node.name, allowed='by="field", or by=function')
            return


def _has_no_pairs(node: Node) -> bool:
    return node.step.reads_files or node.step.family in ("model", "combining")


def _template(sketch: Sketch, data: Input, fill: Fill) -> None:
    models = [((f"KEY_{n}",), name) for n, name in enumerate(fill.models, 1)]
    sketch.add("keyed", (data,), models=models or None)


KIND = StepKind(
    "keyed",
    "model",
    "the element's key chooses the model",
    (
        mapping(
            "models",
            "a dict of key (or tuple of keys) to model name",
            required=True,
            names="model",
        ),
        Param("by", is_text, f"{GOES_BY}; left out for (key, value) pairs", form="field"),
        BY_FUNCTION,
        Param("max_models", is_count, "a positive integer"),
        Param("group", is_grouping, "True, False or 'auto'", default="auto"),
        model("default", "the name of the model for all other keys"),
        Param("lowering", one_of(*LOWERINGS), '"auto", "blocks" or "beam"', default="auto"),
    ),
    lowering="mmnotebook.beam.keyed.lowering:LOWERING",
    script="mmnotebook.export.beam_script.steps:keyed",
    unnamed=("by",),
    rank=100,
    describe=_describe,
    details=_details,
    problems=_problems,
    templates=(
        Template(
            "keyed",
            "Model per key",
            "a field of the element, or the key of a pair, chooses the model",
            _template,
            models=8,
            rank=40,
        ),
    ),
)
