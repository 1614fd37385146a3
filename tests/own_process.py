"""Run the tests with the mark `own_process` in a process that runs no others.

TensorFlow, and triton, which a CUDA build of torch imports, crash a process that imports both. So
TensorFlow's tests run in a process of their own, which is started for the first of them, and no
other test may import it. What is reported there is reported here as well: a test counts, fails and
shows its output as if it had run here.

Where all selected tests have the mark, as with `pytest -n 0 -m own_process`, they run as usual, so
that a debugger works. `tests/conftest.py` registers the hooks of the process that starts the other
one, and this module is the plugin of the other one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import pytest

MARK = "own_process"
ALONE = "tensorflow"
"""The module that only tests with the mark may import."""
_HANDLE = "MMNOTEBOOK_TESTS_HANDLE"
_OPTIONS = ["-n", "0", "-m", MARK, "-o", "addopts=", "--import-mode=importlib", "-p", __name__]


def cases(names: Iterable[str], *marked: str) -> list[Any]:
    """Cases for `parametrize`; those that are named have the mark."""
    return [pytest.param(n, marks=pytest.mark.own_process) if n in marked else n for n in names]


def is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARK) is not None


def is_alone(session: pytest.Session) -> bool:
    """Have all tests of this process the mark?"""
    return all(map(is_marked, session.items))


class Process:
    """The process that runs the tests with the mark."""

    def __init__(self, session: pytest.Session) -> None:
        self._written = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - see end()
        self._connection, theirs = Pipe()
        files = sorted({str(item.path) for item in session.items if is_marked(item)})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *_OPTIONS, *files],
            stdin=subprocess.DEVNULL, stdout=self._written, stderr=subprocess.STDOUT,
            cwd=session.config.rootpath, env={**os.environ, _HANDLE: str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()

    def run(self, item: pytest.Item, after: pytest.Item | None) -> Iterator[dict[str, Any]]:
        """Run a test, and give its reports as data; an OSError or EOFError when it crashes.

        What the test `after` it does not need any more is torn down.
        """
        self._connection.send((item.nodeid, after.nodeid if after else None))
        while (report := self._connection.recv()) is not None:
            yield report

    def end(self) -> str:
        """Let the process end; how it did, and the last that it wrote."""
        self._connection.close()
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        with self._written as file:
            file.seek(0)
            return f"{how}\n{file.read()[-4000:]}"


class Hooks:
    """What a process that runs other tests too does with those that have the mark."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @staticmethod
    def are_needed() -> bool:
        """Not in the process that was started."""
        return _HANDLE not in os.environ

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not is_alone(session):
            if ALONE in sys.modules:
                raise pytest.UsageError(f"a module of tests imports {ALONE}: let its tests do so")
            for item in filter(is_marked, session.items):
                # The other process takes the time; here it would count the start of that too.
                item.add_marker(pytest.mark.timeout(0), append=False)

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        if not is_marked(item) or is_alone(item.session):
            return None
        after = nextitem if nextitem is not None and is_marked(nextitem) else None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, after):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        # What the test before this one had set up, and the next one here does not need.
        item.session._setupstate.teardown_exact(nextitem)
        return True

    def pytest_sessionfinish(self) -> None:
        if self._process is not None:
            self._process.end()

    def _reports(self, item: pytest.Item, after: pytest.Item | None) -> Iterator[Any]:
        from_data = item.config.hook.pytest_report_from_serializable
        self._process = self._process or Process(item.session)
        try:
            for data in self._process.run(item, after):
                yield from_data(config=item.config, data=data)
        except (EOFError, OSError):
            how, self._process = self._process.end(), None
            said = f"the process that ran this test ended with {how}"
            yield pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call")


class _Served:
    """What the process that was started does: it runs what it is asked for, and reports it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._connection = Connection(int(os.environ[_HANDLE]))

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        run = self._config.hook.pytest_runtest_protocol
        try:
            while True:
                name, after = self._connection.recv()
                run(item=items[name], nextitem=items.get(after))
                self._connection.send(None)
        except EOFError:  # the process that asked is done
            return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        to_data = self._config.hook.pytest_report_to_serializable
        self._connection.send(to_data(config=self._config, report=report))


def pytest_configure(config: pytest.Config) -> None:
    """As a plugin: serve the process that started this one."""
    config.pluginmanager.register(_Served(config))
