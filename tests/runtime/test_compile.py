"""Graphs on other runners, and their types and labels in Beam."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm
from mmnotebook.beam import compiler
from mmnotebook.elements import coders
from mmnotebook.errors import MMError, ModelError, RunError
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.running import measures
from tests.runtime import toys

TEXT = """
rows["x"] | [scale, own]
mean = [scale, own] | mean(missing="use rest")
arms = rows | split({"a": 0.5, "b": 0.5}, by="user")
kept = arms.a | filter(is_kept)
"""


def is_kept(row: dict[str, Any]) -> bool:
    return bool(row["x"] < 50)


@pytest.fixture
def graph() -> Graph:
    mm.register("scale", toys.Scale(2.0, most=90), batch_size=8)
    mm.register("own", toys.OwnHandler())
    frame = pd.DataFrame({"x": np.arange(100.0), "user": [i % 10 for i in range(100)]})
    return mm.pipeline(TEXT, rows=frame, is_kept=is_kept)


class Keep(beam.DoFn):
    """Writes elements into files, which any worker process can do."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def process(self, element: Any) -> None:
        value = element[1] if isinstance(element[0], tuple) else element
        key = element[0].id if isinstance(element[0], tuple) else f"{element.node}-{element.id}"
        with (Path(self.folder) / key).open("wb") as file:
            coders.dump(value, file)


def run(graph: Graph, folder: Path, options: list[str]) -> Any:
    pipeline = beam.Pipeline(FnApiRunner(), options=PipelineOptions(options))
    compiled = mm.compile_graph(graph, pipeline)
    kept: dict[str, Any] = {**compiled, "failures": compiled.failed}
    for name, pcoll in kept.items():
        (folder / name).mkdir()
        pcoll | f"keep {name}" >> beam.ParDo(Keep(str(folder / name)))
    result = pipeline.run()
    result.wait_until_finish()
    return result.metrics()


def read(folder: Path) -> dict[str, Any]:
    decode = coders.ElementCoder().decode
    return {path.name: decode(path.read_bytes()) for path in folder.iterdir()}


@pytest.mark.parametrize(
    "options",
    [[], ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]],
    ids=["in-process", "two processes"],
)
def test_elements_and_metrics_on_a_plain_runner(
    graph: Graph, tmp_path: Path, options: list[str]
) -> None:
    metrics = run(graph, tmp_path, options)
    scaled = read(tmp_path / "scale")
    assert {int(i): float(p.inference) for i, p in scaled.items()} == {
        i: 2.0 * i for i in range(91)
    }
    assert all(p.model_id == "scale" for p in scaled.values())
    assert {int(i): p.inference for i, p in read(tmp_path / "own").items()} == {
        i: 3.0 * i for i in range(100)
    }
    assert read(tmp_path / "mean")["10"] == 25.0
    kept, arms = read(tmp_path / "kept"), read(tmp_path / "arms")
    assert len(arms) == 100 and 0 < len(kept) <= 50
    failures = read(tmp_path / "failures").values()
    assert sorted(int(f.id) for f in failures) == list(range(91, 100))
    assert {(f.node, f.error) for f in failures} == {("scale", "ValueError")}

    counters, values = measures.from_beam(metrics)
    found = {node.name: measures.measured(node, counters, values) for node in graph}
    models = measures.by_model(found.values())
    assert (models["scale"].predictions, models["scale"].failed) == (91, 9)
    assert models["scale"].parameter_bytes == 4 and models["scale"].loads >= 1
    assert (models["own"].predictions, models["own"].failed) == (100, 0)
    nodes = {name: one.node for name, one in found.items()}
    assert nodes["kept"].elements_out == len(kept)
    assert nodes["mean"].elements_in == nodes["arms"].elements_out == 100


def labels(pipeline: beam.Pipeline) -> Iterator[str]:
    yield from (part.full_label for part in pipeline._root_transform().parts)


def test_labels_are_node_names(graph: Graph) -> None:
    pipeline = beam.Pipeline()
    compiled = mm.compile_graph(graph, pipeline)
    assert list(compiled) == [node.name for node in graph.order()]
    found = list(labels(pipeline))
    for name in graph.names:
        assert any(label == name for label in found)
    assert all(label.split(":")[0] in {*graph.names, "failures"} for label in found)


class Types(PipelineVisitor):
    """Collects the type of every PCollection, by the transform that creates it."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def visit_value(self, value: Any, producer: Any) -> None:
        self.found[f"{producer.full_label} {value.tag}"] = value.element_type

    def visit_transform(self, transform: Any) -> None:
        pass


def test_every_pcollection_is_typed(graph: Graph, tmp_path: Path) -> None:
    np.save(tmp_path / "more.npy", np.arange(3.0))
    more = mm.pipeline(f'read({str(tmp_path / "more.npy")!r}) | twice | filter(bool) | '
                       f'write({str(tmp_path / "out.csv")!r})', twice=twice)  # fmt: skip
    types = Types()
    for one in (graph, more):
        pipeline = beam.Pipeline()
        compiled = mm.compile_graph(one, pipeline)
        assert len(list(compiled.values())) == len(one) and compiled.failed is compiled.failed
        pipeline.visit(types)
    assert len(types.found) > 20
    assert [label for label, found in types.found.items() if found in (Any, object, None)] == []


def twice(x: float) -> float:
    return 2 * x


def test_failures_and_limit_are_there_for_any_runner(graph: Graph) -> None:
    pipeline = beam.Pipeline()
    compiled = mm.compile_graph(graph, pipeline, limit=3)
    assert isinstance(compiled, compiler.Compiled)
    assert isinstance(compiled.failed, beam.PCollection)


def refused(graph: Graph) -> MMError:
    with pytest.raises(MMError) as caught:
        mm.compile_graph(graph, beam.Pipeline())
    return caught.value


def source_and(*nodes: Node) -> Graph:
    return Graph((Node.make("data", "source", data="data"), *nodes)).bind(data=[1])


def test_an_empty_graph() -> None:
    assert "the graph is empty" in str(refused(Graph()))


def test_unknown_names() -> None:
    error = refused(source_and(Node.make("f", "map", ["data"], function="plus")))
    assert isinstance(error, RunError) and error.node == "f"
    assert "'plus' is not bound" in str(error) and "graph.bind(plus=...)" in str(error)
    error = refused(source_and(Node.make("m", "model", ["data"], model="mlp")))
    assert isinstance(error, ModelError) and "mm.register" in str(error)
    two = [Node.make(name, "model", ["data"], model=name) for name in ("a", "b")]
    assert "'a', 'b'" in str(refused(source_and(*two)))
    error = refused(Graph((Node.make("data", "source", data="data"),)))
    assert "node 'data' needs data of that name" in str(error)


def test_a_nearby_name_is_named() -> None:
    graph = source_and(Node.make("f", "map", ["data"], function="lenght")).bind(length=len)
    assert "did you mean 'length'" in str(refused(graph))


def test_python_s_own_functions_need_no_binding() -> None:
    graph = source_and(Node.make("f", "map", ["data"], function="repr"))
    assert mm.run(graph)["f"]["value"].tolist() == ["1"]


def test_an_object_that_is_not_a_function() -> None:
    graph = source_and(Node.make("f", "map", ["data"], function="data"))
    assert "'data' is a list, not a function" in str(refused(graph))


def test_a_function_that_cannot_be_sent() -> None:
    opened = (x for x in "ab")

    def f(x: Any) -> Any:
        return next(opened)

    error = refused(source_and(Node.make("f", "map", ["data"], function="f")).bind(f=f))
    assert "'f' cannot be sent to a worker" in str(error) and "generators" in str(error)


def test_an_object_that_is_not_a_pipeline(graph: Graph) -> None:
    with pytest.raises(RunError, match=r"pipeline='p' \(str\); allowed: a beam.Pipeline"):
        mm.compile_graph(graph, "p")  # type: ignore[arg-type]


def test_a_compiled_graph_shows_its_nodes(graph: Graph) -> None:
    shown = repr(mm.compile_graph(graph, beam.Pipeline()))
    assert all(name in shown for name in graph.names) and ".failed" in shown


def test_a_tensor_source_and_a_selected_field_keep_the_coder(graph: Graph) -> None:
    pipeline = beam.Pipeline()
    compiled = mm.compile_graph(graph, pipeline)
    assert {pcoll.element_type for pcoll in compiled.values()} == {coders.Element}


def test_the_same_input_selected_twice() -> None:
    rows = [{"a": 1, "b": torch.ones(2)}]
    nodes = (
        Node.make("rows", "source", data="rows"),
        Node.make("x", "map", [Input("rows", select="a")], function="repr"),
        Node.make("y", "map", [Input("rows", select=("a", "a"))], function="repr"),
    )
    result = mm.run(Graph(nodes).bind(rows=rows))
    assert result["x"]["value"].tolist() == ["1"]
    assert result["y"]["value"].tolist() == ["array([1, 1])"]
