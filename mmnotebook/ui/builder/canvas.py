"""The canvas widget: typed traits, without logic."""

from __future__ import annotations

from typing import Any

import traitlets

from mmnotebook.ui.common.bundle import BundledWidget


class Canvas(BundledWidget):
    """The browser's view of an `Editor`; `frontend/src/scene.ts` has the types of its values.

    Attributes
    ----------
    scene
        Nodes, wires, text and problems, a new dict for each change.
    kinds
        The step kinds.
    palette
        The items that can be added to the graph.
    status
        The state of the run, with its counts by node and by wire.
    selection
        The names of the selected nodes.
    seen
        The number of the last handled command, by view.
    height
        The height of the canvas in px; set by Python and by the browser.
    busy
        Whether Python is working on a command.
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

    def notify(self, text: str, level: str = "info") -> None:
        """Show a message for some seconds, and announce it to screen readers."""
        self.send({"type": "notice", "text": text, "level": level})

    def insert_cell(self, text: str) -> None:
        """Insert a cell with this text below the one that shows the canvas."""
        self.send({"type": "cell", "text": text})
