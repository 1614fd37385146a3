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
    wrong = [*editor.wrong, *editor.problems()]
    if wrong:
        raise GraphError(wrong)
    known = notebook_names()
    given = ", ".join(name for name in editor.graph.bindings if name not in known)
    if given:
        problem = Problem("passed to the builder, but not a variable of the notebook", found=given)
        raise GraphError([problem], remedy=f"assign {given} in a cell, then insert this one")
    return f"%%mm_pipeline {name}\n{editor.text}"


def after_each(what: str, do: Callable[..., None]) -> None:
    """Register or unregister a callback after every cell, if there are cells."""
    if (running := shell()) is not None:
        with suppress(ValueError):  # no longer registered
            getattr(running.events, what)("post_run_cell", do)
