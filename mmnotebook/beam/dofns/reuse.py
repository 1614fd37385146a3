"""`Reuse`: stored outputs of a step, so that only missing outputs are computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmnotebook.beam.answers import contents
from mmnotebook.beam.answers.index import Answer, Answers
from mmnotebook.beam.answers.marks import OfBlock, OfElements
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.columns import Column
from mmnotebook.elements.packing import concat
from mmnotebook.fingerprint.tokens import hashed

_SHARE = 0.03
"""Maximum share of a node's time for the computation of content keys."""
_SAMPLE = 16


@dataclass
class Reuse:
    """The stored outputs of a step.

    Attributes
    ----------
    own
        The node's identity without its inputs.
    answers
        The stored outputs of nodes with the identity `own`.
    by_element
        Whether outputs are looked up by element; otherwise, by whole block.
    children
        Whether an element can have any number of outputs, as in a flat_map.
    """

    own: str
    answers: Answers = field(default_factory=Answers)
    by_element: bool = False
    children: bool = False
    _spent: float = 0.0
    _worked: float = 0.0

    def blocks(
        self, track: Tracker, block: Block, make: Callable[[Block], Iterable[Block]]
    ) -> Iterator[Block]:
        """Yield the outputs for a block; call `make` for elements whose outputs are not stored."""
        look = self.look(block)
        started = time.perf_counter()
        made = list(make(look.rest)) if look.is_open else []
        self.worked(time.perf_counter() - started)
        yield from look.blocks(track, made)

    def look(self, block: Block) -> Look:
        """Look up the stored outputs for a block."""
        return Look(self, block)

    def worked(self, seconds: float) -> None:
        """Add the time that was spent to compute outputs that were not stored."""
        self._worked += seconds

    def block_key(self, column: Column, is_wanted: bool) -> bytes | None:
        """Return the content key of a block's values; None if there is none or it costs too much.

        With `is_wanted`, the key is computed at any cost.
        """
        if not (is_wanted or contents.is_plain(column) or self._is_cheap(column)):
            return None
        started = time.perf_counter()
        key = contents.of_block(column)
        self._spent += time.perf_counter() - started
        return None if key is None else hashed(self.own.encode(), b"block", key)

    def _is_cheap(self, column: Column) -> bool:
        """Return whether the key is worth its cost, which is estimated from a few values."""
        few = column.part(0, _SAMPLE)
        started = time.perf_counter()
        contents.of_block(few)
        needed = (time.perf_counter() - started) * len(column) / max(1, len(few))
        return self._spent + needed <= _SHARE * self._worked

    def element_keys(self, column: Column) -> list[bytes]:
        """Return the content key of each value."""
        return contents.of_each(column, self.own.encode() + b"element")


class Look:
    """The stored outputs for one block, and the elements whose outputs must be computed.

    Attributes
    ----------
    rest
        The elements whose outputs are not stored.
    is_open
        Whether there is anything to compute.
    """

    def __init__(self, reuse: Reuse, block: Block) -> None:
        self._reuse, self._block = reuse, block
        self._key: bytes | None = None
        self._keys: list[bytes] | None = None
        self._answer = self._found()
        rest = None if self._answer is None else self._answer.rest
        self.rest = block if rest is None else block.take(rest)
        self.is_open = rest is None or bool(rest)

    def _found(self) -> Answer | None:
        answers, values = self._reuse.answers, self._block.values
        if not len(values):
            return None
        if len(answers.elements.keys):
            self._keys = self._reuse.element_keys(values)
            if (found := answers.of_elements(self._keys)) is not None:
                return found
        if answers.blocks:
            self._key = self._reuse.block_key(values, is_wanted=True)
            if self._key is not None:
                return answers.of_block(self._key, len(values))
        return None

    @property
    def given(self) -> int:
        """The number of stored outputs."""
        return 0 if self._answer is None else len(self._answer.places)

    def blocks(self, track: Tracker, made: list[Block], by_element: bool = False) -> list[Block]:
        """Return all outputs for the block with the keys of their inputs, in the inputs' order.

        Parameters
        ----------
        track
            Counts the reused outputs.
        made
            The outputs that were computed for `rest`.
        by_element
            Whether each output was computed from one element alone, even after a lookup by block.
        """
        if self._answer is not None:
            made = self._together(track, self._answer, made)
        return self._marked(made, track.passing, by_element or self._reuse.by_element)

    def marked(self, track: Tracker, made: list[Block]) -> list[Block]:
        """Add the keys of the inputs to outputs that were each computed from one element alone."""
        return self._marked(made, track.passing, by_element=True)

    def _together(self, track: Tracker, answer: Answer, made: list[Block]) -> list[Block]:
        """Merge the stored and the computed outputs."""
        block = self._block
        names = {"node": track.node}
        failed = [fail._replace(id=block.ids[place], **names) for place, fail in answer.failed]
        track.count_known(answer.known, failed)
        new = [fail for one in made for fail in one.failed]
        places, values = list(answer.places), answer.values
        if any(map(len, made)):
            found = _Places(block, self._reuse.children)
            places += [place for one in made for place in found.of(one)]
            values = concat([values, *(one.values for one in made)])
            order = sorted(range(len(places)), key=places.__getitem__)
            places, values = [places[at] for at in order], values.take(order)
        kept = self._of(places)
        return list(in_parts(kept.with_values(values, [*block.failed, *failed, *new])))

    def _of(self, places: Sequence[int]) -> Block:
        """Return the elements at these positions, or their children."""
        kept = self._block.take(places)
        if not self._reuse.children:
            return kept
        ids, counts = [], dict.fromkeys(kept.ids, 0)
        for parent in kept.ids:
            ids.append(f"{parent}/{counts[parent]}")
            counts[parent] += 1
        origins = kept.ids if kept.origins is None else kept.origins
        return replace(kept, ids=ids, origins=origins)

    def _marked(self, made: list[Block], passing: set[str], by_element: bool) -> list[Block]:
        """Return the same blocks with the keys of their inputs."""
        found = _Places(self._block, self._reuse.children)
        if not len(self._block) or not found.are_clear(made):
            return made
        before = {fail.id for fail in self._block.failed}
        new = [fail for one in made for fail in one.failed if fail.id not in before]
        failed = [(found[fail.id], fail) for fail in new if fail.id not in passing]
        left = [found[fail.id] for fail in new if fail.id in passing]
        marks = self._element_marks if by_element else self._block_marks
        pairs = zip(made, marks([found.of(one) for one in made], failed, left), strict=True)
        return [replace(one, made_of=mark) for one, mark in pairs]

    def _element_marks(
        self, places: list[Sequence[int]], failed: list[tuple[int, Any]], passing: list[int]
    ) -> list[OfElements]:
        keys = self._keys or self._reuse.element_keys(self._block.values)
        bad = tuple((keys[place], fail) for place, fail in failed)
        marks = [OfElements(b"".join(keys[place] for place in some)) for some in places]
        return [replace(marks[0], failed=bad), *marks[1:]]

    def _block_marks(
        self, places: list[Sequence[int]], failed: list[tuple[int, Any]], passing: list[int]
    ) -> list[OfBlock] | list[None]:
        key = self._key or self._reuse.block_key(self._block.values, is_wanted=False)
        if key is None:
            return [None] * len(places)
        marks = [
            OfBlock(key, None if isinstance(some, range) else some, part=part, parts=len(places))
            for part, some in enumerate(places)
        ]
        return [replace(marks[0], failed=tuple(failed), passing=tuple(passing)), *marks[1:]]


class _Places:
    """The positions of a block's elements, by their ids."""

    def __init__(self, block: Block, children: bool) -> None:
        self._block, self._children = block, children
        self._known: dict[str, int] | None = None

    def are_clear(self, made: Sequence[Block]) -> bool:
        """Return whether the input of each output is unambiguous."""
        if not made:
            return False
        same = len(made) == 1 and isinstance(self.of(made[0]), range) and not made[0].failed
        return same or len(self._by_id()) == len(self._block)

    def __getitem__(self, element_id: str) -> int:
        return self._by_id()[element_id]

    def of(self, made: Block) -> Sequence[int]:
        """Return the position of each output's input element; a range if the ids are the same."""
        if made.ids is self._block.ids and not self._children:
            return range(len(made))
        ids = made.ids
        if self._children:
            ids = [name.rpartition("/")[0] for name in ids]
        return list(map(self._by_id().__getitem__, ids))

    def _by_id(self) -> dict[str, int]:
        if self._known is None:
            self._known = {name: place for place, name in enumerate(self._block.ids)}
        return self._known
