"""How many bytes a model's parameters take: its own tensors and arrays, shared storage once."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Weight:
    """Bytes of a loaded model's parameters; None where they cannot be known.

    Attributes
    ----------
    parameter_bytes
        Of all its tensors or arrays, wherever they lie.
    device_bytes
        Of those that lie on an accelerator; None when none does.
    """

    parameter_bytes: int | None
    device_bytes: int | None


def weigh(model: Any) -> Weight:
    """The true bytes of a loaded model.

    For a torch module: every storage behind its parameters and buffers. For anything else that can
    be pickled: every buffer behind the numpy arrays and tensors found in it, which for scikit-learn
    includes the nodes and values of its trees.
    """
    if callable(getattr(model, "parameters", None)) and callable(getattr(model, "buffers", None)):
        return _weigh_tensors([*model.parameters(), *model.buffers()])
    scale = _Scale()
    try:
        scale.dump(model)
    except Exception:  # Whatever a foreign object's pickling raises: its weight is not known.
        return Weight(None, None)
    if not scale.arrays and not scale.tensors:
        return Weight(None, None)
    tensors = _weigh_tensors(scale.tensors)
    arrays = sum(end - start for start, end in _union(scale.arrays))
    return Weight((tensors.parameter_bytes or 0) + arrays, tensors.device_bytes)


def _weigh_tensors(tensors: list[Any]) -> Weight:
    storages = {}
    for tensor in tensors:
        storage = tensor.untyped_storage()
        storages[(str(storage.device), storage.data_ptr())] = (storage.device.type, storage.nbytes())
    on_device = sum(size for kind, size in storages.values() if kind not in ("cpu", "meta"))
    total = sum(size for _, size in storages.values())
    return Weight(total, on_device or None)


class _Scale(pickle.Pickler):
    """A pickler that writes nothing and notes the memory of every array and tensor it meets."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.arrays: list[tuple[int, int]] = []
        self.tensors: list[Any] = []
        self._kept: list[Any] = []

    def persistent_id(self, value: Any) -> Any:
        import numpy as np

        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            # Kept alive, so that a temporary's memory is not taken for another's.
            self._kept.append(value)
            self.arrays.append(np.lib.array_utils.byte_bounds(value))
            return "array"
        if callable(getattr(type(value), "untyped_storage", None)):
            self.tensors.append(value)
            return "tensor"
        return "code" if isinstance(value, type) or hasattr(value, "__code__") else None


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Memory spans without overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
