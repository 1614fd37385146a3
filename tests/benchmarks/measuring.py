"""Measurements of two pieces of work in alternation: the ratio of their times, and its spread."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """The result of a benchmark.

    Attributes
    ----------
    what
        The measured quantity.
    median, low, high
        Median, minimum and maximum of the repeated measurements.
    target
        The target for the median, as text.
    met
        Whether the target is met.
    detail
        Further results.
    """

    what: str
    median: float
    low: float
    high: float
    target: str
    met: bool
    detail: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dict for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        spread = f"{self.median:.3g} (from {self.low:.3g} to {self.high:.3g})"
        met = "met" if self.met else "MISSED"
        return f"{self.what}: {spread}; target {self.target}, {met}; {self.detail}"


def seconds(work: Callable[[], Any]) -> float:
    """Return the duration of one call."""
    gc.collect()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def report(
    what: str,
    values: list[float],
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    each: bool = False,
    **detail: Any,
) -> Report:
    """Report median, minimum and maximum, and whether the median, or each value, keeps a bound."""
    values = list(map(float, values))
    median, low, high = statistics.median(values), min(values), max(values)
    if at_most is not None:
        target, met = f"<= {at_most:g}", (high if each else median) <= at_most
    else:
        assert at_least is not None
        target, met = f">= {at_least:g}", (low if each else median) >= at_least
    return Report(what, median, low, high, target, met, detail)


def in_turns(
    peer: Callable[[], Any], ours: Callable[[], Any], repeat: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of both, called alternately `repeat` times, after a warm-up of each."""
    peer()
    ours()
    times = [(seconds(peer), seconds(ours)) for _ in range(repeat)]
    theirs, own = zip(*times, strict=True)
    return list(theirs), list(own)


def spread(times: list[float]) -> str:
    """Return the median and the range of seconds as text."""
    return f"{statistics.median(times):.3g} s ({min(times):.3g} to {max(times):.3g})"


def faster(
    what: str, peer: Callable[[], Any], ours: Callable[[], Any], repeat: int, at_least: float
) -> Report:
    """Report how many times longer `peer` takes than `ours`."""
    theirs, own = in_turns(peer, ours, repeat)
    ratios = [one / other for one, other in zip(theirs, own, strict=True)]
    return report(what, ratios, at_least=at_least, peer=spread(theirs), ours=spread(own))


def in_child(module: str, *arguments: object) -> dict[str, Any]:
    """Run a benchmark's module in a new process; return the dict that it prints as JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peaks_above(
    what: str, rounds: Sequence[Mapping[str, Mapping[str, float]]], base: str, at_most: float
) -> Report:
    """Report the peak memory of each kind of run above that of `base`, and the worst of them."""
    above = {
        name: [found[name]["peak_mb"] - found[base]["peak_mb"] for found in rounds]
        for name in rounds[0]
    }
    return report(
        what,
        [max(values) for values in zip(*above.values(), strict=True)],
        at_most=at_most,
        **{name: round(statistics.median(values)) for name, values in above.items()},
        cpu_seconds={
            name: round(statistics.median(found[name]["cpu_seconds"] for found in rounds), 1)
            for name in above
        },
    )
