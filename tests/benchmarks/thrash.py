"""Loads of 8 models with max_models=2 in random key order: grouped, and as forecast."""

from __future__ import annotations

import mmnotebook as mm
from tests.benchmarks import keyed
from tests.benchmarks.measuring import Report, report

MOST = 2


def loads(group: bool) -> tuple[int, int]:
    """Return the observed loads, and the loads that the forecast of the result gives."""
    made = keyed.graph(f", max_models={MOST}, group={group}")
    result = mm.run(made, fresh=True, progress=False)
    table = mm.forecast(result).table.set_index("max_models")
    column = "loads_grouped" if group else "loads_as_is"
    return int(result.models["loads"].sum()), int(table.loc[MOST, column])


def measure(repeat: int) -> Report:
    """Return the loads with grouping."""
    grouped = [loads(group=True) for _ in range(repeat)]
    as_is = [loads(group=False) for _ in range(repeat)]
    if any(observed != forecast for observed, forecast in (*grouped, *as_is)):
        raise AssertionError(f"observed and forecast: grouped {grouped}, as they come {as_is}")
    return report(
        "loads of 8 models, max_models=2, grouped",
        [float(observed) for observed, _ in grouped],
        at_most=len(keyed.MODELS),
        each=True,
        as_they_come=[observed for observed, _ in as_is],
        forecast="equals the observed loads",
    )
