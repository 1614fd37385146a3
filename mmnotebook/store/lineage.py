"""Which entries were computed from which others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mmnotebook.store import entries, folder
from mmnotebook.store.shards import Damaged

INPUTS = "inputs"
"""Under this name an entry's `meta` lists the identities of what it was computed from."""


def identity_of(path: Path) -> str:
    """The identity in the name of an entry's folder."""
    return path.name.split(".")[0]


def inputs(inner: Path) -> dict[Path, set[str]]:
    """By entry folder below `inner`, the identities of the entries that it was computed from."""
    found = {}
    for path in folder.listed(inner / "entries"):
        with suppress(Damaged):
            found[path] = set(entries.read_manifest(path).meta.get(INPUTS, ()))
    return found


def descended(identities: Iterable[str], of: Mapping[Path, set[str]]) -> list[Path]:
    """The folders of some entries and of all that was computed from them.

    Parameters
    ----------
    of
        What `inputs` gave.
    """
    wrong = set(identities)
    while below := {identity_of(path) for path, above in of.items() if wrong & above} - wrong:
        wrong |= below
    return [path for path in of if identity_of(path) in wrong]
