"""`Block`: up to some thousand elements of one node together, with what failed in making them."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmnotebook.elements.columns import Column
from mmnotebook.elements.elements import Key
from mmnotebook.elements.packing import loose, pack
from mmnotebook.results.records import Failure

ROWS = 4096
"""The most elements of a block."""
BYTES = 32 << 20
"""About the most bytes of a block of more than one element."""


@dataclass(eq=False)
class Block:
    """Elements of one node.

    Attributes
    ----------
    ids
        The id of each element.
    values
        What the node gave for each.
    origins
        The id of the source's element that each comes from; None when that is its own id.
    arms
        The arm that each took, or the key that chose its model; None for none.
    fields
        The source's fields that a later `by=` names; None for none.
    failed
        What failed in the node on the way to these elements.
    made_of
        What they were made of, to find them by it later; None for elements that are not found.
    """

    ids: list[str]
    values: Column
    origins: list[str] | None = None
    arms: list[str | None] | None = None
    fields: list[tuple[tuple[str, Any], ...]] | None = None
    failed: list[Failure] = field(default_factory=list)
    made_of: Any = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes."""
        return self.values.nbytes + 64 * len(self.ids)

    def keys(self) -> Iterator[Key]:
        """The key of each element."""
        none: list[Any] = [None] * len(self.ids)
        whole = zip(
            self.ids,
            self.ids if self.origins is None else self.origins,
            none if self.arms is None else self.arms,
            [()] * len(self.ids) if self.fields is None else self.fields,
            strict=True,
        )
        return map(Key._make, whole)

    def elements(self) -> Iterator[tuple[Key, Any]]:
        """(key, value) of each element."""
        return zip(self.keys(), self.values.rows(), strict=True)

    def loose(self) -> Iterator[tuple[Key, Any]]:
        """The same, with several selected fields by name: `of` makes an equal block of them."""
        return zip(self.keys(), loose(self.values), strict=True)

    def take(self, places: Sequence[int]) -> Block:
        """The elements at these places, failures left out."""
        if len(places) == len(self.ids) and all(map(operator.eq, places, itertools.count())):
            return replace(self, failed=[], made_of=None)

        def taken(items: list[Any] | None) -> Any:
            return None if items is None else [items[place] for place in places]

        return Block(
            taken(self.ids),
            self.values.take(places),
            taken(self.origins),
            taken(self.arms),
            taken(self.fields),
        )

    def giving(self, values: Sequence[Any], failed: Iterable[Failure] = ()) -> Block:
        """The same elements with other values, one each."""
        return replace(self, values=pack(values), failed=list(failed), made_of=None)

    @classmethod
    def of(cls, elements: Sequence[tuple[Key, Any]], failed: Iterable[Failure] = ()) -> Block:
        """The block of (key, value) pairs."""
        keys = [key for key, _ in elements]
        ids = [key.id for key in keys]
        origins: list[str] | None = [key.origin for key in keys]
        arms: list[str | None] | None = [key.key for key in keys]
        fields: list[tuple[tuple[str, Any], ...]] | None = [key.fields for key in keys]
        return cls(
            ids,
            pack([value for _, value in elements]),
            None if origins == ids else origins,
            arms if any(arm is not None for arm in arms or ()) else None,
            fields if any(fields or ()) else None,
            list(failed),
        )


def in_parts(block: Block) -> Iterator[Block]:
    """A block that a step has made bigger, cut to size; its failures stay with the first part."""
    if len(block) <= ROWS and block.nbytes <= BYTES:
        yield block
        return
    rows = max(1, min(ROWS, len(block) * BYTES // block.nbytes))
    for start in range(0, len(block), rows):
        part = block.take(range(start, min(start + rows, len(block))))
        yield replace(part, failed=block.failed) if start == 0 else part
