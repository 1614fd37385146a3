"""Rows of a stored node with 1,000,000 elements: the whole node, and tables that show a part.

One process runs the graph; its outputs stay in the cache folder of the benchmarks. Each measurement
is made in a process of its own, which reads the run from the cache, and then measures the time and
the growth of its peak resident memory: of `r[node]`, and of `mm.inspect(r, node, n=5)`,
`r.table(node).head()` and `r.table(node).sample(1000)`.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mmnotebook as mm
from mmnotebook.results.results import Result
from tests.benchmarks import work  # noqa: F401 - it sets the cache folder
from tests.benchmarks.measuring import Report, report
from tests.benchmarks.scale import peak_mb

ROWS = 1_000_000
FASTER = 5
MEMORY_MB = 100
SHOWS: dict[str, Callable[[Result], Any]] = {
    "whole": lambda result: result["half"],
    "inspect": lambda result: mm.inspect(result, "half", n=5),
    "head": lambda result: result.table("half").head(),
    "sample": lambda result: result.table("half").sample(1000, seed=0),
}


def half(x: float) -> float:
    """Return half of a number."""
    return x / 2


def run(count: int) -> Result:
    """Return the results of a function for rows with three fields, from the cache if possible."""
    numbers = np.arange(count)
    labels = np.array(["cat", "dog", "horse"], dtype=object)[numbers % 3]
    data = pd.DataFrame({"x": numbers / 3, "n": numbers, "label": labels})
    return mm.run(mm.pipeline("rows['x'] | half", rows=data, half=half), progress=False)


def child(show: str) -> dict[str, float]:
    """Return the seconds and the additional peak memory of one way to show rows."""
    SHOWS[show](run(10))  # import what it needs
    result = run(ROWS)
    if not all(result.nodes["cached"]):
        raise AssertionError("the run is not read from the cache")
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # from here, the peak starts again
    before, started = peak_mb(), time.perf_counter()
    SHOWS[show](result)
    return {"seconds": time.perf_counter() - started, "mb": peak_mb() - before}


def in_child(show: str) -> dict[str, float]:
    """Run `child` in a new process."""
    # Not with `-m`: the functions have to be those of this module, which are cached.
    code = f"from tests.benchmarks.tables import child, json; print(json.dumps(child({show!r})))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(repeat: int) -> Report:
    """Report how many times longer the whole node takes than the slowest part of it."""
    run(ROWS)
    rounds = [{show: in_child(show) for show in SHOWS} for _ in range(repeat)]
    ratios = [
        found["whole"]["seconds"] / max(one["seconds"] for n, one in found.items() if n != "whole")
        for found in rounds
    ]
    most = max(one["mb"] for found in rounds for name, one in found.items() if name != "whole")
    return report(
        f"time of {ROWS:,} rows / time of the slowest of inspect, head and sample",
        ratios,
        at_least=FASTER,
        memory=f"{most:.0f} MB <= {MEMORY_MB}, {'met' if most <= MEMORY_MB else 'MISSED'}",
        **{show: _said([found[show] for found in rounds]) for show in SHOWS},
    )


def _said(found: list[dict[str, float]]) -> str:
    seconds, mb = (statistics.median(one[name] for one in found) for name in ("seconds", "mb"))
    return f"{seconds:.3g} s, {mb:.0f} MB"
