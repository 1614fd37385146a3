"""Detection of random numbers by the states of the global generators.

Only generators of loaded libraries are compared; nothing is imported, and no state is changed. The
states are read as bytes from memory, which is ten times as fast as the functions of the libraries.
"""

from __future__ import annotations

import sys
from typing import Any

from mmnotebook.compat import numpy as numpy_compat
from mmnotebook.compat import random as random_compat


def states(*, whole: bool) -> dict[str, Any]:
    """Return the state of each library's global generators.

    If `whole` is true, the state includes values that a generator has drawn in advance, and reading
    it takes longer.
    """
    found: dict[str, Any] = {}
    if (random := sys.modules.get("random")) is not None:
        found["random"] = random_compat.state(random)
    if (legacy := sys.modules.get("numpy.random.mtrand")) is not None:
        found["NumPy"] = numpy_compat.state(legacy, whole)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "default_generator"):
        found["torch"] = torch.default_generator.get_state().numpy().tobytes()
        if (cuda := _cuda(torch)) is not None:
            found["torch on GPU"] = cuda
    return found


def drawn(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return the first library whose generators have changed, or ""."""
    for library, state in after.items():
        if library in before and before[library] != state:
            return library
    return ""


def _cuda(torch: Any) -> Any:
    if "torch.cuda" not in sys.modules or not torch.cuda.is_initialized():
        return None
    return [one.get_state().numpy().tobytes() for one in torch.cuda.default_generators]
