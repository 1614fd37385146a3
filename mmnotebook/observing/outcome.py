"""The effect of the observations of nodes on cache entries."""

from __future__ import annotations

import functools
import operator
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mmnotebook.fingerprint.identity import FILES, NETWORK, Identity, digest
from mmnotebook.observing.observed import Observed
from mmnotebook.observing.record import Record
from mmnotebook.observing.states import WORKING_FOLDER

volatile: dict[str, str] = {}
"""The reasons why runs of this process may not reuse results, by the digest of the node."""

_KERNEL = uuid.uuid4().hex
"""An id of this process. Other processes do not reuse its results that depend on the network."""


@dataclass(frozen=True)
class Seen:
    """The dependencies of a stored node, in addition to its identity.

    Attributes
    ----------
    observed
        The observations from the computation of the node.
    kernel
        The id of the only process that may reuse the results; "" if every process may.
    """

    observed: Observed
    kernel: str = ""

    def changed(self) -> str:
        """Describe what has changed since the node was stored, for `r.why`; "" for nothing."""
        if self.kernel not in ("", _KERNEL):
            return "it used the network, for the first time in this kernel"
        return self.observed.changed()

    def digest(self) -> str:
        """Return a digest of all dependencies; "" if there are none."""
        found = self.observed.digest()
        return digest((found, self.kernel)) if self.kernel else found

    def rows(self) -> list[tuple[str, str, bool]]:
        """Return the kind and the name of each dependency, and whether it has changed."""
        seen = self.observed
        alone: list[tuple[str, str, Observed]] = []
        for path, content in seen.files.items():
            kind = "missing file" if content is None else "file"
            alone.append((kind, path, Observed(files={path: content})))
        for path, listing in seen.folders.items():
            alone.append(("folder", path, Observed(folders={path: listing})))
        for name, value in seen.environment.items():
            one = Observed(environment={name: value})
            kind = "environment variable" if name != WORKING_FOLDER else "working directory"
            alone.append((kind, name, one))
        rows = [(kind, name, bool(one.changed())) for kind, name, one in sorted(alone, key=_order)]
        return rows + [("network", "", self.kernel != _KERNEL)] * bool(self.kernel)

    def meta(self) -> dict[str, Any]:
        """Return the data that is stored with the entry, for JSON."""
        return {"observed": self.observed.to_data(), "kernel": self.kernel}


def _order(row: tuple[str, str, Observed]) -> tuple[str, str]:
    return row[:2]


NOTHING = Seen(Observed())


def stored(meta: Mapping[str, Any]) -> Seen:
    """Return the dependencies that were stored with an entry."""
    seen = meta.get("seen")
    return NOTHING if seen is None else Seen(Observed.from_data(seen["observed"]), seen["kernel"])


def judged(
    identity: Identity, record: Record | None, reused: Iterable[Mapping[str, Any]] = ()
) -> tuple[Seen, str]:
    """Return the dependencies of a node, and the reason why no other run may reuse its results.

    The reason is "" if other runs may reuse the results.

    Parameters
    ----------
    identity
        The identity of the node.
    record
        The record of the node; None if it was not observed.
    reused
        The `meta` of each entry from which a part of the node was read.
    """
    if record is None:
        return NOTHING, "it ran where it cannot be observed"
    parts = list(map(stored, reused))
    observed = functools.reduce(operator.or_, (one.observed for one in parts), record.observed())
    if identity.stated:
        return Seen(replace(observed, network=False, volatile="")), ""
    if observed.volatile or record.unwatched:
        return NOTHING, observed.volatile or record.unwatched[0]
    if FILES in identity.may and not (observed.files or observed.folders):
        return NOTHING, "it may open files, but no such access was observed"
    network = observed.network or NETWORK in identity.may or any(one.kernel for one in parts)
    return Seen(observed, _KERNEL if network else ""), ""
