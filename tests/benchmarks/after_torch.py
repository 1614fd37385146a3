"""W after the notebook has used OpenMP in its main thread, beside a fresh process.

Each measurement is a process of its own, in turns; see `peers`.
"""

from __future__ import annotations

import statistics

from tests.benchmarks import peers, work
from tests.benchmarks.measuring import Report, report, spread

ROWS = 100_000
AT_MOST = 1.1


def measure(repeat: int) -> Report:
    """Our seconds after torch, scikit-learn or XGBoost was used, as a share of those before."""
    for count in (peers.SMALL, ROWS):
        work.rows(count)
    rounds = [
        {before: peers.in_child("ours", ROWS, before) for before in peers.BEFORE}
        for _ in range(repeat)
    ]
    ratios = {
        before: [found[before] / found["nothing"] for found in rounds]
        for before in peers.BEFORE
        if before != "nothing"
    }
    worst = max(ratios, key=lambda before: statistics.median(ratios[before]))
    return report(
        f"mm.run of {ROWS:,} rows after OpenMP was used / in a fresh process, worst ({worst})",
        ratios[worst],
        at_most=AT_MOST,
        **{before: spread([found[before] for found in rounds]) for before in peers.BEFORE},
    )
