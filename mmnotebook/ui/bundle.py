"""Where the built frontend lies."""

from __future__ import annotations

from pathlib import Path

_STATIC = Path(__file__).parent / "static"


def bundle(name: str) -> Path:
    """A file that was built from the sources under `frontend`."""
    return _STATIC / name
