"""A run with the counters of the metering handler, compared with a run without them."""

from __future__ import annotations

import statistics
from typing import Any
from unittest.mock import patch

from mmnotebook.beam.inference.meter import Meter
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

ROWS = 100_000


def metered() -> None:
    """Run as usual."""
    work.run(ROWS)


def _nothing(*_: Any) -> None:
    return None


def unmetered() -> None:
    """Run the same graph without counting and publishing."""
    with patch.multiple(Meter, called=_nothing, count=_nothing, publish=_nothing):
        work.run(ROWS)


def measure(repeat: int) -> Report:
    """Compare the metered with the unmetered run."""
    without, with_ = in_turns(unmetered, metered, repeat)
    ratios = [one / other for one, other in zip(with_, without, strict=True)]
    return report(
        "metered / unmetered, 100,000 rows, fresh=True",
        ratios,
        at_most=1.02,
        peer=spread(without),
        ours=spread(with_),
        of_minima=round(min(with_) / min(without), 4),
        of_medians=round(statistics.median(with_) / statistics.median(without), 4),
    )
