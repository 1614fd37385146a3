"""p50 to p99.9 of the latency sketch, compared with the exact quantiles of the same latencies."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from mmnotebook.results import metrics
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, report

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
CALLS = 20_000

Latencies = NDArray[np.float64]


def latencies(repeat: int) -> Iterator[tuple[str, Latencies]]:
    """Return generated and measured latencies in milliseconds."""
    for seed in range(repeat):
        random = np.random.default_rng(seed)
        yield "lognormal", random.lognormal(1.0, 1.0, CALLS)
        yield "heavy tail", random.pareto(1.2, CALLS) + 0.01
        quick, slow = random.gamma(9, 0.2, CALLS), random.normal(300, 20, CALLS)
        yield "two humps", np.where(random.random(CALLS) < 0.02, slow, quick)
    yield "a model's calls", _calls()


def _calls() -> Latencies:
    model, batch = work.model("first").eval(), torch.zeros(1, 64)
    times = []
    with torch.inference_mode():
        for _ in range(CALLS):
            started = time.perf_counter()
            model(batch)
            times.append((time.perf_counter() - started) * 1000)
    return np.array(times)


def error(times: Latencies) -> float:
    """Return the greatest relative error of the quantiles of the merged worker sketches."""
    buckets: Counter[int] = Counter()
    for worker in np.array_split(times, 4):
        buckets.update(Counter(metrics.bucket(float(ms)) for ms in worker))
    exact = np.quantile(times, QUANTILES, method="lower")
    found = [metrics.quantile(buckets, q) for q in QUANTILES]
    return max(abs((ms or 0) / float(true) - 1) for ms, true in zip(found, exact, strict=True))


def measure(repeat: int) -> Report:
    """Return the greatest relative error of each set; the worst must keep the bound."""
    errors = [(name, error(times)) for name, times in latencies(repeat)]
    worst = {name: max(e for other, e in errors if other == name) for name, _ in errors}
    return report(
        "greatest relative error of p50 to p99.9",
        [e for _, e in errors],
        at_most=0.01,
        each=True,
        calls=CALLS,
        worst={name: round(e, 5) for name, e in worst.items()},
    )
