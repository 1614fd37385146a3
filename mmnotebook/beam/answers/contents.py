"""Content keys of blocks and of single elements; the keys do not depend on the ids."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch

from mmnotebook.elements.columns import (
    Arrays,
    Cells,
    Column,
    Numbers,
    Objects,
    Records,
    Same,
    Selected,
    Tensors,
    Tuples,
)
from mmnotebook.fingerprint.identity import Unknowable, digest
from mmnotebook.fingerprint.tokens import packed
from mmnotebook.sources import identity

KEY = 16
"""Size of a key in bytes."""
NONE = bytes(KEY)
"""The key of elements that have no content key."""
_FLAT = {str, bytes, int, float, bool, type(None)}
_INT64 = range(-(1 << 63), 1 << 63)
_RAW = frozenset("biufcmMSU")


def of_block(column: Column) -> bytes | None:
    """Return the content key of a block's values; None if they cannot be fingerprinted."""
    try:
        return identity.of_column(column).encode()
    except Unknowable:
        return None


def of_each(column: Column, salt: bytes) -> list[bytes]:
    """Return the content key of each value; equal values have equal keys in columns of any type.

    Parameters
    ----------
    column
        The values.
    salt
        Namespace of the keys: equal values have different keys under different salts.
    """
    begun = blake2b(packed(salt), digest_size=KEY)
    try:
        return [_key(begun, token) for token in _tokens(column)]
    except (Unknowable, RecursionError):
        return [_alone(value, begun) for value in column.rows()]


def _key(begun: Any, token: bytes) -> bytes:
    state = begun.copy()
    state.update(token)
    return state.digest()  # type: ignore[no-any-return]


def _alone(value: Any, begun: Any) -> bytes:
    try:
        return _key(begun, _token(value))
    except (Unknowable, RecursionError):
        return NONE


def is_plain(column: Column) -> bool:
    """Return whether the content key of these values is cheap to compute."""
    if isinstance(column, (Arrays, Tensors, Same)):
        return True
    if isinstance(column, Objects):
        return _FLAT.issuperset(map(type, column.values))
    return all(map(is_plain, _parts(column)))


def _parts(column: Column) -> Iterator[Column]:
    if isinstance(column, Records):
        yield from column.columns.values()
    elif isinstance(column, Tuples):
        yield from column.columns
    elif isinstance(column, Cells):
        yield column.cells
    elif isinstance(column, Selected):
        yield column.records


# Packed tokens can be joined without ambiguity. The tokens that are computed for a whole column are
# equal to the results of `_token` for each value.


def _tokens(column: Column) -> Sequence[bytes]:
    if isinstance(column, Numbers):
        head = {"b": b"b", "i": b"i", "f": b"f"}[column.array.dtype.kind]
        return _lines(head, column.array)
    if isinstance(column, Arrays) and _is_raw(column.array):
        rows = column.array
        return _lines(
            _array_head(b"a" if rows.ndim > 1 else b"g", rows.dtype, rows.shape[1:]), rows
        )
    if isinstance(column, Tensors):
        whole = column.tensor
        return _lines(_tensor_head(whole.dtype, whole.shape[1:]), _bytes(whole))
    if isinstance(column, Same):
        return [_token(column.value)] * len(column)
    if isinstance(column, Records):
        head = _record_head(tuple(column.columns)) + _dtypes(column)
        return _joined(head, [_tokens(part) for part in column.columns.values()])
    if isinstance(column, Tuples):
        return _joined(_kind_head(column.kind), [_tokens(part) for part in column.columns])
    if isinstance(column, Selected):
        return _joined(b"S", [_tokens(column.records)])
    if isinstance(column, Cells):
        return _joined(b"C" + _dtype(column.dtype), [_tokens(column.cells)])
    return [_token(value) for value in column.rows()]


def _lines(head: bytes, rows: np.ndarray[Any, Any]) -> list[bytes]:
    """Return the bytes of each row, each with the common prefix `head`."""
    count = len(rows)
    raw = rows.tobytes()
    width = len(raw) // count if count else 0
    return [head + raw[start * width : (start + 1) * width] for start in range(count)]


def _joined(head: bytes, parts: Sequence[Sequence[bytes]]) -> list[bytes]:
    return [head + b"".join(map(packed, row)) for row in zip(*parts, strict=True)]


def _is_raw(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind in _RAW and array.dtype.char not in "gG" and array.dtype.isnative


def _array_head(mark: bytes, dtype: Any, shape: Sequence[int]) -> bytes:
    return mark + packed(f"{dtype.str} {dtype.num} {tuple(shape)}".encode())


def _tensor_head(dtype: torch.dtype, shape: Sequence[int]) -> bytes:
    return b"t" + packed(f"{dtype} {tuple(shape)}".encode())


def _bytes(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    rows = tensor.contiguous()
    rows = rows.unsqueeze(1) if rows.ndim == 1 else rows.flatten(1)
    if not rows.numel():  # torch may refuse to view an empty tensor as bytes
        return np.empty((len(rows), 0), np.uint8)
    return rows.view(torch.uint8).numpy()


def _record_head(names: tuple[Any, ...]) -> bytes:
    return b"d" + packed(b"".join(packed(_token(name)) for name in names))


@functools.lru_cache(256)
def _kind_head(kind: type) -> bytes:
    return b"u" if kind is tuple else b"N" + packed(digest(kind).encode())


def _dtypes(column: Records) -> bytes:
    """Return the dtypes of a frame's columns as bytes."""
    return b"".join(packed(name.encode() + _dtype(one)) for name, one in column.dtypes.items())


def _dtype(dtype: Any) -> bytes:
    return packed(digest(identity.of_dtype(dtype)).encode())


def _token(value: Any) -> bytes:
    make = _MAKE.get(type(value), _any)
    return make(value)


def _int(value: int) -> bytes:
    if value in _INT64:
        return b"i" + value.to_bytes(8, "little", signed=True)
    return b"I" + str(value).encode()


def _text(value: str) -> bytes:
    return b"s" + value.encode("utf-8", "surrogatepass")


def _array(value: np.ndarray[Any, Any]) -> bytes:
    if not _is_raw(value):
        return _whole(value)
    return _array_head(b"a", value.dtype, value.shape) + value.tobytes()


def _tensor(value: torch.Tensor) -> bytes:
    odd = value.requires_grad or value.layout != torch.strided or value.device.type != "cpu"
    if odd or value.is_conj() or value.is_neg() or value.is_quantized:
        return _whole(value)
    return _tensor_head(value.dtype, value.shape) + _bytes(value.unsqueeze(0)).tobytes()


def _list(value: list[Any]) -> bytes:
    return b"l" + b"".join(packed(_token(item)) for item in value)


def _tuple(value: tuple[Any, ...]) -> bytes:
    return _kind_head(type(value)) + b"".join(packed(_token(item)) for item in value)


def _dict(value: dict[Any, Any]) -> bytes:
    items = b"".join(packed(_token(item)) for item in value.values())
    return _record_head(tuple(value)) + items


def _any(value: Any) -> bytes:
    if isinstance(value, np.generic) and _is_raw(np.asarray(value)):
        return _array_head(b"g", value.dtype, ()) + value.tobytes()
    if (
        isinstance(value, tuple)
        and hasattr(value, "_make")
        and not getattr(value, "__dict__", None)
    ):
        return _tuple(value)
    return _whole(value)


def _whole(value: Any) -> bytes:
    return b"w" + digest(value).encode()


_MAKE: dict[type, Callable[[Any], bytes]] = {
    bool: lambda value: b"b\x01" if value else b"b\x00",
    int: _int,
    float: lambda value: b"f" + struct.pack("<d", value),
    str: _text,
    bytes: lambda value: b"y" + value,
    type(None): lambda value: b"n",
    np.ndarray: _array,
    torch.Tensor: _tensor,
    list: _list,
    tuple: _tuple,
    dict: _dict,
}
