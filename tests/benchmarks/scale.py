"""W at 10,000 to 1,000,000 rows in processes of their own: is the time linear, memory bounded?

A process imports everything, registers the models and calls each once; its peak of resident memory
is what the others are measured against. The others do the same, run W on 64 rows for the fixed time
of a run, and then on all rows, with `fresh=True`. The time per row is what a run takes above the
fixed time, by its rows.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks import measuring, work
from tests.benchmarks.measuring import Report, report

SIZES = (10_000, 100_000, 1_000_000)
SMALL = 64
MEMORY_MB = 500
LINEAR = 1.1


def peak_mb() -> float:
    """The most resident memory that this process had, in MB."""
    try:
        # Of this program alone; Linux's ru_maxrss begins with that of the process it came from.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _median_seconds(count: int) -> float:
    """Of a run of W; small ones, whose time varies more, five times."""
    times = max(1, min(5, 500_000 // count))
    return statistics.median(measuring.seconds(lambda: work.run(count)) for _ in range(times))


def child(count: int) -> dict[str, float]:
    """What one process measures; without rows, of the models alone."""
    from mmnotebook.running import session  # noqa: F401 - its size is not that of a run

    work.register()
    for name in work.MODELS:
        with torch.inference_mode():
            work.model(name)(torch.zeros(work.BATCH, 64))
    if not count:
        return {"peak_mb": peak_mb()}
    work.run(SMALL)
    fixed, whole = _median_seconds(SMALL), _median_seconds(count)
    return {
        "peak_mb": peak_mb(),
        "fixed": fixed,
        "seconds": whole,
        "us_per_row": (whole - fixed) / (count - SMALL) * 1e6,
    }


def in_child(count: int) -> dict[str, float]:
    """`child` in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(repeat: int) -> Report:
    """Time per row at most over least; memory at 1,000,000 rows above the models."""
    for count in (SMALL, *SIZES):  # here: making the rows takes memory and time
        work.rows(count)
    rounds = [{count: in_child(count) for count in (0, *SIZES)} for _ in range(repeat)]
    ratios = [_ratio(found) for found in rounds]
    above = [found[SIZES[-1]]["peak_mb"] - found[0]["peak_mb"] for found in rounds]
    return report(
        f"greatest / least time per row above a run of {SMALL} rows",
        ratios,
        at_most=LINEAR,
        **{f"{count:,} rows": _said(rounds, count) for count in SIZES},
        mb_above_the_models=[round(megabytes) for megabytes in above],
        memory=f"<= {MEMORY_MB}, {'met' if statistics.median(above) <= MEMORY_MB else 'MISSED'}",
    )


def _ratio(found: dict[int, dict[str, float]]) -> float:
    per_row = [found[count]["us_per_row"] for count in SIZES]
    return max(per_row) / min(per_row)


def _said(rounds: list[dict[int, dict[str, float]]], count: int) -> dict[str, Any]:
    names = rounds[0][count]
    return {n: round(statistics.median(found[count][n] for found in rounds), 3) for n in names}


if __name__ == "__main__":
    print(json.dumps(child(int(sys.argv[1]))))
