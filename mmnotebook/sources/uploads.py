"""Remote files that `write` steps create or replace."""

from __future__ import annotations

import re
from pathlib import Path

from mmnotebook.errors import RunError
from mmnotebook.remote import files
from mmnotebook.remote.problems import RemoteFileError

PART = re.compile(r"part-\d{5,}-of-\d{5,}\.(parquet|csv|jsonl)")
"""The names of the files of a folder that a `write` creates."""


def check(node: str, path: str, in_folder: bool) -> None:
    """Check, before a run, that the store of an address can be reached.

    Raises
    ------
    RunError
        If it cannot be reached, or if a folder has other files than those of an earlier `write`.
    """
    try:
        if in_folder:
            replaced(path)
        files.asked("write", path, lambda store: store.check(path))
    except RemoteFileError as error:
        raise RunError(
            f"{node!r} cannot write {path!r}: {error.why}", remedy=error.remedy, node=node
        ) from error
    except RunError as error:
        raise RunError(
            f"{node!r} cannot write {path!r}: {error.message}", remedy=error.remedy, node=node
        ) from error


def replaced(folder: str) -> list[str]:
    """List the files of a folder that a `write` replaces.

    Raises
    ------
    RunError
        If the folder has other files too.
    """
    found = [one.address for one in files.listed(folder)]
    for address in found:
        name = address.removeprefix(folder)
        if not (PART.fullmatch(name) or files.is_temporary(address)):
            raise RunError(*refused(name)[:1], remedy=refused(name)[1])
    return found


def refused(other: str) -> tuple[str, str]:
    """Return the cause and the remedy for a folder that has another file."""
    what = f"the folder has other files, such as {other!r}, and would be replaced"
    return what, "use a new or empty folder, or one that only has files of an earlier write"


def send(draft: Path, path: str) -> None:
    """Copy a complete file or folder of this machine to an address.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    if draft.is_dir():
        files.put_folder(sorted(draft.iterdir()), path, replaced(path))
    else:
        files.put(draft, path)
