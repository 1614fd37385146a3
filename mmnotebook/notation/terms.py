"""Terms of a line of text, and the outputs at their ends."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from mmnotebook.graph.field_selection import Drop, Select
from mmnotebook.graph.graph import Gather, Input


@dataclass(frozen=True)
class Ends:
    """The outputs at the end of a piece of text, which are the input of the next step.

    Attributes
    ----------
    wires
        The outputs, each with its port and its selected fields.
    gather
        How several outputs are combined; None for a single one.
    mixed
        Whether some outputs are joined and others in a union, which no step can combine.
    broken
        Whether a problem of this piece is already in the log.
    """

    wires: tuple[Input, ...] = ()
    gather: Gather | None = None
    mixed: bool = False
    broken: bool = False


BROKEN = Ends(broken=True)


def pieces(value: ast.expr) -> list[ast.expr]:
    """Split `a | b | c` into [a, b, c]."""
    parts = []
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        parts.append(value.right)
        value = value.left
    return [value, *reversed(parts)]


def together(parts: Sequence[Ends], gather: Gather) -> Ends:
    """Combine the ends of the pieces of a list or a set."""
    wires = tuple(wire for part in parts for wire in part.wires)
    mixed = any(part.mixed or part.gather not in (None, gather) for part in parts)
    return Ends(wires, gather if wires else None, mixed, any(part.broken for part in parts))


def selected_of(term: ast.expr) -> ast.expr | None:
    """Return the part of a term before `[…]` or `.drop(…)`; None for a term without a selection."""
    if isinstance(term, ast.Subscript):
        return term.value
    if isinstance(term, ast.Call) and isinstance(term.func, ast.Attribute):
        return term.func.value if term.func.attr == "drop" else None
    return None


def select_of(term: ast.expr) -> Select:
    """Return the fields that `[…]` or `.drop(…)` selects; None if they are not field names."""
    if isinstance(term, ast.Call):
        dropped = None if term.keywords else _texts(term.args)
        return Drop(dropped) if dropped else None
    brackets = term.slice if isinstance(term, ast.Subscript) else term
    if isinstance(brackets, ast.List):
        return _texts(brackets.elts)
    only = _texts([brackets])
    return only[0] if only else None


def _texts(items: Sequence[ast.expr]) -> tuple[str, ...] | None:
    """Return the values of string literals; None if there are no items or other expressions."""
    values = [item.value for item in items if isinstance(item, ast.Constant)]
    texts = tuple(value for value in values if isinstance(value, str))
    return texts if items and len(texts) == len(items) else None
