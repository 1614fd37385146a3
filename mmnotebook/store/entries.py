"""`Entry`: the shards and metrics of one node, and the manifest that lists them."""

from __future__ import annotations

import functools
import json
import os
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.store import folder, shards
from mmnotebook.store.shards import Damaged, ShardInfo

MANIFEST = "manifest.json"
RETIRED = "retired"
"""The name of the file that marks an entry as retired but still in use; `find` skips the entry."""
USED = "used"
"""The name of a file with a byte for each use of its entry; its mtime is the last use."""

# The keys are entry folders, whose names are never reused. `_whole` contains the entries that were
# checked and are complete, `_damaged` the entries that are damaged.
_whole: dict[Path, tuple[Any, ...]] = {}
_damaged: dict[Path, tuple[Path, str]] = {}


@dataclass(eq=False)
class Entry:
    """The shards and metadata stored for one node.

    The entry stays in the store as long as a living process has an object for it. A pickled copy of
    this object reads the same files, but does not keep them in the store.

    Attributes
    ----------
    identity
        The identity of the node's content.
    path
        The folder with the files of the entry.
    meta
        The metadata that was passed to `Draft.commit`, restored from JSON.
    infos
        The shards, in the order in which they were written.
    created
        When the entry was committed, in seconds since 1970.
    """

    identity: str
    path: Path
    meta: Mapping[str, Any]
    infos: tuple[ShardInfo, ...]
    created: float

    @property
    def rows(self) -> int:
        """The number of elements in all shards."""
        return sum(info.rows for info in self.infos)

    @property
    def bytes(self) -> int:
        """The size of all shards."""
        return sum(info.bytes for info in self.infos)

    def shards(self) -> Iterator[Any]:
        """Yield the value of each shard, in order.

        Raises
        ------
        Damaged
            If a shard is damaged. The next `Store.find` does not find the entry.
        """
        return map(self.shard, self.infos)

    def shard(self, info: ShardInfo) -> Any:
        """Return the value of one shard of the entry; raise `Damaged` if the shard is damaged."""
        try:
            return shards.read(self.path / info.name, info)
        except Damaged as damaged:
            distrust(damaged)
            raise

    def keep(self, release: functools.partial[None]) -> Entry:
        """Call `release` when this object is garbage-collected, or when `let_go` is called."""
        self._release = weakref.finalize(self, release)
        # Not needed at exit, when the whole folder of the process is removed from the store.
        self._release.atexit = False
        return self

    def let_go(self) -> None:
        """Release the entry, so that the store may remove it."""
        self._release()

    def __reduce__(self) -> tuple[type[Entry], tuple[Any, ...]]:
        return Entry, (self.identity, self.path, self.meta, self.infos, self.created)


def write_manifest(
    path: Path, identity: str, meta: Mapping[str, Any], rows: int | None = None
) -> Entry:
    """Write the manifest that makes a draft folder an entry; remove incomplete files.

    Raises
    ------
    Damaged
        If a shard is incomplete, or the shards do not have `rows` elements in total.
    TypeError, ValueError
        If `meta` cannot be written as JSON.
    """
    for part in path.glob("*.part"):
        part.unlink()
    infos = tuple(map(shards.info, sorted(path.glob("*.shard"))))
    if rows is not None and rows != (found := sum(info.rows for info in infos)):
        raise Damaged(path / MANIFEST, f"lists {found:,} of {rows:,} elements")
    created = time.time()
    body = {
        "identity": identity,
        "created": created,
        "meta": meta,
        "shards": list(map(asdict, infos)),
    }
    body = json.loads(json.dumps(body))
    text = json.dumps({"checksum": _checksum(body), **body}, indent=1)
    _create(path / USED, "")
    _create(path / f"{MANIFEST}.part", text)
    (path / f"{MANIFEST}.part").replace(path / MANIFEST)
    _whole[path] = _state(path, infos)
    return Entry(identity, path, body["meta"], infos, created)


def read_manifest(path: Path) -> Entry:
    """Return the entry in a folder, without reading its shards.

    Raises
    ------
    Damaged
        If there is no manifest, or the name of the folder ("IDENTITY.STAMP") belongs to another
        entry. The name of a draft folder is not compared.
    """
    file = path / MANIFEST
    try:
        with storage.open_regular(file) as stream:
            body = json.loads(stream.read())
        if body.pop("checksum") != _checksum(body):
            raise Damaged(file, "was altered")
        named, _, stamp = path.name.partition(".")
        if stamp and named != body["identity"]:
            raise Damaged(file, "belongs to another entry")
        infos = tuple(ShardInfo(**info) for info in body["shards"])
        return Entry(body["identity"], path, body["meta"], infos, body["created"])
    except FileNotFoundError as error:
        raise Damaged(file, "is missing") from error
    except OSError as error:
        raise Damaged(file, f"cannot be read ({error})") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Damaged(file, "was altered") from error


def moved(entry: Entry, path: Path) -> Entry:
    """Return an entry whose folder is about to be renamed to `path`."""
    if state := _whole.pop(entry.path, None):
        _whole[path] = state
    return Entry(entry.identity, path, entry.meta, entry.infos, entry.created)


def check(entry: Entry) -> None:
    """Raise `Damaged` unless every shard exists and has the right size and checksum.

    A process verifies the checksums once, and again after a file has changed.
    """
    if damaged := _damaged.get(entry.path):
        raise Damaged(*damaged)
    state = _state(entry.path, entry.infos)
    if _whole.get(entry.path) != state:
        for info in entry.infos:
            shards.verify(entry.path / info.name, info)
        _whole[entry.path] = state


def distrust(damaged: Damaged) -> None:
    """Mark the entry of a damaged file as damaged, and all other entries as unchecked."""
    _damaged[damaged.path.parent] = damaged.path, damaged.what
    _whole.clear()


def touch(entry: Entry) -> None:
    """Count a use of an entry, and set the time of its last use."""
    # On a full disk, the count is not updated, but the entry can still be read.
    with suppress(OSError), storage.open_regular(entry.path / USED, "ab") as file:
        file.write(b"+")
    with suppress(OSError):
        now = time.time_ns()
        os.utime(entry.path / USED, ns=(now, now))


def use(path: Path) -> tuple[int, int]:
    """Return the number of uses of an entry, and the last use in nanoseconds since 1970."""
    try:
        state = (path / USED).stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def pinned(entry: Entry, member: folder.Membership) -> Entry:
    """Pin an entry, so that it stays in the store as long as this object exists; return it."""
    pin = member.pin(entry.path.name)
    # The reference to the member keeps the folder of the process as long as there are pins in it.
    return entry.keep(functools.partial(_unpin, member, pin))


def _unpin(member: folder.Membership, pin: Path) -> None:
    folder.remove_own(member.pid, pin)


def _state(path: Path, infos: Iterable[ShardInfo]) -> tuple[Any, ...]:
    """Return the stat data of all shards; raise `Damaged` for a wrong size."""
    states = []
    for info in infos:
        file = path / info.name
        try:
            found = file.stat()
        except OSError as error:
            raise Damaged(file, "is missing") from error
        if found.st_size != info.bytes:
            raise Damaged(file, "was truncated" if found.st_size < info.bytes else "was altered")
        states.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(states)


def _checksum(body: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(body, sort_keys=True).encode()):08x}"


def _create(path: Path, text: str) -> None:
    with storage.create_private(path) as file:
        file.write(text.encode())
