"""Models after a switch on another model's output: `guard | switch(f, ok=model, ...)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.notation.writer import to_text
from mmnotebook.steps import phrases
from mmnotebook.steps.makers import makers


@dataclass(frozen=True)
class Guarded:
    """Models that receive another model's output from a switch, which may not be intended.

    Attributes
    ----------
    switch, guard, models
        The switch, the node whose output it routes (a model or an ensemble), and the models after
        the switch.
    judged
        The input of the guard.
    """

    switch: Node
    guard: Node
    models: tuple[Node, ...]
    judged: Input


def guarded(graph: Graph, has_input: Callable[[str], bool]) -> Iterator[Guarded]:
    """Yield every switch of a valid graph that routes a model's output to models.

    Parameters
    ----------
    has_input
        Returns whether the model with this name is registered with `input=`.
    """
    for switch in graph:
        above = list(makers(graph, switch)) if _goes_by_value(switch) else []
        if len(above) != 1 or above[0].select is not None or switch.gather == "join":
            continue
        guard = graph[above[0].node]
        judged = _judged(graph, guard)
        models = tuple(
            node
            for node in _fed(graph, switch)
            if node.step.family == "model" and not all(map(has_input, node.models))
        )
        if judged is not None and models and switch.inputs[0].select is None:
            yield Guarded(switch, guard, models, judged)


def _goes_by_value(node: Node) -> bool:
    return node.step.family == "routing" and not node.step.weighed


def _fed(graph: Graph, switch: Node) -> list[Node]:
    """Return the steps that take a switch's output unchanged."""
    alone = (node for node in graph if len(node.inputs) == 1)
    wires = ((node, node.inputs[0]) for node in alone)
    return [node for node, wire in wires if wire.node == switch.name and wire.select is None]


def _judged(graph: Graph, guard: Node) -> Input | None:
    """Return the input of a model, or the common input of an ensemble's models; else None."""
    if guard.step.family == "model":
        return guard.inputs[0] if len(guard.inputs) == 1 else None
    if guard.step.family != "combining":
        return None
    found = {_judged(graph, graph[wire.node]) for wire in guard.inputs}
    return found.pop() if len(found) == 1 else None


def meant(graph: Graph, one: Guarded) -> str:
    """Return the pipeline text that passes the guard's input, not its output, to the models."""
    way = replace(one.switch, name=_free(graph, "way"))
    above = graph.upto(one.switch.name)
    nodes = tuple(way if node == one.switch else node for node in above)
    ends = [_end(one, node, way.name) for node in _fed(graph, one.switch)]
    last = ends[0] if len(ends) == 1 else "{" + ", ".join(ends) + "}"
    return f"{to_text(replace(above, nodes=nodes))}\n{last}"


def _end(one: Guarded, node: Node, way: str) -> str:
    taken = replace(node.inputs[0], node=way)
    if node not in one.models:
        return f"{phrases.reference(taken)} | {phrases.step(node)}"
    pairs = (("value", phrases.reference(one.judged)), ("verdict", phrases.reference(taken)))
    # map(dict) only copies the record. It is there because a model step has no missing=.
    return f'{phrases.labelled(pairs)} | map(dict, missing="skip")["value"] | {phrases.step(node)}'


def _free(graph: Graph, wanted: str) -> str:
    taken = {*graph.names, *(group.name for group in graph.groups)}
    taken |= {name for node in graph for name in (*node.models, *node.functions, *node.data)}
    count, free = 1, wanted
    while free in taken:
        count += 1
        free = f"{wanted}_{count}"
    return free
