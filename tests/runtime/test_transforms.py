"""Beam transforms of the user as steps of a graph."""

from __future__ import annotations

import json
import random
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pandas as pd
import pyarrow
import pytest
import torch
from apache_beam.coders import VarIntCoder
from apache_beam.io.requestresponse import Caller
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.enrichment import Enrichment, EnrichmentSourceHandler
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import Timestamp

import mmnotebook as mm
from mmnotebook.beam.transforms import expansion
from mmnotebook.errors import GraphError, RunError
from mmnotebook.ui.builder import palette
from tests.runtime import streams
from tests.runtime.collecting import Kept, kept, pipeline


def triple(x: Any) -> Any:
    return 3 * x


def odd(x: Any) -> bool:
    return bool(x % 2)


def some(x: Any) -> list[Any]:
    return [x + n / 10 for n in range(int(x) % 4)]


def not_three(x: Any) -> Any:
    if x == 3:
        raise ValueError("three")
    return x


class Repeats(beam.DoFn):
    """Yields each number as often as it says, with the end of its window."""

    def process(self, x: Any, window: Any = beam.DoFn.WindowParam) -> Iterator[Any]:
        for _ in range(int(x)):
            yield x


def run(text: str, values: Any, **options: Any) -> Any:
    graph = mm.pipeline(text, rows=values, **options)
    return mm.run(graph, progress=False, max_failed=1.0)


def by_id(frame: pd.DataFrame) -> dict[str, Any]:
    return dict(zip(frame["id"], frame["value"], strict=True))


class TestIds:
    def test_a_map_and_a_filter_keep_ids(self) -> None:
        result = run("rows | t", [1, 2, 3], t=beam.Map(triple) | beam.Filter(odd))
        assert by_id(result["t"]) == {"0": 3, "2": 9}

    def test_outputs_of_a_flat_map_are_children(self) -> None:
        result = run("rows | t\nrows | flat_map(some)", [1, 4, 3], t=beam.FlatMap(some), some=some)
        assert by_id(result["t"]) == by_id(result["some"])
        assert set(by_id(result["t"])) == {"0/0", "2/0", "2/1", "2/2"}

    def test_several_outputs_of_a_dofn_are_children(self) -> None:
        result = run("rows | t", [1, 0, 2], t=beam.ParDo(Repeats()))
        assert by_id(result["t"]) == {"0": 1, "2/0": 2, "2/1": 2}

    def test_outputs_are_joined_with_those_of_other_steps(self) -> None:
        text = "rows | [t, triple] | map(pair)"
        result = run(text, [1, 2], t=beam.Map(str), triple=triple, pair=lambda both: both)
        assert by_id(result["pair"]) == {
            "0": {"t": "1", "triple": 3},
            "1": {"t": "2", "triple": 6},
        }

    def test_other_transforms_start_ids_anew_and_say_so(self) -> None:
        top = beam.combiners.Count.PerElement()
        graph = mm.pipeline("rows | top | map(str)", rows=["a", "b", "a"], top=top)
        with pytest.warns(
            UserWarning, match="'top': the ids of its elements start anew.*GroupByKey"
        ):
            result = mm.run(graph, progress=False)
        assert sorted(result["top"]["value"]) == [("a", 2), ("b", 1)]
        assert all(name.startswith("top#") for name in result["top"]["id"])
        assert "ids start anew, because it contains GroupByKey; not cacheable" in repr(
            mm.explain(graph)
        )

    def test_elements_with_new_ids_are_never_joined_with_others(self) -> None:
        shuffled = beam.Reshuffle()
        graph = mm.pipeline("rows | [t, map(str)] | map(repr)", rows=[1, 2], t=shuffled)
        with pytest.warns(UserWarning, match="cannot be joined"):
            result = mm.run(graph, progress=False, max_failed=1.0)
        assert len(result["repr"]) == 0
        assert set(result.failed["node"]) == {"repr"}

    def test_no_warning_where_no_step_follows(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run("rows | t", ["a", "b"], t=beam.combiners.Count.PerElement())


class Flushes(beam.DoFn):
    def process(self, x: Any) -> None:
        pass

    def finish_bundle(self) -> None:
        pass


_SEEN: Any = beam.DoFn.StateParam(ReadModifyWriteStateSpec("seen", VarIntCoder()))
_CONTEXT: Any = beam.DoFn.BundleContextParam(str)


class Counts(beam.DoFn):
    def process(self, x: Any, seen: Any = _SEEN) -> Iterator[Any]:
        yield x


class Batches(beam.DoFn):
    @beam.DoFn.yields_batches
    def process(self, x: int) -> Iterator[list[int]]:
        yield [x]

    def get_output_batch_type(self, input_element_type: Any) -> Any:
        return list[int]

    def infer_output_type(self, input_type: Any) -> Any:
        return int


class Begins(beam.DoFn):
    def start_bundle(self, context: Any = _CONTEXT) -> None:
        pass

    def process(self, x: Any) -> Iterator[Any]:
        yield x


class TwoPaths(beam.PTransform[Any, Any]):
    def expand(self, pcoll: Any) -> Any:
        parts = pcoll | "one" >> beam.Map(triple), pcoll | "other" >> beam.Map(triple)
        return parts | beam.Flatten()


class WritesBeside(beam.PTransform[Any, Any]):
    def expand(self, pcoll: Any) -> Any:
        pcoll | "beside" >> beam.Map(triple)
        return pcoll | "made" >> beam.Map(triple)


class Chosen(beam.PTransform[Any, Any]):
    def expand(self, pcoll: Any) -> Any:
        return (pcoll | beam.Map(triple).with_outputs("a", main="b"))["a"]


class Nothing(beam.PTransform[Any, Any]):
    def expand(self, pcoll: Any) -> Any:
        return pcoll


@pytest.mark.parametrize(
    ("transform", "reason"),
    [
        (beam.Map(triple), ""),
        ("label" >> beam.Map(triple) | beam.ParDo(Repeats()), ""),
        (beam.MapTuple(lambda a, b: a), ""),
        (beam.WindowInto(FixedWindows(2)), ""),
        (Nothing(), ""),
        (beam.Reshuffle(), "it contains GroupByKey"),
        (beam.CombineGlobally(sum), "it contains Impulse"),
        (beam.BatchElements(), "has finish_bundle"),
        (beam.ParDo(Flushes()), "has finish_bundle"),
        (beam.ParDo(Counts()), "has state"),
        (beam.ParDo(Batches()), "yields batches"),
        (beam.ParDo(Begins()), "has parameters in"),
        (TwoPaths(), "it contains Flatten"),
        (WritesBeside(), "more than one path"),
        (Chosen(), "it uses the output 'a'"),
    ],
)
def test_what_is_known_to_be_of_each_value(transform: Any, reason: str) -> None:
    made = expansion.of("node", transform)
    assert (made.parts is None) == bool(reason)
    assert reason in made.reason


@pytest.mark.parametrize("seed", range(3))
def test_chains_equal_stock_beam(seed: int) -> None:
    draw = random.Random(seed)
    makers: list[Callable[[], Any]] = [
        lambda: beam.Map(triple),
        lambda: beam.Filter(odd),
        lambda: beam.FlatMap(some),
        lambda: beam.ParDo(Repeats()),
        lambda: beam.Map(lambda x, more: x + more, more=draw.randrange(3)),
        lambda: beam.WindowInto(FixedWindows(3)),
        lambda: beam.Map(lambda x: TimestampedValue(x, x % 7)),
        lambda: beam.Reshuffle(),
    ]
    text, steps = "rows", {}
    for place in range(3):
        chain = draw.choice(makers)()
        for number in range(draw.randrange(3)):
            chain = chain | f"{number}" >> draw.choice(makers)()
        steps[f"t{place}"] = chain
        text += f" | t{place}"
    values = [draw.randrange(9) for _ in range(50)]
    with pipeline() as p, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = p | beam.Create(values) | beam.Map(lambda x: TimestampedValue(x, x))
        ours = Kept(mm.compile_graph(mm.pipeline(text, rows=rows, **steps), p)["t2"])
        stock = rows
        for name, step in steps.items():
            stock = stock | f"stock {name}" >> step
        theirs = Kept(stock)
    expected = sorted((repr(v), float(t), repr(w)) for v, t, w in theirs.timed)
    assert sorted((repr(v), float(t), repr(w)) for (_, v), t, w in ours.timed) == expected
    assert len(ours.by_id) == len(expected)


class Lives(beam.DoFn):
    """Needs setup and start_bundle."""

    def setup(self) -> None:
        self.ready = ["setup"]

    def start_bundle(self) -> None:
        self.ready.append("start_bundle")

    def process(self, x: Any, time: Timestamp = beam.DoFn.TimestampParam) -> Iterable[Any]:
        return [(x, self.ready[:2], float(time))]


class TestCalls:
    def test_a_dofn_has_its_life_and_its_parameters(self) -> None:
        with pipeline() as p:
            rows = p | beam.Create([1, 2]) | beam.Map(lambda x: TimestampedValue(x, x))
            graph = mm.pipeline("rows | t", rows=rows, t=beam.ParDo(Lives()))
            found = Kept(mm.compile_graph(graph, p)["t"])
        assert found.values == [(n, ["setup", "start_bundle"], float(n)) for n in (1, 2)]

    def test_side_inputs_of_the_same_pipeline(self) -> None:
        with pipeline() as p:
            more = p | "more" >> beam.Create([10, 20])
            t = beam.Map(lambda x, more: x + sum(more), beam.pvalue.AsList(more))
            nodes = mm.compile_graph(mm.pipeline("rows | t", rows=[1, 2], t=t), p)
            found = Kept(nodes["t"])
        assert found.by_id == {"0": 31, "1": 32}

    def test_side_inputs_of_another_pipeline_are_refused(self) -> None:
        more = beam.Pipeline() | beam.Create([10])
        t = beam.Map(lambda x, more: x, beam.pvalue.AsList(more))
        with pytest.raises(RunError, match="uses a PCollection of another pipeline"):
            run("rows | t", [1], t=t)

    def test_a_bad_element_fails_alone(self) -> None:
        t = beam.Map(not_three) | beam.Map(triple)
        result = run("rows | t", [1, 2, 3], t=t)
        assert by_id(result["t"]) == {"0": 3, "1": 6}
        (failed,) = result.failed.to_dict("records")
        assert (failed["node"], failed["id"], failed["message"]) == ("t", "2", "three")
        nodes = result.nodes.loc["t"]
        assert (nodes["elements_in"], nodes["elements_out"], nodes["failed"]) == (3, 2, 1)

    def test_failures_that_are_too_many_stop_the_run(self) -> None:
        graph = mm.pipeline("rows | t", rows=[3] * 5, t=beam.Map(not_three))
        with pytest.raises(RunError, match="'t'.*5 of 5.*three"):
            mm.run(graph, progress=False, max_failed=0.99)

    def test_an_error_in_a_transform_of_all_values_names_the_node(self) -> None:
        with pytest.raises(RunError, match="node 't': .*three") as raised:
            run("rows | t", [3], t=beam.Reshuffle() | beam.Map(not_three))
        assert "Traceback" not in str(raised.value)

    def test_a_value_that_cannot_be_stored_fails_alone(self) -> None:
        result = run("rows | t", [0, 1], t=beam.Map(lambda x: (n for n in [x]) if x else x))
        assert by_id(result["t"]) == {"0": 0}
        assert list(result.failed["node"]) == ["t"]

    def test_a_transform_may_change_its_values(self) -> None:
        def change(row: dict[str, int]) -> dict[str, int]:
            row["x"] += 1
            return row

        result = run("rows | [t, map(repr)]", [{"x": 1}], t=beam.Map(change))
        assert list(result["t"]["value"]) == [{"x": 2}]
        assert list(result["repr"]["value"]) == ["{'x': 1}"]

    def test_selected_fields_are_the_values(self) -> None:
        result = run(
            'rows["x"] | t["y"] | map(str)', [{"x": 1}], t=beam.Map(lambda x: beam.Row(y=x))
        )
        assert list(result["t"]["value"]) == [{"y": 1}]
        assert list(result["str"]["value"]) == ["1"]

    def test_between_two_models(self) -> None:
        net = torch.nn.Linear(2, 2)
        mm.register("first", net)
        mm.register("second", net)
        X = [np.ones(2, "float32"), np.zeros(2, "float32")]
        scale = beam.Map(lambda made: made.inference * 2)
        result = run("rows | first | scale | second", X, scale=scale)
        with torch.no_grad():
            expected = [net(2 * net(torch.from_numpy(x))) for x in X]
        found = result["second"]["prediction"]
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)

    def test_enrichment_keeps_ids(self) -> None:
        result = run("rows | row | t", [{"x": 1}, {"x": 2}], row=row, t=Enrichment(Doubles()))
        assert list(result["t"]["value"]) == [{"x": 1, "twice": 2}, {"x": 2, "twice": 4}]
        assert list(result["t"]["id"]) == ["0", "1"]


def row(record: dict[str, Any]) -> beam.Row:
    return beam.Row(**record)


class Doubles(EnrichmentSourceHandler[beam.Row, beam.Row], Caller[beam.Row, Any]):
    def __call__(self, request: beam.Row, *args: Any, **kwargs: Any) -> Any:
        return request, beam.Row(twice=request.x * 2)


class TestEnds:
    def test_a_sink_ends_a_line(self, tmp_path: Path) -> None:
        end = beam.io.WriteToText(str(tmp_path / "out"))
        with pipeline() as p:
            mm.compile_graph(
                mm.pipeline("rows | triple | end", rows=[1, 2], triple=triple, end=end), p
            )
        lines = [line for path in tmp_path.iterdir() for line in path.read_text().split()]
        assert sorted(lines) == ["3", "6"]

    def test_a_run_writes_each_time(self, tmp_path: Path) -> None:
        schema = pyarrow.schema([("x", pyarrow.int64())])
        end = beam.io.WriteToParquet(str(tmp_path / "out"), schema)
        graph = mm.pipeline("rows | end", rows=[{"x": 1}, {"x": 2}], end=end)
        for _ in range(2):
            mm.run(graph, progress=False)
            (path,) = tmp_path.iterdir()
            assert sorted(pd.read_parquet(path)["x"]) == [1, 2]
            path.unlink()

    def test_a_transform_without_output_ends_a_line(self) -> None:
        class Ends(beam.PTransform[Any, Any]):
            def expand(self, pcoll: Any) -> Any:
                pcoll | beam.Map(triple)
                return beam.pvalue.PDone(pcoll.pipeline)

        result = run("rows | end", [1, 2], end=Ends())
        assert len(result["end"]) == 0 and result.nodes.loc["end", "elements_in"] == 2
        graph = mm.pipeline("rows | end | map(str)", rows=[1], end=Ends())
        with pytest.raises(RunError, match="returns a PDone, not a PCollection, so 'str' cannot"):
            mm.run(graph)
        graph = mm.pipeline("rows | end", rows=[1], end=Ends())
        assert "ends the line: it returns a PDone" in repr(mm.explain(graph))


class TestCache:
    def test_a_transform_of_each_value_is_read_from_the_cache(self) -> None:
        graph = mm.pipeline("rows | t | map(str)", rows=[1, 2], t=beam.Map(triple))
        mm.run(graph, progress=False)
        assert mm.run(graph, progress=False).nodes["cached"].all()
        other = graph.bind(t=beam.Map(lambda x: 5 * x))
        result = mm.run(other, progress=False)
        assert list(result["t"]["value"]) == [5, 10]
        assert not result.nodes.loc["t", "cached"]

    def test_a_transform_that_reads_a_file_follows_it(self, tmp_path: Path) -> None:
        path = tmp_path / "number"
        path.write_text("2")
        t = beam.Map(lambda x: x * int(path.read_text()))
        graph = mm.pipeline("rows | t", rows=[1, 2], t=t)
        assert list(mm.run(graph, progress=False)["t"]["value"]) == [2, 4]
        path.write_text("3")
        assert list(mm.run(graph, progress=False)["t"]["value"]) == [3, 6]

    def test_outputs_with_other_times_are_counted_and_cached(self) -> None:
        graph = mm.pipeline(
            "rows | t", rows=[1, 2, 2], t=beam.Map(lambda x: TimestampedValue(x, x))
        )
        first = mm.run(graph, progress=False)
        assert first.nodes.loc["t", "elements_out"] == 3
        second = mm.run(graph, progress=False)
        assert second.nodes.loc["t", "cached"]
        assert by_id(first["t"]) == by_id(second["t"]) == {"0": 1, "1": 2, "2": 2}

    def test_windows_are_read_from_the_cache(self) -> None:
        rows = beam.Create([1, 2, 12]) | beam.Map(lambda x: TimestampedValue(x, x))
        text = "rows | w\nw | map(str)"
        graph = mm.pipeline(text, rows=rows, w=beam.WindowInto(FixedWindows(10)))
        first = mm.run(graph, progress=False)
        other = mm.pipeline(text + "\nw | map(repr)", **graph.bindings)
        second = mm.run(other, progress=False)
        assert second.nodes.loc["w", "cached"]
        assert sorted(second["repr"]["value"]) == sorted(first["str"]["value"]) == ["1", "12", "2"]


class TestStreams:
    def test_windows_and_times_of_a_stream_stay(self) -> None:
        rows = streams.stream((1, {"k": "a", "x": 1}), (12, {"k": "b", "x": 3}))
        graph = mm.pipeline('source(rows, id="k")["x"] | t', rows=rows, t=beam.Map(triple))
        assert streams.run(graph)["t"] == {
            "a": (3, 1.0, _window(0)),
            "b": (9, 12.0, _window(10)),
        }

    def test_a_count_in_each_window(self) -> None:
        rows = streams.stream((1, "a"), (2, "a"), (12, "a"))
        t = beam.combiners.Count.PerElement()
        found = streams.run(mm.pipeline("rows | t", rows=rows, t=t))["t"]
        assert sorted(value for value, _, _ in found.values()) == [("a", 1), ("a", 2)]


def _window(start: int) -> Any:
    return beam.transforms.window.IntervalWindow(start, start + 10)


class TestNotation:
    def test_text_and_json(self) -> None:
        graph = mm.pipeline("rows | t | map(str)", rows=[1], t=beam.Map(triple))
        assert graph.to_text() == "rows | transform(t) | map(str)"
        assert mm.parse(graph.to_text()) == graph
        assert mm.Graph.from_json(graph.to_json()) == graph
        assert json.loads(graph.to_json())["nodes"][1]["kind"] == "transform"

    def test_a_transform_starts_a_line_or_is_a_step(self) -> None:
        result = run("rows | t", beam.Create([1, 2]), t=beam.Map(triple))
        assert sorted(result["t"]["value"]) == [3, 6]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("rows | map(t)", "'t' is a Beam transform, not a function.*data | t"),
            ("rows | transform(triple)", "not a Beam transform.*data | triple"),
            ("rows | transform(tt)", "not a Beam transform.*'t'"),
            ("rows | t(1)", "t takes no arguments here: write data | t"),
        ],
    )
    def test_what_is_refused(self, text: str, message: str) -> None:
        with pytest.raises(GraphError) as raised:
            mm.pipeline(text, rows=[1], t=beam.Map(triple), triple=triple)
        assert re.search(message, str(raised.value), re.DOTALL)

    def test_another_object_at_the_time_of_the_run(self) -> None:
        graph = mm.parse("rows | transform(t)").bind(rows=[1], t=triple)
        with pytest.raises(RunError, match="'t' is a function, not a Beam transform"):
            mm.run(graph)
        with pytest.raises(RunError, match="'t' is not bound: node 't' needs a Beam transform"):
            mm.run(mm.parse("rows | transform(t)").bind(rows=[1]))

    def test_a_transform_that_reads_is_no_step(self) -> None:
        with pytest.raises(RunError, match="'t': its transform, a Create, cannot be applied"):
            run("rows | t", [1], t=beam.Create([1]))

    def test_the_palette_lists_transforms(self) -> None:
        from mmnotebook.graph.names import Names

        names = Names({}, {}, {"t": beam.Map(triple)})
        sections = {one["title"]: one["items"] for one in palette.sections(names)}
        assert any(item["kind"] == "transform" for item in sections["Functions"])


def test_on_another_runner() -> None:
    chain = beam.Map(triple) | beam.FlatMap(some)
    with beam.Pipeline(BundleBasedDirectRunner()) as p:
        nodes = kept(mm.compile_graph(mm.pipeline("rows | t", rows=[1, 2], t=chain), p))
    with beam.Pipeline(FnApiRunner()) as p:
        others = kept(mm.compile_graph(mm.pipeline("rows | t", rows=[1, 2], t=chain), p))
    assert nodes["t"].by_id == others["t"].by_id == {"0/0": 3, "0/1": 3.1, "0/2": 3.2, **_two()}


def _two() -> dict[str, float]:
    return {"1/0": 6, "1/1": 6.1}
