"""Several processes with one store, killed at any moment, and full disks."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmnotebook.store import entries
from mmnotebook.store.store import Store
from tests.runtime.store_worker import PLENTY, ROOT, Nursery, commit, is_right

KILLS = int(os.environ.get("MMNOTEBOOK_KILLS", "5"))
"""The number of rounds of the tests that kill at random."""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def second() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def is_consistent(folder: Path) -> Store:
    """Return the store as a new kernel opens it, without incomplete or leftover files."""
    entries._whole.clear()
    store = Store(folder, PLENTY)
    names = {path.name.split(".")[0] for path in (store.inner / "entries").iterdir()}
    found = store.find(names)
    assert found.keys() == names and store.notes == []
    assert all(map(is_right, found.values()))
    assert [len(list((store.inner / part).iterdir())) for part in ("processes", "drafts")] == [1, 1]
    assert list((store.inner / "drafts").glob("*/*")) == []
    assert list((store.inner / "trash").iterdir()) == []
    assert {path.name for path in store.inner.iterdir()} == {
        ".lock", "entries", "processes", "drafts", "trash",
    }  # fmt: skip
    return store


def test_killed_at_every_step_nothing_that_was_committed_is_lost(
    nursery: Nursery, tmp_path: Path
) -> None:
    assert nursery.run("until", folder=str(tmp_path / "0"), log=str(tmp_path / "log"), event=0) == 0
    last = lines(tmp_path / "log")[-1]
    events = int(last.removeprefix("events "))
    assert events > 100
    # Every event if many rounds are requested, else every tenth from a random one on.
    step = 1 if KILLS >= 20 else 10
    for event in range(random.randint(1, step), events, step):
        folder, log = tmp_path / str(event), tmp_path / f"{event}.log"
        assert nursery.run("until", folder=str(folder), log=str(log), event=event) == -9
        said = lines(log)
        # At the end, the limit is lowered ("5" was used last); then all entries are removed.
        removed = "567" if "clear" in said else "67" if "limit" in said else ""
        committed = {"5", "6", "7"}.intersection(said)
        assert is_consistent(folder).find("567").keys() >= committed.difference(removed), event


@pytest.mark.parametrize("limit", [PLENTY, 500_000], ids=["plenty", "little"])
def test_killed_at_random_moments(nursery: Nursery, tmp_path: Path, limit: int) -> None:
    folder, log = tmp_path / "cache", tmp_path / "log"
    for seed in range(KILLS):
        before = len(lines(log))
        worker = nursery.start("work", folder=str(folder), log=str(log), seed=seed, limit=limit)
        while len(lines(log)) == before:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.3))
        os.kill(worker, signal.SIGKILL)
        assert nursery.wait() == -signal.SIGKILL
        store = is_consistent(folder)
        committed = set(lines(log)) - {"ready"}
        if limit == PLENTY:
            assert store.find(committed).keys() == committed
        store.limit = limit
        assert store.bytes <= limit
        del store
    assert len(committed) > 5


def test_two_processes_commit_the_same_at_once(
    nursery: Nursery, second: Nursery, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with gate.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        mine = [str(number) for number in range(20)]
        both = {nursery: [*mine, "40", "41"], second: [*mine, "50", "51"]}
        for number, (child, identities) in enumerate(both.items()):
            log = str(tmp_path / str(number))
            child.start("race", folder=str(tmp_path / "cache"), log=log, gate=str(gate),
                        identities=identities)  # fmt: skip
    assert [child.wait() for child in both] == [0, 0]
    one, two = (dict(line.split() for line in lines(tmp_path / name)) for name in "01")
    assert {identity: one[identity] for identity in mine} == {i: two[i] for i in mine}
    store = is_consistent(tmp_path / "cache")
    assert len(list((store.inner / "entries").iterdir())) == 24
    assert store.find([*mine, "40", "41", "50", "51"]).keys() == one.keys() | two.keys()


def test_found_entries_stay_complete_while_others_evict(
    nursery: Nursery, second: Nursery, tmp_path: Path
) -> None:
    folder, limit = tmp_path / "cache", 300_000
    store = Store(folder, limit)
    kept = [commit(store, str(100 + number)) for number in range(3)]
    for child in (nursery, second):
        child.start("churn", folder=str(folder), limit=limit, rounds=150)
    hits = 0
    pool = ThreadPoolExecutor(2)
    ends = [pool.submit(child.wait) for child in (nursery, second)]
    while not all(end.done() for end in ends):
        wanted = [str(random.randrange(30)) for _ in range(5)]
        found = store.find(wanted)
        hits += len(found)
        assert all(map(is_right, found.values()))
    assert [end.result() for end in ends] == [0, 0]
    assert hits > 0 and store.notes == [] and all(map(is_right, kept))
    del found
    store.limit = limit
    assert store.bytes <= max(limit, sum(entry.bytes for entry in kept))
    del kept, store
    is_consistent(folder)


FORK = r"""
import os, sys
from pathlib import Path
from mmnotebook.store.store import Store
from tests.runtime.store_worker import PLENTY, commit, is_right
store = Store(Path(sys.argv[1]), PLENTY)
entry, passing = commit(store, "5"), commit(store, "6", lasting=False)
child = os.fork()
if child == 0:
    found = store.find(["5"])["5"]
    assert is_right(passing)
    entry.let_go()
    del entry, passing
    places = len(list((store.inner / "processes").iterdir()))
    os.write(1, f"child {places}\n".encode())
    sys.stdin.readline()
    sys.exit()
os.write(1, f"parent {child}\n".encode())
sys.stdin.readline()
os.waitpid(child, 0)
store.limit = 0
assert is_right(entry) and is_right(passing)
del entry, passing
store.limit = 0
print(store.bytes, flush=True)
"""


def forking(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FORK, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def test_a_fork_has_its_own_folder_and_keeps_its_parents(tmp_path: Path) -> None:
    process = forking(tmp_path / "cache")
    said, _ = process.communicate("\n\n")
    assert process.returncode == 0
    assert "child 2" in said and said.splitlines()[-1] == "0"
    is_consistent(tmp_path / "cache")


def test_a_fork_does_not_keep_what_its_dead_parent_held(tmp_path: Path) -> None:
    process = forking(tmp_path / "cache")
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(2)]
    process.kill()
    process.wait()
    store = Store(tmp_path / "cache", PLENTY)
    # The child lives and holds its entries, in the only folder besides this process's.
    assert len(list((store.inner / "processes").iterdir())) == 2
    assert list((store.inner / "drafts").glob("*/*")) == []
    assert store.clear()[1] > 0
    child = next(int(line.split()[1]) for line in said if line.startswith("parent"))
    os.kill(child, signal.SIGKILL)
    process.communicate()
    store = Store(tmp_path / "cache", 0)
    assert store.bytes == 0


def test_a_process_that_ends_leaves_entries_only(nursery: Nursery, tmp_path: Path) -> None:
    code = FORK.split("child = os.fork()")[0] + "print(len(store.find(['5'])))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    left = [path for path in (tmp_path / "v2").rglob("*") if path.is_file()]
    assert {path.parent.name.split(".")[0] for path in left if path.name != ".lock"} == {"5"}
    assert list((tmp_path / "v2" / "processes").iterdir()) == []


def can_mount() -> bool:
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True
    )
    return done.returncode == 0


# Also on a real disk if this user can mount one; the limit on file sizes works for every user.
FULL = ["files of that size are not allowed"]
if os.geteuid() == 0 and can_mount():
    FULL.append("no space left on the disk")


@pytest.mark.parametrize("why", FULL)
def test_a_full_disk_is_noted_and_the_store_continues(tmp_path: Path, why: str) -> None:
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o size=8m tmpfs {tmp_path / "disk"} && exec "$@"'
    small = why.startswith("no space")
    nursery = Nursery(["unshare", "--mount", "sh", "-c", script, "sh"] if small else [])
    arguments = {} if small else {"bytes_allowed": 500_000}
    folder = tmp_path / "disk" / "cache"
    assert nursery.run("fill", folder=str(folder), log=str(tmp_path / "log"), **arguments) == 0
    nursery.close()
    said, found = lines(tmp_path / "log")
    assert said.startswith(f"the cache in {str(folder)!r} has no space for 1.0 MB: {why}")
    assert said.endswith("mm.cache.clear(), a smaller mm.cache.limit, or another folder in "
                         "MMNOTEBOOK_CACHE")  # fmt: skip
    # Entries that nobody held were evicted; the held one was not.
    assert found == "3"
