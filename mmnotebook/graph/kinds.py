"""`StepKind`, the description of a step kind, and `KINDS`, the mapping of all installed kinds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, get_args

from mmnotebook.graph import upcalls
from mmnotebook.graph.checks import once_each

if TYPE_CHECKING:
    from mmnotebook.errors import Problem
    from mmnotebook.graph.graph import Graph, Node
    from mmnotebook.graph.template import Template

Check = Callable[[Any], bool]
Role = Literal["data", "function", "model"]
Form = Literal["value", "number", "field", "branches", "mapping"]
Family = Literal["source", "model", "function", "routing", "combining", "write"]
Outputs = Literal["one", "one or none", "any number", "unknown"]
Bare = Literal["data", "function", "transform", "model"]
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
        Returns whether a value is valid.
    allowed
        The valid values, in words.
    required
        Whether the parameter must be given.
    default
        The value if the parameter is not given. A node does not store a value that equals the
        default.
    names
        What a name in the value refers to: data, a function or a model. None if the value contains
        no name.
    form
        The form of the value in the notation: a plain "value"; a "number", always
        with a decimal point; a "field" of the source, which is then kept with the elements; the
        "branches" of a routing step; or a "mapping" of keys to names.
    keyword
        Whether the parameter is always written as a keyword argument, although it is required.
    why
        Returns a more precise message about an invalid value, or None.
    meant
        Returns a correction of an invalid value, as text in the notation, or None.
    """

    name: str
    check: Check
    allowed: str
    required: bool = False
    default: Any = None
    names: Role | None = None
    form: Form = "value"
    keyword: bool = False
    why: Callable[[Any], str | None] | None = None
    meant: Callable[[Any], str | None] | None = None


@dataclass(frozen=True)
class StepKind:
    """A kind of step, with everything that the package knows about it.

    Attributes
    ----------
    name
        Its name in a `Node` and in the notation.
    family
        The family of the step kind. Steps of the family "model" output predictions;
        steps of the family "routing" pass each input unchanged to one of several branches.
    summary
        What a step of this kind does, in one line.
    params
        The parameters, in the order in which the notation writes them.
    lowering
        How a step becomes Beam transforms: a `mmnotebook.beam.lowering.step.Lowering`, written as
        "module:name", so that the module is imported only when a graph runs. "" for a source: the
        layer `sources` reads its data.
    lean
        A second lowering for runs in this process, with the same results and fewer transforms. If
        None, these runs also use `lowering`.
    script
        How a step is written in a script of plain Beam: a function, written as "module:name". If
        "", a graph with such a step is written with `mode="mmnotebook"` only.
    inputs
        "none" for a source; "any" for one input or several inputs; "join" for a step that combines
        several outputs for one element.
    arms
        The parameter with the names of the branches; None for a kind with a single output.
    ends
        Whether a step of this kind must be the last step.
    unnamed
        Optional parameters that may be written as positional arguments.
    passes_on
        Whether each output of a step is one of the inputs of the step, unchanged.
    outputs
        The number of outputs per element. With "any number", the outputs are children of the
        element, and each child has a new id. With "unknown", the object that the step names decides
        whether there are children.
    bare
        The role of the names that are a step of this kind when they are written alone, such as
        `rows`, `mlp` or `crop`; None if there are no such names.
    named_after
        The parameter whose value is the name of a node if its line has no name; None uses the name
        of the kind.
    listed
        Whether the palette and the completion list the kind itself. If not, they list only the
        names that are such a step when they are written alone.
    rank
        Its place in lists; lower ranks come first, and kinds of equal rank are sorted by name.
    start
        Parameters of a new step in the builder.
    how
        How a step of this kind runs, in a few words, or a function that returns these words for a
        node; None uses `summary`.
    describe
        Returns what a node does, in a few words; None shows its first parameter.
    details
        Returns further lines for the tooltip of a node.
    problems
        Yields problems of a node that the checks of its parameters and inputs do not find.
    templates
        The templates that contain it: patterns of several steps.
    """

    name: str
    family: Family
    summary: str
    params: tuple[Param, ...] = ()
    lowering: str = ""
    lean: str | None = None
    script: str = ""
    inputs: Literal["none", "any", "join"] = "any"
    arms: str | None = None
    ends: bool = False
    unnamed: tuple[str, ...] = ()
    passes_on: bool = False
    outputs: Outputs = "one"
    bare: Bare | None = None
    named_after: str | None = None
    listed: bool = True
    rank: int = 1000
    start: Mapping[str, Any] = field(default_factory=dict, hash=False)
    how: str | Callable[[Node], str] | None = None
    describe: Callable[[Node], str] | None = None
    details: Callable[[Node], list[str]] | None = None
    problems: Callable[[Graph, Node], Iterator[Problem]] | None = None
    templates: tuple[Template, ...] = ()

    def param(self, name: str) -> Param | None:
        """Return the parameter with this name; None if there is no such parameter."""
        return self.places[name][1] if name in self.places else None

    @cached_property
    def places(self) -> Mapping[str, tuple[int, Param]]:
        """The parameters by name, each with its place in `params`."""
        return {param.name: (place, param) for place, param in enumerate(self.params)}

    @cached_property
    def naming(self) -> Mapping[Role, tuple[Param, ...]]:
        """The parameters whose values contain names of data, functions and models, by role."""
        return {
            role: tuple(param for param in self.params if param.names == role)
            for role in get_args(Role)
        }

    @property
    def has_children(self) -> bool:
        """Whether outputs of a step of this kind can be children, with ids such as `parent/0`."""
        return self.outputs in ("any number", "unknown")

    @property
    def chooses_models(self) -> bool:
        """Whether a step of this kind chooses one of several models for each element."""
        return self.family == "model" and self.param("model") is None

    @property
    def runs_one_model(self) -> bool:
        """Whether a step of this kind runs one model on each element."""
        return self.family == "model" and self.param("model") is not None

    @property
    def reads_files(self) -> bool:
        """Whether a step of this kind is a source that reads files, not data of the notebook."""
        return self.family == "source" and self.param("path") is not None

    @property
    def weighed(self) -> bool:
        """Whether each branch of a step has a weight."""
        param = self.param(self.arms) if self.arms else None
        return param is not None and param.meant is not None

    @property
    def placed(self) -> tuple[str, ...]:
        """The parameters that may be written as positional arguments."""
        return tuple(p.name for p in self.params if p.required or p.name in self.unnamed)

    @property
    def words(self) -> tuple[str, ...]:
        """The names of the parameters in the notation, where `by_function` is also written `by`."""
        return tuple(p.name for p in self.params if p.name != "by_function")


class StepKinds(Mapping[str, StepKind]):
    """The step kinds by name, in the order of their ranks. The kinds are imported on first use.

    Parameters
    ----------
    own
        Returns the kinds of this package.
    others
        Returns the kinds of other installed packages. This function is called if a name is not a
        kind of this package, and if all kinds are listed.
    """

    def __init__(
        self, own: Callable[[], Iterable[StepKind]], others: Callable[[], Iterable[StepKind]]
    ) -> None:
        self._find = {"own": own, "others": others}
        self._found: dict[str, dict[str, StepKind]] = {}
        self._lock = threading.RLock()

    def _kinds(self, whose: str) -> dict[str, StepKind]:
        if (known := self._found.get(whose)) is not None:
            return known
        with self._lock:
            if whose not in self._found:
                found = sorted(self._find[whose](), key=lambda kind: (kind.rank, kind.name))
                self._found[whose] = {kind.name: kind for kind in found}
            return self._found[whose]

    def _all(self) -> dict[str, StepKind]:
        own, others = self._kinds("own"), self._kinds("others")
        if not others:
            return own
        both = sorted([*own.values(), *others.values()], key=lambda kind: (kind.rank, kind.name))
        return {kind.name: kind for kind in both}

    def __getitem__(self, name: str) -> StepKind:
        own = self._kinds("own")
        return own[name] if name in own else self._kinds("others")[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the kind with this name; `default` if there is none."""
        found = self._kinds("own").get(name)
        return self._kinds("others").get(name, default) if found is None else found

    def __contains__(self, name: object) -> bool:
        return name in self._kinds("own") or name in self._kinds("others")

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


KINDS: Mapping[str, StepKind] = StepKinds(
    lambda: upcalls.call("own_kinds"), lambda: upcalls.call("installed_kinds")
)


def bare(role: Bare) -> StepKind:
    """Return the step kind of a name that has this role and is written alone, such as `rows`."""
    return next(kind for kind in KINDS.values() if kind.bare == role)


def bare_step(role: Bare, name: str | None) -> tuple[str, dict[str, Any]]:
    """Return the kind and the parameters of the step for a name that is written alone."""
    return bare(role).name, {role: name}


def names_of(kind: str, params: Mapping[str, Any], role: Role) -> tuple[str, ...]:
    """Return the names in a step's parameters that have this role, without duplicates."""
    step = KINDS.get(kind)
    found: dict[str, None] = {}
    for param in () if step is None else step.naming[role]:
        value = params.get(param.name)
        if value is None:
            continue
        several = [name for _, name in value] if param.form == "mapping" else [value]
        found.update(dict.fromkeys(several))
    return tuple(found)


def default_name(kind: str, params: dict[str, Any]) -> str:
    """Return the default name of a node, which it has if its line has no name."""
    after = KINDS[kind].named_after if kind in KINDS else None
    return str(params[after]) if after in params else kind


def arm_names(kind: str, params: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of a step's branches; () if the step has a single output.

    Branches whose name is not a string are left out.
    """
    step = KINDS.get(kind)
    if step is None or step.arms is None:
        return ()
    arms = params.get(step.arms)
    if not isinstance(arms, (list, tuple)):
        return ()
    names = (arm[0] if isinstance(arm, (list, tuple)) and arm else arm for arm in arms)
    return tuple(name for name in names if isinstance(name, str))


def canonical(kind: str, params: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the parameters in canonical form: in the kind's order, without default values.

    Lists are replaced by tuples.
    """
    step = KINDS.get(kind)
    known = {} if step is None else step.places
    kept = []
    for name, given in params.items():
        place, param = known.get(name, (len(known), None))
        value = frozen(given)
        if param is not None and param.form == "mapping":
            value = once_each(value)
        if param is None or not _is_default(value, param):
            kept.append((place, name, value))
    return tuple((name, value) for _, name, value in sorted(kept, key=itemgetter(0)))


def _is_default(value: Any, param: Param) -> bool:
    if param.required or type(value) is not type(param.default):
        return False
    return bool(value == param.default)


def frozen(value: Any) -> Any:
    """Replace lists by tuples, at every depth, so that a node can be hashed and compared."""
    if isinstance(value, (list, tuple)):
        return tuple(frozen(item) for item in value)
    return value
