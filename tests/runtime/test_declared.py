"""What users declare about a function: `mm.pure`, `mm.depends` and `register(version=)`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.fingerprint import identity

CACHED = "read from the cache"


def run(f: Callable[[Any], Any], **names: Any) -> tuple[list[Any], str]:
    """Return the outputs of a step for 1, 2, 3, and why it was computed."""
    result = mm.run(mm.pipeline("d | f", d=[1, 2, 3], f=f, **names), progress=False)
    return list(result["f"]["value"]), result.why["f"]


def draws(x: int) -> float:
    return x + random.random()


def test_a_pure_function_is_computed_once_whatever_it_does() -> None:
    assert run(draws)[0] != run(draws)[0]
    pure = mm.pure(draws_too)
    first, _ = run(pure)
    assert run(pure) == (first, CACHED)


def draws_too(x: int) -> float:
    return x + random.random() + 0 * time.time()


def test_the_code_of_a_pure_function_counts() -> None:
    def made(more: int) -> Callable[[Any], Any]:
        return mm.pure(lambda x: (x + more, time.time() > 0))

    assert run(made(1))[0] == [(2, True), (3, True), (4, True)]
    assert run(made(2))[0] == [(3, True), (4, True), (5, True)]


def test_a_pure_helper_does_not_make_its_caller_pure() -> None:
    helper = mm.pure(lambda: time.time())

    def f(x: int) -> float:
        return x + helper() + random.random()

    assert identity.identity(f).digest is None
    assert identity.identity(mm.pure(f)).stated


def test_a_path_counts_by_its_content(tmp_path: Path) -> None:
    file, folder = tmp_path / "more.txt", tmp_path / "folder"

    @mm.depends(path=[file, folder])
    def f(x: int) -> float:
        return x + int(time.time() * 0)

    assert run(f)[1] != CACHED
    assert run(f)[1] == CACHED
    file.write_text("1")
    assert run(f)[1] == "its function f changed"
    assert run(f)[1] == CACHED
    folder.mkdir()
    (folder / "part").write_text("a")
    assert run(f)[1] == "its function f changed"
    (folder / "part").write_text("b")
    assert run(f)[1] == "its function f changed"
    assert run(f)[1] == CACHED


def test_a_value_counts_as_it_is_when_the_graph_runs() -> None:
    state = {"level": 1}

    @mm.depends(value=lambda: state["level"])
    def f(x: int) -> float:
        return x * LEVEL[0] + int(time.time() * 0)

    assert run(f)[0] == [1, 2, 3]
    state["level"] = LEVEL[0] = 2
    assert run(f)[0] == [2, 4, 6]
    assert run(f)[1] == CACHED


LEVEL = [1]


@pytest.mark.parametrize("pure_first", [True, False])
def test_both_decorators_work_in_any_order(pure_first: bool) -> None:
    state = ["a"]
    marks = [mm.pure, mm.depends(value=lambda: state[0])]

    def f(x: int) -> int:
        return x + int(time.time() * 0)

    for mark in marks if pure_first else marks[::-1]:
        f = mark(f)
    run(f)
    assert run(f)[1] == CACHED
    state[0] = "b"
    assert run(f)[1] == "its function f changed"


@pytest.mark.parametrize("given", [{}, {"path": "https://example.org/a.csv"}])
def test_invalid_dependencies_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(mm.MMError, match=r"@mm\.depends") as caught:
        mm.depends(**given)
    assert caught.value.remedy


def test_a_value_that_fails_has_its_function_computed() -> None:
    def missing() -> Any:
        raise KeyError("REGION")

    f = mm.depends(value=missing)(lambda x: x)
    for _ in range(2):
        assert run(f)[1] == "not cacheable: value= of @mm.depends failed: KeyError: 'REGION'"


@pytest.mark.parametrize("mark", [mm.pure, mm.depends(value=1)])
def test_what_is_no_function_is_refused(mark: Callable[[Any], Any]) -> None:
    with pytest.raises(mm.MMError, match=r"allowed: a function defined with def or lambda"):
        mark(3)


@pytest.mark.parametrize("version", [True, 1.5, "", ["1"]])
def test_a_version_is_a_text_or_a_whole_number(version: Any) -> None:
    with pytest.raises(mm.ModelError, match="allowed: a string, a whole number, or None"):
        mm.register("m", lambda batch: batch, framework="python", version=version)
