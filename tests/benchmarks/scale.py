"""W with 10,000 to 1,000,000 rows in separate processes: is the time linear and the memory bounded?

One process imports everything, registers the models and calls each once; the memory of the others
is compared with its peak resident memory. The others do the same, run W on 64 rows to measure the
fixed time of a run, and then run all rows with `fresh=True`. The time per row is the time of the
run above the fixed time, divided by the number of rows.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks import measuring, work
from tests.benchmarks.measuring import Report, in_child, report

SIZES = (10_000, 100_000, 1_000_000)
SMALL = 64
MEMORY_MB = 500
LINEAR = 1.1


def peak_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    try:
        # Only of this program: Linux's ru_maxrss starts with the value of the parent process.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _median_seconds(count: int) -> float:
    """Return the median seconds of a run of W; small runs, which vary more, run five times."""
    times = max(1, min(5, 500_000 // count))
    return statistics.median(measuring.seconds(lambda: work.run(count)) for _ in range(times))


def child(count: int) -> dict[str, float]:
    """Return the measurements of one process; without rows, only of the models."""
    from mmnotebook.running import session  # noqa: F401 - import it now, so that a run does not

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


def measure(repeat: int) -> Report:
    """Compare the times per row (maximum / minimum), and the memory above that of the models."""
    for count in (SMALL, *SIZES):  # in this process, since creating the rows takes memory and time
        work.rows(count)
    rounds = [
        {count: in_child("tests.benchmarks.scale", count) for count in (0, *SIZES)}
        for _ in range(repeat)
    ]
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
