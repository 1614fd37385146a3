"""Exchange of text between the builder and notebook cells."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.names import notebook_names
from mmnotebook.notebook_state import shell
from mmnotebook.ui.builder.editor import Editor


def text_of(editor: Editor, name: str) -> str:
    """Return the cell that creates the graph; raise GraphError if the graph is not valid."""
    problems = [*editor.text_problems, *editor.problems()]
    if problems:
        raise GraphError(problems)
    known = notebook_names()
    unknown = ", ".join(name for name in editor.graph.bindings if name not in known)
    if unknown:
        problem = Problem(
            "passed to the builder, but not a variable of the notebook", found=unknown
        )
        raise GraphError([problem], remedy=f"assign {unknown} in a cell, then insert this one")
    return f"%%mm_pipeline {name}\n{editor.text}"


def after_cells(action: str, callback: Callable[..., None]) -> None:
    """Register or unregister a callback after each cell; do nothing outside of IPython."""
    if (ipython := shell()) is not None:
        with suppress(ValueError):  # it is no longer registered
            getattr(ipython.events, action)("post_run_cell", callback)
