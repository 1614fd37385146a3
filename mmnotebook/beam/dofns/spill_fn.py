"""The base class of DoFns that keep blocks in files of the run."""

from __future__ import annotations

from pathlib import Path

from mmnotebook.beam.dofns.node_fn import NodeFn
from mmnotebook.elements.spill import SpillFile
from mmnotebook.state import run_state


class SpillFn(NodeFn):
    """Has a new `file` in each bundle for the blocks that it keeps.

    Attributes
    ----------
    folder
        The folder for the file.
    """

    folder: Path

    def setup(self) -> None:
        super().setup()
        self.file = SpillFile(self.folder)

    def finish_bundle(self) -> None:
        with run_state.stopping(self.run_id):
            self.file.close()
        super().finish_bundle()
