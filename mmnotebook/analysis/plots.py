"""Plots of a result: each takes `ax=None` and returns the Axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmnotebook.analysis.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def latency(result: Result, *, ax: Axes | None = None) -> Axes:
    raise NotImplementedError


def memory(result: Result, *, ax: Axes | None = None) -> Axes:
    raise NotImplementedError
