"""W beside what a user would pick instead: a torch loop, `datasets.map`, Ray Data.

Each measurement is a process of its own, the kinds in turns. A process makes the models, does the
work once on 64 rows, and then on all rows. The loop writes into arrays that exist before; it is the
least that the work can take. `datasets` and `ray[data]` are in the extra `bench`; a peer that is
not installed is left out, and the report says so.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tests.benchmarks import measuring, work
from tests.benchmarks.measuring import Report, report, spread

SIZES = (10_000, 100_000, 1_000_000)
SMALL = 64
AT_MOST = {
    ("datasets", 10_000): 1.3,
    ("loop", 100_000): 1.5,
    ("datasets", 100_000): 0.8,
    ("ray", 100_000): 0.35,
    ("loop", 1_000_000): 1.5,
    ("datasets", 1_000_000): 0.8,
    ("ray", 1_000_000): 0.35,
}
"""The most that our seconds may be, as a share of a peer's."""


def loop(count: int) -> None:
    """Both models over all rows, the outputs in arrays that exist before."""
    given = torch.from_numpy(np.load(work.rows(count)))
    for name in work.MODELS:
        model, outputs = work.model(name).eval(), torch.empty(count, 1)
        with torch.inference_mode():
            for start in range(0, count, work.BATCH):
                batch = given[start : start + work.BATCH]
                outputs[start : start + len(batch)] = model(batch)


def ours(count: int) -> None:
    """Every node is kept."""
    work.run(count)


def with_datasets(count: int) -> None:
    """A column of each model, in Arrow files."""
    import datasets
    import pyarrow as pa

    datasets.disable_progress_bars()
    models = {name: work.model(name).eval() for name in work.MODELS}

    def both(batch: dict[str, torch.Tensor]) -> dict[str, Any]:
        with torch.inference_mode():
            return {name: model(batch["row"]).numpy() for name, model in models.items()}

    given = np.load(work.rows(count))
    column = pa.FixedSizeListArray.from_arrays(pa.array(given.reshape(-1)), given.shape[1])
    rows = datasets.Dataset(pa.table({"row": column})).with_format("torch")
    with tempfile.TemporaryDirectory() as folder:
        rows.map(
            both,
            batched=True,
            batch_size=work.BATCH,
            cache_file_name=f"{folder}/outputs.arrow",
            new_fingerprint="outputs",
        )


class Both:
    """The actor of Ray Data."""

    def __init__(self) -> None:
        self.models = {name: work.model(name).eval() for name in work.MODELS}

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        given = torch.from_numpy(np.ascontiguousarray(batch["data"]))
        with torch.inference_mode():
            return {name: model(given).numpy() for name, model in self.models.items()}


def with_ray(count: int) -> None:
    """One actor, its outputs in the object store."""
    import ray

    ray.init(ignore_reinit_error=True, log_to_driver=False, include_dashboard=False, num_cpus=2)
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = ray.data.from_numpy(np.load(work.rows(count)))
    rows.map_batches(Both, batch_size=work.BATCH, concurrency=1).materialize()


KINDS: dict[str, Callable[[int], None]] = {
    "ours": ours,
    "loop": loop,
    "datasets": with_datasets,
    "ray": with_ray,
}


def nothing() -> None:
    """A fresh process."""


def used_torch() -> None:
    """A training step in the main thread."""
    layer = torch.nn.Linear(512, 512)
    layer(torch.rand(4096, 512)).sum().backward()


def used_sklearn() -> None:
    """A fit with scikit-learn's OpenMP."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    given = np.random.default_rng(0).random((5000, 20))
    HistGradientBoostingClassifier(max_iter=20).fit(given, given[:, 0] > 0.5)


def used_xgboost() -> None:
    """A fit with XGBoost's OpenMP."""
    import xgboost

    given = np.random.default_rng(0).random((5000, 20))
    xgboost.XGBClassifier(n_estimators=20).fit(given, given[:, 0] > 0.5)


BEFORE: dict[str, Callable[[], None]] = {
    "nothing": nothing,
    "torch": used_torch,
    "sklearn": used_sklearn,
    "xgboost": used_xgboost,
}
"""What a notebook may have done before, in its main thread."""


def child(kind: str, count: int, before: str) -> float:
    """Return the seconds of one piece of work in this process."""
    BEFORE[before]()
    KINDS[kind](SMALL)
    return measuring.seconds(lambda: KINDS[kind](count))


def in_child(kind: str, count: int, before: str = "nothing") -> float:
    """`child` in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.peers", kind, str(count), before]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def installed() -> list[str]:
    """The kinds that this environment has."""
    return [
        kind
        for kind in KINDS
        if kind in ("ours", "loop") or importlib.util.find_spec(kind) is not None
    ]


def compare(
    kinds: list[str], repeat: int
) -> tuple[dict[tuple[str, int], list[float]], dict[str, Any]]:
    """Our seconds as a share of each peer's, by peer and rows, and the seconds in words."""
    for count in (SMALL, *SIZES):
        work.rows(count)
    shares: dict[tuple[str, int], list[float]] = {}
    said: dict[str, Any] = {}
    for count in SIZES:
        rounds = [{kind: in_child(kind, count) for kind in kinds} for _ in range(repeat)]
        for kind in kinds:
            said[f"{kind}, {count:,} rows"] = spread([found[kind] for found in rounds])
            if kind != "ours":
                shares[kind, count] = [found["ours"] / found[kind] for found in rounds]
                said[f"ours / {kind}, {count:,} rows"] = round(
                    statistics.median(shares[kind, count]), 3
                )
    return shares, said


def measure(repeat: int) -> Report:
    """The greatest share of a target that is used: at most 1 meets all."""
    kinds = installed()
    shares, said = compare(kinds, repeat)
    used = {key: [one / AT_MOST[key] for one in shares[key]] for key in shares if key in AT_MOST}
    worst = max(used, key=lambda key: statistics.median(used[key]))
    return report(
        f"share of the target, worst of {len(used)} ({worst[0]}, {worst[1]:,} rows)",
        used[worst],
        at_most=1,
        missing=sorted(set(KINDS) - set(kinds)),
        **said,
    )


if __name__ == "__main__":
    print(json.dumps(child(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
