"""Parameter bytes of a model: its tensors and arrays, shared storage once."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import Any

from mmnotebook.compat.torch import OF_MODULES, sparse_parts
from mmnotebook.graph.names import is_a
from mmnotebook.model.loaded import weights


@dataclass(frozen=True)
class Weight:
    """Bytes of a loaded model's parameters; None if unknown.

    Attributes
    ----------
    parameter_bytes
        Bytes of all its tensors or arrays, on any device.
    device_bytes
        Bytes of those on an accelerator; None if there are none.
    """

    parameter_bytes: int | None
    device_bytes: int | None


_PIPELINE = {("transformers", "Pipeline")}
_PLAIN = {str, bytes, int, float, bool, type(None)}


def weigh(model: Any) -> Weight:
    """Return the true bytes of a loaded model.

    For a torch module: every storage behind its parameters, its buffers, anything else in its state
    dict, the tensors and arrays among its plain attributes, and the constants of its code. For
    models of frameworks that store them outside of Python: see `weights.bytes_of`. For a Hugging
    Face pipeline: those of its model. For anything else that can be pickled: those of all such
    models in it, and every buffer behind the numpy arrays and tensors found in it, which for
    scikit-learn includes the nodes and values of its trees.
    """
    try:
        scale = _Scale()
        if not scale.took(model):
            scale.dump(model)
            if not scale.found:
                return Weight(None, None)
        return scale.weight()
    except Exception:  # noqa: BLE001 - what cannot be pickled cannot be weighed
        return Weight(None, None)


def _module_tensors(module: Any) -> list[Any]:
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    # A quantized layer has no parameters: its packed weights are only in the state dict.
    rest = [value for name, value in module.state_dict().items() if name not in named]
    parts = [part for value in rest for part in (value if isinstance(value, tuple) else [value])]
    packed = [part for part in parts if callable(getattr(part, "untyped_storage", None))]
    return [*named.values(), *packed, *_constants(module)]


def _constants(module: Any) -> list[Any]:
    """List the tensors in TorchScript code, where freezing puts the parameters."""
    code = getattr(module, "inlined_graph", None)
    if code is None:
        return []
    values = [node.output().toIValue() for node in code.findAllNodes("prim::Constant")]
    return [value for value in values if callable(getattr(value, "untyped_storage", None))]


def _plain_attributes(module: Any) -> list[Any]:
    """List the attributes of a module's parts that torch does not manage."""
    parts = [vars(part) for part in module.modules()]
    return [value for part in parts for name, value in part.items() if name not in OF_MODULES]


def _dense_parts(tensor: Any) -> list[Any]:
    """Return the tensors that hold a tensor's numbers: itself, unless it is sparse."""
    layout = str(tensor.layout)
    if layout == "torch.sparse_coo":
        return sparse_parts(tensor)
    if layout in ("torch.sparse_csr", "torch.sparse_bsr"):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if layout in ("torch.sparse_csc", "torch.sparse_bsc"):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor]


def _weigh_tensors(tensors: list[Any]) -> Weight:
    storages = {}
    for tensor in [part for whole in tensors for part in _dense_parts(whole)]:
        storage = tensor.untyped_storage()
        storages[(str(storage.device), storage.data_ptr())] = (
            storage.device.type,
            storage.nbytes(),
        )
    on_device = sum(size for kind, size in storages.values() if kind not in ("cpu", "meta"))
    total = sum(size for _, size in storages.values())
    return Weight(total, on_device or None)


class _Scale(pickle.Pickler):
    """A pickler that writes nothing, and notes the memory of every array and tensor it meets."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.arrays: list[tuple[int, int]] = []
        self.tensors: list[Any] = []
        self.outside: dict[int, int | None] = {}
        self._kept: list[Any] = []

    def persistent_id(self, value: Any) -> Any:
        if self.took(value):
            return "weighed"
        return "code" if isinstance(value, type) or hasattr(value, "__code__") else None

    def took(self, value: Any) -> bool:
        """Weigh a value that is weighed as a whole; return whether it is one."""
        import numpy as np

        kind = type(value)
        if kind in _PLAIN:
            return False
        if isinstance(value, np.ndarray):
            return self._take_array(value)
        if callable(getattr(kind, "untyped_storage", None)):
            self.tensors.append(value)
        elif callable(getattr(kind, "named_parameters", None)):
            self._take_module(value)
        elif is_a(value, _PIPELINE):
            self._take_module(value.model)
        elif weights.is_known(value):
            self._kept.append(value)
            self.outside[id(value)] = weights.bytes_of(value)
        else:
            return False
        return True

    def _take_array(self, array: Any) -> bool:
        if not array.dtype.hasobject:
            # Kept alive, so that its memory is not reused and mistaken for another array's.
            self._kept.append(array)
            self.arrays.append(_byte_bounds(array))
        return not array.dtype.hasobject

    def _take_module(self, module: Any) -> None:
        self.tensors += _module_tensors(module)
        held, seen = _plain_attributes(module), set[int]()
        while held:
            value = held.pop()
            if isinstance(value, (list, tuple, dict)):
                if id(value) not in seen:  # it may contain itself
                    held += value.values() if isinstance(value, dict) else value
                seen.add(id(value))
            elif not callable(getattr(type(value), "named_parameters", None)):
                self.took(value)

    @property
    def found(self) -> bool:
        """Whether anything was weighed."""
        return bool(self.arrays or self.tensors or self.outside)

    def weight(self) -> Weight:
        """Return the weight of all values; unknown if that of a part is."""
        tensors = _weigh_tensors(self.tensors)
        known = [size for size in self.outside.values() if size is not None]
        if len(known) < len(self.outside):
            return Weight(None, tensors.device_bytes)
        arrays = sum(end - start for start, end in _union(self.arrays))
        return Weight((tensors.parameter_bytes or 0) + arrays + sum(known), tensors.device_bytes)


def _byte_bounds(array: Any) -> tuple[int, int]:
    """Return where an array's memory begins and ends; numpy 1 and 2 name this differently."""
    steps = [(size - 1) * step for size, step in zip(array.shape, array.strides, strict=True)]
    first = int(array.__array_interface__["data"][0])
    if array.size == 0:
        return first, first
    low, high = (sum(step for step in steps if step < 0), sum(step for step in steps if step > 0))
    return first + low, first + high + int(array.itemsize)


def _union(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge overlapping spans of memory."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
