"""Models that keep state between calls, and the reset of this state."""

from __future__ import annotations

from typing import Any

import torch

from mmnotebook.compat.torch import writes
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.errors import ModelError, one_line
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.loaded.parameter_bytes import weigh

_OF_USERS = ("torch", "python", "beam")
"""Frameworks whose models run code of the user; the others manage their own state."""
_MOST = 64 << 20
"""The maximum size, in bytes, of a model whose content is compared."""


def reset(spec: ModelSpec, model: Any) -> None:
    """Reset a model to the state in which it was loaded, with its registered `reset=`.

    Raises
    ------
    ModelError
        If the model has no such method, or the method fails.
    """
    if spec.reset is None:
        return
    try:
        getattr(model, spec.reset)() if isinstance(spec.reset, str) else spec.reset(model)
    except Exception as error:
        raise ModelError(
            f"model {spec.name!r} cannot be reset with {spec.reset!r}: {one_line(error)}",
            remedy="set reset= to the name of a method of the loaded model, or to a function that "
            "takes it",
        ) from error


def mark(spec: ModelSpec, model: Any) -> Any:
    """Return a value that changes if a call changes the model; None if there is no such value.

    For a torch module, it consists of its tensors, the number of writes to each, and its plain
    attributes; for any other object, of its content.
    """
    if spec.framework not in _OF_USERS or spec.reset is not None:
        return None
    try:
        if not isinstance(model, torch.nn.Module):
            return digest(model) if (weigh(model).parameter_bytes or 0) <= _MOST else None
        named = [*model.named_parameters(), *model.named_buffers()]
        tensors = [(name, tensor.data_ptr(), writes(tensor)) for name, tensor in named]
        scripted = isinstance(model, torch.jit.ScriptModule)
        return tensors, None if scripted else digest(list(map(_plain, model.modules())))
    except ENDS_RUN:
        raise
    except BaseException:  # noqa: BLE001 - an object of the user's class, or one without a digest
        return None


def _plain(module: torch.nn.Module) -> dict[str, Any]:
    """Return the attributes of a module except tensors, modules and attributes of torch."""
    own = {*vars(torch.nn.Module()), "training"}
    return {name: value for name, value in vars(module).items() if name not in own}
