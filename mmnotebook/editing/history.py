"""The history of document versions, for undo and redo."""

from __future__ import annotations

from dataclasses import replace

from mmnotebook.editing.document import Document, Edit

LIMIT = 500
"""The maximum number of edits that can be undone."""


class History:
    """The versions of a document. An edit after an undo removes the undone versions.

    Parameters
    ----------
    document
        The first version.

    Attributes
    ----------
    document
        The current version.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._before: list[tuple[Document, Edit]] = []
        self._after: list[Edit] = []

    @property
    def undoable(self) -> str | None:
        """A description of the edit that `undo` would undo; None if there is none."""
        return self._before[-1][1].label if self._before else None

    @property
    def redoable(self) -> str | None:
        """A description of the edit that `redo` would redo; None if there is none."""
        return self._after[-1].label if self._after else None

    def do(self, edit: Edit) -> None:
        """Record an edit of `document`, unless it changes nothing."""
        if edit.document == self.document:
            self.document = edit.document
            return
        last = self._before[-1] if self._before and not self._after else None
        if last is not None and edit.merges is not None and last[1].merges == edit.merges:
            self._before[-1] = (last[0], edit)
        else:
            self._before.append((self.document, edit))
        self.document = edit.document
        self._after.clear()
        del self._before[:-LIMIT]

    def undo(self) -> Edit | None:
        """Undo the last edit; return the document before it, or None if there is no edit."""
        if not self._before:
            return None
        before, edit = self._before.pop()
        self._after.append(replace(edit, merges=None))
        self.document = before
        return Edit(before, edit.label)

    def redo(self) -> Edit | None:
        """Redo the last undone edit; return the edit, or None if there is none."""
        if not self._after:
            return None
        edit = self._after.pop()
        self._before.append((self.document, edit))
        self.document = edit.document
        return edit
