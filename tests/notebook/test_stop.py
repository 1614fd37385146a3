"""The stop button of a real kernel during a run, and a kernel that is killed during one."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mmnotebook import storage
from tests.notebook.conftest import Kernel, start_kernel

SLOW = """
%load_ext mmnotebook
import os, time

def slow(x):
    open(MARK, "w").close()
    time.sleep(0.05)
    return x

X = list(range(2000))
MARK = {mark!r}
os.getpid()
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return the file that the first element creates."""
    return tmp_path / "begun"


@pytest.fixture
def pid(fresh_kernel: Kernel, mark: Path) -> int:
    """Return the process id of a kernel with a slow step."""
    assert fresh_kernel.run(SLOW.format(mark=str(mark)))["status"] == "ok"
    return int(fresh_kernel.of("execute_result")[0]["data"]["text/plain"])


def when_begun(mark: Path, then: Any) -> threading.Thread:
    """Call a function as soon as the run computes elements."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_the_stop_button(fresh_kernel: Kernel, pid: int, mark: Path) -> None:
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.monotonic())
        os.kill(pid, signal.SIGINT)

    thread = when_begun(mark, press)
    reply = fresh_kernel.run("%mm_pipeline X | slow --run")
    took = time.monotonic() - pressed[0]
    thread.join()
    assert reply["status"] == "error"
    assert reply["ename"] == "InterruptedRunError"
    assert reply["evalue"].startswith("stopped by you; X ")
    assert "Traceback" not in "".join(reply["traceback"])
    assert took < 30, "all elements would take 100 s"
    assert fresh_kernel.run("%mm_pipeline X | slow --run --limit 3 -o r")["status"] == "ok"
    assert fresh_kernel.run("r['slow']['value'].tolist()")["status"] == "ok"
    assert fresh_kernel.of("execute_result")[0]["data"]["text/plain"] == "[0, 1, 2]"


def test_files_of_a_killed_kernel_are_removed(
    fresh_kernel: Kernel, pid: int, mark: Path, tmp_path: Path
) -> None:
    code = "from mmnotebook import storage; str(storage.session_folder())"
    assert fresh_kernel.run(code)["status"] == "ok"
    folder = Path(fresh_kernel.of("execute_result")[0]["data"]["text/plain"].strip("'"))
    thread = when_begun(mark, lambda: os.kill(pid, signal.SIGKILL))
    fresh_kernel.client.execute("%mm_pipeline X | slow --run")
    thread.join()
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    assert folder.is_dir()
    storage._sweep(folder.parent)
    assert not folder.exists()
    for other in start_kernel():
        assert other.run(SLOW.format(mark=str(tmp_path / "again")))["status"] == "ok"
        assert other.run("%mm_pipeline X | slow --run --limit 2")["status"] == "ok"
