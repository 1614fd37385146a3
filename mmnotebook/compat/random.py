"""The internals of Python's `random`."""

from __future__ import annotations

import _random
import ctypes
from typing import Any

_HEAD = object.__basicsize__

OWN_METHODS = frozenset(vars(_random.Random))
"""The methods that draw numbers, which `random.SystemRandom` replaces.

Leans on `Modules/_randommodule.c`.
"""


def state(random: Any) -> Any:
    """Return the state of the global generator, which is equal as long as nothing was drawn.

    Leans on `Modules/_randommodule.c`: after an object's head come the position among the words,
    and the words. `getstate()` takes ten times as long.

    Parameters
    ----------
    random
        The module.
    """
    generator = random._inst
    size = _random.Random.__basicsize__
    return ctypes.string_at(id(generator) + _HEAD, size - _HEAD), generator.gauss_next
