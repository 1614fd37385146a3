"""PyTorch's internals. Nothing here imports it."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Any

OF_MODULES = frozenset({"_parameters", "_buffers", "_modules"})
"""The attributes in which a module has its tensors and its parts.

Leans on `torch/nn/modules/module.py`.
"""
HOOKS = "_hooks"
"""What is in the name of each attribute in which a module has hooks, by number.

Leans on `torch/nn/modules/module.py`.
"""


def without_subclasses() -> AbstractContextManager[Any]:
    """Return what has a tensor of a subclass answer as a plain one, while it is entered.

    Leans on `torch/csrc/autograd/python_torch_functions_manual.cpp`.
    """
    made: AbstractContextManager[Any] = sys.modules["torch"]._C.DisableTorchFunctionSubclass()
    return made


def changed_printing() -> Any:
    """Return what `torch.set_printoptions` has set; None when it is as at the start.

    Leans on `torch/_tensor_str.py`.
    """
    printed = getattr(sys.modules.get("torch._tensor_str"), "PRINT_OPTS", None)
    return None if printed is None or printed == type(printed)() else printed


def writes(tensor: Any) -> int:
    """Return how often a tensor was written to in place.

    Leans on `torch/csrc/autograd/python_variable.cpp`.
    """
    return int(tensor._version)


def sparse_parts(tensor: Any) -> list[Any]:
    """Return the tensors that hold one of the layout `torch.sparse_coo`, coalesced or not.

    Leans on `aten/src/ATen/native/native_functions.yaml`.
    """
    return [tensor._indices(), tensor._values()]
