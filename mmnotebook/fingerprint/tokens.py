"""Tokens: byte strings that encode their own length."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any


def hashed(*parts: Any) -> bytes:
    """Return the blake2b digest (16 bytes) of bytes-like parts."""
    state = blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return state.digest()


def packed(body: bytes) -> bytes:
    """Return a token: the length and a short body, or a marker and the hash of a long body."""
    return bytes((len(body),)) + body if len(body) < 64 else b"\x40" + hashed(body)
