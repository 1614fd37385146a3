"""Runs in the caller's thread: which thread does the work, and how Ctrl-C ends a run."""

from __future__ import annotations

import asyncio
import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.compat.python import outside_event_loop
from mmnotebook.running import foreground
from mmnotebook.running.foreground import Interrupt

LIMIT = 60.0
"""The time limit of a test in seconds."""


@contextmanager
def pressed(when: threading.Event) -> Iterator[list[float]]:
    """Press Ctrl-C once when an event is set; append the time to the list."""
    at: list[float] = []

    def press() -> None:
        if when.wait(LIMIT):
            # Python may miss a signal that arrives when a system call begins, until the call ends.
            threading.Event().wait(0.2)
            at.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with default_handler():
        yield at
    when.set()
    thread.join()


@contextmanager
def default_handler() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, whatever started the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run(function: Callable[[int], Any], rows: list[int] | None = None, **settings: Any) -> Any:
    graph = mm.pipeline("rows | f", rows=rows or [1, 2, 3], f=function)
    return mm.run(graph, progress=False, fresh=True, **settings)


def thread_of(row: int) -> str:
    return threading.current_thread().name


def test_the_work_is_done_in_the_callers_thread() -> None:
    assert set(run(thread_of)["f"]["value"]) == {threading.current_thread().name}


def test_also_if_that_is_not_the_main_thread() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(run(thread_of)["f"]["value"]), name="t1")
    thread.start()
    thread.join(LIMIT)
    assert set(found) == {"t1"}


def test_a_run_in_the_background_has_a_thread_of_its_own() -> None:
    names = set(run(thread_of, wait=False).result(LIMIT)["f"]["value"])
    assert threading.current_thread().name not in names


BEGUN = threading.Event()
ROWS: list[int] = []


@pytest.fixture(autouse=True)
def nothing_begun() -> None:
    BEGUN.clear()
    ROWS.clear()


def stuck_in_python(row: int) -> int:
    BEGUN.set()
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        pass
    return row


def stuck_in_a_system_call(row: int) -> int:
    BEGUN.set()
    time.sleep(LIMIT)
    return row


def cleans_up(row: int) -> int:
    try:
        return stuck_in_a_system_call(row)
    finally:
        ROWS.append(row)


@pytest.mark.parametrize("stuck", [stuck_in_python, stuck_in_a_system_call, cleans_up])
def test_ctrl_c_inside_a_function_raises_there(stuck: Callable[[int], int]) -> None:
    with pressed(BEGUN) as at, pytest.raises(mm.InterruptedRunError, match="stopped by you"):
        run(stuck)
    assert time.monotonic() - at[0] < 10, "the function takes a minute"
    assert ([1] if stuck is cleans_up else []) == ROWS


def catches_all(row: int) -> int:
    ROWS.append(row)
    BEGUN.set()
    with suppress(BaseException):  # as some user code does
        time.sleep(0.05)
    return row


def test_ctrl_c_ends_the_run_even_if_a_function_catches_it() -> None:
    with pressed(BEGUN), pytest.raises(mm.InterruptedRunError):
        run(catches_all, rows=list(range(1000)))
    assert len(ROWS) < 1000


HANGS = (ctypes.c_int * 2)()
"""Whether calls hang, and whether one has begun; the cache does not know this memory."""
ADDRESS = ctypes.addressof(HANGS)


def hang() -> None:
    states = (ctypes.c_int * 2).from_address(ADDRESS)
    states[1] = 1
    while states[0]:
        time.sleep(0.01)


def falls_back(row: int) -> int:
    try:
        hang()
    except:  # noqa: E722 - as much user code does
        return -1
    return row


def raises_instead(row: int) -> int:
    try:
        hang()
    except BaseException:  # noqa: BLE001
        raise ValueError("no answer") from None
    return row


def falls_back_later(row: int) -> int:
    return falls_back(row) if row == 3 else row


class FallsBack:
    """A model that returns -1 if it is interrupted, and keeps the fact."""

    sign = 1

    def predict(self, rows: list[int]) -> list[int]:
        found = [falls_back(row) for row in rows]
        if -1 in found:
            self.sign = -1
        return [self.sign * row for row in found]


PRESSES = "import os, signal, sys; sys.stdin.read(1); os.kill(os.getppid(), signal.SIGINT)"


def interrupted(graph: mm.Graph) -> None:
    """Run a graph whose calls hang, and press Ctrl-C in the first call.

    Another process sends the signal, since a run observes the signals that its process sends.
    """
    HANGS[:] = 1, 0
    process = subprocess.Popen([sys.executable, "-c", PRESSES], stdin=subprocess.PIPE)
    assert process.stdin is not None
    pipe = process.stdin.fileno()

    def press() -> None:
        while not HANGS[1]:
            time.sleep(0.01)
        os.write(pipe, b".")

    thread = threading.Thread(target=press)
    thread.start()
    with default_handler(), pytest.raises(mm.InterruptedRunError):
        mm.run(graph, progress=False, max_failed=1.0)
    HANGS[:] = 0, 0
    thread.join()
    process.communicate()


@pytest.mark.parametrize(
    ("function", "rows"),
    [(falls_back, [1]), (raises_instead, [1]), (falls_back_later, [1, 2, 3])],
    ids=["returns", "raises", "the last of several"],
)
def test_what_a_function_returns_after_ctrl_c_is_not_kept(
    function: Callable[[int], int], rows: list[int]
) -> None:
    graph = mm.pipeline("rows | f", rows=rows, f=function)
    interrupted(graph)
    assert mm.run(graph, progress=False)["f"]["value"].tolist() == rows
    assert mm.run(graph, progress=False).nodes.loc["f", "cached"], "so the first could have been"


@pytest.mark.parametrize("cache", [None, "element"])
def test_nor_what_a_model_returns_or_keeps(cache: str | None) -> None:
    mm.register("flaky", FallsBack(), batch_size=1, cache=cache)
    mm.run(mm.pipeline("other | flaky", other=[7, 8, 9]), progress=False)
    graph = mm.pipeline("rows | flaky", rows=[1, 2, 3])
    interrupted(graph)
    assert mm.run(graph, progress=False)["flaky"]["prediction"].tolist() == [1, 2, 3]
    assert mm.run(graph, progress=False).nodes.loc["flaky", "cached"]


def ends_at_two(row: int) -> int:
    if row == 2:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
    return row


class EndsAtTwo:
    """A model that sends SIGTERM to its process."""

    def predict(self, rows: list[int]) -> list[int]:
        return list(map(ends_at_two, rows))


class Exits:
    """Signal handlers of several kinds."""

    def __call__(self, *_: Any) -> None:
        sys.exit(143)

    method = __call__


HANDLERS = {
    "lambda": lambda *_: sys.exit(143),
    "partial": functools.partial(functools.partial(Exits.method, None), None),
    "object": Exits(),
    "method": Exits().method,
}


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("kind", ["function", "model"])
def test_an_exit_in_a_signal_handler_ends_the_process(kind: str, handler: str) -> None:
    if kind == "model":
        mm.register("f", EndsAtTwo())
        graph = mm.pipeline("rows | f", rows=[1, 2, 3])
    else:
        graph = mm.pipeline("rows | f", rows=[1, 2, 3], f=ends_at_two)
    before = signal.signal(signal.SIGTERM, HANDLERS[handler])
    try:
        with pytest.raises(SystemExit) as caught:
            mm.run(graph, progress=False, max_failed=1.0)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == 143


def test_an_exit_in_a_function_is_the_failure_of_its_element() -> None:
    result = run(lambda row: sys.exit(1) if row == 2 else row, max_failed=1.0)
    assert result["f"]["value"].tolist() == [1, 3]
    assert result.failed["error"].tolist() == ["SystemExit"]


class Slow:
    """A model whose first call takes a minute."""

    def predict(self, rows: list[int]) -> list[int]:
        BEGUN.set()
        time.sleep(LIMIT)
        return rows


def test_a_model_is_interrupted_too() -> None:
    mm.register("slow", Slow())
    with pressed(BEGUN) as at, pytest.raises(mm.InterruptedRunError):
        mm.run(mm.pipeline("rows | slow", rows=[1, 2]), progress=False, fresh=True)
    assert time.monotonic() - at[0] < 10


def test_where_nothing_checks_it_is_interrupted_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreground, "PATIENCE", 0.2)
    over = threading.Event()
    stopped: list[bool] = []
    raised: list[bool] = []
    interrupt = Interrupt(lambda: stopped.append(True), lambda: raised.append(True))

    def watch() -> None:
        while not over.wait(0.02):
            interrupt.remind()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with default_handler(), pytest.raises(KeyboardInterrupt), interrupt.handled():
        signal.raise_signal(signal.SIGINT)
        assert stopped
        threading.Event().wait(LIMIT)
    over.set()
    watcher.join()
    assert interrupt.asked
    assert stopped == [True], "a reminder does not cancel again"


@pytest.mark.parametrize("ends", ["well", "with an error", "interrupted"])
def test_the_handler_of_ctrl_c_is_put_back(ends: str) -> None:
    def fails(row: int) -> int:
        if ends == "with an error":
            raise ValueError
        if ends == "interrupted":
            raise KeyboardInterrupt
        return row

    def mine(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, mine)
    try:
        if ends == "well":
            run(fails)
        else:
            with pytest.raises(mm.RunError):
                run(fails)
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_that_goes_on_lets_the_run_go_on() -> None:
    heard: list[int] = []

    def press(row: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return row

    before = signal.signal(signal.SIGINT, lambda signum, frame: heard.append(signum))
    try:
        assert run(press)["f"]["value"].tolist() == [1, 2, 3]
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT] * 3


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    def press(row: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return row

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(press)["f"]["value"].tolist() == [1, 2, 3]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


async def awaited(row: int) -> int:
    await asyncio.sleep(0)
    return row + 1


def test_functions_may_use_asyncio_inside_an_event_loop() -> None:
    async def cell() -> tuple[list[int], bool]:
        loop = asyncio.get_running_loop()
        values = run(lambda row: asyncio.run(awaited(row)))["f"]["value"].tolist()
        is_same = asyncio.get_running_loop() is loop and asyncio.get_event_loop() is loop
        await asyncio.sleep(0)
        return values, is_same

    assert asyncio.run(cell()) == ([2, 3, 4], True)


def test_ctrl_c_ends_a_run_inside_an_event_loop() -> None:
    after: list[int] = []

    async def cell() -> None:
        run(stuck_in_a_system_call)
        after.append(1)

    with pressed(BEGUN) as at, pytest.raises(KeyboardInterrupt):
        asyncio.run(cell())
    assert time.monotonic() - at[0] < 10 and not after


def test_ctrl_c_while_the_watching_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    before, start = set(threading.enumerate()), threading.Thread.start

    def press(thread: threading.Thread) -> None:
        start(thread)
        if thread.name == "mmnotebook-watch":
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(threading.Thread, "start", press)
    with default_handler(), pytest.raises(mm.InterruptedRunError):
        run(thread_of)
    for thread in set(threading.enumerate()) - before:
        thread.join(LIMIT)
        assert not thread.is_alive()


def test_outside_an_event_loop_nothing_is_changed() -> None:
    with outside_event_loop(), pytest.raises(RuntimeError):
        asyncio.get_running_loop()


def test_an_error_of_a_subscriber_does_not_end_the_run() -> None:
    def subscriber(event: Any) -> None:
        raise ValueError("mine")

    with pytest.warns(UserWarning, match="unsubscribed"):
        result = run(thread_of, subscribers=[subscriber])
    assert len(result["f"]) == 3


class InterruptedWhenPickled:
    """An object that a Ctrl-C interrupts while it is pickled."""

    def __reduce__(self) -> Any:
        signal.raise_signal(signal.SIGINT)
        return (InterruptedWhenPickled, ())


def test_ctrl_c_before_a_run_starts_has_no_stack_trace() -> None:
    held = InterruptedWhenPickled()
    with pytest.raises(mm.InterruptedRunError, match="stopped by you before the run") as caught:
        run(lambda row: held)
    assert caught.value.__suppress_context__
    assert run(lambda row: row)["f"]["value"].tolist() == [1, 2, 3]


SLOW = """
import signal
signal.raise_signal(signal.SIGINT)
done = True
thing = 2
"""


def test_ctrl_c_takes_effect_after_the_first_import_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_home.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    mm._public.homes()
    monkeypatch.setitem(mm._public._homes, "thing", "slow_home")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(mm.InterruptedRunError, match="stopped by you while mmnotebook was imp"):
        _ = mm.thing
    assert signal.getsignal(signal.SIGINT) is before
    assert sys.modules["slow_home"].done
    assert mm.thing == 2


def test_a_second_ctrl_c_ends_the_first_import_of_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slower_home.py").write_text(SLOW.replace("done", "signal.raise_signal(2); done"))
    monkeypatch.syspath_prepend(tmp_path)
    mm._public.homes()
    monkeypatch.setitem(mm._public._homes, "another", "slower_home")
    with pytest.raises(KeyboardInterrupt):
        _ = mm.another
    assert "slower_home" not in sys.modules
