"""The closed set of step kinds: their ports, their parameters and how each is checked."""

from __future__ import annotations

import keyword
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Check = Callable[[Any], bool]


def is_name(value: Any) -> bool:
    """Can `value` name a node, a model or a function? Only in the form Python reads it back in."""
    return (
        isinstance(value, str)
        and value.isidentifier()
        and not keyword.iskeyword(value)
        and unicodedata.is_normalized("NFKC", value)
    )


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_fraction(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def is_count(value: Any) -> bool:
    """A whole number from 1 that any program can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def _is_grouping(value: Any) -> bool:
    return isinstance(value, bool) or value == "auto"


def _is_weights(value: Any) -> bool:
    """((arm, fraction), ...), the fractions positive and adding up to 1."""
    try:
        names = [name for name, _ in value]
        parts = [part for _, part in value]
    except (TypeError, ValueError):
        return False
    return (
        len(names) >= 2
        and all(is_name(name) for name in names)
        and len(set(names)) == len(names)
        and all(is_fraction(part) and part > 0 for part in parts)
        and math.isclose(sum(parts), 1.0, abs_tol=1e-9)
    )


def _is_arms(value: Any) -> bool:
    """(arm, ...), all different."""
    return (
        isinstance(value, tuple)
        and len(value) >= 2
        and all(is_name(name) for name in value)
        and len(set(value)) == len(value)
    )


def _is_keyed(value: Any) -> bool:
    """(((key, ...), model), ...), no key twice."""
    try:
        keys = [key for group, _ in value for key in group]
        models = [model for _, model in value]
        groups = [group for group, _ in value]
    except (TypeError, ValueError):
        return False
    return (
        bool(models)
        and all(isinstance(group, tuple) and group for group in groups)
        and all(isinstance(key, str) for key in keys)
        and len(set(keys)) == len(keys)
        and all(is_name(model) for model in models)
    )


@dataclass(frozen=True)
class Param:
    """One parameter of a step.

    Attributes
    ----------
    name
        Its name in a `Node`, in the JSON and as a keyword in the notation.
    check
        Whether a value may stand there.
    allowed
        What may stand there, in words.
    required
        Must it be given?
    default
        What a missing value means; a value equal to it is left out of the node.
    """

    name: str
    check: Check
    allowed: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True)
class StepKind:
    """A kind of step.

    Attributes
    ----------
    name
        Its name in a `Node` and in the notation.
    summary
        What it does, in one line.
    params
        Its parameters, in the order in which they are written.
    inputs
        "none" for a source, "any" for one input or several, "join" for a step that combines
        the outputs of several for one element.
    arms
        The parameter that names its outputs, for a step that has several.
    ends
        True when nothing may follow.
    """

    name: str
    summary: str
    params: tuple[Param, ...] = ()
    inputs: Literal["none", "any", "join"] = "any"
    arms: str | None = None
    ends: bool = False

    def param(self, name: str) -> Param | None:
        return next((param for param in self.params if param.name == name), None)


_ID = Param("id", is_text, "the name of a column")
_FUNCTION = Param("function", is_name, "the name of a function", required=True)
_BY = Param("by", is_text, "the name of a field")

KINDS: dict[str, StepKind] = {
    kind.name: kind
    for kind in (
        StepKind(
            "source",
            "data in the notebook: a DataFrame, list, array, tensor, path or glob",
            (Param("data", is_name, "the name of a variable", required=True), _ID),
            inputs="none",
        ),
        StepKind(
            "read",
            "files: parquet, csv, jsonl, npy, or a folder of images",
            (Param("path", is_text, "a path or a glob", required=True), _ID),
            inputs="none",
        ),
        StepKind(
            "model",
            "one prediction per element by a registered model",
            (Param("model", is_name, "the name of a registered model", required=True),),
        ),
        StepKind("map", "one value per element: f(value)", (_FUNCTION,)),
        StepKind("flat_map", "any number of values per element: each of f(value)", (_FUNCTION,)),
        StepKind("filter", "the elements for which f(value) is true", (_FUNCTION,)),
        StepKind(
            "split",
            "each element to one arm, by a hash of its id or of a field",
            (
                Param(
                    "arms",
                    _is_weights,
                    "two or more names, each with a fraction above 0, adding up to 1",
                    required=True,
                ),
                _BY,
                Param("salt", is_text, "a text", default="mmnotebook"),
            ),
            arms="arms",
        ),
        StepKind(
            "switch",
            "each element to the arm that a function names",
            (
                _FUNCTION,
                Param("arms", _is_arms, "two or more different names", required=True),
            ),
            arms="arms",
        ),
        StepKind(
            "cascade",
            "a small model first; what it is unsure of goes on to a big one",
            (
                Param("small", is_name, "the name of a registered model", required=True),
                Param("big", is_name, "the name of a registered model", required=True),
                Param("below", is_fraction, "a confidence from 0 to 1", required=True),
            ),
        ),
        StepKind(
            "keyed",
            "the element's key chooses the model",
            (
                Param(
                    "models",
                    _is_keyed,
                    "a dict of key (or tuple of keys) to model name, no key twice",
                    required=True,
                ),
                Param("by", is_text, "the name of a field", required=True),
                Param("max_models", is_count, "a whole number from 1"),
                Param("group", _is_grouping, "True, False or 'auto'", default="auto"),
            ),
        ),
        StepKind("vote", "the label that most models give", inputs="join"),
        StepKind("mean", "the mean of the models' outputs", inputs="join"),
        StepKind("stack", "the models' outputs as one array, in order", inputs="join"),
        StepKind(
            "write",
            "the elements as files: parquet, csv or jsonl by the path's ending",
            (Param("path", is_text, "a path", required=True),),
            ends=True,
        ),
    )
}


def default_name(kind: str, params: dict[str, Any]) -> str:
    """What a node is called when its line does not say: its data, model, function or kind."""
    for key in ("data", "model", "function"):
        if kind in ("source", "model", "map", "flat_map", "filter") and key in params:
            return str(params[key])
    return kind


def arm_names(kind: str, params: dict[str, Any]) -> tuple[str, ...]:
    """The output ports of a step, () for a step with one output; of wrong ones what is a name."""
    step = KINDS.get(kind)
    arms = params.get(step.arms) if step is not None and step.arms is not None else ()
    if not isinstance(arms, (list, tuple)):
        return ()
    names = (arm[0] if isinstance(arm, (list, tuple)) and arm else arm for arm in arms)
    return tuple(name for name in names if isinstance(name, str))


def canonical(kind: str, params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Parameters in the kind's order, lists as tuples, without those that say the default."""
    known = KINDS[kind].params if kind in KINDS else ()
    order = {param.name: place for place, param in enumerate(known)}
    defaults = {param.name: param.default for param in known if not param.required}
    kept = [(name, frozen(value)) for name, value in params.items()]
    kept = [(name, value) for name, value in kept if not _says(value, name, defaults)]
    return tuple(sorted(kept, key=lambda pair: order.get(pair[0], len(order))))


def _says(value: Any, name: str, defaults: Mapping[str, Any]) -> bool:
    if name not in defaults or type(value) is not type(defaults[name]):
        return False
    return bool(value == defaults[name])


def frozen(value: Any) -> Any:
    """Lists as tuples all the way down, so that a node can be hashed and compared."""
    if isinstance(value, (list, tuple)):
        return tuple(frozen(item) for item in value)
    return value
