"""`Block`: up to 4,096 elements of one node, with their failures."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmnotebook.elements.columns import Column
from mmnotebook.elements.elements import Key
from mmnotebook.elements.packing import pack
from mmnotebook.results.records import Failure

ROWS = 4096
"""The maximum number of elements in a block."""
BYTES = 32 << 20
"""The approximate maximum size of a block with more than one element, in bytes."""

_key = functools.partial(tuple.__new__, Key)
"""Creates a `Key` from its six items, faster than `Key._make`."""


@dataclass(eq=False)
class Block:
    """Elements of one node.

    At most one of `branches`, `model_keys` and `models` is set: by the latest step that chose a
    branch or a model for each element.

    Attributes
    ----------
    ids
        The id of each element.
    values
        The output of the node for each element.
    origins
        The id of the source element from which each element was computed; None if all of these
        ids equal `ids`.
    branches
        The branch that a split or switch chose for each element.
    model_keys
        The key that chose the model of each element in a keyed step.
    models
        The model of a cascade that produced the prediction for each element.
    rows
        The position of each element among the rows that a model receives; set only while the
        handler of the model runs.
    fields
        For each element, the source fields that a later `by=` names; None for no fields.
    failed
        The failures of the node that occurred together with these elements.
    made_of
        Marks that identify the input from which these elements were computed; None for no marks.
    """

    ids: list[str]
    values: Column
    origins: list[str] | None = None
    branches: list[str | None] | None = None
    model_keys: list[str | None] | None = None
    models: list[str | None] | None = None
    rows: Sequence[int] | None = None
    fields: list[tuple[tuple[str, Any], ...]] | None = None
    failed: list[Failure] = field(default_factory=list)
    made_of: Any = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Earlier versions had one field for branches, keys and models.
        if "arms" in state:
            state["branches"] = state.pop("arms")
        self.__dict__.update(state)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def nbytes(self) -> int:
        """The estimated size of the block in bytes."""
        return self.values.nbytes + 64 * len(self.ids)

    @property
    def choices(self) -> list[str | None] | None:
        """The latest choice for each element: branch, key or model; column `key` of tables."""
        if self.branches is not None:
            return self.branches
        return self.models if self.model_keys is None else self.model_keys

    def keys(self) -> Iterator[Key]:
        """Return the key of each element."""
        none: list[Any] = [None] * len(self.ids)
        whole = zip(
            self.ids,
            self.ids if self.origins is None else self.origins,
            none if self.model_keys is None else self.model_keys,
            [()] * len(self.ids) if self.fields is None else self.fields,
            none if self.branches is None else self.branches,
            none if self.models is None else self.models,
            strict=True,
        )
        return map(_key, whole)

    def elements(self) -> Iterator[tuple[Key, Any]]:
        """Return a (key, value) pair for each element."""
        return zip(self.keys(), self.values.rows(), strict=True)

    def take(self, places: Sequence[int]) -> Block:
        """Return the elements at these positions, without failures."""
        if len(places) == len(self.ids) and all(map(operator.eq, places, itertools.count())):
            return replace(self, failed=[], made_of=None)

        def taken(items: Sequence[Any] | None) -> Any:
            return None if items is None else [items[place] for place in places]

        return Block(
            taken(self.ids),
            self.values.take(places),
            taken(self.origins),
            taken(self.branches),
            taken(self.model_keys),
            taken(self.models),
            taken(self.rows),
            taken(self.fields),
        )

    def with_values(self, values: Sequence[Any], failed: Iterable[Failure] = ()) -> Block:
        """Return the same elements with these values, one per element."""
        return replace(self, values=pack(values), failed=list(failed), made_of=None)

    def with_choices(
        self,
        *,
        branches: list[str | None] | None = None,
        model_keys: list[str | None] | None = None,
        models: list[str | None] | None = None,
    ) -> Block:
        """Return the same elements with these choices, which replace all earlier ones."""
        return replace(self, branches=branches, model_keys=model_keys, models=models)

    @classmethod
    def of(cls, elements: Sequence[tuple[Key, Any]], failed: Iterable[Failure] = ()) -> Block:
        """Create a block from (key, value) pairs."""
        columns = zip(*(key for key, _ in elements), strict=True) if elements else [()] * 6
        ids, origins, keys, fields, branches, models = columns

        def known(items: tuple[Any, ...]) -> Any:
            return None if items.count(None) == len(items) else list(items)

        return cls(
            list(ids),
            pack([value for _, value in elements]),
            None if origins == ids else list(origins),
            known(branches),
            known(keys),
            known(models),
            fields=list(fields) if any(fields) else None,
            failed=list(failed),
        )


def in_parts(block: Block) -> Iterator[Block]:
    """Yield a block in parts that respect the size limits; the first part has the failures."""
    if len(block) <= ROWS and block.nbytes <= BYTES:
        yield block
        return
    rows = max(1, min(ROWS, len(block) * BYTES // block.nbytes))
    for start in range(0, len(block), rows):
        part = block.take(range(start, min(start + rows, len(block))))
        yield replace(part, failed=block.failed) if start == 0 else part
