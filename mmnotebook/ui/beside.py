"""A live widget and, in the output below it, its static view: one of the two is seen."""

from __future__ import annotations


def style(live: str, static: str) -> str:
    """A `<style>` that hides the static view while the widget lives, else the dead widget's error.

    JupyterLab shows an error for a widget whose kernel is gone, whatever else that output has;
    therefore the static view stands in an output of its own.

    Parameters
    ----------
    live, static
        Classes of elements in the widget, and in the output below it.
    """
    output = ".jp-OutputArea-child"
    lives = f"{output}:has(.{live})+{output}:has(.{static})"
    died = f"{output}:has(>.jupyter-widgets):not(:has(>.jupyter-widgets *)):has(+* .{static})"
    return f"<style>{lives},{died}{{display:none}}</style>"
