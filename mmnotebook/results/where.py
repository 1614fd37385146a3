"""`where=`: rows of a frame for which an expression is true, without executing code.

The text is parsed with `ast`, and only the expressions that `_Expression.value` supports are
evaluated: columns, constants, comparisons, `and`, `or`, `not`, arithmetic, `in`, items of a value
and the calls of `where_calls`. No attribute is read, and no method of a cell is called; see
`plain_cells`.

Time and memory are at most proportional to the length of the text times the number of rows:
integers beyond 64 bits become floats, patterns are literal, and regular expressions use RE2.
"""

from __future__ import annotations

import ast
import bisect
import keyword
import re
from collections.abc import Sequence
from functools import singledispatchmethod
from typing import Any, NoReturn

import pandas as pd

from mmnotebook.errors import ResultError, nearest, one_line
from mmnotebook.results import plain_cells, where_calls
from mmnotebook.results.frames import RESERVED
from mmnotebook.results.plain_cells import Unanswerable

LENGTH = 10_000
"""The maximum number of characters of an expression."""
DEPTH = 100
"""The maximum number of nested levels of an expression."""
_LISTED = 20
_EXAMPLE = "for example where='prediction != label'"
_ALLOWED = (
    "columns, constants, comparisons, and, or, not, in, arithmetic, items like prediction['label'],"
    " and calls like name.str.contains('text')"
)
_CONSTANTS = (str, bytes, bool, int, float, type(None))
_PIECES = re.compile(
    r"'''(?:[^\\]|\\.)*?'''|\"\"\"(?:[^\\]|\\.)*?\"\"\"|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
    r"|`[^`\n]*`|[&|\n#@`]",
    re.DOTALL,
)
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_CALCULATE = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_CALCULATE |= {ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**"}


def matching(frame: pd.DataFrame, where: str) -> pd.Series:
    """Return for each row of a frame whether an expression is true.

    Raises
    ------
    ResultError
        When the expression is invalid, or has no answer for any row.
    """
    if not isinstance(where, str) or not where.strip():
        raise ResultError(f"where= is an expression over the columns, not {where!r}")
    expression = _Expression(frame, where)
    try:
        answer = plain_cells.truth(expression.answer())
    except Unanswerable as error:
        raise _refusal(frame, where, error) from None
    if not isinstance(answer, pd.Series):
        raise ResultError(
            f"where={_short(where)} is not true or false for each row",
            remedy="compare columns, " + _EXAMPLE,
        )
    return pd.Series(answer.fillna(False).to_numpy(bool), index=frame.index)


def renamed(frame: pd.DataFrame, where: str) -> str | None:
    """Explain which names in an expression are columns of the run, not fields of the data.

    The result is None if no field of the data has such a name.
    """
    names = _Text(where).names()
    fields = {name: f"{name}_field" for name in RESERVED if f"{name}_field" in frame.columns}
    hints = [
        f"{name!r} is a column of the run; the field of the data is called {field!r}"
        for name, field in fields.items()
        if name in names and field not in names
    ]
    return "; ".join(hints) or None


def _refusal(frame: pd.DataFrame, where: str, error: Unanswerable) -> ResultError:
    columns = list(map(str, frame.columns))
    listed = ", ".join(columns[:_LISTED]) + (", …" if len(columns) > _LISTED else "")
    return ResultError(
        f"where={_short(where)} cannot be evaluated: {error.reason}; columns: {listed}",
        remedy=error.remedy or f"{_EXAMPLE}; {_quoting(columns)}",
    )


def _short(where: str, most: int = 200) -> str:
    return repr(where if len(where) <= most else where[: most - 1] + "…")


def _quoting(columns: list[str]) -> str:
    odd = next((name for name in columns if not name.isidentifier() or keyword.iskeyword(name)), "")
    return "put strings in quotes" + (f", the column {odd} in backticks" if odd else "")


class _Text:
    """A `where=` text, translated to Python: names in backticks, & and | are replaced.

    Attributes
    ----------
    parsed
        Python's syntax tree.
    named
        The original name for each placeholder of a name in backticks.
    """

    def __init__(self, where: str) -> None:
        if len(where) > LENGTH:
            reason = f"it has {len(where):,} characters; allowed: {LENGTH:,}"
            raise Unanswerable(reason, "use a map step to compute a field from a long condition")
        self.where = where
        self.named: dict[str, str] = {}
        self._stem = "column"
        while self._stem in where:
            self._stem += "_"
        # The start of each piece in the translated text, and in the user's own text.
        self._begins, self._origins = [0], [0]
        self._made = self._replaced()
        self.parsed = self._tree()

    def _replaced(self) -> str:
        made, last = "", 0
        for found in _PIECES.finditer(self.where):
            made += self.where[last : found.start()] + self._piece(found[0], found.start())
            last = found.end()
            self._begins.append(len(made.encode()))
            self._origins.append(last)
        return made + self.where[last:]

    def _piece(self, piece: str, start: int) -> str:
        if piece in ("#", "@", "`"):
            raise Unanswerable(f"{_STRAY[piece]} (character {start + 1})")
        if piece[0] == "`":
            name = f"{self._stem}{len(self.named)}"
            self.named[name] = piece[1:-1]
            return name
        return {"&": " and ", "|": " or ", "\n": " "}.get(piece, piece)

    def _tree(self) -> ast.expr:
        try:
            return ast.parse(self._made.strip(), mode="eval").body
        except SyntaxError as error:
            # error.offset counts characters, while positions in the tree count bytes.
            before = self._made.strip()[: max(error.offset or 1, 1) - 1]
            place = self._place(len(before.encode()))
            hint = "; == compares" if self.where[place : place + 1] == "=" else ""
            reason = f"SyntaxError: {error.msg} (character {place + 1}){hint}"
            raise Unanswerable(reason) from None
        except (ValueError, MemoryError, RecursionError) as error:
            raise Unanswerable(f"it is nested too deeply ({one_line(error)})") from None

    def names(self) -> set[str]:
        """Return the names of the columns in the text."""
        nodes = (node for node in ast.walk(self.parsed) if isinstance(node, ast.Name))
        return {self.named.get(node.id, node.id) for node in nodes}

    def of(self, node: ast.expr) -> str:
        """Return the user's text for a part of the tree, cut to 60 characters."""
        start, end = self._place(node.col_offset), self._place(node.end_col_offset or 0)
        text = self.where[start:end].strip()
        return text if len(text) <= 60 else text[:59] + "…"

    def character(self, node: ast.expr) -> int:
        """Return the position in the user's text, from 1, at which a part of the tree begins."""
        return self._place(node.col_offset) + 1

    def _place(self, parsed: int) -> int:
        """Convert a position in the translated text, in bytes, to a position in the user's text."""
        parsed += len(self._made.encode()) - len(self._made.lstrip().encode())
        piece = bisect.bisect_right(self._begins, parsed) - 1
        rest = self._made.encode()[self._begins[piece] : parsed].decode(errors="ignore")
        return min(self._origins[piece] + len(rest), len(self.where))


_STRAY = {
    "#": "found '#'; put a column name that contains it in backticks, a string in quotes",
    "@": "found '@'; notebook variables are not available: write the value itself",
    "`": "a backtick is not closed",
}


class _Expression:
    """An expression over the columns of a frame."""

    def __init__(self, frame: pd.DataFrame, where: str) -> None:
        self.frame, self.where = frame, where
        self._places = {str(name): place for place, name in enumerate(frame.columns)}
        self._depth = 0

    def answer(self) -> Any:
        """Evaluate the expression; return a column or a constant."""
        self.text = _Text(self.where)
        return self.of(self.text.parsed)

    def of(self, node: ast.expr) -> Any:
        """Evaluate a part of the expression; raise an error if it is nested too deeply."""
        self._depth += 1
        if self._depth > DEPTH:
            raise Unanswerable(f"it is nested too deeply; allowed: {DEPTH} levels")
        value = self.value(node)
        self._depth -= 1
        return value

    @singledispatchmethod
    def value(self, node: ast.expr) -> Any:
        """Evaluate a part of the expression; raise an error if its kind is not supported."""
        self._refuse(node, f"allowed: {_ALLOWED}")

    def _refuse(self, node: ast.expr, why: str) -> NoReturn:
        place = self.text.character(node)
        raise Unanswerable(f"found {self.text.of(node)!r} (character {place}); {why}")

    @value.register
    def _(self, node: ast.Constant) -> Any:
        if type(node.value) not in _CONSTANTS:
            self._refuse(node, "allowed constants: strings, numbers, True, False, None")
        return node.value

    @value.register
    def _(self, node: ast.Name) -> pd.Series:
        return self._column(self.text.named.get(node.id, node.id))

    def _column(self, name: str) -> pd.Series:
        if name not in self._places:
            # Fields are unknown if there are no elements.
            if not len(self.frame):
                return pd.Series([], dtype=object)
            close = nearest(name, [*self._places, "True", "False", "None"])
            hint = f" (did you mean {close!r}?)" if close else ""
            raise Unanswerable(f"no column {name!r}{hint}")
        cells = self.frame.iloc[:, self._places[name]].reset_index(drop=True)
        if isinstance(cells.dtype, pd.CategoricalDtype):
            cells = cells.astype(cells.dtype.categories.dtype)
        return cells if cells.dtype.kind in "biufmM" else cells.astype(object)

    @value.register
    def _(self, node: ast.BoolOp) -> Any:
        parts = [self._truth(part) for part in node.values]
        whole = parts[0]
        for part in parts[1:]:
            whole = whole & part if isinstance(node.op, ast.And) else whole | part
        return whole

    @value.register
    def _(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, (ast.Not, ast.Invert)):
            truth = self._truth(node.operand)
            return not truth if isinstance(truth, bool) else ~truth
        sign = "-" if isinstance(node.op, ast.USub) else "+"
        names = ("0", self.text.of(node.operand))
        return plain_cells.calculated(sign, 0, self.of(node.operand), names)

    def _truth(self, node: ast.expr) -> Any:
        truth = plain_cells.truth(self.of(node))
        if truth is None:
            self._refuse(node, "and, or and not need conditions, such as label == 1")
        return truth

    @value.register
    def _(self, node: ast.BinOp) -> Any:
        sign = _CALCULATE.get(type(node.op))
        if sign is None:
            self._refuse(node, f"allowed: {' '.join(_CALCULATE.values())}")
        one, other = self.of(node.left), self.of(node.right)
        names = self.text.of(node.left), self.text.of(node.right)
        return plain_cells.calculated(sign, one, other, names)

    @value.register
    def _(self, node: ast.Compare) -> Any:
        whole: Any = None
        for left, op, right in zip(
            [node.left, *node.comparators], node.ops, node.comparators, strict=False
        ):
            part = self._compared(node, left, op, right)
            whole = part if whole is None else whole & part
        return whole

    def _compared(self, node: ast.expr, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Any:
        if isinstance(op, (ast.In, ast.NotIn)):
            found = self._contained(left, right)
            return found if isinstance(op, ast.In) else ~found
        if isinstance(op, (ast.Is, ast.IsNot)):
            if not (isinstance(right, ast.Constant) and right.value is None):
                self._refuse(node, "'is' compares with None only; use == for other values")
            sign = "==" if isinstance(op, ast.Is) else "!="
        else:
            sign = _COMPARE[type(op)]
        names = self.text.of(left), self.text.of(right)
        return plain_cells.compared(sign, self.of(left), self.of(right), names)

    def _contained(self, left: ast.expr, right: ast.expr) -> pd.Series:
        if not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            what = "'in' takes a list of constants, such as [1, 2]"
            self._refuse(right, f"{what}; to find part of a string, use .str.contains('part')")
        cells = self.of(left)
        if not isinstance(cells, pd.Series):
            self._refuse(left, "'in' needs a column before it")
        return plain_cells.contained(cells, self.constants(right.elts), self.text.of(left))

    def constants(self, nodes: Sequence[ast.expr]) -> list[Any]:
        """Evaluate parts that must be constants."""
        values = [self.of(node) for node in nodes]
        for node, value in zip(nodes, values, strict=True):
            if isinstance(value, pd.Series):
                self._refuse(node, "a list may hold constants only")
        return values

    @value.register
    def _(self, node: ast.Subscript) -> pd.Series:
        key = None if isinstance(node.slice, ast.Slice) else self.of(node.slice)
        if not isinstance(key, (str, int)) or isinstance(key, bool):
            self._refuse(
                node, "an item is selected by a string or a position: value['label'], value[0]"
            )
        cells = self.of(node.value)
        if not isinstance(cells, pd.Series):
            self._refuse(node, "only the values of a column have items")
        return plain_cells.items(cells, key, self.text.of(node.value))

    @value.register
    def _(self, node: ast.Attribute) -> NoReturn:
        written = self.text.of(node)
        if written in self._places:
            self._refuse(node, f"write the column as `{written}`")
        item = f"{self.text.of(node.value)}[{node.attr!r}]"
        calls = ", ".join(f".{name}()" for name in where_calls.METHODS)
        self._refuse(
            node, f"attributes are not supported; allowed: {item}, .str.contains(), {calls}"
        )

    @value.register
    def _(self, node: ast.Call) -> Any:
        function, subject, name = self._called(node)
        arguments = [self._argument(part) for part in node.args]
        options = {part.arg or "**": self._argument(part.value) for part in node.keywords}
        if subject is not None:
            arguments = [self.of(subject), *arguments]
        about = self.text.of(node.args[0] if subject is None and node.args else subject or node)
        try:
            return where_calls.call(function, arguments, options, about)
        except TypeError as error:
            self._refuse(node, f"{name}: {error}")

    def _argument(self, node: ast.expr) -> Any:
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            return tuple(self.constants(node.elts))
        return self.of(node)

    def _called(self, node: ast.Call) -> tuple[where_calls.Function, ast.expr | None, str]:
        """Return the called function, the object if it is a method, and the function's name."""
        called = node.func
        table, name, subject = where_calls.FUNCTIONS, self.text.of(called), None
        if isinstance(called, ast.Attribute):
            table, name, subject = where_calls.METHODS, called.attr, called.value
            if isinstance(subject, ast.Attribute) and subject.attr == "str":
                table, subject = where_calls.TEXT, subject.value
        elif isinstance(called, ast.Name):
            name = called.id
        if name not in table or (subject is None and not isinstance(called, ast.Name)):
            kind = "function" if subject is None else "method"
            close = nearest(name, table)
            hint = f"; did you mean {close!r}?" if close else ""
            why = f"{name!r} is not a supported {kind}; allowed: {', '.join(table)}{hint}"
            self._refuse(node, why)
        return table[name], subject, name
