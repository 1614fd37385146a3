"""Terms of a line's text, and the outputs in which they end."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from mmnotebook.graph.field_selection import Drop, Select
from mmnotebook.graph.graph import Gather, Input


@dataclass(frozen=True)
class Ends:
    """The outputs in which a piece of text ends: the input of what follows.

    Attributes
    ----------
    wires
        The outputs, each with its port and its selected fields.
    gather
        How several are gathered, None for a single one.
    mixed
        True for joined and united outputs side by side, which no step can gather at once.
    broken
        True when a problem in this piece has been reported already.
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
    """Gather the ends of the pieces of a list or a set."""
    wires = tuple(wire for part in parts for wire in part.wires)
    mixed = any(part.mixed or part.gather not in (None, gather) for part in parts)
    return Ends(wires, gather if wires else None, mixed, any(part.broken for part in parts))


def selected_of(term: ast.expr) -> ast.expr | None:
    """Return what `[…]` or `.drop(…)` is written after; None for a term without them."""
    if isinstance(term, ast.Subscript):
        return term.value
    if isinstance(term, ast.Call) and isinstance(term.func, ast.Attribute):
        return term.func.value if term.func.attr == "drop" else None
    return None


def select_of(term: ast.expr) -> Select:
    """Return the fields that a term's `[…]` or `.drop(…)` selects; None if these are no fields."""
    if isinstance(term, ast.Call):
        dropped = None if term.keywords else _texts(term.args)
        return Drop(dropped) if dropped else None
    brackets = term.slice if isinstance(term, ast.Subscript) else term
    if isinstance(brackets, ast.List):
        return _texts(brackets.elts)
    only = _texts([brackets])
    return only[0] if only else None


def _texts(items: Sequence[ast.expr]) -> tuple[str, ...] | None:
    """Return the strings among literals; None if there are none, or other values among them."""
    values = [item.value for item in items if isinstance(item, ast.Constant)]
    texts = tuple(value for value in values if isinstance(value, str))
    return texts if items and len(texts) == len(items) else None
