"""The entries from which other entries were computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mmnotebook.store import entries, folder
from mmnotebook.store.shards import Damaged

INPUTS = "inputs"
"""The key in an entry's metadata whose value is the list of the identities of its inputs."""


def identity_of(path: Path) -> str:
    """Return the identity that is part of the name of an entry folder."""
    return path.name.split(".")[0]


def inputs(inner: Path) -> dict[Path, set[str]]:
    """Return the identities of the input entries of each entry folder in `inner`."""
    found = {}
    for path in folder.listed(inner / "entries"):
        with suppress(Damaged):
            found[path] = set(entries.read_manifest(path).meta.get(INPUTS, ()))
    return found


def descended(identities: Iterable[str], of: Mapping[Path, set[str]]) -> list[Path]:
    """Return the folders of these entries, and of all entries that were computed from them.

    Parameters
    ----------
    of
        The result of `inputs`.
    """
    wrong = set(identities)
    while below := {identity_of(path) for path, above in of.items() if wrong & above} - wrong:
        wrong |= below
    return [path for path in of if identity_of(path) in wrong]
