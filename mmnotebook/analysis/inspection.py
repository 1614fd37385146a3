"""Looking at what flows: the rows of a node that matter, and one element through every node."""

from __future__ import annotations

import pandas as pd

from mmnotebook.analysis.results import Result


def inspect(result: Result, node: str, n: int = 20, where: str | None = None) -> pd.DataFrame:
    raise NotImplementedError


def trace(result: Result, id: object) -> pd.DataFrame:
    raise NotImplementedError
