"""The canonical text of a graph, with chains on one line where possible."""

from __future__ import annotations

from collections import defaultdict

from mmnotebook.graph.graph import Graph, Input, Node, once
from mmnotebook.graph.kinds import KINDS
from mmnotebook.notation.layout import Layout, LineEnd
from mmnotebook.steps.phrases import (
    is_bare,
    is_default,
    labelled,
    reference,
    select,
    shorthand,
    step,
)


def to_text(graph: Graph) -> str:
    """Return the canonical text, which parses back to an equal graph; "" for an empty one.

    Parameters
    ----------
    graph
        The graph. A missing input is written `...`, which `mm.Builder` accepts but `parse` rejects.

    Returns
    -------
    str
        Lines in the order of the nodes. The line that names a group comes right after the last of
        its members.

    See Also
    --------
    parse : The reverse: the graph of a text.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.parse("a = rows | split(mlp=0.9, tree=0.1)  # an A/B test")
    >>> mm.to_text(graph)
    'a = rows | split(mlp=0.9, tree=0.1)'
    """
    return once(graph, _text)


def _text(graph: Graph) -> str:
    layout = Layout(graph)
    lines: list[str] = []
    place: dict[str, int] = {}
    for node in layout.order:
        row = layout.row(node)
        if row is not None:
            place.update(dict.fromkeys(row.members, len(lines)))
            lines.append(_line(layout, node, row))
    after: dict[int, list[str]] = defaultdict(list)
    for group in layout.groups:
        if group.name not in layout.named:
            last = max(place.get(member, -1) for member in group.members)
            after[last].append(f"{group.name} = {_listed(group.gather, group.members)}")
    return "\n".join(
        [*after[-1], *(text for n, line in enumerate(lines) for text in (line, *after[n]))]
    )


def _line(layout: Layout, node: Node, row: LineEnd) -> str:
    name = row.group
    if row.fork is not None:
        written = _chain(layout, layout.graph[row.fork], [])
    elif row.group is not None or len(row.members) > 1:
        written = _upstream(layout, node.inputs[0], [_list(layout, row.members)])
    else:
        name = None if is_default(node) else node.name
        written = _chain(layout, node, [])
    return written if name is None else f"{name} = {written}"


def _chain(layout: Layout, node: Node, parts: list[str], suffix: str = "") -> str:
    """Return the line up to `node`, followed by `parts`, the later steps in reverse order."""
    while True:
        parts.append(_step(layout, node) + suffix)
        wire = _fed_by(layout, node, parts)
        if wire is None or wire.node not in layout.inside:
            parts += [] if wire is None else [reference(wire)]
            return " | ".join(reversed(parts))
        node, suffix = layout.graph[wire.node], select(wire)


def _upstream(layout: Layout, wire: Input, parts: list[str]) -> str:
    if wire.node in layout.inside:
        return _chain(layout, layout.graph[wire.node], parts, select(wire))
    return " | ".join(reversed([*parts, reference(wire)]))


def _step(layout: Layout, node: Node) -> str:
    if is_bare(node):
        return node.name
    if node.name in layout.forks:
        fed = [layout.graph[name] for name in layout.forks[node.name]]
        return shorthand(node, [str(model["model"]) for model in fed])
    return step(node)


def _fed_by(layout: Layout, node: Node, parts: list[str]) -> Input | None:
    """Return the input that precedes a node on its line; add the text between to `parts`."""
    if node.name in layout.fork_into:
        return Input(layout.fork_into[node.name], None, node.inputs[0].select)
    if node.name in layout.list_into:
        names = layout.list_into[node.name]
        parts.append(_list(layout, names, [select(wire) for wire in node.inputs]))
        return layout.graph[names[0]].inputs[0]
    if node.gather is None:
        if not node.inputs and KINDS[node.kind].inputs != "none":
            parts.append("...")
        return node.inputs[0] if node.inputs else None
    parts.append(_gathered(layout, node))
    return None


def _list(layout: Layout, names: tuple[str, ...], fields: list[str] | None = None) -> str:
    steps = [step(layout.graph[name]) for name in names]
    return _listed("join", [a + b for a, b in zip(steps, fields or [""] * len(steps), strict=True)])


def _gathered(layout: Layout, node: Node) -> str:
    """Return several inputs as text: the name of a group of these inputs, or a list."""
    if any(wire.label is not None for wire in node.inputs):
        return labelled((wire.key, reference(wire)) for wire in node.inputs)
    fields = {wire.select for wire in node.inputs}
    if len(fields) == 1 and all(wire.port is None for wire in node.inputs):
        wanted = (node.gather, tuple(wire.node for wire in node.inputs))
        for group in layout.groups:
            if (group.gather, group.members) == wanted:
                return group.name + select(node.inputs[0])
    return _listed(node.gather, [reference(wire) for wire in node.inputs])


def _listed(gather: str | None, items: list[str] | tuple[str, ...]) -> str:
    return ("{%s}" if gather == "union" else "[%s]") % ", ".join(items)
