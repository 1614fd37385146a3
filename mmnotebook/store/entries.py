"""`Entry`: the shards of one node and what was measured of it, and the manifest that lists them."""

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
"""Is there when the entry is not to be found any more, but was still in use."""
USED = "used"
"""A byte for each time the entry was found, its time of change the last of them."""

# By folder, whose name is never used twice: what was seen to be whole, and what was seen not to be.
_whole: dict[Path, tuple[Any, ...]] = {}
_damaged: dict[Path, tuple[Path, str]] = {}


@dataclass(eq=False)
class Entry:
    """What is stored of one node.

    The entry stays in the store for as long as this object, or another one for it, is held in a
    living process. A copy made by pickling reads the same files, and does not keep them.

    Attributes
    ----------
    identity
        The identity of the node's content.
    path
        The folder with its files.
    meta
        What was said of it when it was committed, as JSON gives it back.
    infos
        Its shards, in the order in which they were written.
    created
        When it was committed, in seconds since 1970.
    """

    identity: str
    path: Path
    meta: Mapping[str, Any]
    infos: tuple[ShardInfo, ...]
    created: float

    @property
    def rows(self) -> int:
        """The elements in all shards."""
        return sum(info.rows for info in self.infos)

    @property
    def bytes(self) -> int:
        """The size of all shards."""
        return sum(info.bytes for info in self.infos)

    def shards(self) -> Iterator[Any]:
        """The value of each shard, in order.

        Raises
        ------
        Damaged
            When a shard is not as it was written. The next `Store.find` does not find the entry.
        """
        return map(self.shard, self.infos)

    def shard(self, info: ShardInfo) -> Any:
        """The value of one of its shards; raises `Damaged` as `shards` does."""
        try:
            return shards.read(self.path / info.name, info)
        except Damaged as damaged:
            distrust(damaged)
            raise

    def keep(self, release: functools.partial[None]) -> Entry:
        """Call `release` when nothing holds this object any more, or `let_go` is called."""
        self._release = weakref.finalize(self, release)
        # At the end of the process its whole place in the store goes.
        self._release.atexit = False
        return self

    def let_go(self) -> None:
        """Do not keep it in the store any longer."""
        self._release()

    def __reduce__(self) -> tuple[type[Entry], tuple[Any, ...]]:
        return Entry, (self.identity, self.path, self.meta, self.infos, self.created)


def write_manifest(
    path: Path, identity: str, meta: Mapping[str, Any], rows: int | None = None
) -> Entry:
    """Make a draft folder an entry, what was left half-written thrown away.

    Raises
    ------
    Damaged
        When a shard in it is not whole, or its shards do not hold `rows` elements.
    TypeError, ValueError
        When `meta` cannot be written as JSON.
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
    """The entry in a folder, its shards not looked at.

    Raises
    ------
    Damaged
        When there is none, or it is another's than the folder's name says: "IDENTITY.STAMP", while
        a draft's name says nothing.
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
    """An entry whose folder has got another name."""
    if state := _whole.pop(entry.path, None):
        _whole[path] = state
    return Entry(entry.identity, path, entry.meta, entry.infos, entry.created)


def check(entry: Entry) -> None:
    """Raise `Damaged` unless every shard is there, of its size and, by its checksum, whole.

    The checksums are looked at once in a process, and again when a file has changed.
    """
    if damaged := _damaged.get(entry.path):
        raise Damaged(*damaged)
    state = _state(entry.path, entry.infos)
    if _whole.get(entry.path) != state:
        for info in entry.infos:
            shards.verify(entry.path / info.name, info)
        _whole[entry.path] = state


def distrust(damaged: Damaged) -> None:
    """Find the entry of a damaged file no more, and any other only after another look at it."""
    _damaged[damaged.path.parent] = damaged.path, damaged.what
    _whole.clear()


def touch(entry: Entry) -> None:
    """Count a use, and set the time of the last one."""
    # On a full disk the count stays behind; that must not keep the entry from being read.
    with suppress(OSError), storage.open_regular(entry.path / USED, "ab") as file:
        file.write(b"+")
    with suppress(OSError):
        now = time.time_ns()
        os.utime(entry.path / USED, ns=(now, now))


def use(path: Path) -> tuple[int, int]:
    """How often an entry was found, and when last, in ns since 1970; that it was made counts."""
    try:
        state = (path / USED).stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def pinned(entry: Entry, member: folder.Membership) -> Entry:
    """The entry, kept in the store as long as this object lives."""
    pin = member.pin(entry.path.name)
    # The member among the arguments, so that the process's place lasts as long as its pins.
    return entry.keep(functools.partial(_unpin, member, pin))


def _unpin(member: folder.Membership, pin: Path) -> None:
    folder.remove_own(member.pid, pin)


def _state(path: Path, infos: Iterable[ShardInfo]) -> tuple[Any, ...]:
    """Of every shard what changes when the file does; raises `Damaged` for a wrong size."""
    states = []
    for info in infos:
        file = path / info.name
        try:
            found = file.stat()
        except OSError as error:
            raise Damaged(file, "is missing") from error
        if found.st_size != info.bytes:
            raise Damaged(file, "was cut short" if found.st_size < info.bytes else "was altered")
        states.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(states)


def _checksum(body: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(body, sort_keys=True).encode()):08x}"


def _create(path: Path, text: str) -> None:
    with storage.create_private(path) as file:
        file.write(text.encode())
