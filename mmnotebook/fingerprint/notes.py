"""Notes about impure code, collected during fingerprinting, and their evaluation.

A method that opens a file counts only if some code uses the name of the method. This is known only
after all code has been read. Therefore each part of a value has a list of notes, which contains the
lists of its smaller parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmnotebook.fingerprint.bytecode import ANY
from mmnotebook.fingerprint.impure import RANDOM

Notes = list[Any]
"""A list of `Refusal`, `UsedNames`, `MemberNotes`, `Making` and nested lists, even of itself."""


@dataclass(frozen=True)
class Refusal:
    """Why a value cannot be fingerprinted: the effect (`RANDOM`, ... or "") and a text."""

    does: str
    words: str


@dataclass(frozen=True)
class UsedNames:
    """Names that code uses."""

    names: frozenset[str]


@dataclass(frozen=True, eq=False)
class MemberNotes:
    """Notes that count only if some code uses one of these names."""

    names: frozenset[str]
    notes: Notes


@dataclass(frozen=True, eq=False)
class Making:
    """Notes of code that creates a model; it may draw random weights, which are replaced later."""

    notes: Notes


def refusals(notes: Notes) -> Iterator[Refusal]:
    """Yield the reasons why a value cannot be fingerprinted, if there are any."""
    settling = _Settling()
    yield from settling.go_through(notes, lenient=False)
    while used := settling.used():
        for member, lenient in used:
            yield from settling.go_through(member.notes, lenient)


class _Settling:
    """The evaluation of notes; notes of code that creates a model (lenient) are separate."""

    def __init__(self) -> None:
        self._names: dict[bool, set[str]] = {False: set(), True: set()}
        self._members: dict[int, MemberNotes] = {}
        self._seen: set[tuple[int, bool]] = set()

    def go_through(self, notes: Notes, lenient: bool) -> Iterator[Refusal]:
        """Yield the refusals that count in notes and their nested notes, in order."""
        waiting: list[tuple[Iterator[Any], bool]] = [(iter([notes]), lenient)]
        while waiting:
            rest, lenient = waiting[-1]
            note = next(rest, None)
            if note is None:
                waiting.pop()
            elif isinstance(note, (list, Making)):
                lenient = lenient or isinstance(note, Making)
                inside = note.notes if isinstance(note, Making) else note
                if (id(inside), lenient) not in self._seen:
                    self._seen.add((id(inside), lenient))
                    waiting.append((iter(inside), lenient))
            elif isinstance(note, UsedNames):
                self._names[lenient] |= note.names
            elif isinstance(note, MemberNotes):
                self._members[id(note)] = note
            elif not (lenient and note.does == RANDOM):
                yield note

    def used(self) -> list[tuple[MemberNotes, bool]]:
        """List members that are now known to be used, and whether lenient code uses them."""
        return [
            (member, lenient)
            for member in self._members.values()
            for lenient, names in self._names.items()
            if (id(member.notes), lenient) not in self._seen
            and (ANY in names or not member.names.isdisjoint(names))
        ]
