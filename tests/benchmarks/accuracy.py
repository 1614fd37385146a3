"""parameter_bytes of models of 50, 100 and 200 MB in every load order, and their true sizes."""

from __future__ import annotations

import itertools

import torch

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, report

SIZES_MB = (50, 100, 200)


def measure(repeat: int) -> Report:
    """Return the greatest relative error for each load order; each run loads all models."""
    assert work.FOLDER.exists()
    true = {}
    for size in SIZES_MB:
        module = torch.nn.Linear(1000, size * 250, bias=False)
        true[f"mb{size}"] = sum(p.numel() * p.element_size() for p in module.parameters())
        mm.register(f"mb{size}", module)
        del module
    errors = []
    for order in itertools.permutations(true):
        mm.unload()
        graph = mm.pipeline(f"rows | [{', '.join(order)}]", rows=[[0.0] * 1000])
        table = mm.run(graph, fresh=True, progress=False).models
        if not (table["loads"] == 1).all():
            raise AssertionError(table["loads"])
        errors.append(
            max(abs(table.at[name, "parameter_bytes"] / size - 1) for name, size in true.items())
        )
    return report(
        "relative error of parameter_bytes", errors, at_most=0.02, each=True, orders=len(errors)
    )
