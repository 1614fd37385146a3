"""`InputNames`: the input names of a model, and the record fields that are passed to them."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class InputNames:
    """The names of a model's inputs, in the order in which the model declares them.

    Attributes
    ----------
    needed
        Inputs that every example must have.
    optional
        Inputs that may be missing.
    truth
        Inputs that are used only in training, such as labels.
    open
        Whether the model also accepts fields with any other name, as ``**kwargs`` does.
    always
        Whether several selected fields are always passed by name, like the columns of a table.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    truth: tuple[str, ...] = ()
    open: bool = False
    always: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        return (*self.needed, *self.optional)

    def without(self, given: Collection[str]) -> InputNames:
        """Return the input names without the names in `given`."""
        if not given:
            return self

        def left(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(name for name in names if name not in given)

        return replace(self, needed=left(self.needed), optional=left(self.optional))

    def match(self, fields: Sequence[str]) -> bool:
        """Return whether several selected fields are passed by name, not as one row of numbers.

        The fields are passed by name if `always` is true, if the model has several required inputs,
        or if a field is in `truth`. If not, they are passed by name only if the model has several
        inputs or is `open`, and at least one field has the name of an input.
        """
        if self.always or len(self.needed) > 1 or any(name in self.truth for name in fields):
            return True
        several = len(self.known) > 1 or self.open
        return several and any(name in self.known for name in fields)

    def missing(self, fields: Container[str]) -> list[str]:
        """Return the required inputs for which there is no field."""
        return [name for name in self.needed if name not in fields]

    def extra(self, fields: Iterable[str]) -> list[str]:
        """Return the fields that the model does not accept."""
        if self.open:
            return [name for name in fields if name in self.truth]
        return [name for name in fields if name not in self.known]

    def taken(self, fields: Iterable[str]) -> list[str]:
        """Return the fields that the model receives: its inputs in order, then other fields."""
        fields = list(fields)
        first = [name for name in self.known if name in fields]
        others = [name for name in fields if name not in (*self.known, *self.truth)]
        return [*first, *(others if self.open else ())]
