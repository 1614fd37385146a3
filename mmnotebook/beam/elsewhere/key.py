"""The user's key, from which the keys of runs are derived; it is never in a staging area."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from pathlib import Path

from mmnotebook import cache_folder, storage
from mmnotebook.errors import StorageError

_NAME = "cluster.key"
_BYTES = 32


def of_user() -> bytes:
    """Return the user's key, which is created at the first call, readable for the user only.

    Raises
    ------
    StorageError
        If it cannot be read or created.
    """
    folder = cache_folder.chosen()
    cache_folder.check(folder)
    path = folder / _NAME
    with cache_folder.reported(folder):
        if not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path)
        found = path.read_bytes()
    if len(found) != _BYTES:
        raise StorageError(f"the key {str(path)!r} was altered", remedy="remove the file")
    return found


def _create(path: Path) -> None:
    """Create the key in one step, since another process may create it at the same time."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with storage.create_private(draft) as file:
        file.write(secrets.token_bytes(_BYTES))
    try:
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def of_run(user: bytes, run_id: str) -> bytes:
    """Return the key of one run, which its workers get."""
    return hashlib.blake2b(run_id.encode(), digest_size=_BYTES, key=user).digest()
