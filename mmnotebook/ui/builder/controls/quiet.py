"""Controls whose values can be set without triggering an edit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ipywidgets import VBox


class Quiet(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Knows of a change whether the user made it or this program."""

    _setting: int | None = None

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Controls set here, in this thread, are not the user's doing."""
        before, self._setting = self._setting, threading.get_ident()
        try:
            yield
        finally:
            self._setting = before

    @property
    def _by_user(self) -> bool:
        return self._setting != threading.get_ident()
