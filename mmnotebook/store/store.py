"""`Store`, which finds, adds and keeps entries within a size limit."""

from __future__ import annotations

import functools
import os
import re
import time
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmnotebook import sizes, storage
from mmnotebook.errors import StorageError
from mmnotebook.store import entries, eviction, folder, lineage, outdated
from mmnotebook.store.entries import Entry
from mmnotebook.store.shards import Damaged

_IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Store:
    """The entries in one folder, which several processes may use at once.

    Parameters
    ----------
    folder
        The user's cache folder; its subfolder for this format is created if necessary.
    limit
        The limit in bytes; None for MMNOTEBOOK_CACHE_LIMIT, or else 20 GiB or a quarter of the
        disk, whichever is less.

    Attributes
    ----------
    notes
        Messages for the user, such as repaired damage, one line each; the code that shows a
        message removes it from the list.
    hits, misses
        The numbers of identities that this object found and did not find.
    checked, differed
        The number of entries that were compared with new outputs of their nodes, and the number of
        entries that were removed because the outputs differed.
    beside
        A second store for new entries if this store cannot be written; `find` also searches the
        second store.

    Raises
    ------
    StorageError
        If the folder cannot be used. Every method may raise this error too.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder = folder.absolute()
        self.notes: list[str] = []
        self.hits = self.misses = 0
        self.checked = self.differed = 0
        self.beside: Aside | None = None
        self._join()
        self.limit = eviction.default_limit(self.inner) if limit is None else limit

    @property
    def inner(self) -> Path:
        """The subfolder for this format."""
        return self._member.inner

    @property
    def limit(self) -> int:
        """The maximum size of the entries that are not in use; a change takes effect at once."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        with self._locked():
            eviction.evict(self.inner, limit)
        folder.empty_trash(self.inner)

    @property
    def bytes(self) -> int:
        """The size of all entries."""
        return eviction.total(self.inner)

    def draft(self, identity: str) -> Draft:
        """Return a draft: a new, empty folder for the shards of an entry."""
        if not _IDENTITY.fullmatch(identity):
            raise ValueError(f"identity {identity!r}; allowed: 1 to 100 of A-Z, a-z, 0-9, _ and -")
        self._rejoin()
        with folder.reported(self.folder):
            return Draft(self, identity, self._member)

    def find(self, identities: Iterable[str]) -> dict[str, Entry]:
        """Return the undamaged entries of these identities.

        The entries stay in the store as long as the returned objects exist. Damaged entries are
        removed, with a line in `notes`.
        """
        wanted = list(dict.fromkeys(identities))
        found = self._find(wanted)
        if self.beside is not None:
            found |= self.beside._find([one for one in wanted if one not in found])
        for entry in found.values():
            entries.touch(entry)
        self.hits += len(found)
        self.misses += len(wanted) - len(found)
        return found

    def answers(self, own: str, most: int) -> list[Entry]:
        """Return the newest `most` entries of nodes with the identity `own`, for any input.

        The entries stay in the store as long as the returned objects exist. Damage to a shard is
        detected when the shard is read.
        """
        found = self._answers(own, most)
        if self.beside is not None:
            found += self.beside._answers(own, most - len(found))
        for entry in found:
            entries.touch(entry)
        return found

    def forget(self, identity: str) -> None:
        """Retire the entry of an identity, so that it is no longer found."""
        with self._locked():
            for path in _current(self.inner, [identity]).values():
                self._retire(path)
        folder.empty_trash(self.inner)

    def clear(self, node: str | None = None) -> tuple[int, int]:
        """Remove the entries of one node, or of all nodes, that are not in use.

        Return the number of removed bytes, and the number of bytes in entries that are in use.
        """
        with self._locked():
            folder.sweep(self.inner)
            paths = eviction.all_entries(self.inner)
            if node is not None:
                paths = [path for path in paths if _node(path) == node]
            free = set(eviction.free(self.inner))
            kept = sum(eviction.size(path) for path in paths if path not in free)
            freed = eviction.remove(self.inner, (path for path in paths if path in free))
        folder.empty_trash(self.inner)
        return freed, kept

    def discard(self, identities: Iterable[str]) -> None:
        """Retire the entries of these identities, and all entries that were computed from them."""
        chosen = lineage.descended(identities, self._inputs())
        for store in (self, self.beside):
            if store is not None:
                store._retire_all(chosen)

    def _inputs(self) -> dict[Path, set[str]]:
        """Return the identities of the input entries of each entry folder."""
        beside = {} if self.beside is None else self.beside._inputs()
        return {**lineage.inputs(self.inner), **beside}

    def _retire_all(self, paths: Iterable[Path]) -> None:
        """Retire the given entries; ignore entries that are not in this store."""
        with self._locked():
            for path in paths:
                if path.is_relative_to(self.inner) and path.is_dir():
                    self._retire(path)
        folder.empty_trash(self.inner)

    def take_in(self, draft: Entry, replace: bool, own: str = "") -> Entry:
        """Move a complete draft into the store, and return its entry.

        If an entry with the same identity already exists and `replace` is false, return the
        existing entry. `answers` finds the entry by `own`, unless `own` is "".
        """
        while True:
            if not replace and (found := self._find([draft.identity])):
                return found[draft.identity]
            with self._locked():
                current = _current(self.inner, [draft.identity]).get(draft.identity)
                if current is None or replace:
                    entry = self._placed(draft, current, own)
                    break
        folder.empty_trash(self.inner)
        return entry

    def _placed(self, draft: Entry, former: Path | None, own: str) -> Entry:
        name = f"{draft.identity}.{time.time_ns():020d}{uuid.uuid4().hex[:8]}"
        name += f".{own}" if own else ""
        place = self.inner / "entries" / name
        entry = entries.pinned(entries.moved(draft, place), self._member)
        draft.path.rename(place)
        if former is not None:
            self._retire(former)
        eviction.evict(self.inner, self.limit)
        return entry

    def _answers(self, own: str, most: int) -> list[Entry]:
        found = []
        with self._locked():
            for path in _of_kind(self.inner, own)[:most]:
                with suppress(Damaged):
                    found.append(entries.pinned(entries.read_manifest(path), self._member))
        return found

    def _find(self, identities: list[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        bad: list[tuple[Path, Damaged, str | None]] = []
        with self._locked():
            for identity, path in _current(self.inner, identities).items():
                try:
                    entry = entries.read_manifest(path)
                except Damaged as damaged:
                    bad.append((path, damaged, None))
                else:
                    found[identity] = entries.pinned(entry, self._member)
        # The entries are pinned now, so the checksums can be computed without the lock.
        for identity, entry in list(found.items()):
            try:
                entries.check(entry)
            except Damaged as damaged:
                found.pop(identity).let_go()
                bad.append((entry.path, damaged, entry.meta.get("node")))
        if bad:
            self._drop(bad)
        return found

    def _drop(self, bad: list[tuple[Path, Damaged, str | None]]) -> None:
        with self._locked():
            for path, damaged, node in bad:
                self._note(damaged, node)
                if path.exists():
                    self._retire(path)
        folder.empty_trash(self.inner)

    def _note(self, damaged: Damaged, node: str | None) -> None:
        what = "manifest" if damaged.path.name == entries.MANIFEST else "shard"
        text = f"a stored {what} {damaged.what}; computed again"
        self.notes.append(f"{node}: {text}" if node else text)

    def _retire(self, path: Path) -> None:
        """Remove an entry that is not in use; mark any other entry, so that it is not found."""
        if path.name not in folder.pins(self.inner) or not path.is_dir():
            folder.discard(self.inner, path)
        else:
            (path / entries.RETIRED).touch(mode=0o600)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._rejoin()
        with folder.locked(self.inner), folder.reported(self.folder):
            yield

    def _rejoin(self) -> None:
        if not self._member.is_here:
            self._join()

    def _join(self) -> None:
        if freed := outdated.remove(self.folder):
            said = f"removed {sizes.text(freed)} of files from earlier versions of mmnotebook"
            self.notes.append(said)
        inner = folder.prepared(self.folder)
        with folder.locked(inner), folder.reported(self.folder):
            folder.sweep(inner)
            eviction.remove(inner, eviction.unused(inner))
            self._member = folder.Membership(inner)
        folder.empty_trash(inner)


class Aside(Store):
    """A private store of this process that also reads a shared store that cannot be written.

    This object writes nothing to the shared store, so it cannot pin the entries in it. If another
    process removes an entry that this process uses, reading the entry raises `Damaged`.

    Parameters
    ----------
    base
        `Store.inner` of the shared store.
    why
        Why the shared store cannot be written: "is read-only" or "is full".
    """

    def __init__(self, base: Path, why: str) -> None:
        self.base = base
        self._seen: set[Path] = set()
        super().__init__(storage.new_folder("cache"))
        self.notes.append(
            f"the cache in {str(base.parent)!r} {why}: its entries are read, and new results of "
            "this kernel are kept in a private temporary folder until the kernel ends"
        )

    @property
    def can_write_base(self) -> bool:
        """Whether the shared store can be written again."""
        return os.access(self.base.parent, os.W_OK) and os.access(self.base, os.W_OK)

    def _inputs(self) -> dict[Path, set[str]]:
        return {**super()._inputs(), **lineage.inputs(self.base)}

    def _retire_all(self, paths: Iterable[Path]) -> None:
        chosen = list(paths)
        super()._retire_all(chosen)
        for path in chosen:
            if path.is_relative_to(self.base):  # nothing can be removed from the shared store
                self._seen.add(path)
                entries.distrust(
                    Damaged(path / entries.MANIFEST, "differs from its current output")
                )

    def _find(self, identities: list[str]) -> dict[str, Entry]:
        found = super()._find(identities)
        for identity, path in _current(self.base, set(identities) - found.keys()).items():
            try:
                entry = entries.read_manifest(path)
                entries.check(entry)
            except Damaged as damaged:
                if path not in self._seen:
                    self._note(damaged, None)
                self._seen.add(path)
            else:
                found[identity] = entry.keep(functools.partial(_nothing))
        return found

    def _answers(self, own: str, most: int) -> list[Entry]:
        found = super()._answers(own, most)
        for path in _of_kind(self.base, own)[: most - len(found)]:
            with suppress(Damaged):
                found.append(entries.read_manifest(path).keep(functools.partial(_nothing)))
        return found


def opened(place: Path) -> Store:
    """Open the store in a folder; if the folder cannot be written, open an `Aside`.

    Raises
    ------
    StorageError
        If the folder cannot be used.
    """
    try:
        return Store(place)
    except StorageError as error:
        why = folder.why_unwritable(error)
        if why is None or not place.is_dir():
            raise
        return Aside(folder.inner_of(place), why)


def _current(inner: Path, identities: Iterable[str]) -> dict[str, Path]:
    """Return the folder of the current entry of each identity that has an entry."""
    wanted = set(identities)
    newest_last = folder.listed(inner / "entries") if wanted else []
    named = ((lineage.identity_of(path), path) for path in newest_last)
    return {
        identity: path
        for identity, path in named
        if identity in wanted and not (path / entries.RETIRED).exists()
    }


def _of_kind(inner: Path, own: str) -> list[Path]:
    """List the folders of the entries of nodes with the identity `own`, the newest first."""
    named = (path.name.split(".") for path in folder.listed(inner / "entries"))
    newest = sorted((name for name in named if name[2:] == [own]), key=lambda n: n[1], reverse=True)
    paths = [inner / "entries" / ".".join(name) for name in newest]
    return [path for path in paths if not (path / entries.RETIRED).exists()]


def _nothing() -> None:
    """Do nothing, since an entry of a read-only store is not pinned."""


class Draft:
    """An entry that is being written; if it is not committed, it is removed with this object.

    Attributes
    ----------
    identity
        The identity of the node's content.
    path
        The folder for its shards; see `eviction.write_shard`.
    """

    def __init__(self, store: Store, identity: str, member: folder.Membership) -> None:
        self.identity, self.path = identity, member.new_draft()
        self._store, self._member = store, member
        self._remove = functools.partial(_remove, member, self.path)
        self._unused = weakref.finalize(self, self._remove)
        self._unused.atexit = False

    def commit(
        self,
        meta: Mapping[str, Any],
        *,
        rows: int | None = None,
        lasting: bool = True,
        replace: bool = False,
        own: str = "",
        identity: str | None = None,
    ) -> Entry:
        """Add the files that were written so far to the store, as an entry.

        Parameters
        ----------
        meta
            Metadata that can be written as JSON; users see `node` and `kind`.
        rows
            The number of elements that the shards must have; None if it is not known.
        lasting
            False for an entry that no other run may find, since its identity does not determine its
            content. Such an entry is removed when it is no longer in use, at the latest at exit.
        replace
            Whether to replace an existing entry with the same identity. If false, an existing
            undamaged entry is returned, and the draft is removed.
        own
            The identity of the node without its input, by which `Store.answers` finds the entry.
        identity
            The identity of the entry, if it must not be found by the identity of the draft.

        Raises
        ------
        Damaged
            If a shard is damaged or was removed.
        StorageError
            If the disk is full. The draft is not removed.
        """
        identity = identity or self.identity
        write = functools.partial(entries.write_manifest, self.path, identity, meta, rows)
        draft = eviction.with_room(self._member.inner, 1 << 16, write)
        if lasting:
            entry = self._store.take_in(draft, replace, own)
            self.discard()
        else:
            self._unused.detach()
            entry = draft.keep(self._remove)
        return entry

    def discard(self) -> None:
        """Remove the draft with everything written to it."""
        self._unused()


def _remove(member: folder.Membership, path: Path) -> None:
    folder.remove_own(member.pid, path)


def _node(path: Path) -> Any:
    try:
        return entries.read_manifest(path).meta.get("node")
    except Damaged:
        return None
