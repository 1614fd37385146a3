"""Helpers that the cells of an edit can call."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LONG_AGO = 1_600_000_000


class Helpers:
    """Helpers that write into one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, content: str | bytes) -> str:
        """Write a file and return its path."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def stamped(self, name: str, write: Callable[[str], Any]) -> str:
        """Write a file and give it a fixed, old time stamp."""
        path = str(self._folder / name)
        write(path)
        os.utime(path, (LONG_AGO, LONG_AGO))
        return path

    def module(self, name: str, text: str) -> None:
        """Write a module into this folder, so that it is imported again."""
        self.put(f"{name.replace('.', '/')}.py", text)
        top = name.partition(".")[0]
        for loaded in [*sys.modules]:
            if loaded.partition(".")[0] == top:
                del sys.modules[loaded]
        # Modules of other folders stay loaded, among them large packages.
        for listed in [*sys.path_importer_cache]:
            if Path(listed).is_relative_to(self._folder):
                del sys.path_importer_cache[listed]
