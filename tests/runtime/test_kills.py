"""A kernel that is killed during a run: the next one continues from the finished nodes."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.runtime import kernel_script
from tests.runtime.kernel_script import Kernel

ROUNDS = int(os.environ.get("MMNOTEBOOK_KILLS", "4"))
COUNT = 40

pytestmark = pytest.mark.slow

NOTEBOOK = """
import os, signal, sys, time
import mmnotebook as mm
from mmnotebook.state import events

def first(x):
    time.sleep(0.002)
    return x + 1

def twice(x):
    return {"n": x * 2, "text": str(x)}

def halves(x):
    return [x / 2] * (x % 3)

def total(outputs):
    time.sleep(0.003)
    return outputs["twice"]["n"] + outputs["thrice"]

def thrice(x):
    return x * 3

def picky(x):
    if x % 50 == 0:
        raise ValueError(f"{x} is round")
    return -x

def last(outputs):
    time.sleep(0.006)
    return outputs.get("picky"), outputs["wide"]

def wide(x):
    return float(x)

graph = mm.pipeline('''
start = data | first
both = start | [map(twice), map(thrice)]
total = both | map(total)
four = total | [map(picky), map(wide)]
last = four | map(last, missing="use rest")
parts = start | flat_map(halves)
''', data=list(range(count)), first=first, twice=twice, thrice=thrice, halves=halves,
    total=total, picky=picky, wide=wide, last=last)

def tell(event):
    if isinstance(event, events.NodeFinished):
        say(event.node)
"""

RUN = """
seen = 0

def count_down(name, _):
    global seen
    if name == "open" or name.startswith(("os.", "shutil.", "fcntl.")):
        seen += 1
        if seen == event:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count_down)
mm.run(graph, subscribers=[tell], max_failed=0.2)
say({"events": seen})
"""

NEXT = """
import gc
from pathlib import Path

def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

inner = Path(mm.cache.folder) / "v2"
stored = mm.cache.entries
notes = []
listen = lambda e: notes.append(e.text) if isinstance(e, events.Noted) else None
result = mm.run(graph, subscribers=[listen], max_failed=0.2)
say({
    "values": {name: list(zip(result[name]["id"], result[name]["value"])) for name in result},
    "failed": result.failed[["node", "id", "message"]].values.tolist(),
    "cached": result.nodes.index[result.nodes["cached"]].tolist(),
    "counts": result.nodes[["elements_out", "failed"]].values.tolist(),
    "notes": notes,
    "processes": len(list((inner / "processes").iterdir())),
    "drafts": [below(folder) for folder in (inner / "drafts").iterdir()],
    "trash": below(inner / "trash"),
    "temporary": list(map(str, Path(os.environ["TMPDIR"]).glob("mmnotebook-*/.lock"))),
    "entries": len(mm.cache.entries),
})
"""


def values() -> dict[str, list[Any]]:
    """Return the values of all elements of all nodes by id, as JSON represents them."""
    starts = [[str(place), place + 1] for place in range(COUNT)]
    totals = [[name, x * 5] for name, x in starts]
    return {
        "data": [[name, x - 1] for name, x in starts],
        "start": starts,
        "twice": [[name, {"n": x * 2, "text": str(x)}] for name, x in starts],
        "thrice": [[name, x * 3] for name, x in starts],
        "total": totals,
        "picky": [[name, -t] for name, t in totals if t % 50],
        "wide": [[name, float(t)] for name, t in totals],
        "last": [[name, [-t if t % 50 else None, float(t)]] for name, t in totals],
        "parts": [[f"{name}/{k}", x / 2] for name, x in starts for k in range(x % 3)],
    }


def check_next(folder: Path, finished: list[str]) -> None:
    """Check the next kernel: all values are right, nothing is lost, no files are left over."""
    found = kernel_script.run(NOTEBOOK + NEXT, folder, count=COUNT)
    assert found["notes"] == []
    assert found["values"] == values()
    failed = [["picky", str(x - 1), f"{x * 5} is round"] for x in range(10, COUNT + 1, 10)]
    assert found["failed"] == failed
    assert found["counts"] == [
        [len(rows), len(failed) if name == "picky" else 0] for name, rows in values().items()
    ]
    assert set(finished) <= set(found["cached"])
    assert found["entries"] == len(values())
    assert (found["processes"], found["drafts"], found["trash"]) == (1, [[]], [])
    # Temporary files of the dead process are removed when something is computed next.
    assert len(found["temporary"]) <= 1


def test_an_unlocked_folder_of_a_dead_process_is_removed_later(tmp_path: Path) -> None:
    for name in ("mmnotebook-ofolddays", "mmnotebook-abcdefgh", "mmnotebook-12345678"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".lock.new").touch()
    for name in ("mmnotebook-ofolddays", "mmnotebook-abcdefgh"):
        os.utime(tmp_path / name, (0, 0))
    kernel = Kernel(NOTEBOOK + RUN, tmp_path, count=COUNT, event=None)
    kernel.result()
    left = sorted(path.name for path in tmp_path.glob("mmnotebook-*"))
    # One folder is too new; the name of the other does not have our form.
    assert left == ["mmnotebook-12345678", "mmnotebook-ofolddays"]


def reported_nodes(kernel: Kernel) -> list[str]:
    """Return the nodes that a kernel reported as finished."""
    return [word for word in kernel.values if isinstance(word, str)]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_kernel_killed_at_any_moment_loses_nothing_that_had_finished(
    seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    finished: list[str] = []
    for _ in range(rng.randint(1, 2)):
        # After a random time, or at one of the run's file system operations.
        event = rng.randrange(1, 371) if rng.random() < 0.5 else None
        kernel = Kernel(NOTEBOOK + RUN, tmp_path, count=COUNT, event=event)
        if event is None:
            count = rng.randrange(len(values()))
            if kernel.receive(lambda said, count=count: len(said) >= count):
                kernel.receive(lambda said: False, rng.uniform(0, 0.4))
            kernel.kill()
        assert kernel.end() in (0, -9)
        finished += reported_nodes(kernel)
    check_next(tmp_path, finished)


def test_nodes_before_a_join_are_stored_while_a_slow_step_after_it_runs(
    tmp_path: Path,
) -> None:
    above = {"data", "start", "twice", "thrice", "parts"}
    kernel = Kernel(NOTEBOOK + RUN, tmp_path, count=COUNT, event=None)
    assert kernel.receive(lambda said: above <= set(said))
    assert set(kernel.values) == above
    kernel.kill()
    # Killed before the end: the node after the join was not finished.
    assert kernel.end() == -9 and set(kernel.values) == above
    check_next(tmp_path, sorted(above))
