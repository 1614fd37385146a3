"""What a node computes, as an identity that lasts: the same step on the same data is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mmnotebook.graph import selecting
from mmnotebook.graph.digests.unknowable import Unknowable
from mmnotebook.graph.digests.walk import digest, digest_of_classes
from mmnotebook.graph.graph import Graph, Node

__all__ = [
    "FORMAT",
    "Identity",
    "Unknowable",
    "changes",
    "digest",
    "digest_of_classes",
    "identities",
]

FORMAT = "mmnotebook 6"
"""Goes into the identity of every node: another one is another meaning of the same steps."""

_NAMED = ("data", "function", "by_function", "score", "watch")
"""Parameters that are names of what has an identity of its own; the name itself does not count."""


@dataclass(frozen=True)
class Identity:
    """What something is, by its content.

    Attributes
    ----------
    digest
        32 hex digits, the same in every process; None when it cannot be known.
    reason
        Why it cannot be known, as half a sentence after "always computed: "; or "".
    parts
        The digests that went into it, by what they are of: "step", "function f", "model mlp",
        "data digits", "input resize".
    """

    digest: str | None
    reason: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


def identities(
    graph: Graph,
    data: Mapping[str, Identity],
    functions: Mapping[str, Identity],
    models: Mapping[str, Identity],
    refreshed: Mapping[str, Identity] | None = None,
) -> dict[str, Identity]:
    """What every node of a graph computes.

    Names do not count, with two exceptions: those of models, which stand in predictions, and the
    keys of the dict that a step is given whose inputs are joined, names of nodes as a rule.

    Parameters
    ----------
    graph
        A valid graph.
    data, functions, models
        The identities of what stands behind its names: data by the name of its source node,
        functions and models by their own.
    refreshed
        By node, the identity of the model that stands in place of the registered one.

    Returns
    -------
    dict
        By node name, in the order in which they can run. What writes files, and what uses
        something unknowable, has no digest; neither has anything below it.
    """
    found: dict[str, Identity] = {}
    unknown: dict[str, str] = {}
    for node in graph.order():
        own = _own(node, data, functions, models)
        if refreshed and node.name in refreshed:
            own[f"model {node['model']}"] = refreshed[node.name]
        parts = {"step": _step(node)}
        parts |= {name: identity.digest for name, identity in own.items() if identity.digest}
        parts |= _inputs(node, found)
        reason = _own_reason(node, own)
        above = next((wire.node for wire in node.inputs if wire.node in unknown), None)
        if reason:
            unknown[node.name] = f"{node.name} above it: {reason}"
        elif above is not None:
            reason = unknown[node.name] = unknown[above]
        known = None if reason else digest((FORMAT, tuple(parts.values())))
        found[node.name] = Identity(known, reason, parts)
    return found


def _step(node: Node) -> str:
    """The digest of what a node says itself."""
    params = tuple(pair for pair in node.params if pair[0] not in _NAMED)
    return digest((FORMAT, node.kind, params, node.gather))


def _own(
    node: Node,
    data: Mapping[str, Identity],
    functions: Mapping[str, Identity],
    models: Mapping[str, Identity],
) -> dict[str, Identity]:
    """The identities of what a node uses, by what they are of."""
    given = dict(node.params)
    own = {}
    if not node.inputs:
        own[f"data {given.get('data', given.get('path'))}"] = data[node.name]
    for name in node.functions:
        own[f"function {name}"] = functions[name]
    return own | {f"model {name}": models[name] for name in node.models}


def _inputs(node: Node, found: Mapping[str, Identity]) -> dict[str, str]:
    """The digests of what flows into a node, by where it comes from."""
    parts: dict[str, str] = {}
    for wire in node.inputs:
        name = wire.key if node.gather == "join" else None
        content = digest((found[wire.node].digest, wire.port, selecting.to_data(wire.select), name))
        said = f"input {wire.node}" + (f".{wire.port}" if wire.port else "")
        if said in parts:  # another field of the same output, joined under a key of its own
            said = f"{said} as {wire.key}"
        parts[said] = content
    return parts


def _own_reason(node: Node, own: Mapping[str, Identity]) -> str:
    if node.kind == "write":
        return "it writes a file"
    reasons = (part.reason or "it cannot be known" for part in own.values() if not part.digest)
    return next(reasons, "")


def changes(before: Identity, after: Identity) -> str:
    """What makes a node another than it was, as half a sentence: "its function crop changed"."""
    if after.reason:
        return f"always computed: {after.reason}"
    if before.digest == after.digest:
        return "nothing changed"
    changed: dict[str, list[str]] = {}
    for role, name in _changed(before.parts, after.parts):
        changed.setdefault(role, []).append(name)
    said = " and ".join(_said(role, names) for role, names in changed.items())
    return said or "the order of its inputs changed"


def _said(role: str, names: list[str]) -> str:
    if role == "input":
        return f"what flows into it changed ({', '.join(names)})"
    return " ".join(f"its {role} {', '.join(names)} changed".split())


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(role, name) of every part that is new, another or gone; a new name alone is no change."""
    gone = {key: content for key, content in before.items() if key not in after}
    for key, content in after.items():
        role, _, name = key.partition(" ")
        old = key if key in before else next((k for k in gone if k.partition(" ")[0] == role), "")
        gone.pop(old, None)
        if before.get(old) != content:
            yield role, name
    for key in gone:
        role, _, name = key.partition(" ")
        yield role, name
