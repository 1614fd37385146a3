"""What was seen of a run's nodes while they were computed, and what follows for their entries."""

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
"""By the digest of what a node computes, why this process saw that no other run may reuse it."""

_KERNEL = uuid.uuid4().hex
"""What came over a network is reused in this process alone."""


@dataclass(frozen=True)
class Seen:
    """What a stored node depends on besides its identity.

    Attributes
    ----------
    observed
        What was observed while it was computed.
    kernel
        The process in which alone it may be reused; "" for every one.
    """

    observed: Observed
    kernel: str = ""

    def changed(self) -> str:
        """What has changed since, as a text for `r.why`; "" for nothing."""
        if self.kernel not in ("", _KERNEL):
            return "it asks others over the network, in this kernel for the first time"
        return self.observed.changed()

    def digest(self) -> str:
        """Of all of it; "" where there is nothing."""
        found = self.observed.digest()
        return digest((found, self.kernel)) if self.kernel else found

    def rows(self) -> list[tuple[str, str, bool]]:
        """Of each dependency its kind, its name, and whether it has changed."""
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
        """What is stored of it with the entry, as JSON."""
        return {"observed": self.observed.to_data(), "kernel": self.kernel}


def _order(row: tuple[str, str, Observed]) -> tuple[str, str]:
    return row[:2]


NOTHING = Seen(Observed())


def stored(meta: Mapping[str, Any]) -> Seen:
    """What was stored with an entry."""
    seen = meta.get("seen")
    return NOTHING if seen is None else Seen(Observed.from_data(seen["observed"]), seen["kernel"])


def judged(
    identity: Identity, record: Record | None, reused: Iterable[Mapping[str, Any]] = ()
) -> tuple[Seen, str]:
    """What a node depends on, and why no other run may reuse what it gave, or "".

    Parameters
    ----------
    identity
        What the node computes.
    record
        What was seen of it; None where nobody watched.
    reused
        Of each entry from which a part of it comes, what was stored with it.
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
        return NOTHING, "it may open files, and was not seen to"
    network = observed.network or NETWORK in identity.may or any(one.kernel for one in parts)
    return Seen(observed, _KERNEL if network else ""), ""
