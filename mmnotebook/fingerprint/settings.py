"""Settings that code reads implicitly and that differ from those of a new process.

A setting with its initial value does not count, so it makes no difference whether a library with
unchanged settings is loaded. Settings that a function names, such as `matplotlib.rcParams` or a
context variable of the user, count by content, like all values that the function reads.
"""

from __future__ import annotations

import contextvars
import functools
import locale
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from mmnotebook.compat.pandas import changed_options
from mmnotebook.compat.sklearn import usual_config
from mmnotebook.compat.torch import changed_printing

Changed = Iterator[tuple[str, Any]]

_RETURNED: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "torch": {
        "get_default_dtype": ((), "torch.float32"),
        "get_default_device": ((), "cpu"),
        "is_grad_enabled": ((), "True"),
        "is_inference_mode_enabled": ((), "False"),
        "are_deterministic_algorithms_enabled": ((), "False"),
        "get_float32_matmul_precision": ((), "highest"),
        "is_autocast_enabled": (("cpu",), "False"),
        "get_autocast_dtype": (("cpu",), "torch.bfloat16"),
    },
    "keras.config": {
        "floatx": ((), "float32"),
        "dtype_policy": ((), '<DTypePolicy "float32">'),
        "image_data_format": ((), "channels_last"),
        "epsilon": ((), "1e-07"),
    },
}
"""Functions that return a setting, by module: their arguments, and the result in a new process."""
_FLAGS = {
    "torch": {
        "backends.cuda.matmul.allow_tf32": "False",
        "backends.cudnn.allow_tf32": "True",
        "backends.cudnn.benchmark": "False",
        "backends.cudnn.deterministic": "False",
        "backends.cudnn.enabled": "True",
        "backends.mkldnn.enabled": "True",
        "backends.fp32_precision": "none",
        "backends.cuda.matmul.fp32_precision": "none",
        "backends.mkldnn.matmul.fp32_precision": "none",
    },
    "PIL.Image": {"MAX_IMAGE_PIXELS": "89478485"},
    "PIL.ImageFile": {"LOAD_TRUNCATED_IMAGES": "False"},
}
"""Attributes that are settings, by module, and their values in a new process."""
_MISSING = object()
_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")


def changed(libraries: set[str]) -> list[tuple[str, Any]]:
    """Return the settings, by name, that differ from those of a new process.

    Settings of libraries of numbers, arrays, tensors and frames always count, since elements may be
    such objects. Settings of other libraries count only if `libraries` contains the library.
    """
    found = [*_python(), *_warnings(libraries), *_decimal(), *_numpy(), *_returned(), *_flags()]
    found += [*_printed_tensors(), *_pandas()]
    for name, own in _OF_LIBRARIES.items():
        if name in libraries:
            found += own()
    return found


def _loaded(name: str) -> Any:
    return sys.modules.get(name)


def _python() -> Changed:
    yield "time zone", (os.environ.get("TZ"), time.tzname, time.timezone, time.altzone)
    for category in ("LC_COLLATE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME"):
        now = locale.setlocale(getattr(locale, category))
        if now not in ("C", "POSIX"):
            yield category, now
    if hasattr(sys, "get_int_max_str_digits"):
        digits = sys.get_int_max_str_digits()
        if digits != sys.int_info.default_max_str_digits:
            yield "int_max_str_digits", digits


def _warnings(libraries: set[str]) -> Changed:
    """Yield the filters that turn warnings of Python and of these libraries into errors."""
    homes = {"builtins", *libraries}
    errors = [
        (message, kind, module, line)
        for action, message, kind, module, line in warnings.filters
        if action == "error" and kind.__module__.partition(".")[0] in homes
    ]
    if errors:
        yield "warnings that are errors", errors


def _by_context(name: str, ask: Callable[[], Any]) -> Changed:
    """Yield the result of `ask` if it differs from the result in an empty context."""
    now, at_first = ask(), contextvars.Context().run(ask)
    if now != at_first:
        yield name, now


def _decimal() -> Changed:
    decimal = _loaded("decimal")
    if decimal is not None:

        def ask() -> list[Any]:
            now = [getattr(decimal.getcontext(), part) for part in _DECIMAL[:-1]]
            traps = decimal.getcontext().traps
            return [*now, sorted(kind.__name__ for kind, is_set in traps.items() if is_set)]

        yield from _by_context("decimal context", ask)


def _numpy() -> Changed:
    numpy = _loaded("numpy")
    if numpy is not None and hasattr(numpy, "get_printoptions"):
        for name in ("geterr", "geterrcall", "getbufsize", "get_printoptions"):
            yield from _by_context(f"numpy.{name}", getattr(numpy, name))


def _returned() -> Changed:
    for home, functions in _RETURNED.items():
        module = _loaded(home)
        for name, (given, at_first) in functions.items():
            ask = getattr(module, name, None)
            if ask is not None and str(now := ask(*given)) != at_first:
                yield f"{home}.{name}", str(now)


def _flags() -> Changed:
    for home, flags in _FLAGS.items():
        module = _loaded(home)
        for name, at_first in flags.items():
            now = functools.reduce(
                lambda held, part: getattr(held, part, _MISSING), name.split("."), module
            )
            if now is not _MISSING and str(now) != at_first:
                yield f"{home}.{name}", str(now)


def _printed_tensors() -> Changed:
    printed = changed_printing()
    if printed is not None:
        yield "torch.set_printoptions", str(printed)


def _pandas() -> Changed:
    for name, now in changed_options():
        yield f"pandas {name}", now


def _sklearn() -> Changed:
    sklearn, at_first = _loaded("sklearn"), usual_config()
    if sklearn is not None and at_first is not None:
        for name, now in sorted(sklearn.get_config().items()):
            if now != at_first.get(name):
                yield f"sklearn {name}", now


def _matplotlib() -> Changed:
    matplotlib = _loaded("matplotlib")
    if matplotlib is not None and hasattr(matplotlib, "rcParamsDefault"):
        at_first = dict(dict.items(matplotlib.rcParamsDefault))
        for name, now in sorted(dict.items(matplotlib.rcParams)):
            if not name.startswith("backend") and now != at_first.get(name):
                yield f"matplotlib {name}", now


_OF_LIBRARIES = {"sklearn": _sklearn, "matplotlib": _matplotlib}
LIBRARIES = frozenset(_OF_LIBRARIES)
"""The libraries whose settings count only for code that uses them."""
