"""The size of a model's parameters: its tensors and arrays; shared storage counts once."""

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
    """The size of the parameters of a loaded model; None if unknown.

    Attributes
    ----------
    parameter_bytes
        The size of all tensors or arrays of the model, on any device, in bytes.
    device_bytes
        The size of the tensors on an accelerator; None if there are none.
    """

    parameter_bytes: int | None
    device_bytes: int | None


_PIPELINE = {("transformers", "Pipeline")}
_PLAIN = {str, bytes, int, float, bool, type(None)}


def weigh(model: Any) -> Weight:
    """Return the size of the parameters of a loaded model.

    For a torch module, this is every storage of its parameters, its buffers, other tensors in its
    state dict, tensors and arrays in its plain attributes, and constants of its code. For
    frameworks that store parameters outside of Python, see `weights.bytes_of`. For a Hugging Face
    pipeline, it is the size of its model. For any other picklable object, it is the size of all
    such models in it, and of the memory of all NumPy arrays and tensors in it. For scikit-learn,
    this includes the nodes and values of trees.
    """
    try:
        scale = _Scale()
        if not scale.add(model):
            scale.dump(model)
            if not scale.found:
                return Weight(None, None)
        return scale.weight()
    except Exception:  # noqa: BLE001 - what cannot be pickled cannot be weighed
        return Weight(None, None)


def _module_tensors(module: Any) -> list[Any]:
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    # A quantized layer has no parameters; its packed weights are only in the state dict.
    rest = [value for name, value in module.state_dict().items() if name not in named]
    parts = [part for value in rest for part in (value if isinstance(value, tuple) else [value])]
    packed = [part for part in parts if callable(getattr(part, "untyped_storage", None))]
    return [*named.values(), *packed, *_constants(module)]


def _constants(module: Any) -> list[Any]:
    """List the tensors in TorchScript code, which contains the parameters of a frozen module."""
    code = getattr(module, "inlined_graph", None)
    if code is None:
        return []
    values = [node.output().toIValue() for node in code.findAllNodes("prim::Constant")]
    return [value for value in values if callable(getattr(value, "untyped_storage", None))]


def _plain_attributes(module: Any) -> list[Any]:
    """List the attributes of a module and its submodules that torch does not manage."""
    parts = [vars(part) for part in module.modules()]
    return [value for part in parts for name, value in part.items() if name not in OF_MODULES]


def _dense_parts(tensor: Any) -> list[Any]:
    """Return the tensors that store a tensor: the tensor itself, or the parts of a sparse one."""
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
    """A pickler without output that records the memory of every array and tensor in a value."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.arrays: list[tuple[int, int]] = []
        self.tensors: list[Any] = []
        self.outside: dict[int, int | None] = {}
        self._kept: list[Any] = []

    def persistent_id(self, value: Any) -> Any:
        if self.add(value):
            return "weighed"
        return "code" if isinstance(value, type) or hasattr(value, "__code__") else None

    def add(self, value: Any) -> bool:
        """Add the size of an array, tensor or model; return False for any other value."""
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
            # Keep the array alive: otherwise another array could reuse its memory uncounted.
            self._kept.append(array)
            self.arrays.append(_byte_bounds(array))
        return not array.dtype.hasobject

    def _take_module(self, module: Any) -> None:
        self.tensors += _module_tensors(module)
        held, seen = _plain_attributes(module), set[int]()
        while held:
            value = held.pop()
            if isinstance(value, (list, tuple, dict)):
                if id(value) not in seen:  # the module may contain itself
                    held += value.values() if isinstance(value, dict) else value
                seen.add(id(value))
            elif not callable(getattr(type(value), "named_parameters", None)):
                self.add(value)

    @property
    def found(self) -> bool:
        """Whether any array, tensor or model was found."""
        return bool(self.arrays or self.tensors or self.outside)

    def weight(self) -> Weight:
        """Return the total size; `parameter_bytes` is None if the size of a part is unknown."""
        tensors = _weigh_tensors(self.tensors)
        known = [size for size in self.outside.values() if size is not None]
        if len(known) < len(self.outside):
            return Weight(None, tensors.device_bytes)
        arrays = sum(end - start for start, end in _union(self.arrays))
        return Weight((tensors.parameter_bytes or 0) + arrays + sum(known), tensors.device_bytes)


def _byte_bounds(array: Any) -> tuple[int, int]:
    """Return the start and end of the memory of an array, in NumPy 1 and 2."""
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
