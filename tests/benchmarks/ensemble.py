"""An ensemble of three models, compared with the three models alone."""

from __future__ import annotations

import functools
import statistics

import torch

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

ROWS = 20_000
MODELS = ("one", "two", "three")


def graph(step: str) -> mm.Graph:
    """Return a graph with the three models, followed by `step`."""
    for seed, name in enumerate(MODELS):
        if name not in mm.registry:
            torch.manual_seed(seed)
            mm.register(name, work.network(), batch_size=work.BATCH)
    return mm.pipeline(f"read({str(work.rows(ROWS))!r}) | [{', '.join(MODELS)}]{step}")


def run(step: str) -> None:
    """Compute and store everything."""
    mm.run(graph(step), fresh=True, progress=False)


def measure(repeat: int) -> Report:
    """Compare the models and their mean with the models alone."""
    alone, ensemble = in_turns(
        functools.partial(run, ""), functools.partial(run, " | mean()"), repeat
    )
    ratios = [one / other for one, other in zip(ensemble, alone, strict=True)]
    return report(
        "three models and mean() / three models, 20,000 rows, fresh=True",
        ratios,
        at_most=1.1,
        peer=spread(alone),
        ours=spread(ensemble),
        of_minima=round(min(ensemble) / min(alone), 4),
        of_medians=round(statistics.median(ensemble) / statistics.median(alone), 4),
    )
