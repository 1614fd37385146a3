"""Models that keep state between calls, and resetting it."""

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
"""Frameworks whose models run code of the user's; the others manage their own state."""
_MOST = 64 << 20
"""The largest model, in bytes, whose content is compared."""


def reset(spec: ModelSpec, model: Any) -> None:
    """Reset a model to the state in which it was loaded, by the `reset=` of its registration.

    Raises
    ------
    ModelError
        When the model has no such method, or it fails.
    """
    if spec.reset is None:
        return
    try:
        getattr(model, spec.reset)() if isinstance(spec.reset, str) else spec.reset(model)
    except Exception as error:
        raise ModelError(
            f"model {spec.name!r} cannot be reset with {spec.reset!r}: {one_line(error)}",
            remedy="reset= names a method of the loaded model, or is a function of it",
        ) from error


def mark(spec: ModelSpec, model: Any) -> Any:
    """Return a value that changes when a call changes the model; None if it cannot be known.

    For a torch module, its tensors, how often each was written to, and its plain attributes; for
    any other object, its content.
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
    """Return the attributes of a module that are not tensors, modules or torch's own."""
    own = {*vars(torch.nn.Module()), "training"}
    return {name: value for name, value in vars(module).items() if name not in own}
