"""A mirror of two models that wait, compared with calls of one model after the other."""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import mmnotebook as mm
from mmnotebook.beam.inference import waiting
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

BATCHES, SECONDS = 20, 0.1


class Service:
    """A model that waits as for a service."""

    def __init__(self, by: int) -> None:
        self.by = by

    def predict(self, batch: list[int]) -> list[int]:
        """Wait, then return an output for each row."""
        time.sleep(SECONDS)
        return [row * self.by for row in batch]


def mirrored() -> None:
    """Run a mirror of both models, one row per batch, and check the outputs."""
    graph = mm.pipeline("rows | [one, other]", rows=list(range(BATCHES)))
    result: Any = mm.run(graph, progress=False, fresh=True)
    for name, by in (("one", 2), ("other", 3)):
        assert result[name]["prediction"].tolist() == [row * by for row in range(BATCHES)]


def serial() -> None:
    """Run the same mirror, but call one model after the other."""

    def each(steps: list[waiting.Held]) -> None:
        for held in steps:
            held.predict()

    with mock.patch.object(waiting, "together", each):
        mirrored()


def measure(repeat: int) -> Report:
    """Compare the time of the mirror with that of calls of one model after the other."""
    assert work.FOLDER.exists()  # a separate cache
    for name, by in (("one", 2), ("other", 3)):
        mm.register(name, Service(by), remote=True)
    theirs, own = in_turns(serial, mirrored, repeat)
    ratios = [ours / peer for peer, ours in zip(theirs, own, strict=True)]
    what = f"mirror / one model after the other, {BATCHES} batches of {SECONDS} s per model"
    return report(what, ratios, at_most=0.6, serial=spread(theirs), mirror=spread(own))
