"""Models that wait for another process are called at the same time, with the results of before."""

from __future__ import annotations

import contextvars
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import mmnotebook as mm
from mmnotebook import observing
from mmnotebook.beam.inference import waiting
from mmnotebook.errors import InterruptedRunError
from mmnotebook.observing import Record
from mmnotebook.running.foreground import PATIENCE
from tests.runtime.test_foreground import pressed

LIMIT_S = 60.0
LANGUAGE: contextvars.ContextVar[str] = contextvars.ContextVar("language", default="none")


class Shared:
    """What the models of this module share, as they are pickled."""

    meeting: ClassVar[threading.Barrier]
    entered: ClassVar[threading.Event]
    release: ClassVar[threading.Event]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    Shared.meeting = threading.Barrier(2)
    Shared.entered, Shared.release = threading.Event(), threading.Event()
    yield
    Shared.release.set()


class Meets:
    """A model whose calls return only while another model is called too."""

    def __init__(self, by: int) -> None:
        self.by = by

    def predict(self, batch: list[int]) -> list[int]:
        Shared.meeting.wait(LIMIT_S)
        return [row * self.by for row in batch]


class Unsafe:
    """A model that returns whether another of its calls was in progress."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, batch: list[int]) -> list[bool]:
        self.calls += 1
        threading.Event().wait(0.01)  # lets another thread enter
        self.calls -= 1
        return [self.calls > 0 for _ in batch]


class Fails:
    """A model that fails for some rows, and takes too long for one."""

    def __init__(self, bad: int) -> None:
        self.bad = bad

    def predict(self, batch: list[int]) -> list[int]:
        if batch[0] % 10 == self.bad:
            raise ValueError(f"not {batch[0]}")
        if batch[0] == 25:
            Shared.release.wait(LIMIT_S)
        return [row + self.bad for row in batch]


class Answers:
    """A model that returns what a function returns."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def predict(self, batch: list[int]) -> list[Any]:
        return [self.function(row) for row in batch]


def where(_: int) -> str:
    return "main" if threading.current_thread() is threading.main_thread() else "other"


def language(_: int) -> str:
    return LANGUAGE.get()


def place_and_language(row: int) -> str:
    return f"{where(row)} {language(row)}"


def stuck(_: int) -> int:
    Shared.entered.set()
    Shared.release.wait(LIMIT_S)
    return 0


def none(_: int) -> int:
    return 0


class Reads:
    """A model that reads a file in each call."""

    def __init__(self, path: str) -> None:
        self.path = path

    def predict(self, batch: list[int]) -> list[str]:
        return [Path(self.path).read_text("utf-8") for _ in batch]


class Wrong:
    """A model that returns too many outputs for each batch."""

    def predict(self, batch: list[int]) -> list[int]:
        return [*batch, *batch, 0]


def mirror(one: Any, other: Any, rows: list[int], **options: Any) -> mm.Graph:
    """Return a mirror of two remote models."""
    mm.register("one", one, remote=True, **options)
    mm.register("other", other, remote=True, **options)
    return mm.pipeline("rows | [one, other]", rows=rows)


def run(graph: mm.Graph, **settings: Any) -> mm.Result:
    return mm.run(graph, progress=False, **{"fresh": True, **settings})


def predictions(result: mm.Result, node: str) -> list[Any]:
    return list(result[node]["prediction"])


@pytest.mark.parametrize("count", [1, 5, 40])
def test_the_models_of_a_mirror_are_called_at_the_same_time(count: int) -> None:
    result = run(mirror(Meets(2), Meets(3), [*range(count)]))
    assert predictions(result, "one") == [2 * row for row in range(count)]
    assert predictions(result, "other") == [3 * row for row in range(count)]
    assert (
        result["one"]["id"].tolist() == result["other"]["id"].tolist() == [*map(str, range(count))]
    )
    assert result.models["predictions"].tolist() == [count, count]
    assert result.models["batches"].tolist() == [count, count]
    assert result.nodes.loc[["one", "other"], "elements_out"].tolist() == [count, count]


def test_branches_of_different_length_meet_too() -> None:
    mm.register("one", Meets(2), remote=True)
    mm.register("other", Meets(3), remote=True)
    graph = mm.pipeline("both = rows | [one, map(abs) | other]\nboth | map(len)", rows=[1, 2])
    result = run(graph)
    assert predictions(result, "one") == [2, 4]
    assert predictions(result, "other") == [3, 6]


def test_more_elements_than_a_step_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "ROWS", 3)
    mm.register("one", Meets(2), remote=True)
    mm.register("other", Meets(3), remote=True)
    graph = mm.pipeline("rows | flat_map(twice) | [one, other]", rows=[*range(9)], twice=twice)
    result = run(graph)
    expected = [row for row in range(9) for _ in range(2)]
    assert predictions(result, "one") == [2 * row for row in expected]
    assert predictions(result, "other") == [3 * row for row in expected]


def twice(row: int) -> list[int]:
    return [row, row]


def test_batches_are_those_of_a_run_on_another_runner() -> None:
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    graph = mirror(Answers(abs), Answers(int), [*range(100)], batch_size=7)
    run(graph)  # the first call of a model in a process has one element
    here, there = run(graph), run(graph, runner=FnApiRunner())
    assert here.models["batches"].tolist() == there.models["batches"].tolist()
    for node in ("one", "other"):
        assert here[node].equals(there[node])


def test_failures_and_timeouts_stay_with_their_model() -> None:
    graph = mirror(Fails(3), Fails(7), [*range(30)], timeout=1)
    result = run(graph, max_failed=0.5)
    failed = result.failed.groupby("node")["id"].apply(list)
    assert sorted(failed["one"], key=int) == ["3", "13", "23", "25"]
    assert sorted(failed["other"], key=int) == ["7", "17", "25", "27"]
    assert predictions(result, "one") == [r + 3 for r in range(30) if r % 10 != 3 and r != 25]
    assert result.models["failed"].tolist() == [4, 4]


def test_a_model_is_never_called_by_two_threads() -> None:
    mm.register("one", Unsafe(), remote=True, version="1")  # both nodes share the loaded model
    result = run(mm.pipeline("rows | [one, map(abs) | one]", rows=[*range(20)]))
    assert [predictions(result, node) for node in ("one", "one_2")] == [[False] * 20] * 2


def test_a_model_that_does_not_declare_it_is_called_in_the_runs_thread() -> None:
    mm.register("one", Answers(where), remote=True)
    mm.register("other", Answers(where))
    mm.register("third", Answers(where), remote=False)
    result = run(mm.pipeline("rows | [one, other, third]", rows=[1, 2]))
    for node in ("one", "other", "third"):
        assert predictions(result, node) == ["main", "main"]


def test_settings_of_the_caller_apply_in_each_thread() -> None:
    token = LANGUAGE.set("German")
    try:
        graph = mirror(Answers(language), Answers(place_and_language), [1])
        result = run(graph)
    finally:
        LANGUAGE.reset(token)
    assert predictions(result, "one") == ["German"]
    assert predictions(result, "other") == ["other German"]


def test_a_file_that_one_model_reads_concerns_this_model_only(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("before", "utf-8")
    graph = mirror(Reads(str(path)), Answers(abs), [1, 2])
    run(graph)
    again = run(graph, fresh=False)
    assert again.nodes.loc[["one", "other"], "cached"].tolist() == [True, True]
    path.write_text("after!", "utf-8")
    changed = run(graph, fresh=False)
    assert predictions(changed, "one") == ["after!", "after!"]
    assert changed.nodes.loc[["one", "other"], "cached"].tolist() == [False, True]


def test_a_random_draw_is_attributed_to_all_models_that_are_called_meanwhile() -> None:
    drawing, other = Record(), Record()
    begun, drawn = threading.Barrier(2), threading.Barrier(2)

    def work(record: Record, draws: bool) -> None:
        with observing.within(record):
            begun.wait(LIMIT_S)
            if draws:
                random.random()
            drawn.wait(LIMIT_S)

    threads = [
        threading.Thread(target=work, args=arguments)
        for arguments in ((drawing, True), (other, False))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    whose = "it, or a model that was called at the same time, drew random numbers (random)"
    assert drawing.observed().volatile == other.observed().volatile == whose


def test_an_error_of_one_model_ends_the_run_and_leaves_nothing_behind() -> None:
    graph = mirror(Wrong(), Answers(abs), [1, 2, 3])
    with pytest.raises(mm.RunError, match="model 'one'"):
        run(graph)
    result = run(mirror(Meets(2), Meets(3), [4]))
    assert predictions(result, "one") == [8]
    assert len(result["other"]) == 1


def test_ctrl_c_ends_a_run_whose_models_wait() -> None:
    graph = mirror(Answers(stuck), Answers(none), [1, 2, 3])
    with pressed(Shared.entered) as at, pytest.raises(KeyboardInterrupt):
        run(graph)
    assert time.monotonic() - at[0] < PATIENCE + 1


def test_cancel_stops_both_models_at_their_next_element() -> None:
    graph = mirror(Answers(stuck), Answers(none), [*range(50)])
    running = mm.run(graph, progress=False, fresh=True, wait=False)
    assert Shared.entered.wait(LIMIT_S)
    running.cancel()
    Shared.release.set()
    with pytest.raises(InterruptedRunError):
        running.result(timeout=LIMIT_S)
