"""`try_model`: loads a model and runs one example, without side effects."""

from __future__ import annotations

import reprlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmnotebook import storage
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.beam.inference import handlers
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.beam.streaming import windowed_blocks
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column
from mmnotebook.elements.packing import pack
from mmnotebook.errors import MMError, ModelError, RunError, one_line
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.loaded import memory
from mmnotebook.model.loaded.parameter_bytes import weigh
from mmnotebook.model.registered import register
from mmnotebook.results.values import plain
from mmnotebook.sources import objects, readers, sources
from mmnotebook.sources.partial import Partial

_WIDTH = 160
_NUMBERS = 6
_NO_RUN = ""


@dataclass(frozen=True)
class Trial:
    """The outcome of one example.

    Attributes
    ----------
    output
        The model's output as short text, after `output=` is applied.
    loaded_in, ran_in
        Seconds for loading, and for the call of the model with one example.
    parameter_bytes
        Size of the model's parameters; None if the size is unknown.
    batch
        The batch size of the model in a run.
    """

    output: str
    loaded_in: float
    ran_in: float
    parameter_bytes: int | None
    batch: int


def try_model(target: Any, example: Any, *, name: str = "tried", **options: Any) -> Trial:
    """Load a model as a run does and call it with one example.

    Nothing is registered, kept loaded or stored.

    Parameters
    ----------
    target
        The model or the path of its file, as for `register`.
    example
        One element, or the result of `first_row`; `input=` selects fields from it as in a run.
    name
        The name of the model in messages.
    **options
        The options of `register`.

    Returns
    -------
    Trial
        The model's output, its times and its size.

    Raises
    ------
    ModelError
        If the model cannot be registered with these options, cannot be loaded, or fails on the
        example.
    """
    try:
        with storage.passing():
            return _tried(register.spec_of(name, target, **options), example)
    finally:
        memory.release_freed()


def first_element(name: str, value: Any) -> Any:
    """Return the first element of notebook data as functions receive it; see `first_row`."""
    return first_row(name, value)[0]


def first_row(name: str, value: Any) -> Column:
    """Return a column with only the first element of data, in the form that steps receive in a run.

    Raises
    ------
    RunError
        If `value` is a Beam transform or no data, cannot be read, or has no elements.
    """
    if windowed_blocks.is_transform(value):
        raise RunError(
            f"{name!r} is a Beam transform: its elements are known only when it runs",
            remedy="type an example, or choose other data",
        )
    if objects.is_path(value):
        found = _of_files(str(value))
    else:
        found = [block.values for block in objects.blocks(name, value, None, 1)]
    if not found or not len(found[0]):
        raise RunError(f"{name!r} has no elements", remedy="choose other data")
    return found[0].part(0, 1)


def _of_files(path: str) -> list[Column]:
    plan = sources.plan_path(path, None).first(1)
    try:
        found = [values for _, (_, values) in readers.read_part(plan.slices)]
    except MMError:
        raise
    except Exception as error:
        raise readers.unreadable(path, error) from error
    for values in found:
        if isinstance(values, Partial) and 0 in values.errors:
            raise readers.unreadable(path, values.errors[0])
    return [values.good if isinstance(values, Partial) else pack(values) for values in found]


def _tried(spec: ModelSpec, example: Any) -> Trial:
    base = handlers.base_handler(spec)
    handler = BlockHandler(spec.name, spec, base, None, _NO_RUN, None)
    base.set_environment_vars()
    started = time.perf_counter()
    try:
        model = base.load_model()
    except Exception as error:
        raise ModelError(
            f"{spec.name!r} cannot be loaded: {one_line(error)}",
            remedy="save it again with the versions that are installed here",
        ) from error
    loaded_in = time.perf_counter() - started
    weight = weigh(model)
    track = Tracker(spec.name, _NO_RUN)
    (made,) = handler.predictions(track, [Block(["0"], _alone(example))], model)
    if made.failed:
        raise _failed(spec, made.failed[0])
    output = short(made.values[0].inference)
    return Trial(output, loaded_in, track.seconds, weight.parameter_bytes, handler.rows)


def _alone(example: Any) -> Column:
    return example if isinstance(example, Column) else pack([example])


def _failed(spec: ModelSpec, failure: Any) -> ModelError:
    text = " ".join(f"{failure.error}: {failure.message}".split())
    if failure.error == "MissingField":
        remedy = "input= names a field that the example has"
    else:
        given = "the whole value" if spec.input is None else f"its {spec.input!r}"
        remedy = f"the model received {given} of the example; input= chooses the field, or fields"
    return ModelError(f"{spec.name!r} fails on the example: {text}", remedy=remedy)


def short(value: Any) -> str:
    """Shorten an output to one line: for an array its type, its shape and the first numbers."""
    value = plain(value)
    if isinstance(value, np.ndarray):
        first = ", ".join(_number(item) for item in value.ravel()[:_NUMBERS])
        more = ", …" if value.size > _NUMBERS else ""
        return _cut(f"{value.dtype} {value.shape}: [{first}{more}]")
    if isinstance(value, dict):
        return _cut(", ".join(f"{name}: {short(item)}" for name, item in value.items()))
    return _cut(_repr.repr(value))


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _WIDTH
