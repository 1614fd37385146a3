"""Model loads of a keyed step: equal to the forecast, and never more models than allowed."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm
from mmnotebook.errors import ModelError
from mmnotebook.results import memory
from mmnotebook.state import events
from tests.runtime.toys import Scale

NAMES = list("abcdefgh")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Return rows with random keys; with the batches of `register_all`, they form many windows."""
    keys = np.random.default_rng(3).choice(NAMES, 4000)
    return pd.DataFrame({"x": [np.float32([row]) for row in range(4000)], "k": keys})


@pytest.fixture(autouse=True)
def register_all() -> Iterator[None]:
    """Register a model per key with batches of two, and unload all models."""
    for place, name in enumerate(NAMES):
        mm.register(name, Scale(float(place)), batch_size=2)
    mm.unload()
    yield
    mm.unload()


def graph(rows: pd.DataFrame, rest: str, names: list[str] = NAMES) -> mm.Graph:
    pairs = ", ".join(f'"{name}": {name}' for name in names)
    return mm.pipeline(f'rows["x"] | keyed({{{pairs}}}, by="k", {rest})', rows=rows)


def run(rows: pd.DataFrame, rest: str, **how: object) -> mm.Result:
    return mm.run(graph(rows, rest), progress=False, **how)  # type: ignore[call-overload, no-any-return]


def loads(result: mm.Result) -> int:
    return int(result.models["loads"].sum())


def test_observed_loads_are_as_forecast(rows: pd.DataFrame) -> None:
    rows = rows[:1800]
    grouped = run(rows, "max_models=2, group=True")
    assert grouped.models["loads"].tolist() == [1] * 8
    table = mm.forecast(grouped, "keyed").table.set_index("max_models")
    assert table["loads_as_is"].nunique() > 4
    for most in (1, 2, 5, 8):
        result = run(rows, f"max_models={most}, group=False")
        expected = table["loads_as_is"][most]
        own = mm.forecast(result).table.set_index("max_models")
        keys = mm.forecast(rows["k"].tolist(), models={name: name for name in NAMES}).table
        assert loads(result) == expected == own["loads_as_is"][most]
        assert keys["loads_as_is"].tolist() == own["loads_as_is"].tolist()
        mm.unload()


def test_loads_under_beam_are_as_forecast(rows: pd.DataFrame) -> None:
    few = rows[:64]
    result = mm.run(graph(few, 'max_models=2, group=False, lowering="beam"'), progress=False)
    assert loads(result) == memory.loads(memory.uses(few["k"].tolist(), 2), 2)
    assert loads(result) == mm.forecast(result).table["loads_as_is"][1]


@pytest.mark.parametrize("group", [True, False])
def test_never_more_than_max_models_are_loaded(rows: pd.DataFrame, group: bool) -> None:
    run(rows, "group=False")  # all are loaded now
    assert set(mm.models.table.index) == set(NAMES)
    now: set[str] = set()
    most = []

    def watch(event: events.Event) -> None:
        if isinstance(event, events.ModelLoaded):
            now.add(event.model)
            most.append(len(now))
        elif isinstance(event, events.ModelEvicted):
            now.discard(event.model)

    run(rows, f"max_models=3, group={group}", subscribers=[watch])
    assert max(most) == 3 and not now
    assert list(mm.models.table.index) == []


def test_models_that_fit_stay_loaded(rows: pd.DataFrame) -> None:
    assert loads(run(rows, "max_models=8")) == 8
    assert loads(run(rows, "max_models=8", fresh=True)) == 0


def test_the_budget_of_warm_models_is_kept(rows: pd.DataFrame) -> None:
    size = 4 * 1000
    for place, name in enumerate(NAMES):
        net = torch.nn.Linear(1, 1000, bias=False)
        torch.nn.init.constant_(net.weight, place)
        mm.register(name, net, batch_size=2)
    before = mm.models.budget
    try:
        mm.models.budget = 3 * size
        result = run(rows, "group=False")
        assert loads(result) == mm.forecast(result).table["loads_as_is"][2]
        assert len(mm.models.table) == 3
    finally:
        mm.models.budget = before


def test_batches_are_full(rows: pd.DataFrame) -> None:
    for place, name in enumerate(NAMES):
        mm.register(name, Scale(float(place)), batch_size=16)
    result = run(rows, "group=False")
    assert (result.models["mean_batch"] >= 0.9 * 16).all()


def test_explain_says_what_will_happen_and_why(rows: pd.DataFrame) -> None:
    said = mm.explain(graph(rows, "max_models=2"))
    keys = rows["k"].tolist()
    as_is = memory.loads(memory.uses(keys, memory.window_rows([2] * 8)), 2)
    row = said.table.set_index("node").loc["keyed"]
    assert row["lowering"] == "blocks" and row["group"] is True and row["max_models"] == 2
    assert (
        f"8 models, max_models=2: 4,000 elements take {as_is} loads in arrival order, 8 if grouped"
        in (row["reason"])
    )
    assert f"{memory.calls_by_key(keys, 2):,} with KeyedModelHandler" in row["reason"]
    assert "keyed (keyed) [blocks, grouped by model]:" in repr(said)
    together = rows.sort_values("k")
    assert not mm.explain(graph(together, "max_models=2")).table["group"][1]
    assert not mm.explain(graph(rows, "max_models=8")).table["group"][1]
    assert row["reason"] in html.unescape(said._repr_html_()), "not cut"


def test_explain_escapes() -> None:
    data = pd.DataFrame({"<b>": ["x"], "x": [1.0]})
    graph = mm.pipeline('data | split(a=0.5, b=0.5, by="<b>")', data=data)
    shown = mm.explain(graph)._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;" in shown


def test_a_model_that_cannot_load_ends_the_run(rows: pd.DataFrame) -> None:
    Path(str(mm.registry["c"].path)).write_bytes(b"no model")
    with pytest.raises(ModelError, match="model 'c' cannot be loaded"):
        run(rows, "max_models=2")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_two_hundred_models_and_ten_thousand_keys() -> None:
    count = 10_000
    names = [f"m{place}" for place in range(200)]
    for place, name in enumerate(names):
        mm.register(name, Scale(float(place)))
    keys = np.random.default_rng(0).permutation(count)
    rows = pd.DataFrame({"x": [np.float32([1])] * count, "k": keys})
    parts = [
        f"({', '.join(map(str, range(place, count, 200)))}): {name}"
        for place, name in enumerate(names)
    ]
    graph = mm.pipeline(f'rows["x"] | keyed({{{", ".join(parts)}}}, by="k")', rows=rows)
    result = mm.run(graph, progress=False)
    table = result["keyed"]
    assert [float(p[0]) for p in table["prediction"]] == [key % 200 for key in table["k"]]
    assert loads(result) == 200 and result.models["batches"].sum() == 200
