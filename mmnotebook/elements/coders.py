"""Compact and fast pickling of elements; a tensor view stores only its own numbers."""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import numpy as np
import torch

from mmnotebook.elements.block import Block

_RAW = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _tensor(
    array: np.ndarray[Any, Any], dtype: torch.dtype, shape: tuple[int, ...]
) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype == dtype else tensor.view(dtype).reshape(shape)


def _reduce_tensor(tensor: torch.Tensor) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    if tensor.layout != torch.strided or tensor.is_quantized:
        return tensor.__reduce_ex__(pickle.HIGHEST_PROTOCOL)  # type: ignore[no-untyped-call, no-any-return]
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    try:
        array = plain.numpy()
    except TypeError:
        # Types that numpy lacks, such as bfloat16, are sent as integers of the same width.
        array = plain.reshape(-1).view(_RAW[plain.element_size()]).numpy()
    return _tensor, (array, plain.dtype, tuple(plain.shape))


def _reduce_array(array: np.ndarray[Any, Any]) -> Any:
    # Copy a read-only array, such as a view of a frame, so that it is writable after loading.
    return (array if array.flags.writeable else array.copy("K")).__reduce_ex__(5)


TABLE = copyreg.dispatch_table.copy()
TABLE[torch.Tensor] = _reduce_tensor
TABLE[torch.nn.Parameter] = _reduce_tensor
TABLE[np.ndarray] = _reduce_array


def dump(
    value: Any, file: Any, buffer_callback: Callable[[pickle.PickleBuffer], Any] | None = None
) -> None:
    """Pickle `value` into a binary file; a view of a tensor contains only its own numbers.

    `buffer_callback` is passed to pickle, which calls it with the memory of each array. If the
    callback returns a false value, the file contains only a reference to the memory.
    """
    pickler = pickle.Pickler(file, protocol=5, buffer_callback=buffer_callback)
    pickler.dispatch_table = TABLE
    pickler.dump(value)


class Element:
    """The type hint of one element: (Key, value), or any other value that `dump` can pickle."""


class ElementCoder(beam.coders.Coder):
    """A coder of one element, which uses `dump`: tensors, arrays, predictions, records, blocks."""

    def encode(self, value: Any) -> bytes:
        buffer = io.BytesIO()
        dump(value, buffer)
        return buffer.getvalue()

    def decode(self, encoded: bytes) -> Any:
        return pickle.loads(encoded)

    def estimate_size(self, value: Any) -> int:
        # Beam uses the size to choose buffers. Encoding an element to measure its size could take
        # longer than the step that computes it.
        return int(getattr(value, "nbytes", 128))

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type[Element]:
        return Element


class BlockCoder(ElementCoder):
    """A coder of a block, column by column; the size of a block is known before encoding."""

    def to_type_hint(self) -> Any:
        return Block


beam.coders.registry.register_coder(Element, ElementCoder)
beam.coders.registry.register_coder(Block, BlockCoder)
