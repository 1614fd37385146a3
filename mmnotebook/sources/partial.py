"""Values of a source, some of which could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmnotebook.elements.columns import Column
from mmnotebook.elements.packing import concat, pack


@dataclass(frozen=True)
class Partial(Sequence[Any]):
    """A sequence of the values that were read, with an error in place of each unreadable value.

    Attributes
    ----------
    good
        The values that were read.
    errors
        The errors, by position among all values.
    """

    good: Column
    errors: dict[int, Exception]

    def __len__(self) -> int:
        return len(self.good) + len(self.errors)

    def __iter__(self) -> Iterator[Any]:
        good = iter(self.good.rows())
        return (self.errors[n] if n in self.errors else next(good) for n in range(len(self)))

    def __getitem__(self, place: Any) -> Any:
        return list(self)[place]

    @property
    def nbytes(self) -> int:
        return self.good.nbytes

    def places(self) -> list[int]:
        """Return the positions of the values that were read."""
        return [place for place in range(len(self)) if place not in self.errors]


def whole(values: Sequence[Any]) -> Column | Partial:
    """Convert values to a column, or to a `Partial` if some of them are errors."""
    if isinstance(values, (Column, Partial)):
        return values
    errors = {place: one for place, one in enumerate(values) if isinstance(one, Exception)}
    if not errors:
        return pack(values)
    return Partial(pack([one for one in values if not isinstance(one, Exception)]), errors)


def joined(parts: Sequence[Sequence[Any]]) -> Column | Partial:
    """Concatenate several sequences of values."""
    if all(isinstance(part, list) for part in parts):
        return whole([value for part in parts for value in part])
    columns: list[Column] = []
    errors: dict[int, Exception] = {}
    first = 0
    for part in map(whole, parts):
        if isinstance(part, Partial):
            errors |= {first + place: error for place, error in part.errors.items()}
        columns.append(part.good if isinstance(part, Partial) else part)
        first += len(part)
    return Partial(concat(columns), errors) if errors else concat(columns)
