"""Two pieces of work side by side, in turns: the ratio of their times, and how it spreads."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """What a benchmark found.

    Attributes
    ----------
    what
        What the number is.
    median, low, high
        Of the repeated measurements.
    target
        What `tests/benchmarks` aims at, in words.
    detail
        Anything else worth writing down.
    """

    what: str
    median: float
    low: float
    high: float
    target: str
    detail: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        spread = f"{self.median:.3g} (from {self.low:.3g} to {self.high:.3g})"
        return f"{self.what} {spread}; target {self.target}; {self.detail}"


def seconds(work: Callable[[], Any]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(what: str, values: list[float], target: str, **detail: Any) -> Report:
    """The median, minimum and maximum of values."""
    return Report(what, statistics.median(values), min(values), max(values), target, detail)


def ratio(
    what: str,
    peer: Callable[[], Any],
    ours: Callable[[], Any],
    repeat: int,
    target: str,
) -> Report:
    """How many times longer `peer` takes than `ours`: both in turns, after a warm-up of each."""
    peer()
    ours()
    times = [(seconds(peer), seconds(ours)) for _ in range(repeat)]
    ratios = [theirs / own for theirs, own in times]
    return report(
        what,
        ratios,
        target,
        peer_seconds=round(statistics.median(t for t, _ in times), 3),
        our_seconds=round(statistics.median(t for _, t in times), 3),
    )
