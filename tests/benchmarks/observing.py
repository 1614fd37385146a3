"""A run that observes functions and models, compared with a run that does not."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import numpy as np

import mmnotebook as mm
from mmnotebook.running.plan import Plan
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

ROWS = 100_000
NUMBERS = np.arange(float(ROWS))


def _scaled(x: Any) -> Any:
    return x * 2 + 1


def _shifted(x: Any) -> Any:
    return abs(x - 7)


def observed() -> None:
    """Run as usual: two models on W, and two functions of 100,000 numbers."""
    work.run(ROWS)
    names = {"d": NUMBERS, "scaled": _scaled, "shifted": _shifted}
    mm.run(mm.pipeline("d | scaled | shifted", **names), fresh=True, progress=False)


def _nothing(_: Plan) -> Mapping[str, Any]:
    return {}


def unobserved() -> None:
    """Run the same without observation; nothing is stored for another run."""
    with patch.object(Plan, "records", _nothing):
        observed()


def measure(repeat: int) -> Report:
    """Compare the observed with the unobserved run."""
    without, with_ = in_turns(unobserved, observed, repeat)
    ratios = [one / other for one, other in zip(with_, without, strict=True)]
    return report(
        "observed / unobserved, W and two functions, 100,000 rows each, fresh=True",
        ratios,
        at_most=1.03,
        peer=spread(without),
        ours=spread(with_),
        of_minima=round(min(with_) / min(without), 4),
        of_medians=round(statistics.median(with_) / statistics.median(without), 4),
    )
