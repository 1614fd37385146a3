"""NumPy's internals. This module does not import NumPy."""

from __future__ import annotations

import ctypes
import pickle
from typing import Any

_SIZE = 2504
"""The size of the state of the Mersenne Twister in bytes: 624 words, and the current position."""


def state(legacy: Any, whole: bool) -> Any:
    """Return the state of the global generator, which changes when a number is drawn.

    Relies on `numpy/random/mtrand.pyx` and `numpy/random/src/mt19937/mt19937.h`.

    Parameters
    ----------
    legacy
        The module `numpy.random.mtrand`.
    whole
        Whether to include a number that was drawn in advance for the next call; this takes longer.
    """
    generator = legacy._rand
    bits = generator._bit_generator
    if whole or type(bits).__name__ != "MT19937":
        return pickle.dumps(generator.get_state(legacy=False))
    return id(bits), ctypes.string_at(bits.ctypes.state_address, _SIZE)
