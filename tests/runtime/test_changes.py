"""Functions that change their global variables, found in their code: no false alarms."""

from __future__ import annotations

import json
import os
import types
from collections import Counter, deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.fingerprint.changes import changed

COUNTS: dict[Any, Any] = {"n": 0}
ROWS: list[Any] = []
SEEN: set[Any] = set()
QUEUE: deque[Any] = deque()
TALLY: Counter[Any] = Counter()
TABLE = [0] * 5


class Box:
    def __init__(self) -> None:
        self.items: list[Any] = []
        self.x = 0


BOX = Box()


def add(v: Any) -> Any:
    COUNTS["n"] += 1
    return COUNTS["n"]


def append(v: Any) -> None:
    ROWS.append(v)


def by_another_name(v: Any) -> None:
    local = COUNTS
    local[v] = 1


def in_an_attribute(v: Any) -> None:
    BOX.items.append(v)


def an_attribute(v: Any) -> None:
    BOX.x = v


def in_branches(v: Any) -> None:
    for i in range(3):
        if v > i:
            COUNTS[i] = v
        else:
            SEEN.add(v)


def a_counter(v: Any) -> None:
    TALLY[v] += 1
    QUEUE.append(v)


def delete(v: Any) -> None:
    del COUNTS[v]


def a_slice(v: Any) -> None:
    TABLE[1:3] = [v, v]


def by_default(v: Any) -> Any:
    return COUNTS.setdefault(v, 1)


def remember(v: Any) -> Any:
    try:
        return COUNTS[v]
    except KeyError:
        COUNTS[v] = v
        return COUNTS[v]


def nested(v: Any) -> None:
    COUNTS["a"]["b"]["c"] += v


def inside(v: Any) -> Any:
    return [COUNTS.update({x: 1}) for x in v]  # type: ignore[func-returns-value]


def assign(v: Any) -> None:
    global TABLE
    TABLE = v


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (add, ["COUNTS"]),
        (append, ["ROWS"]),
        (by_another_name, ["COUNTS"]),
        (in_an_attribute, ["BOX"]),
        (an_attribute, ["BOX"]),
        (in_branches, ["COUNTS", "SEEN"]),
        (a_counter, ["TALLY", "QUEUE"]),
        (delete, ["COUNTS"]),
        (a_slice, ["TABLE"]),
        (by_default, ["COUNTS"]),
        (remember, ["COUNTS"]),
        (nested, ["COUNTS"]),
        (inside, ["COUNTS"]),
        (assign, ["TABLE"]),
    ],
)
def test_a_changed_variable(function: Any, names: list[str]) -> None:
    assert changed(function) == names


def test_a_variable_of_an_outer_function() -> None:
    count = 0
    rows: list[Any] = []

    def both(v: Any) -> None:
        nonlocal count
        count += 1
        rows.append(v)

    assert changed(both) == ["count", "rows"]


def test_the_object_that_is_called() -> None:
    class Counting:
        n = 0

        def __call__(self, v: Any) -> int:
            self.n += 1
            return self.n

    assert changed(Counting.__call__, own_state=True) == ["self"]  # type: ignore[arg-type]
    assert changed(Counting.__call__) == []  # type: ignore[arg-type]


def of_locals(v: Any) -> Any:
    d: dict[Any, Any] = {}
    d[v] = 1
    d.update(COUNTS)
    row = dict(COUNTS)
    row["a"] = 1
    out = sorted(ROWS)
    out[0] = 2
    copy = ROWS[:]
    copy.append(1)
    both = [*ROWS, 1]
    both[0] = 1
    box = Box()
    box.x = len(TABLE)
    box.items.append(TABLE)
    return d, row, out, copy, both, box


def of_arguments(v: Any) -> Any:
    v["x"] = COUNTS["n"]
    v.items.append(TABLE[0])
    v.attribute = TABLE
    for i in range(TABLE[0]):
        v[i] = COUNTS.get(i, ROWS)
    with open(os.devnull) as file:  # noqa: PTH123
        v["y"] = file.read()
    return {**COUNTS, **v}


def of_the_process(v: Any) -> Any:
    os.environ["LEVEL"] = "1"
    json.encoder.FLOAT_REPR = repr  # type: ignore[attr-defined]
    return v


def reads(v: Any) -> Any:
    found = COUNTS if v else {}
    methods = [row.append for row in ROWS]
    return found, methods, "".join(ROWS), TABLE[v] + 1


@pytest.mark.parametrize("function", [of_locals, of_arguments, of_the_process, reads])
def test_code_that_changes_no_variable(function: Any) -> None:
    assert changed(function) == []


READS = ["COUNTS", "ROWS", "v", "COUNTS.get(v)", "ROWS[0]", "len(TABLE)", "{}", "[]", "(v, ROWS)"]
LOCAL = [
    "a = {}",
    "a = []",
    "b = dict(COUNTS)",
    "b = ROWS[:]",
    "b = [*ROWS]",
    "v = {e}",
    "c = {e} if v else {e}",
    "for i in {e}: d = i",
    "d = [x for x in ROWS if x is not {e}]",
    "try: d = {e}\n    except KeyError: d = {e}",
    "while v: v = None; e = {e}",
    "e = lambda x: (x, {e})",
    "str({e}) + str({e})",
]
CHANGES = ["COUNTS[{e}] = {e}", "ROWS.append({e})", "del COUNTS[{e}]", "BOX.x = {e}"]


@st.composite
def bodies(draw: Any, extra: list[str]) -> str:
    lines = draw(st.lists(st.sampled_from(LOCAL), max_size=6))
    for line in extra:
        lines.insert(draw(st.integers(0, len(lines))), line)
    filled = []
    for line in lines:
        while "{e}" in line:
            line = line.replace("{e}", draw(st.sampled_from(READS)), 1)
        filled.append(f"    {line}")
    return "\n".join(["def f(v):", *filled, "    return v"])


def made(text: str) -> types.FunctionType:
    own = {"COUNTS": COUNTS, "ROWS": ROWS, "TABLE": TABLE, "BOX": BOX}
    exec(text, own)
    function: Any = own["f"]
    return function  # type: ignore[no-any-return]


@given(bodies([]))
def test_no_change_is_invented(text: str) -> None:
    assert changed(made(text)) == [], text


@given(st.sampled_from(CHANGES).flatmap(lambda line: bodies([line])))
def test_no_change_is_missed(text: str) -> None:
    assert len(changed(made(text))) == 1, text
