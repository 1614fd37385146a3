"""A run with and without the metering handler's counters."""

from __future__ import annotations

from typing import Any

import mmnotebook as mm
from mmnotebook.runtime import metering
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, ratio

ROWS = 20_000


def metered() -> None:
    """As always."""
    mm.run(work.graph(ROWS), progress=False)


def unmetered() -> None:
    """The same run; what would be counted and timed is thrown away."""
    kept = metering._Meter.call, metering._Meter.publish

    def nothing(self: Any, *args: Any) -> None:
        return None

    metering._Meter.call = metering._Meter.publish = nothing  # type: ignore[method-assign]
    try:
        mm.run(work.graph(ROWS), progress=False)
    finally:
        metering._Meter.call, metering._Meter.publish = kept  # type: ignore[method-assign]


def measure(repeat: int) -> Report:
    """Metered over unmetered."""
    return ratio("metered / unmetered:", metered, unmetered, repeat, "<= 1.02")
