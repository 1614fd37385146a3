"""The lookup of step kinds in the modules of `steps.kinds` and in other installed packages."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from typing import Any, get_args

from mmnotebook import extensions
from mmnotebook.graph.kinds import Family, Outputs, StepKind
from mmnotebook.steps import kinds

_ALLOWED = {
    "family": get_args(Family),
    "inputs": ("none", "any", "join"),
    "outputs": get_args(Outputs),
}
_PLACE = re.compile(r"[\w.]+:\w+")
GROUP = "mmnotebook.steps"
"""The group of the entry points that add step kinds: `name = "module:KIND"`."""


def own_kinds() -> list[StepKind]:
    """Return the kinds of this package: the `KIND` of each module in `steps.kinds`."""
    found = (one.name for one in pkgutil.iter_modules(kinds.__path__))
    modules = [import_module(f"{kinds.__name__}.{name}") for name in found]
    return [module.KIND for module in modules if hasattr(module, "KIND")]


def installed_kinds() -> list[StepKind]:
    """Return the kinds of other installed packages; warn about each kind that cannot be used."""
    taken = {kind.name for kind in own_kinds()}

    def problem(kind: Any) -> str | None:
        wrong = _problem(kind, taken)
        if wrong is None:
            taken.add(kind.name)
        return wrong

    return extensions.load(GROUP, "the step kind", problem)


def _problem(kind: Any, taken: set[str]) -> str | None:
    """Return why an object cannot be added as a step kind; None if it can be added."""
    if not isinstance(kind, StepKind):
        return f"it is a {type(kind).__name__}, not a StepKind"
    if not kind.name.isidentifier():
        return f"its name {kind.name!r} cannot be written in a pipeline"
    if kind.name in taken:
        return f"there is a step kind {kind.name!r} already"
    for field, allowed in _ALLOWED.items():
        if getattr(kind, field) not in allowed:
            known = ", ".join(map(repr, allowed))
            return f"its {field} is {getattr(kind, field)!r}; allowed: {known}"
    if kind.family in ("source", "write"):
        return f"the family {kind.family!r} cannot be extended: use a Beam transform"
    if not kind.lowering:
        return "it has no lowering"
    places = [place for place in (kind.lowering, kind.lean) if place is not None]
    wrong = [place for place in places if not _PLACE.fullmatch(place)]
    return f"its lowering {wrong[0]!r} is not 'module:name'" if wrong else None
