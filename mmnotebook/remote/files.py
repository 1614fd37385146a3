"""Remote files: what an address matches, versions, copies on this machine, and uploads."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from mmnotebook import storage
from mmnotebook.errors import MMError
from mmnotebook.remote import addresses, problems, schemes, stores
from mmnotebook.remote.problems import RemoteFileError
from mmnotebook.remote.stores import FileStore, RemoteFile

_COMMIT = re.compile(r"/\.[0-9a-f]{32}\.commit$")
"""The address of the mark that is in a folder while its files are replaced."""
_TEMPORARY = re.compile(r"/\.[0-9a-f]{32}\.(commit$|part(/|$))")
_THREADS = 16
_Made = TypeVar("_Made")


def asked(what: str, address: str, ask: Callable[[FileStore], _Made]) -> _Made:
    """Call a function with the store of an address; raise RemoteFileError if it fails."""
    store = schemes.store_of(address, what)
    try:
        return ask(store)
    except (MMError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise problems.failed(what, address, error) from error


def file(address: str) -> RemoteFile | None:
    """Return the file with exactly this address, or None."""
    return asked("read", address, lambda store: store.file(address))


def below(folder: str, pattern: str = "**", given: str | None = None) -> list[RemoteFile]:
    """List the files below a folder that match a glob, by address.

    Parameters
    ----------
    given
        The address in errors; None for the folder.

    Raises
    ------
    RemoteFileError
        If the files of the folder are just being replaced.
    """
    kept = []
    for one in listed(folder, given):
        if _COMMIT.search(one.address):
            raise RemoteFileError(
                "read",
                given or folder,
                "a write is replacing these files now, or was killed while it did",
                remedy="try again, or run the write again",
            )
        if addresses.matches(one.address.removeprefix(folder), pattern):
            kept.append(one)
    return kept


def listed(folder: str, given: str | None = None) -> list[RemoteFile]:
    """List all files below a folder, also hidden ones, by address; `given` is for errors."""
    found = asked("read", given or folder, lambda store: list(store.below(folder)))
    # Some stores have an empty file, "folder/", for each folder.
    files = (one for one in found if not one.address.endswith("/"))
    return sorted(files, key=lambda one: one.address)


def is_temporary(address: str) -> bool:
    """Return whether a file is one of those that `put` and `put_folder` create and rename."""
    return _TEMPORARY.search(address) is not None


def matched(pattern: str) -> list[RemoteFile]:
    """List the files of an address: the file itself, or the matches of a glob."""
    if addresses.has_magic(pattern):
        top = addresses.root(pattern)
        if found := below(top, pattern.removeprefix(top), pattern):
            return found
    found_one = file(pattern)
    return [] if found_one is None else [found_one]


def versions(files: Sequence[str]) -> dict[str, Callable[[], str]]:
    """Return for each file a function that returns its version, or raises the error of `version`.

    All versions are looked up at the same time.
    """
    if not files:
        return {}
    with ThreadPoolExecutor(_THREADS) as pool:
        return {path: pool.submit(version, path).result for path in dict.fromkeys(files)}


def version(address: str) -> str:
    """Return the version of a file, which differs if the content differs.

    It is the size and the checksum of the store, or the digest of the content if the store has no
    checksums.

    Raises
    ------
    RemoteFileError
        If the file does not exist or cannot be read.
    """

    def ask(store: FileStore) -> str:
        found = store.file(address)
        if found is None:
            raise FileNotFoundError(address)
        return f"{found.size} {found.checksum or _digest(store, address)}"

    return asked("read", address, ask)


def _digest(store: FileStore, address: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with store.open(address) as file:
        while chunk := file.read(stores.CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(address: str, folder: Path) -> Path:
    """Copy a file, or all files below a folder, into a folder of this machine; return the path.

    Raises
    ------
    RemoteFileError
        If there is no such file or folder, or it cannot be read.
    """
    name = addresses.last(address)
    if not address.endswith("/") and file(address) is not None:
        return _fetched(address, folder / name)
    top = address.rstrip("/") + "/"
    found = below(top, given=address)
    if not found:
        raise problems.failed("read", address, FileNotFoundError())
    for one in found:
        _fetched(one.address, folder / name / one.address.removeprefix(top))
    return folder / name


def _fetched(address: str, path: Path) -> Path:
    def ask(store: FileStore) -> None:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        with store.open(address) as source, storage.create_private(path) as copy:
            shutil.copyfileobj(source, copy, stores.CHUNK)

    asked("read", address, ask)
    return path


@contextmanager
def copies(paths: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Copy the remote files among some paths; yield the path to read for each; remove the copies.

    Raises
    ------
    RemoteFileError
        If a file cannot be read.
    """
    found = {path: path for path in paths}
    remote = [path for path in found if addresses.is_remote(path)]
    if not remote:
        yield found
        return
    folder = storage.new_folder("remote")
    try:
        targets = [folder / str(place) / addresses.name(path) for place, path in enumerate(remote)]
        with ThreadPoolExecutor(_THREADS) as pool:
            found |= zip(remote, map(str, pool.map(_fetched, remote, targets)), strict=True)
        yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(path: Path, address: str) -> None:
    """Copy a file of this machine to an address, which readers see when it is complete.

    Raises
    ------
    RemoteFileError
        If the file cannot be written.
    """
    part = f"{addresses.folder(address)}.{uuid.uuid4().hex}.part"

    def ask(store: FileStore) -> None:
        try:
            _sent(store, path, part)
            store.move([(part, address)])
        except BaseException:
            with suppress(Exception):
                store.delete([part])
            raise

    asked("write", address, ask)


def put_folder(parts: Sequence[Path], folder: str, old: Sequence[str]) -> None:
    """Copy files of this machine into a folder, in place of the files `old`.

    All files are first copied under names that no glob matches, and then renamed. Meanwhile, a mark
    in the folder lets `below` refuse to read it.

    Raises
    ------
    RemoteFileError
        If the files cannot be written.
    """
    own = uuid.uuid4().hex
    pairs = [(f"{folder}.{own}.part/{path.name}", f"{folder}{path.name}") for path in parts]
    mark = f"{folder}.{own}.commit"
    empty = storage.new_folder("write") / "mark"
    storage.create_private(empty).close()

    def ask(store: FileStore) -> None:
        try:
            for path, (part, _) in zip(parts, pairs, strict=True):
                _sent(store, path, part)
            store.send(empty, mark)
        except BaseException:
            for part, _ in pairs:
                with suppress(Exception):
                    store.delete([part])
            raise
        store.delete(old)
        store.move(pairs)
        store.delete([mark])

    try:
        asked("write", folder, ask)
    finally:
        shutil.rmtree(empty.parent, ignore_errors=True)


def _sent(store: FileStore, path: Path, address: str) -> None:
    store.send(path, address)
    found = store.file(address)
    if found is None or found.size != path.stat().st_size:
        raise OSError(f"{path.stat().st_size:,} bytes were sent, but fewer have arrived")
