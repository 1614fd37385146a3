"""Every kind of bad row fails alone, and the texts about it are bounded."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from apache_beam.ml.inference.base import ModelHandler
from hypothesis import given
from hypothesis import strategies as st

import mmnotebook as mm
from mmnotebook.elements.elements import failure
from mmnotebook.elements.packing import pack
from mmnotebook.elements.user_code import not_storable
from mmnotebook.errors import RunError, one_line, shown
from mmnotebook.results import causes
from tests.runtime import toys

BAD = 5
DATA = list(range(40))


class CustomBaseException(BaseException):
    """A user's exception that is not a subclass of `Exception`."""


class LeavesWhenStored:
    def __reduce__(self) -> Any:
        raise SystemExit(2)


class CannotComeBack(Exception):
    """An exception that can be pickled, but not unpickled, since its arguments differ."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)


class RaisesOnAccess:
    """An object whose methods raise."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no eq")

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        raise ValueError("no len")

    @property
    def nbytes(self) -> int:
        raise ValueError("no nbytes")


def deep() -> Any:
    value: Any = 0
    for _ in range(100_000):
        value = [value]
    return value


def local() -> Any:
    class Local:
        pass

    return Local()


def raising(error: type[BaseException], *args: Any) -> Callable[[], Any]:
    def go() -> Any:
        raise error(*args)

    return go


RAISES: dict[str, Callable[[], Any]] = {
    "SystemExit": raising(SystemExit, 1),
    "GeneratorExit": raising(GeneratorExit),
    "Own": raising(CustomBaseException, "no more"),
    "StopIteration": raising(StopIteration, 3),
    "MemoryError": raising(MemoryError),
    "RecursionError": raising(RecursionError),
    "Mute": raising(toys.Mute),
}
RETURNS: dict[str, Callable[[], Any]] = {
    "generator": lambda: (i for i in range(3)),
    "lock": threading.Lock,
    "file": lambda: Path(sys.executable).open("rb"),  # noqa: SIM115
    "reduce": LeavesWhenStored,
    "unpickling": lambda: CannotComeBack(1, 2),
    "deep": deep,
    "local": local,
    "inside": lambda: {"a": [threading.Lock()]},
}


def steps(bad: Callable[[], Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield where the bad element fails, the pipeline, and the names that it uses."""

    def f(x: Any) -> Any:
        return bad() if x == BAD else x

    def many(x: Any) -> Any:
        return [1, bad()] if x == BAD else [1]

    def asks(batch: Sequence[Any]) -> list[Any]:
        return [f(x) for x in batch]

    def same(batch: Sequence[Any]) -> list[Any]:
        return list(batch)

    mm.register("asks", asks, framework="python")
    mm.register("same", same, framework="python")
    mm.register("output", same, framework="python", output=f)
    yield "map", "n = d | f", {"f": f}
    yield "flat_map", "n = d | flat_map(many)", {"many": many}
    yield "model", "n = d | asks", {}
    yield "output", "n = d | output", {}
    yield "cascade", "n = d | cascade(output, same, below=0.8, score=sure)", {"sure": sure}
    yield "big", "n = d | cascade(same, asks, below=0.8, score=unsure)", {"unsure": unsure}


def steps_without_output(bad: Callable[[], Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The same for steps that use the returned value and do not pass it on."""

    def f(x: Any) -> Any:
        return bad() if x == BAD else "a"

    def same(batch: Sequence[Any]) -> list[Any]:
        return list(batch)

    def ready(x: Any) -> Any:
        f(x)
        return x

    mm.register("same", same, framework="python")
    mm.register("prepared", same, framework="python", preprocess=ready)
    yield "filter", "n = d | filter(f)", {"f": f}
    yield "switch", "n = d | switch(f, a=same, b=same)", {"f": f}
    yield "keyed", 'n = d | keyed({"a": same}, by=f)', {"f": f}
    yield "score", "n = d | cascade(same, same, below=0.8, score=f)", {"f": sure_but(f)}
    yield "preprocess", "n = d | prepared", {}


def sure(output: Any) -> float:
    return 0.9


def unsure(output: Any) -> float:
    return 0.1


def sure_but(f: Callable[[Any], Any]) -> Callable[[Any], float]:
    def score(output: Any) -> float:
        f(output)
        return 0.9

    return score


def check(text: str, names: dict[str, Any]) -> None:
    told: list[Any] = []
    graph = mm.pipeline(text, d=DATA, **names)
    result = mm.run(graph, progress=False, subscribers=[told.append])
    assert result.failed["id"].tolist() == [str(BAD)]
    node = result.failed["node"][0]
    counts = {count.node: count for count in told[-1].counts}
    assert (counts[node].elements_out, counts[node].failed) == (len(DATA) - 1, 1)
    assert result.nodes["failed"].sum() == 1 and result.nodes.loc[node, "failed"] == 1
    assert result.nodes.loc[node, "elements_out"] == len(DATA) - 1 == len(result[node])
    assert str(BAD) not in {id.partition("/")[0] for id in result[node]["id"]}


@pytest.mark.parametrize("step", ["map", "flat_map", "model", "output", "cascade", "big"])
@pytest.mark.parametrize("kind", [*RAISES, *RETURNS])
def test_only_the_bad_value_fails(kind: str, step: str) -> None:
    found = {name: (text, names) for name, text, names in steps({**RAISES, **RETURNS}[kind])}
    check(*found[step])


@pytest.mark.parametrize("step", ["filter", "switch", "keyed", "score", "preprocess"])
@pytest.mark.parametrize("kind", RAISES)
def test_any_exception_fails_only_its_element(kind: str, step: str) -> None:
    found = {name: (text, names) for name, text, names in steps_without_output(RAISES[kind])}
    check(*found[step])


def test_a_value_that_cannot_be_stored_fails_with_a_remedy() -> None:
    result = mm.run(mm.pipeline("d | f", d=["a"], f=toys.letters), max_failed=1, progress=False)
    (message,) = result.failed["message"]
    assert message.startswith("a generator cannot be stored: TypeError: cannot pickle 'generator'")
    assert "a list in place of a generator" in message


def test_a_value_that_cannot_be_stored_is_not_passed_on() -> None:
    graph = mm.pipeline("n = d | f\nm = n | g", d=["a"] * 2, f=toys.letters, g=same_value)
    result = mm.run(graph, max_failed=1, progress=False)
    assert result.nodes["elements_in"].fillna(0).tolist() == [0, 2, 0]


def test_an_element_of_a_source_that_cannot_be_stored() -> None:
    for data in ([1, threading.Lock(), 3], pd.DataFrame({"a": [1, threading.Lock(), 3]})):
        graph = mm.pipeline("d | f", d=data, f=same_value)
        result = mm.run(graph, max_failed=0.5, progress=False)
        assert result.failed[["node", "id"]].to_numpy().tolist() == [["d", "1"]]
        assert result["f"]["id"].tolist() == ["0", "2"]


def same_value(x: Any) -> Any:
    return x


class Sized(ModelHandler[Any, Any, Any]):
    """A handler with an element size function; it returns the size of its batches."""

    def __init__(self, size: Callable[[Any], Any]) -> None:
        super().__init__()
        self.size = size

    def load_model(self) -> Any:
        return len

    def run_inference(self, batch: Sequence[Any], model: Any, inference_args: Any = None) -> Any:
        return [(model(x), len(batch)) for x in batch]

    def batch_elements_kwargs(self) -> dict[str, Any]:
        return {"max_batch_size": 4, "element_size_fn": self.size}


@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_size_function_that_raises(bad: int) -> None:
    data: list[Any] = ["a", "bb", "ccc", "d"]
    data[bad] = None
    mm.register("sized", Sized(lambda text: len(text)))
    result = mm.run(mm.pipeline("d | sized", d=data), max_failed=1, progress=False)
    assert result.failed["id"].tolist() == [str(bad)]
    assert [n for n, _ in result["sized"]["prediction"]] == [len(x) for x in data if x]
    assert result.nodes.loc["sized", ["elements_in", "elements_out"]].tolist() == [4, 3]
    assert result.models.loc["sized", "failed"] == 1


@pytest.mark.parametrize("size", [-1, float("nan"), "many", None])
def test_an_element_size_that_is_not_a_number_from_0(size: Any) -> None:
    mm.register("sized", Sized(lambda text: size if text == "b" else 2))
    graph = mm.pipeline("d | sized", d=["a", "b", "c", "d"])
    result = mm.run(graph, max_failed=1, progress=False)
    assert result.failed["id"].tolist() == ["1"]
    # It takes no space in a batch: there is a batch of two with size 2, and the last one.
    assert result["sized"]["prediction"].tolist() == [(1, 2), (1, 2), (1, 1)]


def shouts(x: int) -> int:
    if x == BAD:
        raise ValueError("x" * 50_000_000)
    return x


def test_a_text_of_50_mb_is_stored_and_shown_cut() -> None:
    result = mm.run(mm.pipeline("d | shouts", d=DATA, shouts=shouts), progress=False)
    (row,) = result.failed.itertuples()
    assert len(row.message) <= 300 and len(row.traceback) < 10_000
    assert "50,000,000 characters" in row.traceback
    assert result.nodes["bytes"].sum() < 100_000
    assert max(map(len, result._repr_mimebundle_().values())) < 100_000


def fall(depth: int) -> None:
    if depth:
        fall(depth - 1)
    raise ValueError("down here")


def test_a_long_traceback_is_cut_in_the_middle() -> None:
    with pytest.raises(ValueError) as caught:
        fall(500)
    text = failure("n", "0", caught.value).traceback
    assert "more frames" in text and text.endswith("ValueError: down here\n")
    assert len(text) < 10_000


def test_a_failure_takes_little_time_and_space() -> None:
    with pytest.raises(ValueError) as caught:
        fall(500)
    failure("n", "0", caught.value)
    started = time.thread_time()
    for _ in range(100):
        failure("n", "0", caught.value)
    assert time.thread_time() - started < 1  # traceback.format_exception takes ten times as long


def test_causes_notes_and_groups_are_in_the_traceback() -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            error = ValueError("outer")
            error.__notes__ = ["a note", "n" * 1_000_000]  # type: ignore[attr-defined]
            raise error from inner
    except ValueError as outer:
        text = failure("n", "0", outer).traceback
    assert "ValueError: outer\na note\n" in text and "caused by KeyError: 'inner'" in text
    assert len(text) < 10_000
    if sys.version_info >= (3, 11):
        group = ExceptionGroup("several", [TypeError(str(n)) for n in range(9)])  # noqa: F821
        text = failure("n", "0", group).traceback
        assert "  TypeError: 0\n" in text and "4 more" in text


def test_values_that_raise_when_they_are_shown() -> None:
    graph = mm.pipeline("d | f", d=DATA, f=lambda_of(RaisesOnAccess))
    result = mm.run(graph, progress=False)
    assert len(result["f"]) == len(DATA)
    assert result._repr_mimebundle_() and mm.inspect(result, "f")._repr_mimebundle_()
    assert shown(RaisesOnAccess()) == "a RaisesOnAccess that cannot be shown"


def lambda_of(make: Callable[[], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        return make() if x == BAD else x

    return f


def test_values_that_can_be_stored_are_not_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    kinds: list[Any] = [
        1,
        "a",
        None,
        [1],
        {"a": [np.zeros(2)]},
        np.zeros(2),
        np.array([{}], dtype=object),
        loop,
        pd.Timestamp("2026-01-01"),
        pd.DataFrame({"a": [1]}),
    ]
    assert not_storable(pack(kinds)) == {}
    assert list(not_storable(pack([*kinds, threading.Lock()]))) == [len(kinds)]


def test_an_interrupt_that_a_function_raises_ends_the_run() -> None:
    graph = mm.pipeline("d | f", d=DATA, f=lambda_of(raising(KeyboardInterrupt)))
    with pytest.raises(RunError) as caught:
        mm.run(graph, progress=False)
    assert caught.value.node == "f" and "KeyboardInterrupt" in str(caught.value)


class ExitsOnLoad(ModelHandler[Any, Any, Any]):
    """A model that raises SystemExit when it is loaded."""

    def load_model(self) -> Any:
        raise SystemExit(3)

    def run_inference(self, batch: Sequence[Any], model: Any, inference_args: Any = None) -> Any:
        return []


def test_a_model_that_exits_while_it_loads() -> None:
    mm.register("dying", ExitsOnLoad())
    with pytest.raises(mm.MMError, match="model 'dying' cannot be loaded: SystemExit: 3"):
        mm.run(mm.pipeline("d | dying", d=DATA), progress=False)


def mostly(x: int) -> int:
    if x % 10 == 0:
        raise LookupError(f"nothing for {x}")
    raise ValueError(f"{x} is too much")


def test_the_error_names_the_most_frequent_cause_first() -> None:
    with pytest.raises(RunError) as caught:
        mm.run(mm.pipeline("d | mostly", d=DATA, mostly=mostly), max_failed=0.5, progress=False)
    said = str(caught.value)
    count = len(caught.value.failed)
    most = int((caught.value.failed["error"] == "ValueError").sum())
    assert f"so far {count} of {count} elements failed: {most} × ValueError: 1 is too much" in said
    assert said.index("ValueError") < said.index(f"{count - most} × LookupError: nothing for 0")


@pytest.mark.parametrize("text", ["d | picky", "d | refuses"])
def test_the_counts_of_a_failed_run_agree(text: str) -> None:
    mm.register("refuses", lambda_of_batch(picky), framework="python")
    told: list[Any] = []
    names = {} if "refuses" in text else {"picky": picky}
    with pytest.raises(RunError) as caught:
        graph = mm.pipeline(text, d=list(range(3000)), **names)
        mm.run(graph, progress=False, subscribers=[told.append])
    error = caught.value
    (count,) = (count for count in told[-1].counts if count.node == error.node)
    assert count.failed == len(error.failed) > 300
    assert f"so far {count.failed:,} of {count.elements_in:,} elements failed" in str(error)
    assert f": {count.failed:,} × ValueError: 0 is too much" in str(error)


def picky(x: int) -> int:
    raise ValueError(f"{x} is too much")


def lambda_of_batch(f: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    def batch(values: Sequence[Any]) -> list[Any]:
        return [f(value) for value in values]

    return batch


def test_causes_are_counted_and_summarized() -> None:
    found = causes.of(
        [("0", "Odd", "no 1"), *((str(n), "ValueError", f"{n}.5 at 0x{n:x}f") for n in range(9))]
        + [(str(n), "KeyError", f"'{name}'") for n, name in enumerate("abcde")]
    )
    assert causes.said(found) == (
        "9 × ValueError: 0.5 at 0x0f (first: '0'); 5 × KeyError: such as 'a' (first: '0'); "
        "1 × Odd: no 1 ('0')"
    )
    assert causes.said(found, 1).endswith("; 6 × 2 other causes")
    two = causes.of([("0", "ValueError", "too long"), ("1", "ValueError", "too short")])
    assert [cause.count for cause in two] == [1, 1]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (
            ["could not convert string to float: 'a'", "could not convert string to float: 'b'"],
            "2 × ValueError: such as could not convert string to float: 'a' (first: '0')",
        ),
        (["field `x` is -1", "field `y` is 20.5"], "2 × ValueError: such as field `x` is -1"),
        (['no "it\'s"', "no 'it'"], "2 × ValueError: such as no \"it's\" (first: '0')"),
        ([r"bad b'\'a'", "bad b''"], r"2 × ValueError: such as bad b'\'a' (first: '0')"),
        (["bad 'aaa…", "bad 'bbb…"], "2 × ValueError: such as bad 'aaa… (first: '0')"),
        (["-1 is below 0", "5 is below 0"], "2 × ValueError: -1 is below 0 (first: '0')"),
        (["can't read, don't", "can't write, don't"], "can't write, don't ('1')"),
    ],
)
def test_messages_that_differ_in_a_value_have_one_cause(messages: list[str], said: str) -> None:
    found = causes.of((str(n), "ValueError", message) for n, message in enumerate(messages))
    assert said in causes.said(found)


NUMBERS = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(0, 2**48).map(hex),
)
QUOTED = st.one_of(st.text().map(repr), st.binary().map(repr))
TEMPLATES = ("could not read {0}", "{0} is not in {1}", "field {0}: expected more than {1}")


@given(
    st.sampled_from(TEMPLATES),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1)
    | st.lists(st.tuples(QUOTED, NUMBERS), min_size=1)
    | st.lists(st.tuples(QUOTED, QUOTED), min_size=1),
)
def test_values_of_elements_make_no_cause_of_their_own(
    template: str, values: list[tuple[str, str]]
) -> None:
    messages = [template.format(*some) for some in values]
    (cause,) = causes.of((str(n), "ValueError", message) for n, message in enumerate(messages))
    assert (cause.message, cause.id, cause.count) == (messages[0], "0", len(messages))
    assert cause.alike or len(set(messages)) > 1


@given(st.lists(st.tuples(st.sampled_from("AB"), st.text(max_size=12)), min_size=1))
def test_causes_count_every_failure_once_in_any_order(rows: list[tuple[str, str]]) -> None:
    failures = [(str(n), error, message) for n, (error, message) in enumerate(rows)]
    found, back = causes.of(failures), causes.of(reversed(failures))
    total = Counter(error for error, _ in rows)
    for some in (found, back):
        counts: Counter[str] = Counter()
        for cause in some:
            counts[cause.error] += cause.count
        assert counts == total
    assert sorted((c.error, c.count) for c in found) == sorted((c.error, c.count) for c in back)


def test_the_memory_of_causes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(causes, "_MOST", 3)
    counted = causes.Causes()
    words = ["one", "two", "three", "four", "five", "four"]
    for place, word in enumerate(word for word in words for _ in range(2)):
        counted.add(str(place), "ValueError", word)
    assert len(counted._first) == len(counted._counts) == 4
    ranked = counted.ranked()
    assert [(cause.message, cause.alike, cause.count) for cause in ranked] == [
        ("four", False, 6),
        ("one", True, 2),
        ("two", True, 2),
        ("three", True, 2),
    ]


def test_one_line_of_a_long_message_is_cheap() -> None:
    line = one_line(ValueError("a b " * 10_000_000))
    assert len(line) == 300 and line.endswith("…")
