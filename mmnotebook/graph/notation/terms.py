"""The pieces of a line's text, and what a piece ends in."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from mmnotebook.graph.graph import Gather, Input


@dataclass(frozen=True)
class Ends:
    """What a piece of text ends in: the outputs that flow into what follows.

    Attributes
    ----------
    wires
        The outputs, each with its port and its field.
    gather
        How several come together, None for a single one.
    mixed
        True for joined and united outputs side by side, which nothing can gather at once.
    broken
        True when a problem in this piece has been reported already.
    """

    wires: tuple[Input, ...] = ()
    gather: Gather | None = None
    mixed: bool = False
    broken: bool = False


BROKEN = Ends(broken=True)


def pieces(value: ast.expr) -> list[ast.expr]:
    """`a | b | c` as [a, b, c]."""
    parts = []
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        parts.append(value.right)
        value = value.left
    return [value, *reversed(parts)]


def together(parts: Sequence[Ends], gather: Gather) -> Ends:
    """What a list, or a set, of pieces ends in."""
    wires = tuple(wire for part in parts for wire in part.wires)
    mixed = any(part.mixed or part.gather not in (None, gather) for part in parts)
    return Ends(wires, gather if wires else None, mixed, any(part.broken for part in parts))


def field_of(brackets: ast.expr) -> str | tuple[str, ...] | None:
    """The field, or the fields, that stand in `[…]` after a term; None when none do."""
    several = isinstance(brackets, ast.List)
    items = brackets.elts if isinstance(brackets, ast.List) else [brackets]
    values = [item.value for item in items if isinstance(item, ast.Constant)]
    texts = tuple(value for value in values if isinstance(value, str))
    if not items or len(texts) != len(items):
        return None
    return texts if several else texts[0]
