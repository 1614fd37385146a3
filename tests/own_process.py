"""Run the tests with the mark `own_process` in a process that runs no other tests.

TensorFlow, and triton, which a CUDA build of torch imports, crash a process that imports both. So
TensorFlow's tests run in a separate process, which is started for the first of them, and no other
test may import TensorFlow. Results from there are reported here: a test counts, fails and shows its
output as if it ran here.

If all selected tests have the mark, as with `pytest -n 0 -m own_process`, they run as usual, so
that a debugger works. `tests/conftest.py` registers the hooks of the process that starts the other
one; this module is also the plugin of the other process.
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
    """Return cases for `parametrize`; the named ones have the mark."""
    return [pytest.param(n, marks=pytest.mark.own_process) if n in marked else n for n in names]


def is_marked(item: pytest.Item) -> bool:
    return item.get_closest_marker(MARK) is not None


def is_alone(session: pytest.Session) -> bool:
    """Return whether all tests of this process have the mark."""
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
        """Run a test and yield its reports as data; raise OSError or EOFError if it crashes.

        Fixtures that the test `after` it does not need are torn down.
        """
        self._connection.send((item.nodeid, after.nodeid if after else None))
        while (report := self._connection.recv()) is not None:
            yield report

    def end(self) -> str:
        """Wait for the end of the process; return how it ended, and its last output."""
        self._connection.close()
        code = self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        with self._written as file:
            file.seek(0)
            return f"{how}\n{file.read()[-4000:]}"


class Hooks:
    """Hooks of a process that also runs tests without the mark."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @staticmethod
    def are_needed() -> bool:
        """Return whether this process is the one that starts the other."""
        return _HANDLE not in os.environ

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if not is_alone(session):
            if ALONE in sys.modules:
                raise pytest.UsageError(f"a module of tests imports {ALONE}: let its tests do so")
            for item in filter(is_marked, session.items):
                # The other process checks the time limit; here, its start would count too.
                item.add_marker(pytest.mark.timeout(0), append=False)

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> Any:
        if not is_marked(item) or is_alone(item.session):
            return None
        after = nextitem if nextitem is not None and is_marked(nextitem) else None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, after):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        # Tear down fixtures of the previous test that the next test of this process does not need.
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
    """Hooks of the other process: they run the requested tests and report the results."""

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
        except EOFError:  # the process that sends requests has ended
            return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        to_data = self._config.hook.pytest_report_to_serializable
        self._connection.send(to_data(config=self._config, report=report))


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks of the other process, if this module is loaded as a plugin."""
    config.pluginmanager.register(_Served(config))
