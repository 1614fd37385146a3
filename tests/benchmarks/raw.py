"""W with 100,000 rows, compared with a plain torch loop over the same batches."""

from __future__ import annotations

import numpy as np
import torch

from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

ROWS = 100_000
TIMES, MORE = 1.5, 1.5
"""The allowed time: a multiple of the loop's time, plus a number of seconds."""


def loop() -> None:
    """Call both models with all rows, and keep the outputs in memory."""
    given = torch.from_numpy(np.load(work.rows(ROWS)))
    outputs = []
    for name in work.MODELS:
        model = work.model(name).eval()
        with torch.inference_mode():
            outputs.append(torch.cat([model(batch) for batch in given.split(work.BATCH)]))


def ours() -> None:
    """Run the graph; the output of every node is stored."""
    work.run(ROWS)


def measure(repeat: int) -> Report:
    """Return our time as a share of the allowed time."""
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
