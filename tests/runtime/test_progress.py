"""The display of a run, and runs in the background."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.errors import RunError
from mmnotebook.graph.graph import Graph
from mmnotebook.running import progress_display
from mmnotebook.running.progress import Progress, follows
from mmnotebook.running.progress_display import TerminalDisplay, after, during
from mmnotebook.state import events
from tests.runtime import toys

HOSTILE = "<script>&"


def plus(x: Any) -> Any:
    return x + 1


def picky(x: Any) -> Any:
    if x >= 50:
        raise ValueError(HOSTILE)
    return x


def chain(count: int) -> Graph:
    text = "first = data | plus\nlast = first | picky"
    return mm.pipeline(text, data=list(range(count)), plus=plus, picky=picky)


def progress_after(*given: events.Event) -> Progress:
    progress = Progress()
    for event in given:
        progress(event)
    return progress


def started(*nodes: str, **totals: int) -> events.RunStarted:
    return events.RunStarted(nodes, totals, dict(zip(nodes[1:], nodes, strict=False)))


def counts(**elements: int) -> tuple[events.NodeCounts, ...]:
    return tuple(events.NodeCounts(name, n, n, 0) for name, n in elements.items())


def progress_of_run(graph: Graph, **options: Any) -> Progress:
    """Return the progress of a run, as its display receives it."""
    progress = Progress()
    mm.run(graph, subscribers=[progress], **options)
    return progress


# The state computed from events


def test_a_node_waits_runs_and_is_done() -> None:
    progress = progress_after(started("a", "b", "c"), events.NodeCached("a", 7, 1))
    assert [node.state for node in progress.nodes.values()] == ["cached", "waiting", "waiting"]
    progress(events.NodeStarted("b"))
    progress(events.RunProgressed(counts(b=3, c=0)))
    assert [node.state for node in progress.nodes.values()] == ["cached", "running", "waiting"]
    assert progress.so_far() == "a 7, b 3 of 7, c 0 elements"
    progress(events.NodeFinished("b", 6, 1))
    assert progress.nodes["b"].state == "done" and progress.nodes["b"].failed == 1
    progress(events.RunFinished("done", counts(b=6, c=6)))
    assert [node.state for node in progress.nodes.values()] == ["cached", "done", "done"]
    assert progress.so_far() == "a 7, b 6, c 6 elements"


def test_where_a_run_ends_early_its_nodes_say_so() -> None:
    events_before = (
        started("a", "b", "c"),
        events.NodeFinished("a", 1, 0),
        events.NodeStarted("b"),
    )
    stopped = progress_after(*events_before, events.RunFinished("interrupted", counts(b=1)))
    assert [node.state for node in stopped.nodes.values()] == ["done", "stopped", "waiting"]
    failed = progress_after(*events_before, events.RunFinished("failed", counts(b=1), "no", "b"))
    assert [node.state for node in failed.nodes.values()] == ["done", "failed", "waiting"]


def test_the_total_is_known_for_one_output_per_element() -> None:
    text = "few = rows | filter(f)\nfew | g\nrows | n | split(x=0.5, y=0.5)\n[g, n] | join"
    names = dict.fromkeys(("f", "g", "n", "x", "y", "join"), plus)
    graph = mm.pipeline(text, rows=[1], **names)
    wires = follows(graph)
    assert wires == {"g": "few", "n": "rows", "split": "n"}
    progress = progress_after(events.RunStarted(graph.names, {"rows": 100}, wires))
    assert {"rows": 100, "n": 100, "split": 100}.items() <= progress.expected().items()
    assert "g" not in progress.expected()
    progress(events.NodeFinished("few", 40, 0))
    assert progress.expected()["g"] == 40
    progress(events.RunProgressed((events.NodeCounts("n", 50, 48, 2),)))
    assert progress.expected()["split"] == 98


def test_models_are_named_while_they_load_and_when_they_are_unloaded() -> None:
    progress = progress_after(started("a"), events.ModelLoading("mlp"), events.ModelLoading("tree"))
    assert progress.now() == "loading mlp, tree"
    progress(events.ModelLoaded("mlp", 0.1, 10))
    progress(events.ModelEvicted("old", 10))
    assert progress.now() == "loading tree; no longer loaded: old"
    assert "loading tree" in during(progress)["text/plain"]
    progress(events.RunFinished("failed", ()))
    assert "loading" not in progress.now()


def test_a_restarted_run_resets_its_counts() -> None:
    progress = progress_after(
        started("a"), events.NodeCached("a", 5), events.Noted("a: damaged"), started("a")
    )
    assert progress.nodes["a"].state == "waiting" and progress.notes == ["a: damaged"]


@pytest.mark.parametrize(
    ("cached", "failed", "state", "line"),
    [
        (0, {}, "done", "5 nodes computed"),
        (2, {}, "done", "5 nodes: 3 computed, 2 from the cache"),
        (5, {}, "done", "5 nodes from the cache"),
        (2, {"d": 1}, "done", "5 nodes: 3 computed, 2 from the cache; 1 failed element in d"),
        (0, {"d": 1, "e": 1200}, "done", "5 nodes computed; 1,201 failed elements in d, e"),
        (0, dict.fromkeys("bcde", 1), "done", "5 nodes computed; 4 failed elements in 4 nodes"),
        (2, {}, "interrupted", "interrupted: 0 of 5 nodes computed, 2 from the cache"),
        (2, {"d": 1}, "failed", "failed"),
    ],
)
def test_the_last_line(cached: int, failed: dict[str, int], state: str, line: str) -> None:
    progress = progress_after(
        started(*"abcde"), *(events.NodeCached(name, 9) for name in "abcde"[:cached])
    )
    ends = tuple(events.NodeCounts(name, 9, 9, failed.get(name, 0)) for name in "abcde"[cached:])
    progress(events.RunFinished(state, ends))
    assert progress.line() == line


def test_one_node_is_one_node() -> None:
    assert progress_after(started("a"), events.RunFinished("done", ())).line() == "1 node computed"


# Real runs


def test_the_last_line_says_what_a_run_did() -> None:
    assert progress_of_run(chain(40)).line() == "3 nodes computed"
    assert progress_of_run(chain(40)).line() == "3 nodes from the cache"
    assert progress_of_run(chain(40), fresh=True).line() == "3 nodes computed"
    assert progress_of_run(chain(40), until="first").line() == "2 nodes from the cache"
    graph = chain(51)
    assert progress_of_run(graph).line() == "3 nodes computed; 2 failed elements in last"
    # The failures of the earlier run that is read here.
    assert progress_of_run(graph).line() == "3 nodes from the cache; 2 failed elements in last"


def test_the_last_line_of_a_failed_run_names_the_node() -> None:
    progress = Progress()
    with pytest.raises(RunError) as caught:
        mm.run(chain(100), subscribers=[progress])
    assert progress.line() == "failed in last"
    assert progress.nodes["last"].state == "failed"
    assert progress.error == caught.value.message


def test_damage_is_noted_in_a_line(cache_folder: Path) -> None:
    mm.run(chain(40), until="first")
    for shard in cache_folder.rglob("*.shard"):
        shard.write_bytes(shard.read_bytes()[:-1])
    progress = progress_of_run(chain(40))
    assert len(progress.notes) == 2 and "computed again" in progress.notes[0]
    assert after(progress)["text/plain"].splitlines() == ["3 nodes computed", *progress.notes]


# The display


def test_html_is_escaped_and_has_its_role() -> None:
    progress = progress_after(started(HOSTILE), events.ModelLoading(HOSTILE), events.Noted(HOSTILE))
    for shown in (during(progress)["text/html"], after(progress)["text/html"]):
        assert HOSTILE not in shown and "&lt;script&gt;&amp;" in shown
        assert shown.startswith('<div class="mm-run" role="status"')
    progress(events.RunFinished("failed", (), HOSTILE))
    assert HOSTILE not in after(progress, with_error=True)["text/html"]
    assert "&lt;" in after(progress, with_error=True)["text/html"].split("</div>")[1]


def test_text_and_html_have_a_line_per_node() -> None:
    progress = progress_after(
        started("rows", "mlp", rows=2000), events.NodeFinished("rows", 2000, 0)
    )
    progress(events.NodeStarted("mlp"))
    progress(events.RunProgressed((events.NodeCounts("mlp", 1500, 1497, 3),)))
    shown = during(progress)
    lines = [line.split() for line in shown["text/plain"].splitlines()]
    assert lines == [
        ["node", "state", "elements", "of", "failed"],
        ["rows", "done", "2000", "2000", "0"],
        ["mlp", "running", "1497", "2000", "3"],
    ]
    for cell in ("rows", "running", "1,497", "2,000"):
        assert f">{cell}</td>" in shown["text/html"]


def test_of_many_nodes_the_active_ones_are_shown() -> None:
    names = [f"n{place}" for place in range(50)]
    progress = progress_after(started(*names), *(events.NodeCached(name, 1) for name in names[:10]))
    progress(events.NodeStarted("n10"))
    shown = during(progress)["text/plain"]
    assert "n10" in shown and "n11" not in shown
    assert shown.splitlines()[-1] == "and 10 cached, 39 waiting"


def terminal(
    monkeypatch: pytest.MonkeyPatch, *given: events.Event, live: bool = True, columns: int = 60
) -> str:
    """Return the output of a terminal."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(progress_display, "PATIENCE", 0)
    monkeypatch.setattr(progress_display, "PACE", 0)
    progress, stream = Progress(), io.StringIO()
    display = TerminalDisplay(progress, stream, live=live)
    for event in given:
        progress(event)
        display(event)
    return stream.getvalue()


def test_a_terminals_line_is_cleared_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    progressed = events.RunProgressed(counts(rows=1234))
    sent = terminal(monkeypatch, started("rows"), progressed, events.RunFinished("done", ()))
    line = "rows 1,234 elements"
    assert sent == f"\rrows 0 elements\r{line}\r{' ' * len(line)}\r"


def test_a_terminals_line_is_never_longer_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = terminal(monkeypatch, started(*(f"node{n}" for n in range(30))), columns=40)
    assert len(sent) == 40 and sent.endswith("…")


@pytest.mark.parametrize("live", [True, False])
def test_notes_stay_in_a_terminal(monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    note = events.Noted("mlp: damaged")
    sent = terminal(monkeypatch, started("rows"), note, events.RunFinished("done", ()), live=live)
    assert "mlp: damaged\n" in sent and sent.rsplit("\r", 1)[-1] in ("", "mlp: damaged\n")
    assert ("rows" in sent) == live


def test_updates_that_are_too_frequent_are_shown_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_display, "PATIENCE", 0.02)
    progress, stream = Progress(), io.StringIO()
    display = TerminalDisplay(progress, stream, live=True)
    for event in (started("rows"), events.RunProgressed(counts(rows=7))):
        progress(event)
        display(event)  # no event follows: the node takes a long time
    until(lambda: "rows 7" in stream.getvalue())
    display(events.RunFinished("done", ()))
    assert stream.getvalue().endswith("\r")


def test_nothing_is_shown_of_a_run_that_is_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    display = TerminalDisplay(Progress(), stream, live=True)
    for event in (started("rows"), events.RunProgressed(counts(rows=1))):
        display(event)
    display(events.RunFinished("done", ()))
    assert stream.getvalue() == ""


# In the background


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    """Return a graph whose second step waits for `toys.GATE`."""
    monkeypatch.setattr(toys, "GATE", toys.Gate())
    yield mm.pipeline("data | hold", data=[1, 2, 3], hold=toys.hold)
    toys.GATE.release.set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.02)
    assert condition()


def test_a_run_in_the_background(held: Graph) -> None:
    running = mm.run(held, wait=False)
    assert isinstance(running, mm.Running) and not running.done
    assert toys.GATE.started.wait(60)
    # The first event of the run contains its nodes.
    until(lambda: [n.state for n in running._progress.nodes.values()][1:] == ["running"])
    assert repr(running) == (
        "<run in the background, running: 1 of 2 nodes computed; data 3, hold 0 of 3 elements>"
    )
    assert ">hold</td>" in running._repr_html_()
    assert running.progress.index.tolist() == ["hold"]
    with pytest.raises(TimeoutError) as caught:
        running.result(timeout=0.05)
    assert isinstance(caught.value, RunError)
    assert "has not finished after 0.05 s and continues: data 3, hold 0" in str(caught.value)
    assert ".cancel() stops it" in str(caught.value)
    toys.GATE.release.set()
    result = running.result(timeout=60)
    assert result["hold"]["value"].tolist() == [1, 2, 3] and mm.last is result
    assert running.done and running.result() is result
    assert repr(running) == "<run, 2 nodes computed>"
    assert "2 nodes computed" in running._repr_html_()
    running.cancel()
    assert running.result() is result


def test_cancelling(held: Graph) -> None:
    running = mm.run(held, wait=False)
    assert toys.GATE.started.wait(60)
    running.cancel()
    toys.GATE.release.set()
    with pytest.raises(mm.InterruptedRunError, match="stopped by you; data 3"):
        running.result(timeout=60)
    assert repr(running) == "<run, interrupted: 1 of 2 nodes computed>"
    # The next run does not wait for it.
    assert progress_of_run(chain(3)).line() == "3 nodes computed"


def test_the_error_of_a_run_in_the_background() -> None:
    running = mm.run(chain(100), wait=False)
    for _ in range(2):
        with pytest.raises(RunError, match="node 'last'"):
            running.result(timeout=60)
    assert repr(running) == "<run, failed in last>"
    assert "ValueError: &lt;script&gt;&amp;" in running._repr_html_()


def test_ctrl_c_ends_the_waiting_and_not_the_run(held: Graph) -> None:
    running = mm.run(held, wait=False)
    assert toys.GATE.started.wait(60)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            running.result()
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert "stopped waiting; the run continues: data 3, hold 0" in str(caught.value)
    assert not running.done
    toys.GATE.release.set()
    assert len(running.result(timeout=60)["hold"]) == 3


def test_another_run_says_how_to_stop_the_one_in_the_background(held: Graph) -> None:
    running = mm.run(held, wait=False)
    with pytest.raises(RunError, match=r"\.cancel\(\) it"):
        mm.run(chain(3))
    toys.GATE.release.set()
    running.result(timeout=60)
