"""W with 100,000 rows against a plain torch loop over the same batches."""

from __future__ import annotations

import numpy as np
import torch

from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

ROWS = 100_000
TIMES, MORE = 1.5, 1.5
"""How many times as long, and how many seconds more, it may take."""


def loop() -> None:
    """Both models over all rows, the outputs collected in memory."""
    given = torch.from_numpy(np.load(work.rows(ROWS)))
    outputs = []
    for name in work.MODELS:
        model = work.model(name).eval()
        with torch.inference_mode():
            outputs.append(torch.cat([model(batch) for batch in given.split(work.BATCH)]))


def ours() -> None:
    """Every node is kept."""
    work.run(ROWS)


def measure(repeat: int) -> Report:
    """Our seconds as a share of what is allowed."""
    theirs, own = in_turns(loop, ours, repeat)
    allowed = [TIMES * seconds + MORE for seconds in theirs]
    return report(
        "mmnotebook / (1.5 x torch loop + 1.5 s), 100,000 rows, fresh=True",
        [one / most for one, most in zip(own, allowed, strict=True)],
        at_most=1,
        peer=spread(theirs),
        ours=spread(own),
        allowed=spread(allowed),
    )
