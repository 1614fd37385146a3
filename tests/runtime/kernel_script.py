"""Kernels for tests: processes that run a notebook's code in their own `__main__`.

They are forked from one process that imported everything, so that each starts immediately. As a
script, this is that process: it reads a line of JSON per request and prints a line for each.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0


class Kernel:
    """A process that runs some code; this process receives the values of its `say(value)`.

    Parameters
    ----------
    code
        The code of its cells.
    names
        Further variables of its notebook: values that JSON supports.
    folder
        A folder for its files, with a working directory of its own, so that it does not observe
        files that other processes open; its cache is that of MMNOTEBOOK_CACHE now.
    """

    def __init__(self, code: str, folder: Path, **names: Any) -> None:
        own = Path(tempfile.mkdtemp(prefix="kernel-", dir=folder))
        self._errors, pipe = own / "errors", own / "pipe"
        os.mkfifo(pipe, 0o600)
        environ = {"MMNOTEBOOK_CACHE": os.environ["MMNOTEBOOK_CACHE"], "TMPDIR": str(folder)}
        work = own / "work"
        work.mkdir()
        order = {"code": code, "names": names, "environ": environ, "pipe": str(pipe)}
        order["work"] = str(work)
        self.pid = int(_nursery(order))
        self._pipe = os.open(pipe, os.O_RDONLY)
        self._buffer = b""
        self.values: list[Any] = []
        self._ended: int | None = None

    def receive(self, enough: Callable[[list[Any]], bool], seconds: float = PATIENCE) -> bool:
        """Receive values until `enough`, until the process ends, or until the time is over."""
        end = time.monotonic() + seconds
        ready = select.poll()  # `select.select` refuses the high numbers of a long test run
        ready.register(self._pipe, select.POLLIN)
        while not enough(self.values):
            left = end - time.monotonic()
            if left <= 0 or not ready.poll(left * 1000):
                return False
            received = os.read(self._pipe, 1 << 16)
            if not received:
                return False
            *lines, self._buffer = (self._buffer + received).split(b"\n")
            self.values += map(json.loads, lines)
        return True

    def kill(self) -> None:
        """Send SIGKILL and wait until it is dead."""
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def end(self) -> int:
        """Wait for its end; return 0 on success, or the negative number of the signal."""
        if self._ended is None:
            assert not self.receive(lambda values: False)
            self._ended = int(_nursery({"wait": self.pid}))
            os.close(self._pipe)
        return self._ended

    def result(self) -> Any:
        """Return the last value, if the process succeeded without output on stderr."""
        ended = self.end()
        errors = self._errors.read_text()
        assert (ended, errors) == (0, ""), f"exit {ended}\n{errors}"
        return self.values[-1]


def run(code: str, folder: Path, **names: Any) -> Any:
    """Return the last value of a kernel."""
    return Kernel(code, folder, **names).result()


@functools.cache
def _process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.kernel_script"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    atexit.register(process.communicate)
    return process


def _nursery(order: Mapping[str, Any]) -> str:
    process = _process()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    return process.stdout.readline()


def _child(
    code: str, names: Mapping[str, Any], environ: Mapping[str, str], pipe: str, work: str
) -> None:
    """Run the code as `__main__`, in the folder `work`."""
    os.chdir(work)
    errors = os.open(Path(pipe).with_name("errors"), os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(errors, 1)
    os.dup2(errors, 2)
    os.environ.update(environ)
    tempfile.tempdir = None
    main = types.ModuleType("__main__")
    with Path(pipe).open("w") as writer:

        def say(value: Any) -> None:
            writer.write(json.dumps(value) + "\n")
            writer.flush()

        vars(main).update(names, say=say)
        sys.modules["__main__"] = main
        exec(compile(code, "<cell>", "exec"), vars(main))
        # As at the end of any process; `os._exit` would skip this.
        atexit._run_exitfuncs()


def _serve() -> None:
    import mmnotebook.running.session
    from mmnotebook.beam import interactive

    assert mmnotebook.running.session
    interactive.prepare()  # Imported here once, so that no kernel imports it again.
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)  # noqa: T201
        else:
            print(_forked(order), flush=True)  # noqa: T201


def _forked(order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _child(**order)
            status = 0
        except BaseException:  # noqa: BLE001 - the error of a kernel is its last message
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return pid


if __name__ == "__main__":
    _serve()
