"""Engines and workers in namespaces of their own: nobody else reaches their ports.

The driver of a test is a process in a new network namespace. The engine is in the same namespace.
The workers are in a mount namespace of their own, in which the private folders of the driver are
empty, as on another machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ENGINES = "MMNOTEBOOK_ENGINES"
ROOT = Path(__file__).parents[2]
JOB, WEB, POOL = 8073, 8074, 50000


def engine(name: str) -> Path:
    """Return the path of an engine; skip the test, and say why, where it cannot run."""
    folder = os.environ.get(ENGINES)
    found = sorted(Path(folder).glob(name)) if folder else []
    if not found:
        pytest.skip(f"{ENGINES} names no folder with {name}")
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    return found[-1]


def inside(scenario: str, folder: Path, *arguments: str, timeout: float = 170) -> Any:
    """Run `scenarios.SCENARIO(folder, *arguments)` in a network namespace; return its result."""
    code = (
        "import json, sys; from tests.cluster import scenarios; "
        "found = getattr(scenarios, sys.argv[1])(*sys.argv[2:]); print('\\n' + json.dumps(found))"
    )
    private, cache = folder / "private", folder / "cache"
    for one in (private, cache, folder / "shared"):
        one.mkdir(mode=0o700)
    command = [sys.executable, "-c", code, scenario, str(folder), *arguments]
    process = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command],
        env={**os.environ, "TMPDIR": str(private), "MMNOTEBOOK_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, f"{out[-3000:]}\n{err[-6000:]}"
    return json.loads(out.splitlines()[-1])


@contextlib.contextmanager
def prism(binary: str, folder: str) -> Iterator[dict[str, Any]]:
    """Start Prism and a pool of workers; yield Beam's options for a pipeline on them."""
    hidden = " ".join(f"{folder}/{name}" for name in ("private", "cache"))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT)  # the workers have the modules of the tests
    environment.pop("TMPDIR", None)
    pool = f"""for one in {hidden}; do mount -t tmpfs none $one; done
        cd / && exec python -W ignore -m apache_beam.runners.worker.worker_pool_main \
        --service_port={POOL}"""
    commands = (
        [binary, f"--job_port={JOB}", f"--web_port={WEB}", "--idle_shutdown_timeout=-1s"],
        ["unshare", "-m", "sh", "-c", pool],
    )
    logs = [(Path(folder) / f"log{place}").open("wb") for place in range(len(commands))]
    started = [
        subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        for command, log in zip(commands, logs, strict=True)
    ]
    try:
        for port in (JOB, POOL):
            _wait(port, started)
        yield {
            "job_endpoint": f"localhost:{JOB}",
            "environment_type": "EXTERNAL",
            "environment_config": f"localhost:{POOL}",
        }
    finally:
        for process in started:
            process.terminate()
            process.wait(20)


def _wait(port: int, started: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert all(process.poll() is None for process in started), "an engine has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)  # until the port is open
    raise TimeoutError(f"nothing listens on port {port}")
