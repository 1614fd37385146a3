"""TensorFlow's internals. This module does not import TensorFlow."""

from __future__ import annotations

import inspect
import sys
from types import CodeType


def drawing() -> dict[CodeType, str]:
    """Return the code that runs when TensorFlow draws random numbers, with the library's name.

    Relies on `tensorflow/python/framework/random_seed.py`.
    """
    seeds = sys.modules.get("tensorflow.python.framework.random_seed")
    function = getattr(seeds, "get_seed", None)
    function = inspect.unwrap(function) if function is not None else None
    return {} if function is None else {function.__code__: "TensorFlow"}
