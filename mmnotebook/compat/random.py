"""The internals of Python's `random`."""

from __future__ import annotations

import _random
import ctypes
from typing import Any

_HEAD = object.__basicsize__

OWN_METHODS = frozenset(vars(_random.Random))
"""The methods that draw numbers, which `random.SystemRandom` replaces.

Relies on `Modules/_randommodule.c`.
"""


def state(random: Any) -> Any:
    """Return the state of the global generator, which changes when a number is drawn.

    Relies on `Modules/_randommodule.c`: the head of the object is followed by the current position
    and the words of the state. `getstate()` takes ten times as long.

    Parameters
    ----------
    random
        The module `random`.
    """
    generator = random._inst
    size = _random.Random.__basicsize__
    return ctypes.string_at(id(generator) + _HEAD, size - _HEAD), generator.gauss_next
