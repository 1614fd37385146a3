"""Digests as identities: of what cannot be known, why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmnotebook.graph.fingerprint import Identity, Unknowable


def known(digest: Callable[..., str], *values: Any) -> Identity:
    """The identity that a digest of values is; with the reason where they cannot be known."""
    try:
        return Identity(digest(*values))
    except Unknowable as reason:
        return Identity(None, str(reason))
