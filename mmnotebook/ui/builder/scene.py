"""The scene of the canvas as JSON: nodes, step kinds, problems."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from mmnotebook.editing.document import Document
from mmnotebook.errors import Problem
from mmnotebook.graph.graph import Node
from mmnotebook.graph.json_format import to_data
from mmnotebook.graph.kinds import KINDS
from mmnotebook.graph.names import Names
from mmnotebook.steps.descriptions import does
from mmnotebook.ui.builder.palette import origin_of, size_of

Json = dict[str, Any]


def nodes(document: Document, problems: Iterable[Problem], names: Names) -> list[Json]:
    """Return the nodes with their positions, descriptions and problems."""
    wrong: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        wrong[problem.node or ""].append(problem_text(problem))
    stored = json.loads(json.dumps(to_data(document.graph)["nodes"]))
    return [
        {**item, **_shown(document, node, names), "problems": wrong[node.name]}
        for item, node in zip(stored, document.graph, strict=True)
    ]


def _shown(document: Document, node: Node, names: Names) -> Json:
    kind = KINDS.get(node.kind)
    x, y = document.places[node.name]
    return {
        "title": node.name,
        "detail": _detail(node, names),
        "x": x,
        "y": y,
        "outputs": [] if kind is None or kind.ends else list(node.arms or (None,)),
        "takes": kind is not None and kind.inputs != "none",
    }


def _detail(node: Node, names: Names) -> str:
    """Describe what a node does or, if its name says that already, what the name refers to."""
    words = does(node)
    return words if words not in ("", node.kind) else _about(node, names) or node.kind


def _about(node: Node, names: Names) -> str | None:
    """Describe what a node's name refers to: its data, model or step kind; None for other names."""
    kind = KINDS.get(node.kind)
    bare = None if kind is None else kind.bare
    if bare == "model":
        spec = names.models.get(node.name)
        return None if spec is None else origin_of(spec)
    if bare == "data" and names.is_data(node.name):
        return size_of(names.object(node.name))
    return kind.summary if kind is not None and node.kind == node.name else None


def groups(document: Document) -> list[Json]:
    """Return the groups."""
    return [
        {"name": group.name, "members": list(group.members), "gather": group.gather}
        for group in document.graph.groups
    ]


def problem_text(problem: Problem) -> str:
    """Return a problem's message without its position, as it is shown at that position."""
    return str(Problem(problem.message, None, None, None, *_facts(problem)))


def _facts(problem: Problem) -> tuple[str | None, str | None, str | None]:
    return problem.found, problem.allowed, problem.nearest


def listed(problems: Sequence[Problem]) -> list[Json]:
    """Return the problems as items of a list."""
    return [
        {"message": problem_text(p), "node": p.node, "line": p.line, "column": p.column}
        for p in problems
    ]


def kinds() -> list[Json]:
    """Return all step kinds."""
    return [
        {"name": kind.name, "summary": kind.summary, "inputs": kind.inputs, "ends": kind.ends}
        for kind in KINDS.values()
    ]
