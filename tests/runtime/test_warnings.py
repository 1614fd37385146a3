"""`r.warnings`: each distinct warning of models and functions once, with its count."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook import events
from mmnotebook.running import warning_counts
from mmnotebook.state import run_state
from tests.runtime import toys

DATA = list(range(40))


def odd(x: int) -> int:
    warnings.warn("odd", stacklevel=1)
    if x % 2:
        warnings.warn(f"{x % 4} left", RuntimeWarning, stacklevel=1)
    return x


def warns(batch: Sequence[Any]) -> list[Any]:
    warnings.warn("in a batch", stacklevel=1)
    return list(batch)


def rows(result: Any) -> list[list[Any]]:
    frame = result.warnings[["node", "model", "category", "message", "count"]]
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()  # type: ignore[no-any-return]


def test_each_distinct_one_once_with_its_count() -> None:
    mm.register("m", warns, framework="python", batch_size=10)
    graph = mm.pipeline("a = d | odd\nb = d | m", d=DATA, odd=odd)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        odd(1)  # a warning that was shown before the run is also counted
        shown.clear()
        result = mm.run(graph, progress=False)
    expected = [
        ["a", None, "UserWarning", "odd", 40],
        ["a", None, "RuntimeWarning", "1 left", 10],
        ["a", None, "RuntimeWarning", "3 left", 10],
        ["b", "m", "UserWarning", "in a batch", 4],
    ]
    assert rows(result) == expected
    assert result.warnings["filename"].tolist() == [__file__] * 4
    assert [str(one.message) for one in shown] == [
        "odd [in a, 40 times]",
        "1 left [in a, 10 times]",
        "3 left [in a, 10 times]",
        "in a batch [in b (model m), 4 times]",
    ]
    assert "4 warnings: " in repr(result)


def test_warnings_of_cached_nodes_are_listed_but_not_shown_again() -> None:
    mm.run(mm.pipeline("a = d | odd", d=DATA, odd=odd))
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        again = mm.run(mm.pipeline("b = d | odd", d=DATA, odd=odd), progress=False)
    assert again.nodes.loc["b", "cached"] and not shown
    assert rows(again)[0][:4] == ["b", None, "UserWarning", "odd"]


def test_those_of_a_cached_node_keep_its_name() -> None:
    mm.register("m", warns, framework="python", batch_size=10)
    graph = mm.pipeline("out = d | m", d=DATA)
    first, second = (mm.run(graph, progress=False) for _ in range(2))
    assert second.nodes["cached"].all()
    assert rows(first) == rows(second) == [["out", "m", "UserWarning", "in a batch", 4]]


def test_filters_are_respected() -> None:
    graph = mm.pipeline("a = d | odd", d=DATA, odd=odd)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert [row[2] for row in rows(mm.run(graph))] == ["UserWarning"]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = mm.run(graph, max_failed=0.5, fresh=True)
    assert result.failed["error"].tolist() == ["RuntimeWarning"] * 20


def records(x: int) -> int:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warnings.warn("mine", stacklevel=1)
    return len(found)


def test_warnings_caught_by_a_function_are_not_listed() -> None:
    result = mm.run(mm.pipeline("d | records", d=[1, 2], records=records), progress=False)
    assert result["records"]["value"].tolist() == [1, 1] and not len(result.warnings)


def test_other_threads_notice_nothing() -> None:
    before = (warnings.showwarning, list(warnings.filters))
    seen: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *args, **kwargs: seen.append(str(message))
        running = mm.run(mm.pipeline("d | hold", d=[1], hold=toys.hold), wait=False, progress=False)
        assert toys.GATE.started.wait(60)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(warnings.warn, "from elsewhere").result()
        toys.GATE.release.set()
        assert not len(running.result().warnings)
    assert seen == ["from elsewhere"]
    assert (warnings.showwarning, list(warnings.filters)) == before
    assert warnings._showwarnmsg.__module__ == "warnings"  # type: ignore[attr-defined]


def test_a_model_with_a_time_limit_warns_from_its_thread() -> None:
    mm.register("m", warns, framework="python", batch_size=10, timeout=30)
    result = mm.run(mm.pipeline("d | m", d=DATA))
    assert rows(result) == [["m", "m", "UserWarning", "in a batch", 4]]


def test_subscribers_receive_warnings() -> None:
    told: list[Any] = []
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        graph = mm.pipeline("a = d | odd", d=DATA, odd=odd)
        mm.run(graph, progress=False, subscribers=[told.append])
    notes = [event.text for event in told if isinstance(event, events.Noted)]
    assert notes[0] == "UserWarning in a, 40 times: odd" and not shown
    assert isinstance(told[-1], events.RunFinished)


def test_a_failed_run_shows_them_too() -> None:
    def fails(x: int) -> int:
        warnings.warn("before the end", stacklevel=1)
        raise ValueError(x)

    with pytest.warns(UserWarning, match="before the end"), pytest.raises(mm.RunError):
        mm.run(mm.pipeline("d | fails", d=DATA, fails=fails), progress=False)


def test_the_number_of_distinct_warnings_is_limited() -> None:
    run = run_state.RunState("run", {})
    for n in range(run_state.DISTINCT + 7):
        run.warn("node", None, UserWarning, f"{n} " + "x" * 10_000)
    found = [one for _, one in run.warnings()]
    assert len(found) == run_state.DISTINCT + 1 and found[-1].count == 7
    assert max(len(one.message) for one in found) <= 2000
    said = warning_counts.lines(found)
    assert len(said) == 6 and said[-1] == "996 more distinct warnings: mm.last.warnings"


SCRIPT = """
import warnings
import mmnotebook as mm
def flood(x):
    with warnings.catch_warnings():
        pass
    warnings.warn(f"a flood")
    return x
mm.run(mm.pipeline("d | flood", d=list(range(500)), flood=flood), progress=PROGRESS)
"""


@pytest.mark.parametrize("progress", [True, False])
def test_stderr_has_each_once(progress: bool) -> None:
    script = SCRIPT.replace("PROGRESS", str(progress))
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr.count("UserWarning") == 1 and "500 times" in ran.stderr
