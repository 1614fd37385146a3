"""Controls whose values can be set without triggering an edit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ipywidgets import VBox


class Quiet(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A box of controls that distinguishes changes by the user from changes by the program."""

    _setting: int | None = None

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Treat changes of controls in this block and this thread as changes by the program."""
        before, self._setting = self._setting, threading.get_ident()
        try:
            yield
        finally:
            self._setting = before

    @property
    def _by_user(self) -> bool:
        return self._setting != threading.get_ident()
