"""The canvas: one widget, of typed traits and no algorithm."""

from __future__ import annotations

from typing import Any

import traitlets

from mmnotebook.ui.common.bundle import BundledWidget


class Canvas(BundledWidget):
    """What the browser shows of an `Editor`; `frontend/src/scene.ts` has the forms of its values.

    Attributes
    ----------
    scene
        Nodes, wires, text and problems, a new dict for each change.
    kinds
        The step kinds.
    palette
        What can be added.
    status
        The state of the run, its counts by node and by wire.
    selection
        The names of the selected nodes.
    seen
        By view, the number of its last command that was handled.
    height
        Of the canvas, in px; both ways.
    busy
        Is Python at work on something that was asked for?
    """

    bundle = "builder"

    scene = traitlets.Dict().tag(sync=True)
    kinds: Any = traitlets.List().tag(sync=True)
    palette: Any = traitlets.List().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)
    selection = traitlets.List(traitlets.Unicode()).tag(sync=True)
    seen = traitlets.Dict().tag(sync=True)
    height = traitlets.Int(440).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)

    def say(self, text: str, level: str = "info") -> None:
        """Show a line for a while, and tell it to screen readers."""
        self.send({"type": "said", "text": text, "level": level})

    def insert_cell(self, text: str) -> None:
        """Put a cell of this text below the one that shows the canvas."""
        self.send({"type": "cell", "text": text})
