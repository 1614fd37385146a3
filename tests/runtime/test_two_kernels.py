"""Two kernels with one cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.runtime import kernel_script
from tests.runtime.kernel_script import Kernel

ROUNDS = 4

NOTEBOOK = """
import time
import numpy as np
import mmnotebook as mm
from mmnotebook.state import events

def first(x):
    time.sleep(0.002)
    return x + shift

def wide(x):
    return np.full(500, x)

def narrow(x):
    return {"x": x, "text": str(x)}

def total(outputs):
    time.sleep(0.002)
    return float(outputs["wide"].sum()) + outputs["narrow"]["x"]

TEXT = "start = data | first\\nboth = start | [map(wide), map(narrow)]\\nboth | map(total)"

def graph():
    return mm.pipeline(TEXT, data=data, first=first, wide=wide, narrow=narrow, total=total)

def is_right(result):
    right = [501.0 * (x + shift) for x in data]
    rows = result["narrow"]["value"].tolist()
    return (
        result["total"]["value"].tolist() == right
        and rows == [{"x": x + shift, "text": str(x + shift)} for x in data]
        and [wide.tolist() for wide in result["wide"]["value"]] == [[x + shift] * 500 for x in data]
        and result.failed.empty
    )

data = list(range(30))
shift = 0
"""

TOGETHER = """
right, notes = [], []
hear = lambda event: notes.append(event.text) if isinstance(event, events.Noted) else None
say("ready")
for shift in range(start, start + rounds):
    result = mm.run(graph(), subscribers=[hear])
    right.append(is_right(result))
say({"right": right, "notes": notes})
"""

ALL_CACHED = """
cached = []
for shift in range(start, start + rounds):
    result = mm.run(graph())
    cached.append(is_right(result) and all(result.nodes["cached"]))
say({"cached": cached, "entries": len(mm.cache.entries)})
"""


def test_two_kernels_run_the_same_and_overlapping_graphs_at_once(tmp_path: Path) -> None:
    # The second kernel starts with a round that the first one reaches in the middle.
    kernels = [
        Kernel(NOTEBOOK + TOGETHER, tmp_path, start=start, rounds=ROUNDS)
        for start in (0, 0, ROUNDS // 2)
    ]
    for kernel in kernels:
        assert kernel.result() == {"right": [True] * ROUNDS, "notes": []}
    rounds = ROUNDS + ROUNDS // 2
    found = kernel_script.run(NOTEBOOK + ALL_CACHED, tmp_path, start=0, rounds=rounds)
    # One entry for the data, and one for each of the other nodes in each round.
    assert found == {"cached": [True] * rounds, "entries": 1 + 4 * rounds}


RUNS_ON = """
held, right = [], []
say("ready")
for shift in range(rounds):
    result = mm.run(graph())
    held.append((shift, result))
    say("one")
for shift, result in held:
    right.append(is_right(result))
say({"right": right})
"""

CLEARS = """
say("ready")
kept = []
for one in range(rounds):
    if one % 2:
        mm.cache.limit = 1
        mm.cache.limit = "1GB"
    else:
        mm.cache.clear()
    # A run of its own, that evicts too.
    mm.cache.limit = 1
    shift = 100 + one
    kept.append((shift, mm.run(graph())))
right = []
for shift, result in kept:
    right.append(is_right(result))
mm.cache.limit = "1GB"
say({"right": right})
"""


def test_results_stay_readable_while_another_kernel_clears_and_evicts(tmp_path: Path) -> None:
    one = Kernel(NOTEBOOK + RUNS_ON, tmp_path, rounds=ROUNDS)
    assert one.receive(lambda said: "one" in said)
    other = Kernel(NOTEBOOK + CLEARS, tmp_path, rounds=ROUNDS)
    for kernel in (other, one):
        assert kernel.result() == {"right": [True] * ROUNDS}


SHOWS = """
result = mm.run(graph())
say("ran")
# Until the other kernel has cleared the cache, and is gone.
with open(gate) as file:
    file.read()
say({"right": is_right(result), "again": mm.run(graph()).nodes["cached"].tolist()})
"""

EMPTIES = """
freed = mm.cache.clear()
before = len(mm.cache.entries)
mm.cache.limit = 1
say({"freed": int(freed), "kept": freed.kept, "entries": [before, len(mm.cache.entries)]})
"""


def test_results_of_a_living_kernel_are_not_cleared(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    one = Kernel(NOTEBOOK + SHOWS, tmp_path, gate=str(gate))
    assert one.receive(lambda said: "ran" in said)
    emptied: dict[str, Any] = kernel_script.run(NOTEBOOK + EMPTIES, tmp_path)
    assert emptied["freed"] == 0 and emptied["kept"] > 0 and emptied["entries"] == [5, 5]
    gate.open("w").close()
    assert one.result() == {"right": True, "again": [True] * 5}
    # A dead kernel has no results on display.
    after: dict[str, Any] = kernel_script.run(NOTEBOOK + EMPTIES, tmp_path)
    assert after["freed"] > 0 and after["kept"] == 0 and after["entries"] == [0, 0]
