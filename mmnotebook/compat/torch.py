"""PyTorch's internals. This module does not import PyTorch."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Any

OF_MODULES = frozenset({"_parameters", "_buffers", "_modules"})
"""The attributes in which a module stores its tensors and its submodules.

Relies on `torch/nn/modules/module.py`.
"""
HOOKS = "_hooks"
"""A part of the names of all attributes in which a module stores its hooks, by number.

Relies on `torch/nn/modules/module.py`.
"""


def without_subclasses() -> AbstractContextManager[Any]:
    """Return a context manager in which tensors of subclasses behave like plain tensors.

    Relies on `torch/csrc/autograd/python_torch_functions_manual.cpp`.
    """
    made: AbstractContextManager[Any] = sys.modules["torch"]._C.DisableTorchFunctionSubclass()
    return made


def changed_printing() -> Any:
    """Return the options set by `torch.set_printoptions`; None if they have their initial values.

    Relies on `torch/_tensor_str.py`.
    """
    printed = getattr(sys.modules.get("torch._tensor_str"), "PRINT_OPTS", None)
    return None if printed is None or printed == type(printed)() else printed


def writes(tensor: Any) -> int:
    """Return how many times a tensor was written to in place.

    Relies on `torch/csrc/autograd/python_variable.cpp`.
    """
    return int(tensor._version)


def sparse_parts(tensor: Any) -> list[Any]:
    """Return the indices and values of a `torch.sparse_coo` tensor, which may be uncoalesced.

    Relies on `aten/src/ATen/native/native_functions.yaml`.
    """
    return [tensor._indices(), tensor._values()]
