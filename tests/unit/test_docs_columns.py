"""The columns listed in docs/reference/results.md equal those of a real run's tables."""

from __future__ import annotations

import re
import warnings
from functools import cached_property
from pathlib import Path

import pandas as pd
import pytest

import mmnotebook as mm
from mmnotebook.results.results import Result

PAGE = Path(__file__).parents[2] / "docs/reference/results.md"
SECTION = re.compile(r"^### `(.+?)`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (?!column|---)(.+?) \| (.+?) \| .*\|$", re.MULTILINE)
TABLES = {table: ROW.findall(text) for table, text in SECTION.findall(PAGE.read_text("utf-8"))}
INDEXES = {"r.nodes": ["node"], "r.models": ["model"], "r.arms": ["node", "arm"]}
BY_VALUE = {"bool", "boolean", "int64", "Int64", "float64", "object"}

TEXT = """
part = rows["x"] | split(negative=0.5, double=0.5)
by_lang = rows["x"] | keyed({"a": negative, "b": double}, by="lang", max_models=1)
both = rows["x"] | [negative, double]
inverses = rows["x"] | inverse
"""
ROWS = pd.DataFrame({"x": [1.0, 2.0, 0.0, 4.0], "lang": list("aabb")})


class Times:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, batch: list[float]) -> list[float]:
        warnings.warn("a warning", stacklevel=1)
        return [self.factor * value for value in batch]


def inverse(value: float) -> float:
    return 1 / value


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """Return the tables of a run in which each of them has rows."""
    mm.register("negative", Times(-1))
    mm.register("double", Times(2))
    graph = mm.pipeline(TEXT, rows=ROWS, inverse=inverse)
    with pytest.warns(UserWarning, match="a warning"):
        r = mm.run(graph, max_failed=0.5, progress=False)
    for name in ("negative", "double"):
        mm.registry.remove(name)
    return {
        "r[model]": r["by_lang"],
        "r[node]": r["inverses"],
        "r[group]": r["both"],
        "r.failed": r.failed,
        "r.nodes": r.nodes,
        "r.models": r.models,
        "r.arms": r.arms,
        "r.warnings": r.warnings,
        "mm.trace(r, id)": mm.trace(r, "2"),
        "mm.forecast(r).table": mm.forecast(r, node="by_lang").table,
    }


def test_the_page_lists_each_table(tables: dict[str, pd.DataFrame]) -> None:
    assert list(TABLES) == list(tables)
    frames = {
        f"r.{name}"
        for name, value in vars(Result).items()
        if isinstance(value, cached_property) and not name.startswith("_")
    }
    assert {name for name in TABLES if name.startswith("r.")} == frames


@pytest.mark.parametrize("name", TABLES)
def test_the_page_lists_each_column_with_its_dtype(
    name: str, tables: dict[str, pd.DataFrame]
) -> None:
    table = tables[name]
    assert not table.empty
    assert list(table.index.names) == INDEXES.get(name, [None])
    listed: list[tuple[str, str]] = []
    for column, dtype in TABLES[name]:
        if column == "fields of the source":
            listed += [(field, str(ROWS[field].dtype)) for field in ROWS]
        elif column == "names of the nodes":
            listed += [("negative_2", dtype), ("double_2", dtype)]
        else:
            listed.append((column.strip("`"), dtype))
    assert list(table.columns) == [column for column, _ in listed]
    for column, dtype in listed:
        found = str(table[column].dtype)
        assert found in BY_VALUE if dtype == "by value" else found == dtype, column
