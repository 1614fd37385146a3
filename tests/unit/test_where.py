"""`where=`: its results, its errors, and that it executes no code."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import enum
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmnotebook.errors import ResultError
from mmnotebook.results.where import DEPTH, LENGTH, matching


def found(where: str, **columns: Any) -> list[int]:
    """Return the positions of the matching rows."""
    cells = {name: _column(values) for name, values in columns.items()}
    mask = matching(pd.DataFrame(cells), where)
    assert mask.dtype == bool
    return np.flatnonzero(mask).tolist()


def _column(values: Any) -> Any:
    if not isinstance(values, list):
        return values
    if any(type(value) not in (int, float, str, bool) for value in values):
        cells = np.empty(len(values), dtype=object)
        for place, value in enumerate(values):
            cells[place] = value
        return pd.Series(cells)
    return pd.Series(values)


def refused(where: str, match: str, **columns: Any) -> str:
    with pytest.raises(ResultError, match=match) as caught:
        found(where, **columns)
    return str(caught.value)


# Compared with pandas' own engine, on columns of plain values

FRAME = pd.DataFrame(
    {
        "a": [0, 1, 2, 3, -4, 5],
        "b": [0.5, -1.0, 2.0, float("inf"), 1e300, 3.0],
        "t": ["x", "yy", "", "X", "a b", "yy"],
        "f": [True, False, True, True, False, False],
        "small": np.array([1, -128, 127, 0, 5, 5], dtype="int8"),
        "odd name": [1, 2, 3, 4, 5, 6],
    }
)
# For constants alone, pandas returns no booleans, and its small integers overflow.
COLUMNS = st.sampled_from(["a", "b", "`odd name`"])
NUMBERS = st.one_of(COLUMNS, st.sampled_from(["0", "1", "2", "-3", "1.5", "5"]))
TEXTS = st.sampled_from(["t", "'x'", '"yy"', "''", "'&|'"])
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def _sums(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/"])
    return st.builds("({} {} {})".format, parts, signs, COLUMNS)


SUMS = st.recursive(NUMBERS, _sums, max_leaves=3)
LEFT = st.one_of(COLUMNS, st.just("small"), st.builds("({} * {})".format, COLUMNS, SUMS))
LISTS = st.lists(st.sampled_from(["0", "1", "-4", "2.0"]), min_size=1).map(", ".join)
CONDITIONS = st.one_of(
    st.builds("{} {} {}".format, LEFT, SIGNS, SUMS),
    st.builds("{} {} {} {} {}".format, NUMBERS, SIGNS, COLUMNS, SIGNS, NUMBERS),
    st.builds("t {} {}".format, SIGNS, TEXTS),
    st.builds("a {} [{}]".format, st.sampled_from(["in", "not in"]), LISTS),
    st.just("t in ['x', 'yy']"),
    st.just("f"),
    st.just("f == True"),
)


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    words = st.sampled_from(["and", "or", "&", "|"])
    return st.one_of(
        st.builds("({}) {} ({})".format, parts, words, parts),
        st.builds("not ({})".format, parts),
        st.builds("~({})".format, parts),
    )


@given(st.recursive(CONDITIONS, _joined, max_leaves=4))
def test_it_selects_the_same_rows_as_pandas(where: str) -> None:
    with np.errstate(all="ignore"):
        expected = FRAME.eval(where, engine="python", local_dict={}, global_dict={})
    assert matching(FRAME, where).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("where", "places"),
    [
        ("a > 1 & a < 5", [2, 3]),  # & and | have the precedence of pandas
        ("a == 0 | a == 5", [0, 5]),
        ("a > 1 and\n a < 5", [2, 3]),
        ("1 < a < 5", [2, 3]),
        ("a % 2 == 1", [1, 3, 5]),
        ("a // 2 == 1", [2, 3]),
        ("a ** 2 == 16", [4]),
        ("-a == 4 or +a == 5", [4, 5]),
        ("abs(a) == 4", [4]),
        ("a.abs() == 4", [4]),
        ("a.between(2, 3)", [2, 3]),
        ("a.between(2, 5, inclusive='neither')", [3]),
        ("a.isin([1, 2])", [1, 2]),
        ("t.str.len() == 2", [1, 5]),
        ("len(t) == 0", [2]),
        ("t.str.upper() == 'X'", [0, 3]),
        ("t.str.lower().str.strip() == 'x'", [0, 3]),
        ("t.str.contains(' ')", [4]),
        ("t.str.contains('x', case=False)", [0, 3]),
        ("t.str.startswith(('x', 'a'))", [0, 4]),
        ("t.str.endswith('y')", [1, 5]),
        ("not t.str.contains('y')", [0, 2, 3, 4]),
        ("`odd name` == 3 and t != '`'", [2]),
        ("t == '''x''' or t == 'a\\u0020b'", [0, 4]),
        ("small + 1 == 128", [2]),  # does not overflow
        ("f", [0, 2, 3]),
        ("~f", [1, 4, 5]),
    ],
)
def test_the_selected_rows(where: str, places: list[int]) -> None:
    assert np.flatnonzero(matching(FRAME, where)).tolist() == places


# Values in cells

NAN = float("nan")


@pytest.mark.parametrize(
    ("where", "values", "places"),
    [
        ("v > 1", [2, "a", None, [1], 3.0, {"a": 2}], [0, 4]),
        ("not v > 1", [2, "a", None, 0], [3]),  # its negation has no result either
        ("v == 'a'", ["a", None, 1], [0]),
        ("v != 'a'", ["a", None, 1], [1, 2]),
        ("v == None", ["a", None, NAN], [1, 2]),
        ("v is None", ["a", None], [1]),
        ("v is not None", ["a", None], [0]),
        ("v in ['a', None]", ["a", None, "b"], [0, 1]),
        ("v not in ['a']", ["a", None, "b"], [1, 2]),
        ("v.isna()", ["a", None, pd.NaT, pd.NA], [1, 2, 3]),
        ("v.notna()", ["a", None], [0]),
        ("v['label'] == 1", [{"label": 1}, {"label": 2}, {}, None], [0]),
        ("v['a']['b'] > 1", [{"a": {"b": 1}}, {"a": {"b": 2}}], [1]),
        ("v[0] > 1", [[1, 2], (2,), np.array([3.0]), []], [1, 2]),
        ("v[-1] == 2", [[1, 2], (2,), np.array([3.0]), []], [0, 1]),
        ("len(v) > 1", [[1, 2], "ab", {"a": 1}, None], [0, 1]),
        ("v == 2", [np.float32(2), np.int64(2), torch.tensor(2), np.array(2)], [0, 1, 2, 3]),
        ("v > 1", [decimal.Decimal("1.5"), decimal.Decimal("sNaN")], [0]),
        ("v == 1", [decimal.Decimal("sNaN"), decimal.Decimal(1)], [1]),
        ("v > 10 ** 18", [10**40, 1, 1.5], [0]),
        ("v == 340282366920938463463374607431768211456", [2**128, 1], [0]),
        ("v + 1 == 3", [2, "a", None, [1]], [0]),
        ("v.str.contains('a')", ["a", None, 1], [0]),
        ("v.str.contains('a', na=True)", ["a", None, "b"], [0, 1]),
        ("v.str.len() == 1", ["a", None, 1], [0]),
    ],
)
def test_comparable_cells_of_mixed_types_are_compared(
    where: str, values: list[Any], places: list[int]
) -> None:
    assert found(where, v=values) == places


class Color(str, enum.Enum):
    RED = "red"


def test_columns_of_other_types() -> None:
    times = pd.to_datetime(["2024-01-01", "2024-06-01"])
    assert found("v > '2024-02-01'", v=pd.Series(times)) == [1]
    assert found("v in ['2024-06-01']", v=pd.Series(times)) == [1]
    assert found("v > '2024-02-01 00:00+00:00'", v=pd.Series(times.tz_localize("UTC"))) == [1]
    assert found("w - v > '40 days'", v=pd.Series(times), w=pd.Series(times[::-1])) == [0]
    assert found("v == 'b'", v=pd.Series(["a", "b"], dtype="category")) == [1]
    assert found("v > 1", v=pd.Series([1, 2], dtype="category")) == [1]
    assert found("v == 'b'", v=pd.Series(["a", "b", None], dtype="string")) == [1]
    assert found("v != w", v=pd.Series([1, None], dtype="Int64"), w=[2, 2]) == [0]
    assert found("v == 'red'", v=[Color.RED, "blue"]) == [0]
    assert found("v == 0.1", v=pd.Series([0.1, 0.2], dtype="float32")) == [0]
    assert found("v == 18446744073709551615", v=pd.Series([2**64 - 1, 1], dtype="uint64")) == [0]
    assert found("v > w", v=[1, 2], w=pd.Series([1.5, "a"], dtype=object)) == []
    today = datetime.date(2024, 1, 1)
    assert found("v == w", v=[today, "a"], w=[today, "b"]) == [0]


@pytest.mark.parametrize(
    ("where", "values", "match"),
    [
        ("v > 3", ["a", "b"], r"v \(str\) and 3 \(int\) cannot be compared"),
        ("v > 'a'", [1, 2], "cannot be compared"),
        ("v > 3", [np.zeros(3)], "each row of 'v' has several numbers.*\n.*v.0."),
        ("v == 3", [torch.zeros(3)], "each row of 'v' has several numbers"),
        ("v == 3", [{"label": 3}], "each row of 'v' has named values\n?.*\n.*v.'label'."),
        ("v == 3", [object()], "'v' holds object objects"),
        ("v['labl'] == 3", [{"label": 3}], "did you mean 'label'"),
        ("v[3] == 3", [[1]], "no value of 'v' has an item 3"),
        ("v.str.contains('a')", [1, 2], "'v' holds int objects, not text"),
        ("v + 1 > 0", ["a"], "is not a number in any row"),
        ("v + 'a' == 'ba'", ["b"], "is not a number in any row"),
        ("len(v) > 1", [1], "no length in any row"),
        ("v", [1, 2], "not true or false for each row"),
        ("v and True", [1, 2], "need conditions"),
        ("'a' in v", ["a"], "a list of constants.*contains"),
        ("v in w", ["a"], "a list of constants"),
        ("v == [1, 2]", ["a"], "found '.1, 2.'"),
        ("v.abs(1, 2)", [1], "too many positional"),
        ("v.between(1, 2, inclusive='up')", [1], "allowed: both, neither, left, right"),
        ("v.str.contains(v)", ["a"], "pat must be a constant of type str"),
        ("v.str.contains('a', regex=1)", ["a"], "regex must be a constant of type bool"),
        ("v.str.contain('a')", ["a"], "did you mean 'contains'"),
        ("v.label == 1", ["a"], "attributes are not supported; allowed: v.'label'."),
        ("(v > 1", [1], r"SyntaxError.*character 1"),
        ("v == `w", ["a"], "a backtick is not closed .character 6"),
        ("v == 1 # w", ["a"], "found '#'"),
        ("v > 1 << 3", [1], "found '1 << 3'"),
        ("v == 1j", [1], "allowed constants"),
        ("v == 1 / 0", [1], "is not a number"),
    ],
)
def test_expressions_without_a_result_have_a_reason(
    where: str, values: list[Any], match: str
) -> None:
    refused(where, match, v=values)


def test_an_error_names_the_place_in_the_users_own_text() -> None:
    said = refused("`ä b` == 1 & é.x == 2", "character 14", **{"ä b": [1], "é": [1]})
    assert "'é.x'" in said


# No code is executed

HITS: list[str] = []


class Trap:
    """An object that records every access."""

    def __getattribute__(self, name: str) -> Any:
        HITS.append(name)
        raise AttributeError(name)

    def _hit(self, *args: Any) -> Any:
        HITS.append("method")
        return True

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = __bool__ = _hit  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __mul__ = __pow__ = __mod__ = __neg__ = __abs__ = _hit
    __len__ = __getitem__ = __contains__ = __iter__ = __float__ = __int__ = __index__ = _hit


class TrapText(str):
    __eq__ = __ne__ = __lt__ = __gt__ = Trap._hit  # type: ignore[assignment]
    __hash__ = __str__ = __len__ = __getitem__ = lower = Trap._hit  # type: ignore[assignment]


@pytest.mark.parametrize(
    "where",
    [
        "v == 1",
        "v != w",
        "v > 1",
        "v in [1, 2]",
        "v + 1 == 2",
        "-v == 2",
        "abs(v) > 1",
        "v.isna()",
        "v['a'] == 1",
        "v[0] == 1",
        "len(v) > 1",
        "v.str.contains('a')",
        "v.str.lower() == 'a'",
        "v",
        "not v",
        "v.between(1, 2)",
    ],
)
@pytest.mark.parametrize("trap", [Trap, TrapText])
def test_no_method_of_a_value_is_called(where: str, trap: type) -> None:
    frame = pd.DataFrame({"v": _column([trap(), 1, "a", {"a": trap()}, [trap()]]), "w": 1})
    HITS.clear()
    with contextlib.suppress(ResultError):
        matching(frame, where)
    assert HITS == []


ATTACKS = [
    "v.to_csv('{out}') == 1",
    "v.__class__ == 1",
    "v.__init__.__globals__['os'] == 1",
    "v.apply(print) == 1",
    "v.map('{{0.__class__}}'.format) == 1",
    "'{{0.__class__}}'.format(v) == 'a'",
    "f'{{v.__class__}}' == 'a'",
    "__import__('os').system('touch {out}') == 0",
    "open('{out}', 'w') == 1",
    "eval('1') == 1",
    "(lambda: 1)() == 1",
    "[x for x in v] == 1",
    "{{x: 1 for x in v}} == 1",
    "(x for x in v) == 1",
    "(v := 1) == 1",
    "await v == 1",
    "(yield v) == 1",
    "v == 1 if v else 2",
    "[*v] == 1",
    "v.isin([*v])",
    "v.isin(*v)",
    "v.isin(**v)",
    "v.str.replace('a', 'b') == 1",
    "v.str == 1",
    "v.str.contains == 1",
    "v.str.str.len() == 1",
    "v.dt.year == 1",
    "v.values == 1",
    "v[v] == 1",
    "v[0:1] == 1",
    "v[...] == 1",
    "v[None] == 1",
    "@v == 1",
    "@__import__('os') == 1",
    "`v` == `__class__`",
    "column0 == 1",
    "`v`.__class__ == 1",
    "import os",
    "v; v",
    "v = 1",
    "del v",
    "v @ v == 1",
    "v << 1 == 1",
    "v ^ 1 == 1",
    "v == ...",
    "print",
    "globals() == 1",
    "abs.__self__ == 1",
    "len.__call__(v) == 1",
    "(v.isna)() == v.isna.__self__",
    "str.len(v) == 1",
    "v.str.contains('a', flags=2)",
    "v.str.contains(pat='(a+)+$', regex=True).__class__ == 1",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_invalid_expressions_are_refused(attack: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for values in ([1, 2], ["a", "b"], [Trap()]):
        frame = pd.DataFrame({"v": _column(values)})
        HITS.clear()
        with pytest.raises(ResultError, match="where="):
            matching(frame, attack.format(out=out))
        assert not out.exists() and HITS == []


def test_without_rows_only_the_columns_are_unknown() -> None:
    empty = pd.DataFrame({"a": []})
    assert matching(empty, "whatever > 1 and not (other == 'a')").tolist() == []
    with pytest.raises(ResultError, match="not a supported function"):
        matching(empty, "system('ls')")


# Cost


@pytest.mark.parametrize(
    ("where", "match"),
    [
        ("v == 1 or " * 1200 + "v == 1", f"characters; allowed: {LENGTH:,}"),
        ("(" * 150 + "v" + ")" * 150 + " == 1", None),
        ("not " * 1000 + "v == 1", "nested too deeply"),
        ("-" * 9000 + "v == 1", "nested too deeply"),
        ("(" * 4000 + "v" + ")" * 4000, "SyntaxError|nested too deeply"),
        ("v" + " + v" * (DEPTH + 1) + " == 1", "nested too deeply"),
        ("v" + "[0]" * 1000 + " == 1", "nested too deeply"),
        ("10 ** 10 ** 10 ** 10 == v", "is not a number"),
        ("v == " + "9" * 5000, None),
        ("v ** v ** v > 1", None),
        ("v == 9 ** 9 ** 9", "is not a number"),
        ("'a' * 10 ** 9 == v", "is not a number"),
        ("v * 10 ** 18 * 10 ** 18 > 1", None),
        ("v < 1e400", None),
        ("v // 0 == 1 or v % 0 == 1", None),
        ("t.str.contains('(a+)+$', regex=True)", None),
        ("t.str.match('(a|a)*b')", None),
        ("t.str.fullmatch('((a{100}){100}){100}')", "not a valid RE2 pattern"),
        ("t.str.contains('" + "a" * 5000 + "')", None),
    ],
)
def test_its_cost_is_bounded(where: str, match: str | None) -> None:
    columns = {"v": [1, 50, 2**62], "t": ["a" * 50_000 + "!", "b", "a"]}
    started = time.perf_counter()
    try:
        found(where, **columns)
        assert match is None or pytest.fail(f"{where[:50]} was accepted")
    except ResultError as error:
        assert len(str(error)) < 1000
        refused(where, match or "cannot be evaluated", **columns)
    assert time.perf_counter() - started < 10


def test_numbers_do_not_wrap_around() -> None:
    big = [2**62, 1]
    assert found("v * 4 > 0", v=big) == [0, 1]
    assert found("v + v + v > 0", v=big) == [0, 1]
    assert found("v ** 3 > 0", v=big) == [0, 1]
    assert found("v ** -1 == 1", v=big) == [1]
    assert found("v - 1 == -1", v=pd.Series([0, 1], dtype="uint8")) == [0]
    assert found("f + f == 2", f=[True, False]) == [0]


def test_patterns_are_literal_unless_said() -> None:
    texts = ["a.b", "acb", None, "A.B"]
    assert found("t.str.contains('a.b')", t=texts) == [0]
    assert found("t.str.contains('a.b', regex=True)", t=texts) == [0, 1]
    assert found("t.str.contains('a.b', regex=True, case=False)", t=texts) == [0, 1, 3]
    assert found("t.str.match('a')", t=texts) == [0, 1]
    assert found("t.str.fullmatch('a|ac')", t=texts) == []
    assert found("t.str.fullmatch('a.b|x')", t=texts) == [0, 1]
    assert found("t.str.contains('\\ud800')", t=["\ud800", "a"]) == [0]
    assert found("t.str.contains('a', regex=True)", t=["\ud800a", "a"]) == [1]
    for pattern in ("(", "a)|(b", "(?=a)", "(a)\\\\1"):
        refused(f"t.str.contains('{pattern}', regex=True)", "not a valid RE2 pattern", t=texts)
        refused(f"t.str.fullmatch('{pattern}')", "not a valid RE2 pattern", t=texts)


def test_many_rows_are_fast() -> None:
    count = 100_000
    frame = pd.DataFrame(
        {
            "a": np.arange(count),
            "t": [f"text {n}" for n in range(count)],
            "p": pd.Series([n % 7 for n in range(count)], dtype="Int64"),
        }
    )
    started = time.perf_counter()
    where = "(a > 10 and p != 3) or t == 'text 7' or t.str.contains('99')"
    assert matching(frame, where).sum() > 1000
    assert time.perf_counter() - started < 5
