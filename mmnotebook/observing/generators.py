"""Did somebody draw random numbers? The states of the global generators, before and after.

Only generators of libraries that are loaded are looked at; nothing is imported, no state changes.
The states are compared as bytes where they lie in memory: asking for them takes ten times as long.
"""

from __future__ import annotations

import ctypes
import inspect
import pickle
import sys
from types import CodeType
from typing import Any

_HEAD = object.__basicsize__
_SIZE = 2504
"""Bytes of the state of NumPy's Mersenne Twister: 624 words, and the place among them."""


def states(*, whole: bool) -> dict[str, Any]:
    """By library, the state of its global generators.

    `whole` looks at what a generator has drawn and keeps for the next call, too; that takes longer.
    """
    found: dict[str, Any] = {}
    if (random := sys.modules.get("random")) is not None:
        found["random"] = _python(random)
    if (legacy := sys.modules.get("numpy.random.mtrand")) is not None:
        found["NumPy"] = _numpy(legacy, whole)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "default_generator"):
        found["torch"] = torch.default_generator.get_state().numpy().tobytes()
        if (cuda := _cuda(torch)) is not None:
            found["torch on GPU"] = cuda
    return found


def codes() -> dict[CodeType, str]:
    """Code that runs when a library whose generator cannot be seen draws, and its name."""
    seeds = sys.modules.get("tensorflow.python.framework.random_seed")
    function = getattr(seeds, "get_seed", None)
    function = inspect.unwrap(function) if function is not None else None
    return {} if function is None else {function.__code__: "TensorFlow"}


def drawn(before: dict[str, Any], after: dict[str, Any]) -> str:
    """The first library whose generators are not as they were; "" for none."""
    for library, state in after.items():
        if library in before and before[library] != state:
            return library
    return ""


def _python(random: Any) -> Any:
    generator = random._inst
    size = sys.modules["_random"].Random.__basicsize__
    # Behind the object's head lie the place among the words, and the words.
    return ctypes.string_at(id(generator) + _HEAD, size - _HEAD), generator.gauss_next


def _numpy(legacy: Any, whole: bool) -> Any:
    generator = legacy._rand
    bits = generator._bit_generator
    if whole or type(bits).__name__ != "MT19937":
        return pickle.dumps(generator.get_state(legacy=False))
    return id(bits), ctypes.string_at(bits.ctypes.state_address, _SIZE)


def _cuda(torch: Any) -> Any:
    if "torch.cuda" not in sys.modules or not torch.cuda.is_initialized():
        return None
    return [one.get_state().numpy().tobytes() for one in torch.cuda.default_generators]
