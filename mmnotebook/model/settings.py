"""Validation of the options of `register`, and their form in a spec."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError, nearest, one_line
from mmnotebook.graph.checks import is_count, is_name
from mmnotebook.graph.kinds import KINDS
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.framework import Framework, Options, check_method


def check_name(name: Any) -> None:
    """Raise ModelError for an invalid model name."""
    if not is_name(name):
        raise ModelError(
            f"{name!r} is not a valid model name; allowed: a Python identifier",
            remedy='for example mm.register("mlp", module)',
        )
    if name in KINDS:
        raise ModelError(f"{name!r} is the name of a step", remedy="choose another name")


def check_options(name: str, framework: Framework, options: Options, device: str) -> None:
    """Raise ModelError for options or a device that the framework does not support."""
    given = {
        "model_class": options.model_class,
        "model_params": options.model_params or None,
        "method": options.method,
    }
    start = f"cannot register {name!r} with framework {framework.name!r}"
    known = [*framework.uses, *framework.extra]
    for option in [*(key for key, value in given.items() if value is not None), *options.extra]:
        if option not in known:
            close = nearest(option, [*known, *_GENERAL])
            allowed = f"; its own options: {', '.join(known) or 'none'}"
            raise ModelError(
                f"{start} and {option}={_value(option, options, given)!r}: it has no such option"
                + allowed
                + (f"; did you mean {close!r}?" if close else ""),
                remedy="set such options on the Beam handler before you register it"
                if framework.name == "beam"
                else f"leave {option} out",
            )
    if device not in framework.devices:
        raise ModelError(
            f"{start} and device={device!r}; allowed: {' or '.join(map(repr, framework.devices))}",
            remedy="set the device on the Beam handler before you register it"
            if framework.name == "beam"
            else None,
        )


_GENERAL = (
    "framework",
    "input",
    "preprocess",
    "output",
    "postprocess",
    "inference_args",
    "batch_size",
    "min_batch_size",
    "max_batch_size",
    "timeout",
    "batched",
    "batch_axis",
    "output_batch_axis",
    "collate",
    "reset",
    "remote",
    "version",
    "cache",
    "device",
    "large_model",
    "model_copies",
    "env_vars",
)


def _value(option: str, options: Options, given: Mapping[str, Any]) -> Any:
    return given[option] if option in given else options.extra[option]


def fields(selected: Any) -> str | tuple[str, ...] | None:
    """Check `input=`: the name of a field, or several names as a tuple."""
    if selected is None or (isinstance(selected, str) and selected):
        return selected
    if isinstance(selected, Sequence) and selected and all(isinstance(f, str) for f in selected):
        return tuple(selected)
    raise ModelError(f"input={selected!r}; allowed: the name of a field, or a list of names")


def function(option: str, value: Any, allowed: str = "a function, or None") -> Any:
    """Check that an option is None or a function that can be pickled."""
    if value is None:
        return None
    if not callable(value):
        raise ModelError(f"{option}={value!r}; allowed: {allowed}")
    try:
        pickling.check(value)
    except Exception as error:
        raise ModelError(f"{option}={value!r} cannot be pickled ({one_line(error)})") from error
    return value


def output(first: Any, second: Any) -> Any:
    """Check `output=`, or `postprocess=`, which is the same option."""
    if first is not None and second is not None:
        raise ModelError("output and postprocess are the same option: pass one of them")
    option, value = ("output", first) if second is None else ("postprocess", second)
    if isinstance(value, str) and value == "argmax":
        return value
    return function(option, value, "'argmax', a function, or None")


def named(option: str, value: Any) -> dict[str, Any]:
    """Check an option that is a dict of values by name; the values must be picklable."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ModelError(f"{option}={value!r}; allowed: a dict of values by name")
    try:
        pickling.check(dict(value))
    except Exception as error:
        raise ModelError(f"{option}={value!r} cannot be pickled ({one_line(error)})") from error
    return dict(value)


def environment(value: Any) -> dict[str, str]:
    """Check `env_vars=`: strings by name."""
    variables = named("env_vars", value)
    for name, text in variables.items():
        if not name or "=" in name or not isinstance(text, str):
            raise ModelError(f"env_vars={{{name!r}: {text!r}}}; allowed: strings by name")
    return variables


def seconds(value: Any) -> float | None:
    """Check `timeout=`: seconds above 0, or None."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if value is not None and not (number and math.isfinite(value) and value > 0):
        raise ModelError(f"timeout={value!r}; allowed: seconds, a number above 0")
    return None if value is None else float(value)


def device(value: Any) -> str:
    """Return the device, "CPU" or "GPU", from text in any case."""
    if not isinstance(value, str) or value.upper() not in ("CPU", "GPU"):
        raise ModelError(f"device={value!r}; allowed: 'CPU' or 'GPU'")
    return value.upper()


def truth(option: str, value: Any) -> bool:
    """Check an option that is True or False."""
    if not isinstance(value, bool):
        raise ModelError(f"{option}={value!r}; allowed: True or False")
    return value


def maybe(option: str, value: Any) -> bool | None:
    """Check an option that is True, False, or None for automatic detection."""
    return None if value is None else truth(option, value)


def version(value: Any) -> str | int | None:
    """Check `version=`: a string, an integer, or None."""
    if value is None or (isinstance(value, str) and value):
        return value
    if not isinstance(value, bool) and isinstance(value, numbers.Integral):
        return int(value)
    raise ModelError(f"version={value!r}; allowed: a string, a whole number, or None")


def cache(value: Any, reset: Any) -> str | None:
    """Check `cache=`: "element", or None."""
    if value is None:
        return None
    if not (isinstance(value, str) and value == "element"):
        raise ModelError(
            f"cache={value!r}; allowed: 'element', or None",
            remedy="cache='element', or leave it out",
        )
    if reset is not None:
        raise ModelError(
            "cache='element' means that a prediction depends on its element only; "
            "reset= means that it depends on earlier elements",
            remedy="leave one of them out",
        )
    return "element"


def axis(option: str, value: Any) -> int:
    """Check an option that is the number of an axis."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise ModelError(f"{option}={value!r}; allowed: an axis number, 0 or more")
    return int(value)


def axes(option: str, value: Any) -> Any:
    """Check an option that is one axis for all outputs, or an axis by position or name."""
    if value is None:
        return None
    if isinstance(value, numbers.Integral):
        return axis(option, value)
    if isinstance(value, Mapping) and value and all(isinstance(name, str) for name in value):
        return {name: axes(option, one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and value:
        return tuple(axes(option, one) for one in value)
    raise ModelError(
        f"{option}={value!r}; allowed: the number of an axis, or one for each output in a tuple "
        "or in a dict by name"
    )


def reset(name: str, target: Any, value: Any) -> Any:
    """Check `reset=`: the name of a method of the model, a function of the model, or None."""
    if isinstance(value, str):
        if not isinstance(target, (str, Path)):
            check_method(name, target, value, "set reset= to the method that resets its state")
        return value
    return function("reset", value, "the name of a method, a function of the model, or None")


def unbatched(batch: int | None, given: Mapping[str, Any]) -> int:
    """Return the batch size of a model without batches; raise ModelError for batch options."""
    if batch not in (None, 1):
        raise ModelError(
            f"batched=False passes one element per call, but batch_size={batch} was also passed",
            remedy="leave batch_size out",
        )
    for option, default in {"batch_axis": 0, "output_batch_axis": None, "collate": None}.items():
        if given[option] != default:
            raise ModelError(
                f"batched=False passes one element unchanged, but {option} was also passed",
                remedy=f"leave {option} out, or batched=False",
            )
    return 1


def check_batching(spec: ModelSpec, framework: Framework) -> None:
    """Raise ModelError for batch options if the model creates its own batches."""
    given = {"batched": not spec.batched, "batch_axis": spec.batch_axis, "collate": spec.collate}
    for option, value in given.items():
        if value and spec.form in framework.own_batches:
            raise ModelError(
                f"cannot register {spec.name!r} with {option}=: this model ({framework.name}, "
                f"{spec.form}) creates its own batches",
                remedy="batch_size=1 passes one element at a time"
                if option == "batched"
                else f"leave {option} out; preprocess= changes each element",
            )


def count(option: str, value: Any) -> int | None:
    """Check an option that is a positive integer, or None."""
    if value is None:
        return None
    if not is_count(value):
        raise ModelError(f"{option}={value!r}; allowed: a positive integer")
    return int(value)


def batch(size: Any, least: Any, most: Any, default: int) -> int | None:
    """Return the elements per call from `batch_size` or Beam's bounds; None for the default."""
    exact, low = count("batch_size", size), count("min_batch_size", least)
    high = count("max_batch_size", most)
    if exact is not None and (low is not None or high is not None):
        raise ModelError(
            f"batch_size={exact} sets both bounds of the batch size, but a bound was also passed",
            remedy="pass only batch_size, or min_batch_size and max_batch_size",
        )
    if low is not None and high is not None and low > high:
        raise ModelError(f"min_batch_size={low} is above max_batch_size={high}")
    if low is not None and high is None:
        return max(low, default)
    return high if exact is None else exact
