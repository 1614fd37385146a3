"""Steps that use variables named in texts, single dispatch and cached properties."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

import mmnotebook as mm
from tests.runtime.test_pickling import Cells

TEXTS = {
    "query": "int(pd.DataFrame({'a': range(9)}).query('a < @K')['a'].sum()) + x",
    "query of a global": "int(pd.DataFrame({'a': range(9)}).query(TEXT)['a'].sum()) + x",
    "pd.eval": "int(pd.eval('K + 1')) + x",
    "frame.eval": "int(pd.DataFrame({'a': [1]}).eval('a + @K')[0]) + x",
    "eval": "eval('K') + x",
    "exec": "(lambda box: exec('box.append(K)') or box[0])([]) + x",
    "globals": "globals()['K'] + x",
}


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cells]:
    """Return an empty notebook."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    return Cells(main)


def ran(function: Any, values: list[Any]) -> list[Any]:
    result = mm.run(mm.pipeline("values | f", values=values, f=function), progress=False)
    found: list[Any] = result["f"]["value"].tolist()
    return found


@pytest.mark.parametrize("kind", TEXTS)
def test_a_variable_in_a_text_is_sent_and_a_change_is_noticed(kind: str, cells: Cells) -> None:
    cells("import pandas as pd\nTEXT = 'a < @K'")
    cells(f"def f(x):\n    return {TEXTS[kind]}")
    for number in (3, 5, 3, 4):
        cells(f"K = {number}")
        assert ran(cells["f"], [1, 2]) == [cells["f"](1), cells["f"](2)]


def test_variables_in_texts_that_cannot_be_sent_are_left_out(cells: Cells) -> None:
    cells("def f(x):\n    return eval('x + 1 if x else lock + f')")
    cells.names["lock"] = threading.Lock()
    assert ran(cells["f"], [1]) == [2]


def test_a_column_in_a_query_is_not_a_variable(cells: Cells) -> None:
    cells("import pandas as pd\ndef f(x):\n    return len(pd.DataFrame({'a': [x]}).query('a > 1'))")
    graph = mm.pipeline("values | f", values=[1, 2], f=cells["f"])
    mm.run(graph, progress=False)
    cells("a = 9")
    assert mm.run(graph, progress=False).why["f"] == "read from the cache"


DISPATCH = """
import functools
@functools.singledispatch
def f(x):
    return "other"
f.note = {number}
@f.register
def _(x: int):
    return x + {number}
@f.register
def _(x: list):
    return [f(one) for one in x]
"""


@pytest.mark.parametrize("step", ["f", "g", "A().m"])
def test_a_function_with_single_dispatch_is_a_step(step: str, cells: Cells) -> None:
    for number in (1, 2, 1):
        cells(DISPATCH.format(number=number))
        cells("def g(x):\n    return f(x)")
        cells("class A:\n    m = functools.singledispatchmethod(lambda self, x: f(x))")
        chosen = eval(step, cells.names)
        values = [1, [2, 3, "a"], "a"]
        assert ran(chosen, values) == [1 + number, [2 + number, 3 + number, "other"], "other"]


def test_a_function_with_single_dispatch_keeps_its_metadata(cells: Cells) -> None:
    cells(DISPATCH.format(number=1))
    cells(
        "def g(x):\n    return f.note, f.__name__, f.__wrapped__(x), sorted(map(str, f.registry))"
    )
    kinds = ["<class 'int'>", "<class 'list'>", "<class 'object'>"]
    assert ran(cells["g"], [1]) == [(1, "f", "other", kinds)]


def test_a_class_with_a_cached_property_is_used_by_a_step(cells: Cells) -> None:
    cells("import functools\nclass A:\n    @functools.cached_property\n    def n(self): return K")
    cells("def f(x):\n    a = A()\n    return x + a.n + vars(a)['n']")
    for number in (1, 2):
        cells(f"K = {number}")
        assert ran(cells["f"], [1]) == [1 + 2 * number]
