"""Templates: patterns of several steps, which step kinds define."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mmnotebook.graph.graph import Gather, Input


@dataclass(frozen=True)
class Fill:
    """The names of data, models and a function for a template; None or () if they are missing."""

    data: str | None
    models: tuple[str, ...]
    function: str | None

    def several(self, count: int) -> tuple[str | None, ...]:
        """Return the models, followed by None for each model that is missing up to `count`."""
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
        The name of the template in the command that adds it.
    title, summary
        The name of the template in menus, and what the template does, in one line.
    make
        Adds the template's steps to a sketch. The steps read the given input and use the given
        names.
    roles
        The roles of the names that fill it: "data" (one name), "models" (a list of names) and
        "function" (one name).
    models
        The maximum number of models that the builder fills in by default.
    rank
        Its place in lists; lower ranks come first.
    """

    name: str
    title: str
    summary: str
    make: Callable[[Sketch, Input, Fill], None]
    roles: tuple[str, ...] = ("data", "models")
    models: int = 2
    rank: int = 1000
