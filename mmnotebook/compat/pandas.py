"""pandas' internals. This module does not import pandas."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

_Kind = TypeVar("_Kind", bound=type)


def changed_options() -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of the options that have changed; nothing if pandas is not imported.

    Relies on `pandas/_config/config.py`.
    """
    config = sys.modules.get("pandas._config.config")
    known = getattr(config, "_registered_options", None)
    for name, option in sorted((known or {}).items()):
        now = functools.reduce(dict.__getitem__, name.split("."), config._global_config)  # type: ignore[union-attr]
        if now is not option.defval and now != option.defval:
            yield name, now


def attributes(*names: str) -> Callable[[_Kind], _Kind]:
    """Return a decorator that declares attributes of a class of frames.

    Such attributes are neither columns nor copied to derived frames.

    Relies on `NDFrame` in `pandas/core/generic.py`.
    """

    def declare(kind: _Kind) -> _Kind:
        inside: Any = kind
        inside._internal_names = [*inside._internal_names, *names]
        inside._internal_names_set = {*inside._internal_names_set, *names}
        return kind

    return declare


def memory(array: Any) -> Any:
    """Return the NumPy array inside a pandas array; return any other object unchanged.

    Relies on `pandas/core/arrays/_mixins.py` and `pandas/core/arrays/numpy_.py`.
    """
    return getattr(array, "_ndarray", array)
