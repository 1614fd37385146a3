"""Other processes with a store: `Nursery` forks them from one that imported everything.

As a script, it reads a line of JSON per worker, forks the worker and prints its process id; when
the worker ended, it prints how.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from mmnotebook.elements import coders  # noqa: F401 - imported once for all workers
from mmnotebook.errors import StorageError
from mmnotebook.store import eviction
from mmnotebook.store.entries import Entry
from mmnotebook.store.store import Draft, Store

ROOT = Path(__file__).parents[2]
PLENTY = 1 << 30


def values(identity: str) -> list[np.ndarray[Any, Any]]:
    """Return the values of an entry with this identity, a number: one value per shard."""
    rng = np.random.default_rng(int(identity))
    return [rng.standard_normal(rng.integers(10, 8000)) for _ in range(int(identity) % 4)]


def write(store: Store, identity: str) -> Draft:
    draft = store.draft(identity)
    for number, value in enumerate(values(identity)):
        eviction.write_shard(draft.path, number, value, rows=len(value))
    return draft


def commit(store: Store, identity: str, **options: Any) -> Entry:
    return write(store, identity).commit({"node": f"node{identity}"}, **options)


def is_right(entry: Entry) -> bool:
    """Return whether an entry has the values of its identity."""
    expected = values(entry.identity)
    return [v.tobytes() for v in entry.shards()] == [v.tobytes() for v in expected]


def _log(path: str, line: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{line}\n")


def work(folder: str, log: str, seed: int, limit: int = PLENTY) -> None:
    """Do everything that a kernel does, without end; log the commits."""
    rng = random.Random(seed)
    store = Store(Path(folder), limit)
    held: list[Entry] = []
    _log(log, "ready")
    while True:
        identity = str(rng.randrange(40))
        action = rng.choice(["commit", "commit", "replace", "pass", "drop", "find", "let go"])
        if action == "drop":
            write(store, identity).discard()
        elif action == "pass":
            held.append(commit(store, identity, lasting=False))
        elif action == "find":
            assert all(map(is_right, store.find([identity, "1", "2"]).values()))
        elif action == "let go":
            held = held[3:]
        else:
            held.append(commit(store, identity, replace=action == "replace"))
            _log(log, identity)


def until(folder: str, log: str, event: int) -> None:
    """Do every kind of change once, in order; it is killed at the given file system event."""
    seen = 0

    def count(name: str, _: Any) -> None:
        nonlocal seen
        if name == "open" or name.startswith(("os.", "shutil.", "fcntl.")):
            seen += 1
            if seen == event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    store = Store(Path(folder), PLENTY)
    for identity in ("5", "6", "7"):
        commit(store, identity)
        _log(log, identity)
    held = store.find(["5"])
    assert held
    commit(store, "5", replace=True)
    commit(store, "9", lasting=False)
    write(store, "11").discard()
    _log(log, "limit")
    store.limit = store.bytes - 1
    _log(log, "clear")
    assert store.clear()[1] > 0
    _log(log, f"events {seen}")


def race(folder: str, log: str, gate: str, identities: list[str]) -> None:
    """Commit these as soon as the gate opens; log the folder of each entry."""
    store = Store(Path(folder), PLENTY)
    with Path(gate).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
    entries = [commit(store, identity) for identity in identities]
    assert all(map(is_right, entries))
    for entry in entries:
        _log(log, f"{entry.identity} {entry.path.name}")


def churn(folder: str, limit: int, rounds: int) -> None:
    """Commit more than the limit allows."""
    store = Store(Path(folder), limit)
    for identity in range(rounds):
        commit(store, str(identity % 30), replace=identity % 3 == 0)


def fill(folder: str, log: str, bytes_allowed: int | None = None) -> None:
    """Write more than the disk can hold, then continue with less."""
    store = Store(Path(folder), PLENTY)
    kept = commit(store, "3")
    commit(store, "7")
    if bytes_allowed is not None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_allowed, hard))
    draft = store.draft("100")
    try:
        for number in range(100):
            noise = np.random.default_rng(number).bytes(1_000_000)
            eviction.write_shard(draft.path, number, noise)
    except StorageError as error:
        _log(log, str(error).replace("\n", " "))
    assert not list(draft.path.glob("*.part"))
    draft.discard()
    _log(log, " ".join(sorted(store.find(["3", "7"]))))
    assert is_right(kept)
    assert is_right(commit(store, "6"))
    assert is_right(store.find(["6"])["6"])


ACTIONS = {action.__name__: action for action in (work, until, race, churn, fill)}


class Nursery:
    """A process that forks workers, one at a time."""

    def __init__(self, prefix: Iterable[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.runtime.store_worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def start(self, action: str, **arguments: Any) -> int:
        """Start a worker and return its process id."""
        json.dump({"action": action, **arguments}, self._input)
        self._input.write("\n")
        self._input.flush()
        return int(self._output.readline())

    def wait(self) -> int:
        """Wait for the worker; return 0 on success, or the negative number of the signal."""
        return int(self._output.readline())

    def run(self, action: str, **arguments: Any) -> int:
        self.start(action, **arguments)
        return self.wait()

    def close(self) -> None:
        self._process.communicate()

    @property
    def _input(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


def _worker(arguments: dict[str, Any]) -> int:
    action = ACTIONS[arguments.pop("action")]
    child = os.fork()
    if child == 0:
        try:
            action(**arguments)
        except BaseException:  # noqa: BLE001 - the error of a worker is its last message
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return child


if __name__ == "__main__":
    for line in sys.stdin:
        worker = _worker(json.loads(line))
        print(worker, flush=True)  # noqa: T201 - to the Nursery
        print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), flush=True)  # noqa: T201
