"""Models that keep a state from call to call, and how that is reset."""

from __future__ import annotations

from typing import Any

from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.models import ModelSpec


def reset(spec: ModelSpec, model: Any) -> None:
    """Bring a model back to the state in which it was loaded, in the way it was registered with.

    Raises
    ------
    ModelError
        When the model has no such method, or that fails.
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
