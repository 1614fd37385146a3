"""Fingerprints of library modules, from files, and of user modules, from the used names."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from mmnotebook.fingerprint import origin

if TYPE_CHECKING:
    from mmnotebook.fingerprint.bytecode import Reading
    from mmnotebook.fingerprint.walk import Walk

_OF_IMPORTING = {"__builtins__", "__cached__", "__file__", "__loader__", "__path__", "__spec__"}


def module(walk: Walk, value: types.ModuleType) -> bytes:
    """Return the token of a module that code passes on: any of its names may be used."""
    source = origin.library_of(value)
    if source is not None:
        return b"module" + walk.source(source, value.__name__) + walk.token(value.__name__)
    body = b"whole module" + walk.token(value.__name__)
    for name, found in sorted(vars(value).items()):
        if name not in _OF_IMPORTING:
            body += walk.token(name) + walk.member(frozenset({name}), found)
    return body


def named(walk: Walk, value: types.ModuleType, read: Reading) -> bytes:
    """Return the token of a module of which code only reads attributes."""
    if origin.library_of(value) is not None:
        return walk.token(value)
    # The key includes the reading, since the token is only valid for the uses in this code.
    return walk.once((id(value), id(read)), (value, read), _named)


def _named(walk: Walk, both: tuple[types.ModuleType, Reading]) -> bytes:
    value, read = both
    body = b"module"
    for name in sorted(read.attributes.intersection(vars(value))):
        body += walk.token(name) + walk.used(vars(value)[name], read)
    return body


HANDLERS: dict[type, Any] = {types.ModuleType: module}
