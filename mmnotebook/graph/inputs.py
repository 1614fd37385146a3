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
        Inputs that every example must have.
    optional
        Inputs that may be missing.
    truth
        Inputs of training alone, such as labels; a prediction does not take them.
    open
        Whether it takes fields of any other name too, as ``**kwargs`` does.
    always
        Whether several selected fields are always passed by name, as the columns of a table are.
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
        """Return the input names without those that are set in another way."""

        def left(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(name for name in names if name not in given)

        return replace(self, needed=left(self.needed), optional=left(self.optional))

    def match(self, fields: Sequence[str]) -> bool:
        """Return whether several selected fields are passed by name, not as one row of numbers.

        A model with one input takes them as a row. So does a model that needs one input, unless a
        field has the name of an optional input or of an input of training.
        """
        if self.always or len(self.needed) > 1 or any(name in self.truth for name in fields):
            return True
        several = len(self.known) > 1 or self.open
        return several and any(name in self.known for name in fields)

    def missing(self, fields: Container[str]) -> list[str]:
        """Return the needed inputs that have no field."""
        return [name for name in self.needed if name not in fields]

    def extra(self, fields: Iterable[str]) -> list[str]:
        """Return the fields that are not inputs of the model."""
        if self.open:
            return [name for name in fields if name in self.truth]
        return [name for name in fields if name not in self.known]

    def taken(self, fields: Iterable[str]) -> list[str]:
        """Return the fields that are passed to the model, in the order of its inputs."""
        fields = list(fields)
        first = [name for name in self.known if name in fields]
        others = [name for name in fields if name not in (*self.known, *self.truth)]
        return [*first, *(others if self.open else ())]
