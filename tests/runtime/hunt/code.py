"""Edits of functions, classes and modules: those of the fingerprint tests, in real runs."""

from __future__ import annotations

import re
from typing import Literal

from tests.runtime.hunt.edit import Edit
from tests.unit import hunting

_MODULES = re.compile(r"\b(own|deeper)\b")


# A run pickles a function by value, with the globals that its code names; these need more.
_NOT_IN_RUNS = re.compile(
    r"globals\(\)\['|eval\(|__globals__|f_globals|__getstate__|Struct|\(A, \(\)\)"
)
# Objects that are pickled by their name in `__main__`, or that cannot be pickled.
_OF_MAIN = re.compile(
    r"functools.*cache|cached_property|singledispatch|contextvars|weakref|threading"
)


def _in_runs(edit: hunting.Edit, expects: Literal["new", "same"]) -> Edit:
    cells = []
    for chosen in (edit.one, edit.other):
        parts = [f"module({name!r}, {text!r})" for name, text in edit.files.items()]
        text = "\n".join([*parts, edit.text]).replace("@@", chosen)
        cells.append(_MODULES.sub(lambda m: {"own": "OWN", "deeper": "OWN_deeper"}[m[0]], text))
    alone = bool(_OF_MAIN.search(edit.text))
    return Edit(edit.kind, *cells, expects=expects, alone=alone)


CODE = [
    *(_in_runs(edit, "new") for edit in hunting.CHANGES if not _NOT_IN_RUNS.search(edit.text)),
    *(_in_runs(edit, "same") for edit in hunting.SAME),
]
