"""Identities of nodes: equal for the same step on the same data."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.fingerprint import declared
from mmnotebook.fingerprint.impure import FILES, NETWORK
from mmnotebook.fingerprint.patches import one_look
from mmnotebook.fingerprint.unknowable import Unknowable
from mmnotebook.fingerprint.walk import (
    Deferred,
    deferring,
    digest,
    digest_of_classes,
    digest_of_settings,
)
from mmnotebook.graph import selecting
from mmnotebook.graph.graph import Graph, Node

__all__ = [
    "FILES",
    "FORMAT",
    "NETWORK",
    "Behind",
    "Deferred",
    "Identity",
    "Unknowable",
    "changes",
    "deferring",
    "digest",
    "digest_of_classes",
    "digest_of_settings",
    "identities",
    "identity",
    "of_node",
    "one_look",
]

FORMAT = "mmnotebook 8"
"""Goes into the identity of every node: another one is another meaning of the same steps."""

_NAMED = ("data", "function", "by_function", "score", "watch")
"""Parameters that are names of what has an identity of its own; the name itself does not count."""


_INPUTS = ("input", "data")
"""The parts of an identity that are what flows into a node."""


@dataclass(frozen=True)
class Identity:
    """What something is, by its content.

    Attributes
    ----------
    digest
        32 hex digits, the same in every process; None when it cannot be fingerprinted.
    reason
        Why it cannot be fingerprinted, as half a sentence after "not cacheable: "; or "".
    parts
        The digests that went into it, by what they are of: "step", "function f", "model mlp",
        "data digits", "input resize".
    may
        What its code may do of `FILES` and `NETWORK`; whether it does shows when it runs.
    codes
        The user's code that went into it.
    stated
        Has the user said all that its answers depend on?
    observed
        Of a node: a digest of what it was seen to depend on, besides; "" for nothing.
    """

    digest: str | None
    reason: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    may: frozenset[str] = frozenset()
    codes: frozenset[types.CodeType] = field(default=frozenset(), repr=False)
    stated: bool = False
    observed: str = ""

    @property
    def content(self) -> str | None:
        """The digest of what a node gives: of all that it depends on."""
        if self.digest is None or not self.observed:
            return self.digest
        return digest((self.digest, self.observed))

    @property
    def own(self) -> str | None:
        """The identity of a node without its inputs: 32 hex digits; None if not cacheable."""
        if self.digest is None:
            return None
        kept = [one for name, one in self.parts.items() if name.partition(" ")[0] not in _INPUTS]
        return digest((FORMAT, "own", tuple(kept)))


def identity(value: Any) -> Identity:
    """What a value is; what its code may do is left to be observed when it runs."""
    with deferring() as left:
        try:
            known = digest(value)
        except Unknowable as reason:
            return Identity(None, str(reason))
    stated = declared.is_stated(value)
    return Identity(known, may=frozenset(left.may), codes=frozenset(left.codes), stated=stated)


@dataclass(frozen=True)
class Behind:
    """The identities of what stands behind the names in a graph.

    Attributes
    ----------
    data
        By the name of its source node.
    functions, models
        By their own names.
    refreshed
        By node, the model that stands in place of the registered one.
    """

    data: Mapping[str, Identity]
    functions: Mapping[str, Identity]
    models: Mapping[str, Identity]
    refreshed: Mapping[str, Identity] = field(default_factory=dict)


def identities(graph: Graph, behind: Behind) -> dict[str, Identity]:
    """What every node of a graph computes.

    Names do not count, with two exceptions: those of models, which stand in predictions, and the
    keys of the dict that a step is given whose inputs are joined, names of nodes as a rule.

    Parameters
    ----------
    graph
        A valid graph.
    behind
        What its names stand for.

    Returns
    -------
    dict
        By node name, in the order in which they can run. What writes files, and what uses
        something unknowable, has no digest; neither has anything below it.
    """
    found: dict[str, Identity] = {}
    for node in graph.order():
        found[node.name] = of_node(node, behind, found)
    return found


def of_node(node: Node, behind: Behind, found: Mapping[str, Identity]) -> Identity:
    """What one node computes, where `found` has the nodes that it takes from."""
    own = _own(node, behind)
    parts = {"step": _step(node)}
    parts |= {name: one.digest for name, one in own.items() if one.digest}
    parts |= _inputs(node, found)
    reason = _own_reason(node, own)
    above = next((wire.node for wire in node.inputs if found[wire.node].digest is None), None)
    if not reason and above is not None:
        reason = found[above].reason
        if ABOVE not in reason:
            reason = f"{above}{ABOVE}{reason}"
    known = None if reason else digest((FORMAT, tuple(parts.values())))
    runs = [one for name, one in own.items() if not name.startswith("data ")]
    return Identity(
        known,
        reason,
        parts,
        frozenset().union(*(one.may for one in runs)),
        frozenset().union(*(one.codes for one in runs)),
        stated=bool(runs) and all(one.stated for one in runs),
    )


ABOVE = " above it: "
"""Separates a node from the reason why it cannot be fingerprinted, in messages of later nodes."""


def _step(node: Node) -> str:
    """The digest of what a node says itself."""
    params = tuple(pair for pair in node.params if pair[0] not in _NAMED)
    return digest((FORMAT, node.kind, params, node.gather))


def _own(node: Node, behind: Behind) -> dict[str, Identity]:
    """The identities of what a node uses, by what they are of."""
    given = dict(node.params)
    own = {}
    if not node.inputs:
        own[f"data {given.get('data', given.get('path'))}"] = behind.data[node.name]
    for name in node.functions:
        own[f"function {name}"] = behind.functions[name]
    own |= {f"model {name}": behind.models[name] for name in node.models}
    if node.name in behind.refreshed:
        own[f"model {node['model']}"] = behind.refreshed[node.name]
    return own


def _inputs(node: Node, found: Mapping[str, Identity]) -> dict[str, str]:
    """The digests of what flows into a node, by where it comes from."""
    parts: dict[str, str] = {}
    for wire in node.inputs:
        name = wire.key if node.gather == "join" else None
        content = digest(
            (found[wire.node].content, wire.port, selecting.to_data(wire.select), name)
        )
        said = f"input {wire.node}" + (f".{wire.port}" if wire.port else "")
        if said in parts:  # another field of the same output, joined under a key of its own
            said = f"{said} as {wire.key}"
        parts[said] = content
    return parts


def _own_reason(node: Node, own: Mapping[str, Identity]) -> str:
    if node.kind == "write":
        return "it writes a file"
    reasons = (
        part.reason or "it cannot be fingerprinted" for part in own.values() if not part.digest
    )
    return next(reasons, "")


def changes(before: Identity, after: Identity) -> str:
    """What makes a node another than it was, as half a sentence: "its function crop changed"."""
    if after.reason:
        return f"not cacheable: {after.reason}"
    if before.digest == after.digest:
        return "nothing changed"
    changed: dict[str, list[str]] = {}
    for role, name in _changed(before.parts, after.parts):
        changed.setdefault(role, []).append(name)
    said = " and ".join(_said(role, names) for role, names in changed.items())
    return said or "the order of its inputs changed"


def _said(role: str, names: list[str]) -> str:
    if role == "input":
        return f"its input changed ({', '.join(names)})"
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
