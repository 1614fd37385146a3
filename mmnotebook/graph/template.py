"""Templates: patterns of several steps, which the step kinds bring along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mmnotebook.graph.graph import Gather, Input


@dataclass(frozen=True)
class Fill:
    """What a template is filled with; what is not given is None or ()."""

    data: str | None
    models: tuple[str, ...]
    function: str | None

    def several(self, count: int) -> tuple[str | None, ...]:
        """Return the models, with None for those that are missing of `count`."""
        return (*self.models, *[None] * (count - len(self.models)))


class Sketch(Protocol):
    """The graph that a template adds its steps to."""

    def add(
        self, kind: str, inputs: tuple[Input, ...] = (), gather: Gather | None = None, **params: Any
    ) -> Input:
        """Add a node, and return an input that reads its output."""
        ...


@dataclass(frozen=True)
class Template:
    """A pattern of several steps.

    Attributes
    ----------
    name
        Its name in the command that adds it.
    title, summary
        What it is called, and what it does in one line.
    make
        Adds its steps to a sketch, reading the data, filled as given.
    roles
        What it can be filled with: "data", one name; "models", a list of names; "function".
    models
        The most models that it is filled with unasked.
    rank
        Its place in lists.
    """

    name: str
    title: str
    summary: str
    make: Callable[[Sketch, Input, Fill], None]
    roles: tuple[str, ...] = ("data", "models")
    models: int = 2
    rank: int = 1000
