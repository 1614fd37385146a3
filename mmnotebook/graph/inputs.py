"""`InputNames`: the input names of a model, and the record fields that are passed to them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class InputNames:
    """The names of a model's inputs, in the model's own order.

    Attributes
    ----------
    needed
        Those that every example must have.
    optional
        Those that it can do without.
    truth
        Those that it takes in training alone: no input of a prediction.
    open
        Does it take fields of any other name too, as ``**kwargs`` does?
    always
        Do several selected fields always go to it by name, as to the columns of a table?
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    open: bool = False
    always: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        return (*self.needed, *self.optional)

    def without(self, given: Container[str]) -> InputNames:
        """Those that are left when some are given otherwise."""

        def left(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(name for name in names if name not in given)

        return replace(self, needed=left(self.needed), optional=left(self.optional))

    def match(self, fields: Sequence[str]) -> bool:
        """Do several selected fields go to the model by name, and not as one row of numbers?

        A model with one input takes them as a row; so does one that needs one, unless a field has
        the name of an input that it can do without, one of training included.
        """
        if self.always or len(self.needed) > 1 or any(name in self.truth for name in fields):
            return True
        several = len(self.known) > 1 or self.open
        return several and any(name in self.known for name in fields)

    def missing(self, fields: Container[str]) -> list[str]:
        """The inputs that must be there and that have no field."""
        return [name for name in self.needed if name not in fields]

    def extra(self, fields: Iterable[str]) -> list[str]:
        """The fields that are no input."""
        if self.open:
            return [name for name in fields if name in self.truth]
        return [name for name in fields if name not in self.known]

    def taken(self, fields: Iterable[str]) -> list[str]:
        """The fields that the model is given, in its own order."""
        fields = list(fields)
        first = [name for name in self.known if name in fields]
        others = [name for name in fields if name not in (*self.known, *self.truth)]
        return [*first, *(others if self.open else ())]
