"""Identities of nodes: equal for the same step on the same data."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmnotebook.fingerprint import declared
from mmnotebook.fingerprint.impure import FILES, NETWORK
from mmnotebook.fingerprint.patches import scan_modules_once
from mmnotebook.fingerprint.unknowable import Unknowable
from mmnotebook.fingerprint.walk import (
    Deferred,
    deferring,
    digest,
    digest_of_classes,
    digest_of_settings,
)
from mmnotebook.graph import field_selection
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
    "scan_modules_once",
]

FORMAT = "mmnotebook 8"
"""A part of the identity of every node; it changes when the meaning of a step changes."""

_NAMED = ("data", "function", "transform", "by_function", "score", "watch")
"""Parameters that contain the name of an object: the object's identity counts, not its name."""


_INPUTS = ("input", "data")
"""The roles of the parts of an identity that are inputs of the node."""


@dataclass(frozen=True)
class Identity:
    """The content identity of a value or node.

    Attributes
    ----------
    digest
        32 hex digits, the same in every process; None if the object cannot be fingerprinted.
    reason
        Why there is no digest, as a text that follows "not cacheable: "; "" if there is one.
    parts
        The digests from which `digest` was computed, by role and name: "step", "function f",
        "model mlp", "data digits", "input resize".
    may
        The effects, `FILES` or `NETWORK`, that the code may have; they are observed when it runs.
    codes
        The code objects of the user on which `digest` depends.
    stated
        Whether the user has declared all dependencies of the results.
    observed
        For a node, a digest of further dependencies that were observed; "" for none.
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
        """The digest of a node's identity and observed dependencies: it identifies the results."""
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
    """Return the identity of a value; effects that can be observed when code runs are allowed."""
    with deferring() as left:
        try:
            known = digest(value)
        except Unknowable as reason:
            return Identity(None, str(reason))
    stated = declared.is_stated(value)
    return Identity(known, may=frozenset(left.may), codes=frozenset(left.codes), stated=stated)


@dataclass(frozen=True)
class Behind:
    """The identities of the objects to which the names in a graph refer.

    Attributes
    ----------
    data
        The data, by the name of the source node.
    functions, models
        The functions and models, by name.
    refreshed
        The models that replace registered models, by node.
    codes
        The code of step kinds of other packages, by node.
    reasons
        Why nodes are not cacheable for a reason that is not one of these objects, by node.
    """

    data: Mapping[str, Identity]
    functions: Mapping[str, Identity]
    models: Mapping[str, Identity]
    refreshed: Mapping[str, Identity] = field(default_factory=dict)
    codes: Mapping[str, Identity] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def identities(graph: Graph, behind: Behind) -> dict[str, Identity]:
    """Return the identities of all nodes of a graph.

    Names do not count, with two exceptions: names of models, which are part of predictions, and the
    keys of the dict that a step with joined inputs receives, which are usually names of nodes.

    Parameters
    ----------
    graph
        A valid graph.
    behind
        The identities of the objects to which the names in the graph refer.

    Returns
    -------
    dict
        The identities by node name, in topological order. A node that writes files, or uses an
        object that cannot be fingerprinted, has no digest. Downstream nodes have no digest either.
    """
    found: dict[str, Identity] = {}
    for node in graph.order():
        found[node.name] = of_node(node, behind, found)
    return found


def of_node(node: Node, behind: Behind, found: Mapping[str, Identity]) -> Identity:
    """Return the identity of one node; `found` must contain the identities of its inputs."""
    own = _own(node, behind)
    parts = {"step": _step(node)}
    parts |= {name: one.digest for name, one in own.items() if one.digest}
    parts |= _inputs(node, found)
    reason = behind.reasons.get(node.name) or _own_reason(node, own)
    above = next((wire.node for wire in node.inputs if found[wire.node].digest is None), None)
    if not reason and above is not None:
        reason = found[above].reason
        if not reason.startswith(UPSTREAM):
            reason = f"{UPSTREAM}{above!r}: {reason}"
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


UPSTREAM = "upstream node "
"""The start of the reason if a node is not cacheable because an upstream node is not."""


def _step(node: Node) -> str:
    """Return the digest of the kind and the parameters of a node."""
    params = tuple(pair for pair in node.params if pair[0] not in _NAMED)
    return digest((FORMAT, node.kind, params, node.gather))


def _own(node: Node, behind: Behind) -> dict[str, Identity]:
    """Return the identities of the objects that a node uses, by role and name."""
    given = dict(node.params)
    own = {}
    if not node.inputs:
        own[f"data {given.get('data', given.get('path'))}"] = behind.data[node.name]
    for name in node.functions:
        own[f"function {name}"] = behind.functions[name]
    if node.name in behind.codes:
        own[f"step {node.kind}"] = behind.codes[node.name]
    own |= {f"model {name}": behind.models[name] for name in node.models}
    if node.name in behind.refreshed:
        own[f"model {node['model']}"] = behind.refreshed[node.name]
    return own


def _inputs(node: Node, found: Mapping[str, Identity]) -> dict[str, str]:
    """Return the digests of the inputs of a node, by upstream node and branch."""
    parts: dict[str, str] = {}
    for wire in node.inputs:
        name = wire.key if node.gather == "join" else None
        content = digest(
            (found[wire.node].content, wire.port, field_selection.to_data(wire.select), name)
        )
        label = f"input {wire.node}" + (f".{wire.port}" if wire.port else "")
        if label in parts:  # another field of the same output, joined under another key
            label = f"{label} as {wire.key}"
        parts[label] = content
    return parts


def _own_reason(node: Node, own: Mapping[str, Identity]) -> str:
    if node.step.ends:
        return "it writes a file"
    reasons = (
        part.reason or "it cannot be fingerprinted" for part in own.values() if not part.digest
    )
    return next(reasons, "")


def changes(before: Identity, after: Identity) -> str:
    """Describe what changed between two identities: "its function crop changed"."""
    if after.reason:
        return f"not cacheable: {after.reason}"
    if before.digest == after.digest:
        return "nothing changed"
    changed: dict[str, list[str]] = {}
    for role, name in _changed(before.parts, after.parts):
        changed.setdefault(role, []).append(name)
    text = " and ".join(_description(role, names) for role, names in changed.items())
    return text or "the order of its inputs changed"


def _description(role: str, names: list[str]) -> str:
    if role == "input":
        return f"its input changed ({', '.join(names)})"
    return " ".join(f"its {role} {', '.join(names)} changed".split())


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (role, name) of every new, changed or removed part; a renamed part does not count."""
    removed = {key: content for key, content in before.items() if key not in after}
    for key, content in after.items():
        role, _, name = key.partition(" ")
        same_role = (k for k in removed if k.partition(" ")[0] == role)
        old = key if key in before else next(same_role, "")
        removed.pop(old, None)
        if before.get(old) != content:
            yield role, name
    for key in removed:
        role, _, name = key.partition(" ")
        yield role, name
