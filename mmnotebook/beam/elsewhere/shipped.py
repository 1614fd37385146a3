"""`ShippedPath`: a local path that becomes the path of a copy in another process.

The paths of models and of stored data are replaced by these. When a worker unpickles a part of the
pipeline, it copies the files from the staging area, or from the pipeline itself, into its own
private folder, and checks their digests before anything can load them.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.beam.elsewhere import area
from mmnotebook.beam.elsewhere.area import Area
from mmnotebook.errors import RunError, StorageError

IN_PIPELINE = 1 << 20
"""The maximum size in bytes of all files that travel in a pipeline without a staging area."""

_PROCESS = uuid.uuid4().hex
_here: dict[str, str] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class ShippedFile:
    """A file of a shipment: its name relative to the folder, its digest, and where it is.

    Attributes
    ----------
    content
        The content, or the address in a staging area.
    """

    name: str
    digest: str
    content: bytes | str


@dataclass(frozen=True)
class Shipment:
    """Files that are copied into one folder.

    Attributes
    ----------
    path
        The path to use, relative to the folder; "" for the folder itself.
    modules
        An archive of modules of the user that the files need, or None.
    """

    path: str
    files: tuple[ShippedFile, ...]
    modules: ShippedFile | None = None

    @property
    def digest(self) -> str:
        """A digest of the names and contents."""
        parts = [self.path, *(f"{one.name} {one.digest}" for one in self.files)]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


class ShippedPath(str):
    """The path of a file or folder; unpickled in another process, the path of a copy there."""

    shipment: Shipment

    def __new__(cls, path: str, shipment: Shipment) -> ShippedPath:
        made = super().__new__(cls, path)
        made.shipment = shipment
        return made

    def __str__(self) -> str:
        return self  # str(path) must still be pickled as this object is

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _arrived, (self[:], self.shipment, _PROCESS)


def _arrived(path: str, shipment: Shipment, process: str) -> str:
    return ShippedPath(path, shipment) if process == _PROCESS else fetched(shipment)


def fetched(shipment: Shipment) -> str:
    """Return the path of this process's copy of some files; copy them at the first call."""
    with _lock:
        found = _here.get(shipment.digest)
        if found is None or not Path(found).exists():
            folder = storage.new_folder("shipped")
            if shipment.modules is not None:
                _import_from(shipment.modules)
            for file in shipment.files:
                _fetch(file, folder / file.name)
            found = _here[shipment.digest] = str(folder / shipment.path)
    return found


def _import_from(archive: ShippedFile) -> None:
    """Let this process import the modules in an archive, after all others."""
    if archive.digest not in _here:
        path = storage.new_folder("modules") / archive.name
        _fetch(archive, path)
        _here[archive.digest] = str(path)
        sys.path.append(str(path))


def _fetch(file: ShippedFile, target: Path) -> None:
    area.make_private(target.parent)
    with storage.create_private(target) as copy:
        if isinstance(file.content, str):
            digest = area.copied(file.content, copy)
        else:
            digest = area.new_digest(b"")
            digest.update(file.content)
            digest = digest.hexdigest()
            copy.write(file.content)
    if not area.same(digest, file.digest):
        target.unlink()
        raise StorageError(
            f"the staged file {file.name!r} was altered", remedy="remove it, and run again"
        )


class Shipper:
    """Ships files through a staging area; without one, in the pipeline if they are small.

    Parameters
    ----------
    place
        The staging area, or None.
    """

    def __init__(self, place: Area | None) -> None:
        self.place = place
        self._sent = 0
        self._modules: ShippedFile | None = None

    def path(
        self,
        path: str,
        beside: Iterable[Path] = (),
        what: str = "",
        modules: Mapping[str, Path] | None = None,
    ) -> ShippedPath:
        """Ship a file or a folder.

        Parameters
        ----------
        beside
            Further files, which stay in the same position relative to the file.
        what
            What is shipped, for messages.
        modules
            The files of modules that it needs, by their paths in an archive.
        """
        archive = self._archive(modules) if modules else None
        source = Path(path)
        if source.is_dir():
            paths = sorted(one for one in source.rglob("*") if one.is_file())
            named, inner = {one.relative_to(source).as_posix(): one for one in paths}, ""
        else:
            paths = [source, *beside]
            named = {one.relative_to(source.parent).as_posix(): one for one in paths}
            inner = source.name
        files = tuple(self._file(name, one, what) for name, one in named.items())
        return ShippedPath(path, Shipment(inner, files, archive))

    def _archive(self, modules: Mapping[str, Path]) -> ShippedFile:
        """Ship modules in one archive, once; equal modules have equal archives."""
        if self._modules is None:
            path = storage.new_folder("modules") / "modules.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for name, file in sorted(modules.items()):
                    archive.writestr(zipfile.ZipInfo(name), file.read_bytes())
            self._modules = self._file(path.name, path, "the modules of models")
        return self._modules

    def folder_of(self, path: Path, what: str) -> ShippedPath:
        """Ship one file; return the path of the folder that it is in."""
        files = (self._file(path.name, path, what),)
        return ShippedPath(str(path.parent), Shipment("", files))

    def _file(self, name: str, path: Path, what: str) -> ShippedFile:
        digest = area.digest_of(path)
        if self.place is not None:
            return ShippedFile(name, digest, self.place.put(path, digest).url)
        self._sent += path.stat().st_size
        if self._sent > IN_PIPELINE:
            raise too_big(what)
        return ShippedFile(name, digest, path.read_bytes())


def too_big(what: str) -> RunError:
    """Return the error for files that are too big to travel in a pipeline."""
    return RunError(
        f"{what} must be sent to workers that may not see the files of this machine, and is too "
        f"big to be a part of the pipeline (more than {IN_PIPELINE >> 20} MiB)",
        remedy='name a folder that all workers see: staging="/a/shared/folder" or a URL; for '
        "compile_graph, the pipeline option temp_location",
    )
