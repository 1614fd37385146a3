"""The closed set of step kinds: their ports, their parameters and how each is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mmnotebook.graph.checks import (
    is_arms,
    is_count,
    is_fraction,
    is_grouping,
    is_mapping,
    is_name,
    is_text,
    is_weights,
    key_in_two,
    once_each,
    one_of,
    rest_of_a_stack,
    split_in_proportion,
)

Check = Callable[[Any], bool]
Role = Literal["data", "function", "model"]
MISSING = ("fail", "skip", "use rest")
LOWERINGS = ("auto", "blocks", "beam")
IMAGE_MODES = ("keep", "L", "RGB", "RGBA")


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
    names
        What its value is the name of, None for a value of its own.
    why
        What is wrong with a value that `check` refuses, where that can be said closer.
    meant
        What was most likely meant by such a value, as it is written in a text.
    """

    name: str
    check: Check
    allowed: str
    required: bool = False
    default: Any = None
    names: Role | None = None
    why: Callable[[Any], str | None] | None = None
    meant: Callable[[Any], str | None] | None = None


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
    unnamed
        Parameters that may be left out, and be written without their names.
    """

    name: str
    summary: str
    params: tuple[Param, ...] = ()
    inputs: Literal["none", "any", "join"] = "any"
    arms: str | None = None
    ends: bool = False
    unnamed: tuple[str, ...] = ()

    def param(self, name: str) -> Param | None:
        return next((param for param in self.params if param.name == name), None)

    @property
    def placed(self) -> tuple[str, ...]:
        """The parameters that may be written without their names."""
        return tuple(p.name for p in self.params if p.required or p.name in self.unnamed)

    @property
    def words(self) -> tuple[str, ...]:
        """The parameters as the notation calls them: a field and a function are both `by`."""
        return tuple(p.name for p in self.params if p.name != "by_function")


_ID = Param("id", is_text, "the name of a column")
_FUNCTION = Param("function", is_name, "the name of a function", required=True, names="function")
_GOES_BY = "the name of a field, or a function of the value"
_BY = Param("by", is_text, _GOES_BY)
_PAIRS = f"{_GOES_BY}; left out for (key, value) pairs"
_BY_FUNCTION = Param("by_function", is_name, "the name of a function", names="function")
_MISSING = Param("missing", one_of(*MISSING), '"fail", "skip" or "use rest"', default="fail")
_KEYS = "no key in two of them"


def _model(name: str, words: str = "the name of a registered model", **about: Any) -> Param:
    return Param(name, is_name, words, names="model", **about)


KINDS: dict[str, StepKind] = {
    kind.name: kind
    for kind in (
        StepKind(
            "source",
            "data in the notebook: a DataFrame, list, array, tensor, dict of columns, path or glob",
            (Param("data", is_name, "the name of a variable", required=True, names="data"), _ID),
            inputs="none",
        ),
        StepKind(
            "read",
            "files: parquet, csv, jsonl, npy, or a folder of images",
            (
                Param("path", is_text, "a path or a glob", required=True),
                _ID,
                Param(
                    "mode",
                    one_of(*IMAGE_MODES),
                    '"keep" for an image\'s own values, or "L", "RGB" or "RGBA" for bytes',
                    default="keep",
                ),
                Param(
                    "rotate",
                    one_of(True, False),
                    "True for images upright as EXIF says, False for them as they lie in the file",
                    default=True,
                ),
            ),
            inputs="none",
        ),
        StepKind(
            "model",
            "one prediction per element by a registered model",
            (
                _model("model", required=True),
                Param("watch", is_text, "a pattern such as models/*.pt"),
            ),
        ),
        StepKind("map", "one value per element: f(value)", (_FUNCTION, _MISSING)),
        StepKind(
            "flat_map", "any number of values per element: each of f(value)", (_FUNCTION, _MISSING)
        ),
        StepKind("filter", "the elements for which f(value) is true", (_FUNCTION, _MISSING)),
        StepKind(
            "split",
            "each element to one arm, by a hash of its id or of a field",
            (
                Param(
                    "arms",
                    is_weights,
                    "two or more names, each with a fraction above 0, adding up to 1",
                    required=True,
                    meant=split_in_proportion,
                ),
                _BY,
                _BY_FUNCTION,
                Param("salt", is_text, "a text", default="mmnotebook"),
                Param(
                    "pin",
                    is_mapping,
                    f"a dict of id (or tuple of ids) to the arm that it takes, {_KEYS}",
                    why=key_in_two,
                ),
            ),
            arms="arms",
        ),
        StepKind(
            "switch",
            "each element to the arm that a function names",
            (
                _FUNCTION,
                Param("arms", is_arms, "two or more different names", required=True),
            ),
            arms="arms",
        ),
        StepKind(
            "cascade",
            "a small model first; what it is unsure of goes on to a big one",
            (
                _model("small", required=True),
                _model("big", required=True),
                Param("below", is_fraction, "a confidence from 0 to 1", required=True),
                Param(
                    "score",
                    is_name,
                    "the name of a function of the small model's raw output",
                    names="function",
                ),
            ),
        ),
        StepKind(
            "keyed",
            "the element's key chooses the model",
            (
                Param(
                    "models",
                    is_mapping,
                    f"a dict of key (or tuple of keys) to model name, {_KEYS}",
                    required=True,
                    names="model",
                    why=key_in_two,
                ),
                Param("by", is_text, _PAIRS),
                _BY_FUNCTION,
                Param("max_models", is_count, "a whole number from 1"),
                Param("group", is_grouping, "True, False or 'auto'", default="auto"),
                _model("default", "the name of the model for all other keys"),
                Param("lowering", one_of(*LOWERINGS), '"auto", "blocks" or "beam"', default="auto"),
            ),
            unnamed=("by",),
        ),
        StepKind("vote", "the label that most models give", (_MISSING,), inputs="join"),
        StepKind("mean", "the mean of the models' outputs", (_MISSING,), inputs="join"),
        StepKind(
            "stack",
            "the models' outputs as one array, in order",
            (
                Param(
                    "missing",
                    one_of("fail", "skip"),
                    '"fail" or "skip"',
                    default="fail",
                    why=rest_of_a_stack,
                ),
            ),
            inputs="join",
        ),
        StepKind(
            "write",
            "the elements as files: parquet, csv or jsonl by the path's ending",
            (Param("path", is_text, "a path", required=True),),
            ends=True,
        ),
    )
}


def names_of(kind: str, params: Mapping[str, Any], role: Role) -> tuple[str, ...]:
    """The names of models, functions or data that a step's parameters hold, each once."""
    known = KINDS[kind].params if kind in KINDS else ()
    found: dict[str, None] = {}
    for param in known:
        if param.names != role or params.get(param.name) is None:
            continue
        value = params[param.name]
        several = [name for _, name in value] if param.check is is_mapping else [value]
        found.update(dict.fromkeys(several))
    return tuple(found)


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
    mappings = {param.name for param in known if param.check is is_mapping}
    kept = [(name, frozen(value)) for name, value in params.items()]
    kept = [(name, once_each(value) if name in mappings else value) for name, value in kept]
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
