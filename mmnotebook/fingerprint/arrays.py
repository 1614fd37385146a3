"""Fingerprints of NumPy arrays and torch tensors, from their numbers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mmnotebook.compat.torch import without_subclasses
from mmnotebook.fingerprint import origin
from mmnotebook.fingerprint.tokens import hashed

if TYPE_CHECKING:
    from mmnotebook.fingerprint.walk import Walk

_RAW = frozenset("biufcmMSUV")
_PADDED = "gG"  # long doubles: a number of ten bytes, then undefined padding


def array(walk: Walk, value: Any) -> bytes:
    """Return the token of an array: dtype, shape and numbers; the memory order does not count."""
    kind = type(value)
    if kind.__name__ in ("ndarray", "memmap"):
        return b"array" + _numbers(walk, value)
    head = walk.tokens(kind, getattr(value, "__dict__", None))
    return b"array" + head + _numbers(walk, value.view(sys.modules["numpy"].ndarray))


def scalar(walk: Walk, value: Any) -> bytes:
    return b"scalar" + _numbers(walk, value.reshape(()))


def _numbers(walk: Walk, value: Any) -> bytes:
    dtype = value.dtype
    head = walk.head(dtype.str, dtype, value.shape)
    if dtype.names is not None:
        fields = (walk.token(name) + _numbers(walk, value[name]) for name in dtype.names)
        return head + b"fields" + b"".join(fields)
    if dtype.char in _PADDED:
        return head + walk.token([repr(item) for item in value.reshape(-1)])
    if dtype.kind in _RAW and not dtype.hasobject:
        return head + _memory(value.reshape(-1))
    return head + walk.token(value.reshape(-1).tolist())


def _memory(line: Any) -> bytes:
    """Return the digest of the bytes of a one-dimensional array."""
    line = line if line.flags.c_contiguous else line.copy()
    return hashed(line.view("u1") if line.nbytes else b"")


def tensor(walk: Walk, value: Any) -> bytes:
    """Return the token of a tensor of any layout; the device type counts, as it affects results."""
    if not origin.is_users(type(value).__module__):
        return _tensor(walk, value)
    with without_subclasses():
        return _tensor(walk, value)  # methods of a subclass might return other values


def _tensor(walk: Walk, value: Any) -> bytes:
    device = value.device.type
    head = walk.head(value.dtype, value.layout, device, value.requires_grad)
    try:
        body = _parts(walk, value.detach())
    except (RuntimeError, NotImplementedError, TypeError):
        return walk.unknowable(value)
    extra = None if value.is_nested else getattr(value, "__dict__", None)
    if walk.in_code and value.is_leaf and value.grad is not None:
        body += b"grad" + walk.token(value.grad)
    return b"tensor" + walk.token(type(value)) + head + (walk.token(extra) if extra else b"") + body


def _parts(walk: Walk, value: Any) -> bytes:
    if value.is_nested:
        return b"nested" + b"".join(_parts(walk, part) for part in value.unbind())
    shape = walk.head(tuple(value.shape))
    if value.device.type == "meta":
        return b"meta" + shape
    if value.is_quantized:
        return b"quantized" + shape + _dense(value.int_repr()) + _dense(value.dequantize())
    layout = str(value.layout).rpartition(".")[2]
    if layout == "strided":
        return shape + _dense(value)
    if layout == "sparse_coo":
        whole = value.coalesce()
        inside: tuple[Any, ...] = whole.indices(), whole.values()
    elif layout in ("sparse_csr", "sparse_bsr"):
        inside = value.crow_indices(), value.col_indices(), value.values()
    elif layout in ("sparse_csc", "sparse_bsc"):
        inside = value.ccol_indices(), value.row_indices(), value.values()
    else:
        inside = (value.to_dense(),)
    return layout.encode() + shape + b"".join(_parts(walk, part) for part in inside)


def _dense(value: Any) -> bytes:
    line = value.cpu().resolve_conj().resolve_neg().reshape(-1).contiguous()
    return _memory(line.view(sys.modules["torch"].uint8).numpy()) if len(line) else hashed()


HANDLERS = (
    ({("numpy", "ndarray")}, array),
    ({("numpy", "generic")}, scalar),
    ({("torch", "Tensor")}, tensor),
)
