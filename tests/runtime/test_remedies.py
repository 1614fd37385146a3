"""Code in error messages and hints works when a user pastes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import mmnotebook as mm
from mmnotebook.elements.user_code import is_raised
from mmnotebook.errors import GraphError, ModelError, ResultError, RunError


class Echo:
    def predict(self, batch: Any) -> list[Any]:
        return list(batch)


class Double(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2


def interrupting(value: Any) -> str:
    raise KeyboardInterrupt


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"a": [1.0, 2.0], "model": ["Ford", "VW"]})


@pytest.fixture
def result(models: Any, frame: pd.DataFrame) -> Iterator[Any]:
    mm.register("echo", Echo())
    yield mm.run(mm.pipeline('rows["a"] | echo', rows=frame), progress=False)


@pytest.mark.parametrize("target", [pd.DataFrame({"x": range(9999)}), 5, None, [1], {"a": 1}])
def test_an_unknown_model_is_named_and_known_ones_are_listed(models: Any, target: Any) -> None:
    with pytest.raises(ModelError) as error:
        mm.register("m", target)
    said = str(error.value)
    assert "it is not a model" in said and "any object with predict" in said
    assert "wrap it" not in said and len(said) < 320


def test_a_builder_says_how_names_are_given_to_its_text(models: Any) -> None:
    rows = [1]
    with pytest.raises(GraphError) as error:
        mm.Builder("rows | map(len)")
    assert error.value.remedy == "mm.Builder(mm.pipeline('rows | map(len)', rows=rows))"
    assert mm.Builder(mm.pipeline("rows | map(len)", rows=rows)).graph.names == ("rows", "len")


def test_data_in_place_of_a_graph_is_not_printed_whole(frame: pd.DataFrame) -> None:
    for call, kind in ((mm.run, RunError), (mm.Builder, GraphError)):
        with pytest.raises(kind, match=r"a DataFrame of shape \(2, 2\)"):
            call(frame)


def test_missing_outputs_are_blamed_on_the_collate_function(
    models: Any,
) -> None:
    def two(rows: list[Any]) -> Any:
        return torch.tensor(rows[:2])

    mm.register("double", Double(), collate=two)
    with pytest.raises(RunError) as error:
        mm.run(mm.pipeline("rows | double", rows=[1.0, 2.0, 3.0]), progress=False)
    assert str(error.value.remedy).startswith("collate=two makes the batch")


def test_a_field_that_was_renamed_is_named_when_a_condition_finds_nothing(result: Any) -> None:
    with pytest.warns(UserWarning, match="the field of the data is called 'model_field'"):
        assert len(mm.inspect(result, "echo", where="model == 'Ford'")) == 0
    assert len(mm.inspect(result, "echo", where="model_field == 'Ford'")) == 1


def test_the_bytes_of_a_model_whose_parameters_are_unknown_are_its_files(result: Any) -> None:
    mm.unload()
    mm.register("plain", Echo())
    mm.run(mm.pipeline("rows | plain", rows=[1, 2]), progress=False)
    line = next(line for line in repr(mm.models).splitlines() if line.startswith("plain"))
    entry = mm.models.table.loc["plain"]
    assert pd.isna(entry["parameter_bytes"])
    assert ("on disk" in line) or entry["bytes"] >= 4096  # measured in pages
    assert "parameters of unknown size" in repr(mm.unload("plain"))


def test_near_names_of_plots_and_results(result: Any) -> None:
    for of, name, near in ((mm.plot, "latncy", "latency"), (result, "modles", "models")):
        with pytest.raises(AttributeError, match=f"did you mean '{near}'"):
            getattr(of, name)
    with pytest.raises(AttributeError, match=r"result\['echo'\] has its rows"):
        _ = result.echo
    with pytest.raises(ResultError, match="latency"):
        mm.plot(result)
    assert not hasattr(result, "_repr_nothing_")


def test_a_printed_dashboard_is_short(result: Any) -> None:
    assert len(repr(mm.dashboard(result, result))) < 300


def test_commands_of_a_builder_say_what_is_allowed() -> None:
    builder = mm.Builder()
    with pytest.raises(GraphError, match="'add' needs 'kind'; allowed: source"):
        builder.edit("add")
    with pytest.raises(GraphError, match=r"allowed: add, .*did you mean 'add'"):
        builder.edit("ad")
    from mmnotebook.editing import commands

    assert all(op in (mm.Builder.edit.__doc__ or "") for op in commands._COMMANDS)
    builder.edit("add", kind="vote")
    assert repr(builder.graph).startswith("(a graph with 1 problem, ")


def test_an_interrupt_that_a_function_raises_names_its_node(models: Any) -> None:
    mm.register("echo", Echo())
    for text in ('rows | keyed({"x": echo}, by=f)', "rows | map(f)"):
        with pytest.raises(RunError) as error:
            mm.run(mm.pipeline(text, rows=[1, 2], f=interrupting), progress=False)
        assert error.value.node in ("keyed", "interrupting", "f")
        assert "KeyboardInterrupt" in str(error.value)


def test_an_interrupt_by_the_user_differs_from_a_raised_one() -> None:
    import signal

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # some shells ignore it

    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)
        for _ in range(np.iinfo("int32").max):
            pass

    try:
        for function, raised in ((lambda: interrupting(1), True), (interrupted, False)):
            with pytest.raises(KeyboardInterrupt) as error:
                function()
            assert is_raised(error.value) is raised
    finally:
        signal.signal(signal.SIGINT, before)
