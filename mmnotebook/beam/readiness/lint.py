"""All findings about a prepared graph, and the warning of `compile_graph`."""

from __future__ import annotations

import warnings
from typing import Any

from mmnotebook.beam.prepare import Prepared
from mmnotebook.beam.readiness import functions, places, shape
from mmnotebook.beam.readiness.finding import Finding, Target
from mmnotebook.compat import python
from mmnotebook.errors import ReadinessWarning, counted

_HEAD = "the workers of this pipeline may be on other machines"


def findings(prepared: Prepared, target: Target) -> list[Finding]:
    """Return what would not work, or work otherwise, on these workers; errors first."""
    if not target.are_elsewhere:
        return []
    found = [
        *functions.findings(prepared, target),
        *places.findings(prepared, target),
        *shape.joins(prepared),
        *shape.settings(target),
    ]
    return sorted(dict.fromkeys(found), key=lambda one: one.severity != "error")


def warn(prepared: Prepared, pipeline: Any) -> None:
    """Issue one warning with all findings about a graph in a pipeline of the user."""
    found = findings(prepared, Target.of_pipeline(pipeline))
    if found:
        lines = "\n".join(f"- {one}" for one in found)
        text = f"{_HEAD}; {counted(len(found), 'finding')}:\n{lines}"
        warnings.warn(text, ReadinessWarning, stacklevel=python.user_stacklevel())
