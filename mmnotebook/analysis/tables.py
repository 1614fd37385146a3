"""Tables as HTML that reads in light and dark, offline and without a script."""

from __future__ import annotations

import pandas as pd


def html_table(frame: pd.DataFrame, *, max_rows: int = 20) -> str:
    raise NotImplementedError
