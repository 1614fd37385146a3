"""`model(mlp, watch="models/*.pt")`: newer files replace the registered model."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import torch
from apache_beam.ml.inference.base import ModelMetadata, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pipeline import PipelineVisitor
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook.beam.inference import handlers
from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.elements.block import Block
from mmnotebook.elements.packing import pack
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import registry
from tests.runtime import streams, toys


def save(path: Path, factor: float, seconds: float) -> Path:
    """Save a state dict of a model that multiplies, with a modification time."""
    torch.save(toys.Scale(factor).state_dict(), path)
    os.utime(path, (seconds, seconds))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first = save(tmp_path / "registered.pt", 2.0, 1000)
    mm.register("mlp", first, model_class=toys.Scale)
    (tmp_path / "new").mkdir()
    return tmp_path / "new"


def run(folder: Path, more: str = "", pattern: str = "*.pt") -> mm.Result:
    text = f'm = data | model(mlp, watch="{folder}/{pattern}")\nplain = data | mlp\n{more}'
    return mm.run(mm.pipeline(text, data=[1.0, 2.0]), progress=False)


def predictions(result: mm.Result, node: str) -> list[float]:
    return [float(value) for value in result[node]["prediction"]]


def test_the_newest_file_is_used_and_only_a_new_one_runs_the_node_again(folder: Path) -> None:
    none = run(folder)
    assert predictions(none, "m") == [2.0, 4.0]
    assert none.why["m"].endswith(f"no file matches '{folder}/*.pt': the registered model is used")
    save(folder / "b.pt", 3.0, 2000)
    save(folder / "a.pt", 9.0, 1500)
    newer = run(folder)
    assert predictions(newer, "m") == [3.0, 6.0] and predictions(newer, "plain") == [2.0, 4.0]
    assert newer.why["m"] == (
        f"its model mlp changed; {folder}/b.pt is the newest of 2 that match '{folder}/*.pt'"
    )
    assert set(newer["m"]["model"]) == {"mlp"} and newer.nodes["cached"]["plain"]
    again = run(folder)
    assert again.nodes["cached"]["m"] and predictions(again, "m") == [3.0, 6.0]
    save(folder / "c.pt", 5.0, 2000)  # for equal times, the last by name
    assert predictions(run(folder), "m") == [5.0, 10.0]


def test_the_same_weights_in_another_file_run_nothing(folder: Path) -> None:
    save(folder / "b.pt", 3.0, 2000)
    run(folder)
    (folder / "z.pt").write_bytes((folder / "b.pt").read_bytes())
    assert run(folder).nodes["cached"]["m"]


def test_without_a_match_it_is_the_node_of_the_registered_model(folder: Path) -> None:
    mm.run(mm.pipeline("data | mlp", data=[1.0, 2.0]), progress=False)
    assert run(folder).nodes["cached"]["m"]


def test_a_file_that_does_not_load_is_named_before_anything_runs(folder: Path) -> None:
    broken = folder / "broken.pt"
    broken.write_bytes(b"no weights")
    with pytest.raises(ModelError, match=f"'mlp' cannot be refreshed from '{broken}'"):
        run(folder)
    torch.save(torch.nn.Linear(3, 4).state_dict(), broken)
    with pytest.raises(ModelError, match="the state dict does not fit Scale"):
        run(folder)


def test_torchscript_takes_the_place_of_a_live_module(folder: Path) -> None:
    mm.register("mlp", toys.Scale(2.0))
    assert predictions(run(folder), "m") == [2.0, 4.0]
    torch.jit.save(torch.jit.trace(torch.nn.Hardtanh(-1.5, 1.5), torch.ones(2)), folder / "s.pt")
    assert predictions(run(folder), "m") == [1.0, 1.5]


def test_an_estimator_is_refreshed(folder: Path) -> None:
    def fitted(factor: float) -> LinearRegression:
        inputs = np.array([[0.0], [1.0], [2.0]])
        return LinearRegression().fit(inputs, factor * inputs[:, 0])

    mm.register("line", fitted(2.0))
    (folder / "line.pkl").write_bytes(pickle.dumps(fitted(4.0)))
    text = f'data | model(line, watch="{folder}/*.pkl")'
    result = mm.run(mm.pipeline(text, data=np.array([[1.0], [2.0]])), progress=False)
    assert predictions(result, "line") == pytest.approx([4.0, 8.0])


class FileHandler(toys.OwnHandler):
    """A handler that reads its factor from a file."""

    def update_model_path(self, model_path: str | None = None) -> None:
        if model_path:
            self.factor = float(Path(model_path).read_text())


def test_a_handler_takes_the_file_itself_or_is_refused(folder: Path) -> None:
    (folder / "f.txt").write_text("7")
    mm.register("mlp", FileHandler(3.0))
    result = run(folder, pattern="*.txt")
    assert predictions(result, "m") == [7.0, 14.0] and predictions(result, "plain") == [3.0, 6.0]
    mm.register("mlp", toys.OwnHandler())
    with pytest.raises(ModelError, match="a OwnHandler cannot load another file"):
        run(folder, pattern="*.txt")


def test_two_nodes_with_two_patterns_have_two_models(folder: Path) -> None:
    save(folder / "b.pt", 3.0, 2000)
    save(folder / "c.pth", 4.0, 2000)
    result = run(folder, more=f'n = data | model(mlp, watch="{folder}/*.pth")')
    found = {name: predictions(result, name)[0] for name in ("m", "n", "plain")}
    assert found == {"m": 3.0, "n": 4.0, "plain": 2.0}


def test_a_graph_with_an_end_takes_the_newest_file_where_it_is_compiled(folder: Path) -> None:
    save(folder / "b.pt", 3.0, 2000)
    text = f'rows | model(mlp, watch="{folder}/*.pt")'
    found = streams.run(mm.pipeline(text, rows=beam.Create([1.0])))
    assert [value for value, _, _ in found["mlp"].values()] == [3.0]


class SideInputs(PipelineVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_transform(self, transform_node: Any) -> None:
        self.found += [str(view.pvalue.producer.full_label) for view in transform_node.side_inputs]


def test_a_stream_watches_as_beam_does(folder: Path) -> None:
    graph = mm.pipeline(f'events["x"] | model(mlp, watch="{folder}/*.pt")', events=streams.stream())
    with pytest.raises(ModelError, match=r"no file matches .* needs one when it starts"):
        mm.compile_graph(graph, beam.Pipeline(FnApiRunner(), options=PipelineOptions([])))
    save(folder / "b.pt", 3.0, 2000)
    pipeline = beam.Pipeline(FnApiRunner(), options=PipelineOptions([], streaming=True))
    mm.compile_graph(graph, pipeline, watch_every=5)
    side_inputs = SideInputs()
    pipeline.visit(side_inputs)
    assert any("WatchFilePattern/ApplyGlobalWindow" in label for label in side_inputs.found)


def test_a_stream_changes_models_without_a_restart(folder: Path) -> None:
    """Check that a side input with the newest file changes the model; Beam's watch is not used.

    `BundleBasedDirectRunner`, which supports TestStream, cannot run transforms that watch files.
    """
    newer = str(save(folder / "b.pt", 3.0, 2000))
    spec = registry["mlp"]
    handler = BlockHandler("m", spec, handlers.base_handler(spec), None, "", None)

    def told(path: str, seconds: float) -> list[Any]:
        return [TimestampedValue(ModelMetadata(path, "b"), seconds)]

    def given(name: str, seconds: float) -> list[Any]:
        return [TimestampedValue(Block([name], pack([1.0])), seconds)]

    events = TestStream(output_tags={"main", "side"})
    for start, path in ((0, ""), (10, newer), (20, "")):
        events = events.add_elements(told(path, start + 1), tag="side")
        events = events.advance_watermark_to(start + 10, tag="side")
        events = events.add_elements(given(str(start), start + 2), tag="main")
        events = events.advance_watermark_to(start + 10, tag="main")
    events = events.advance_watermark_to_infinity("main").advance_watermark_to_infinity("side")
    streams.SEEN.clear()
    pipeline = beam.Pipeline(BundleBasedDirectRunner(), options=PipelineOptions([], streaming=True))
    both = pipeline | events
    side = both["side"] | "side windows" >> beam.WindowInto(FixedWindows(10))
    (
        both["main"]
        | "windows" >> beam.WindowInto(FixedWindows(10))
        | RunInference(handler, model_metadata_pcoll=side)
        | beam.FlatMap(lambda block: block.elements())
        | beam.ParDo(streams.See("m"))
    )
    pipeline.run().wait_until_finish()
    assert [(name, value) for _, name, value, _, _ in streams.SEEN] == [
        ("0", 2.0), ("10", 3.0), ("20", 2.0)
    ]  # fmt: skip


def test_an_update_keeps_the_name_and_meets_a_broken_file_with_its_name(folder: Path) -> None:
    spec = registry["mlp"]
    handler = BlockHandler("m", spec, handlers.base_handler(spec), None, "", None)
    handler.update_model_path(str(save(folder / "b.pt", 3.0, 2000)))
    (made,) = handler.run_inference([Block(["a"], pack([1.0]))], handler.load_model())
    ((_, prediction),) = made.elements()
    assert (prediction.model_id, float(prediction.inference)) == ("mlp", 3.0)
    (folder / "c.pt").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=f"cannot be refreshed from '{folder}/c.pt'"):
        handler.update_model_path(str(folder / "c.pt"))
