"""Shards: files of pickled values with raw arrays, compression and checksums.

A file consists of a head (magic number with the version, rows, number of parts), a table (the size
of each part, its size in the file, and whether it is compressed), the parts, and the CRC-32 of all
this. The first part is the pickle. The others are the bytes of its large arrays and tensors.

CRC-32 detects every error of up to 32 consecutive bits, and all but one in 4e9 other errors. It is
three times as fast as blake2b. It need not detect forgery, since only the user can write the files.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa

from mmnotebook import storage
from mmnotebook.errors import StorageError, one_line

_MAGIC = b"mmshard\x01"
_HEAD = struct.Struct("<8sQI")
_ROW = struct.Struct("<QQB")
_FOOT = struct.Struct("<I")
_SMALL = 1 << 15
"""Arrays below this many bytes stay in the pickle."""
_CHUNK = 1 << 20
_CODECS = (None, "lz4", "zstd")
_RAW, _FAST, _SMALLEST = range(3)
"""The codecs of parts. lz4 makes writing and reading of arrays twice as fast; zstd makes pickles,
especially of text, several times smaller.
"""
_PAYS = 0.8
"""A part is compressed only if compression reduces it to at most this fraction of its size."""
_PIECE = 1 << 14
_MISSING = "is missing"


class Damaged(StorageError):
    """A stored file is missing or damaged.

    Attributes
    ----------
    path
        The file.
    what
        The problem: "is missing", "was truncated", "was altered".
    """

    def __init__(self, path: Path, what: str) -> None:
        since = ": it has been deleted" if what == _MISSING else ""
        super().__init__(
            f"the stored file {str(path)!r} {what}{since}",
            remedy="run the graph again: missing and damaged results are computed again",
        )
        self.path, self.what = path, what

    def __reduce__(self) -> tuple[type[Damaged], tuple[Path, str]]:
        return Damaged, (self.path, self.what)


@dataclass(frozen=True)
class ShardInfo:
    """The name, size, checksum (eight hex digits) and number of elements of a shard."""

    name: str
    bytes: int
    checksum: str
    rows: int = 0


class _Part(NamedTuple):
    size: int
    data: Any
    codec: int


@dataclass(frozen=True)
class Encoded:
    """The encoded form of a value; it may share memory with the arrays of the value."""

    parts: Sequence[_Part]
    rows: int

    @property
    def bytes(self) -> int:
        """The size of the file."""
        table = _HEAD.size + _ROW.size * len(self.parts) + _FOOT.size
        return table + sum(len(part.data) for part in self.parts)


def encode(value: Any, rows: int = 0) -> Encoded:
    """Return the encoded form of a value, for `save`; errors of pickling are raised."""
    # Imported here, so that showing `mm.cache` does not import torch.
    from mmnotebook.elements import coders

    arrays: list[memoryview] = []

    def in_pickle(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _SMALL:
            arrays.append(raw)
        return raw.nbytes < _SMALL

    pickled = io.BytesIO()
    coders.dump(value, pickled, in_pickle)
    parts = [_part(raw, _FAST) for raw in arrays]
    return Encoded([_part(pickled.getbuffer(), _SMALLEST), *parts], rows)


def new_name(number: int) -> str:
    """Return a new name for a shard; sorted names are in the order of writing."""
    return f"{time.time_ns():020d}-{number:06d}-{uuid.uuid4().hex[:8]}.shard"


def write(path: Path, value: Any, rows: int = 0) -> ShardInfo:
    """Write a value to a new private file, which is either complete or missing.

    Parameters
    ----------
    path
        The path of the file; its suffix is `.part` until it is complete.
    value
        Anything that can be pickled; big arrays and tensors in it are not copied.
    rows
        The number of elements in the value, for the manifest.
    """
    return save(path, encode(value, rows))


def save(path: Path, encoded: Encoded) -> ShardInfo:
    """Write the result of `encode`; a failure leaves no file behind."""
    draft = path.with_suffix(".part")
    checksum = 0
    try:
        with storage.create_private(draft) as file:
            for piece in (_table(encoded), *(part.data for part in encoded.parts)):
                checksum = zlib.crc32(piece, checksum)
                file.write(piece)
            file.write(_FOOT.pack(checksum))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return ShardInfo(path.name, encoded.bytes, f"{checksum:08x}", encoded.rows)


def read(path: Path, info: ShardInfo) -> Any:
    """Return the value in a file; arrays in it are writable.

    Raises
    ------
    Damaged
        Before anything is unpickled, if a single bit has changed; after that, if the value cannot
        be restored here (for example because its class no longer exists).
    """
    with _opened(path, info) as file:
        _, table, checksum = _read_table(file, path)
        stored = []
        for part in table:
            data = np.empty(part.data, np.uint8)
            if file.readinto(data.data) != part.data:  # type: ignore[attr-defined]
                raise Damaged(path, "was truncated")
            checksum = zlib.crc32(data.data, checksum)
            stored.append(data)
        _compare(file, path, checksum, info)
    try:
        pickled, *arrays = map(_unpacked, table, stored)
        return pickle.loads(pickled, buffers=arrays)
    except MemoryError:
        raise
    except Exception as error:
        raise Damaged(path, f"cannot be read here ({one_line(error)})") from error


def verify(path: Path, info: ShardInfo) -> None:
    """Check the size and the checksum of a file without unpickling it; raise `Damaged`."""
    checksum, left = 0, info.bytes - _FOOT.size
    with _opened(path, info) as file:
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            checksum = zlib.crc32(chunk, checksum)
            left -= len(chunk)
        _compare(file, path, checksum, info)


def info(path: Path) -> ShardInfo:
    """Return the description of a shard; raise `Damaged` if its size or its table is wrong."""
    with _opened(path, None) as file:
        rows, _, _ = _read_table(file, path)
        file.seek(-_FOOT.size, os.SEEK_END)
        (checksum,) = _FOOT.unpack(file.read())
        return ShardInfo(path.name, file.tell(), f"{checksum:08x}", rows)


def _part(raw: memoryview, codec: int) -> _Part:
    """Return a part, compressed if this makes it small enough; a sample is compressed first."""
    if len(_compressed(_sample(raw), codec)) > _PAYS * min(len(raw), 4 * _PIECE):
        return _Part(len(raw), raw, _RAW)
    packed = _compressed(raw, codec)
    if len(packed) > _PAYS * len(raw):
        return _Part(len(raw), raw, _RAW)
    return _Part(len(raw), packed, codec)


def _sample(raw: memoryview) -> Any:
    if len(raw) <= 4 * _PIECE:
        return raw
    starts = (place * (len(raw) - _PIECE) // 3 for place in range(4))
    return b"".join(raw[start : start + _PIECE] for start in starts)


def _compressed(raw: Any, codec: int) -> np.ndarray[Any, Any]:
    # An array, since len() of a memoryview of pyarrow's buffer is too large: pyarrow shrinks the
    # buffer after the compression.
    return np.frombuffer(pa.compress(raw, codec=_CODECS[codec], asbytes=False), np.uint8)


def _unpacked(part: _Part, data: Any) -> Any:
    if part.codec == _RAW:
        return data
    codec = _CODECS[part.codec]
    return pa.decompress(data, decompressed_size=part.size, codec=codec, asbytes=False)


def _table(encoded: Encoded) -> bytes:
    head = _HEAD.pack(_MAGIC, encoded.rows, len(encoded.parts))
    rows = (_ROW.pack(part.size, len(part.data), part.codec) for part in encoded.parts)
    return b"".join((head, *rows))


def _read_table(file: BinaryIO, path: Path) -> tuple[int, list[_Part], int]:
    """Read the rows, the parts (with their file sizes as data), and the checksum so far."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise Damaged(path, "was truncated")
    magic, rows, count = _HEAD.unpack(head)
    if magic != _MAGIC or count == 0:
        raise Damaged(path, "was altered")
    table = file.read(min(count * _ROW.size, size))
    if len(table) < count * _ROW.size:
        raise Damaged(path, "was truncated")
    parts = [_Part(*entry) for entry in _ROW.iter_unpack(table)]
    whole = len(head) + len(table) + sum(part.data for part in parts) + _FOOT.size
    if whole != size:
        raise Damaged(path, "was truncated" if size < whole else "was altered")
    return rows, parts, zlib.crc32(table, zlib.crc32(head))


def _compare(file: BinaryIO, path: Path, checksum: int, info: ShardInfo) -> None:
    if file.read() != _FOOT.pack(checksum) or f"{checksum:08x}" != info.checksum:
        raise Damaged(path, "was altered")


@contextmanager
def _opened(path: Path, info: ShardInfo | None) -> Iterator[BinaryIO]:
    """Open a file for reading, after checking its size."""
    try:
        with storage.open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if info is not None and size != info.bytes:
                raise Damaged(path, "was truncated" if size < info.bytes else "was altered")
            yield file
    except FileNotFoundError as error:
        raise Damaged(path, _MISSING) from error
    except OSError as error:
        raise Damaged(path, f"cannot be read ({one_line(error)})") from error
