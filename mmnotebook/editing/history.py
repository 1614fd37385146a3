"""Every document that an edit led to, for undo and redo."""

from __future__ import annotations

from dataclasses import replace

from mmnotebook.editing.document import Document, Edit

LIMIT = 500
"""How many edits can be undone."""


class History:
    """One line of documents; an edit after an undo drops what could be redone.

    Parameters
    ----------
    document
        The first.

    Attributes
    ----------
    document
        As it is now.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._before: list[tuple[Document, Edit]] = []
        self._after: list[Edit] = []

    @property
    def undoable(self) -> str | None:
        """What `undo` would take back, in words; None for nothing."""
        return self._before[-1][1].label if self._before else None

    @property
    def redoable(self) -> str | None:
        """What `redo` would do again, in words; None for nothing."""
        return self._after[-1].label if self._after else None

    def do(self, edit: Edit) -> None:
        """Take an edit of `document` in; one that changes nothing is not remembered."""
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
        """Take the last edit back; the document before it, None when there is none."""
        if not self._before:
            return None
        before, edit = self._before.pop()
        self._after.append(replace(edit, merges=None))
        self.document = before
        return Edit(before, edit.label)

    def redo(self) -> Edit | None:
        """Do again what was taken back last; None when there is nothing."""
        if not self._after:
            return None
        edit = self._after.pop()
        self._before.append((self.document, edit))
        self.document = edit.document
        return edit
