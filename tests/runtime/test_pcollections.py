"""PCollections of the user's pipeline as sources of a graph, and graphs as transforms."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.ml.inference.sklearn_inference import SklearnModelHandlerNumpy
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.runners.interactive import interactive_beam as ib
from apache_beam.runners.interactive.interactive_runner import InteractiveRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import FixedWindows, SlidingWindows, TimestampedValue
from sklearn.linear_model import LogisticRegression

import mmnotebook as mm
from mmnotebook.errors import RunError
from tests.runtime import toys
from tests.runtime.collecting import Kept, kept, pipeline


class Row(NamedTuple):
    x: int
    user: str


def double(x: Any) -> Any:
    return 2 * x


def both(joined: dict[str, Any]) -> tuple[Any, Any]:
    return joined["double"], joined["negative"]


def negative(x: Any) -> Any:
    return -x


DOUBLED = mm.parse("rows | map(double)").bind(double=double)


def doubled(values: list[Any], text: str = "rows | map(double)", **options: Any) -> dict[str, Any]:
    """The values of the node `double` by id, for a PCollection of these values."""
    with pipeline() as p:
        rows = p | beam.Create(values, reshuffle=False)
        found = Kept((rows | mm.parse(text).bind(double=double).transform())["double"])
    return found.by_id


class TestSource:
    def test_values_have_ids_of_their_content(self) -> None:
        first, second = doubled([1, 2.5, "a"]), doubled(["a", 1, 2.5])
        assert first == second
        assert sorted(map(repr, first.values())) == ["'aa'", "2", "5.0"]
        assert all(name.startswith("rows#") for name in first)

    def test_equal_values_are_numbered(self) -> None:
        found = doubled([7, 7, 8, 7])
        (seven,) = (name for name, value in found.items() if value == 14 and name.count("#") == 1)
        assert {n for n, v in found.items() if v == 14} == {seven, f"{seven}#1", f"{seven}#2"}

    def test_equal_values_are_joined_with_themselves(self) -> None:
        with pipeline() as p:
            rows = p | beam.Create([1, 1, 2, 1])
            graph = mm.pipeline(
                "a = source(rows)\nb = source(rows)\n[a | double, b | negative] | both",
                rows=rows,
                double=double,
                negative=negative,
                both=both,
            )
            nodes = mm.compile_graph(graph, p)
            found, failed = Kept(nodes["both"]), Kept(nodes.failed)
        assert failed.elements == []
        assert found.values == [(2, -1), (2, -1), (2, -1), (4, -2)]

    def test_pairs_give_their_values_and_keep_their_keys(self) -> None:
        with pipeline() as p:
            rows = p | beam.Create([("a", 1), ("b", 1), ("a", 1)])
            found = Kept((rows | DOUBLED.transform())["double"])
        assert found.values == [2, 2, 2]
        keys = [dict(key.fields)["key"] for key, _ in found.elements]
        assert sorted(keys) == ["a", "a", "b"]
        assert len(found.by_id) == 3

    def test_the_key_of_a_pair_can_be_the_id(self) -> None:
        found = doubled([("a", 1), ("b", 2)], 'source(rows, id="key") | map(double)')
        assert found == {"a": 2, "b": 4}

    def test_the_key_of_a_pair_can_choose_the_model(self) -> None:
        mm.register("twice", toys.Scale(2.0))
        mm.register("thrice", toys.Scale(3.0))
        graph = mm.parse('rows | keyed({"a": twice, "b": thrice}, by="key")')
        with pipeline() as p:
            rows = p | beam.Create([("a", 1.0), ("b", 1.0)])
            found = Kept((rows | graph.transform())["keyed"])
        chosen = {key.key: float(value.inference) for key, value in found.elements}
        assert chosen == {"a": 2.0, "b": 3.0}

    @pytest.mark.parametrize(
        "make",
        [Row, lambda x, user: beam.Row(x=x, user=user), lambda x, user: {"x": x, "user": user}],
    )
    def test_rows_have_fields(self, make: Any) -> None:
        found = doubled([make(1, "u"), make(2, "v")], 'source(rows, id="user")["x"] | map(double)')
        assert found == {"u": 2, "v": 4}

    def test_tuples_that_are_no_pairs_are_values(self) -> None:
        with pipeline() as p:
            rows = p | beam.Create([(1.0, 2.0), ("a", 1, 2)])
            found = Kept((rows | DOUBLED.transform())["rows"])
        assert found.values == [("a", 1, 2), (1.0, 2.0)]

    def test_nodes_of_another_graph_keep_their_ids(self) -> None:
        mm.register("scale", toys.Scale(2.0))
        first = mm.parse("rows | scale")
        second = mm.parse("made | map(double)").bind(double=lambda made: float(made.inference))
        with pipeline() as p:
            scaled = (p | beam.Create([1.0, 2.0]) | first.transform("first"))["scale"]
            before, after = Kept(scaled), Kept((scaled | second.transform("second"))["double"])
        assert {n: float(v.inference) for n, v in before.by_id.items()} == after.by_id

    def test_a_value_without_a_stable_hash_fails_alone(self) -> None:
        with pipeline() as p:
            values = p | beam.Create([0, 1]) | beam.Map(lambda n: iter([n]) if n else n)
            nodes = values | DOUBLED.transform()
            found, failed = Kept(nodes["double"]), Kept(nodes.failed)
        assert found.values == [0]
        (failure,) = failed.elements
        assert failure.node == "rows" and 'source(rows, id="field")' in failure.message

    def test_a_missing_id_fails_alone(self) -> None:
        graph = mm.parse('source(rows, id="user")["x"] | map(double)').bind(double=double)
        with pipeline() as p:
            nodes = p | beam.Create([{"x": 1, "user": "u"}, {"x": 2}]) | graph.transform()
            found, failed = Kept(nodes["double"]), Kept(nodes.failed)
        assert found.by_id == {"u": 2}
        assert [failure.node for failure in failed.elements] == ["rows"]

    def test_ids_that_are_not_unique_are_never_joined(self) -> None:
        graph = mm.parse(
            'rows = source(rows, id="user")\nrows["x"] | map(double)\nrows["x"] | map(negative)\n'
            "[double, negative] | map(both)"
        ).bind(double=double, negative=negative, both=both)
        values = [{"x": 1, "user": "u"}, {"x": 2, "user": "u"}, {"x": 3, "user": "v"}]
        with pipeline() as p:
            nodes = p | beam.Create(values) | graph.transform()
            found, failed = Kept(nodes["both"]), Kept(nodes.failed)
        assert found.by_id == {"v": (6, -3)}
        assert {failure.id for failure in failed.elements} == {"u"}

    def test_windows_and_timestamps_stay(self) -> None:
        with pipeline() as p:
            rows = (
                p
                | beam.Create([1, 1, 2, 12])
                | beam.Map(lambda x: TimestampedValue(x, x))
                | beam.WindowInto(FixedWindows(10))
            )
            found = Kept((rows | DOUBLED.transform())["double"])
        seen = sorted((v, float(t), float(w.start)) for (_, v), t, w in found.timed)
        assert seen == [(2, 1, 0), (2, 1, 0), (4, 2, 0), (24, 12, 10)]
        assert len(found.by_id) == 4

    def test_an_element_is_another_one_in_each_sliding_window(self) -> None:
        with pipeline() as p:
            rows = p | beam.Create([1, 2]) | beam.Map(lambda x: TimestampedValue(x, x))
            rows = rows | beam.WindowInto(SlidingWindows(10, 5))
            found = Kept((rows | DOUBLED.transform())["double"])
        assert len(found.by_id) == len(found.elements) == 4

    def test_a_stream_has_distinct_ids(self) -> None:
        events = TestStream().add_elements([1, 1, 2]).advance_watermark_to_infinity()
        graph = mm.parse("rows | [map(double), map(negative)] | map(both)").bind(
            double=double, negative=negative, both=both
        )
        options = PipelineOptions([], streaming=True)
        with beam.Pipeline(BundleBasedDirectRunner(), options=options) as p:
            rows = p | events | beam.WindowInto(FixedWindows(10))
            nodes = rows | graph.transform()
            found, failed = Kept(nodes["both"]), Kept(nodes.failed)
        assert failed.elements == []
        assert found.values == [(2, -1), (2, -1), (4, -2)]
        assert len(found.by_id) == 3


class TestRefused:
    def test_a_pcollection_of_another_pipeline(self) -> None:
        rows = beam.Pipeline(FnApiRunner()) | beam.Create([1])
        graph = mm.pipeline("rows | double", rows=rows, double=double)
        with pytest.raises(RunError, match="another pipeline.*\n.*pcoll.pipeline"):
            mm.compile_graph(graph, beam.Pipeline(FnApiRunner()))

    def test_a_run_here(self) -> None:
        graph = mm.pipeline("rows | double", rows=beam.Pipeline() | beam.Create([1]), double=double)
        with pytest.raises(RunError, match="'rows' is a PCollection.*\n.*mm.compile_graph"):
            mm.run(graph)
        assert "a PCollection of your pipeline; ids are hashes" in repr(mm.explain(graph))

    def test_a_limit(self) -> None:
        p = beam.Pipeline(FnApiRunner())
        graph = mm.pipeline("rows | double", rows=p | beam.Create([1]), double=double)
        with pytest.raises(RunError, match="limit= is not supported for a PCollection"):
            mm.compile_graph(graph, p, limit=1)

    def test_labels_that_are_used_twice(self) -> None:
        p = beam.Pipeline(FnApiRunner())
        graph = mm.pipeline("rows | double", rows=[1], double=double)
        mm.compile_graph(graph, p)
        with pytest.raises(RunError, match='already has transforms.*\n.*label="second"'):
            mm.compile_graph(graph, p)
        mm.compile_graph(graph, p, label="second")
        with pytest.raises(RunError, match="already has transforms with the label 'second'"):
            mm.compile_graph(graph, p, label="second")


class TestTransform:
    def test_a_graph_is_used_many_times_in_one_pipeline(self) -> None:
        graph = mm.pipeline("rows | double", rows=[1, 2], double=double)
        with pipeline() as p:
            found = [kept(mm.compile_graph(graph, p))]
            found += [kept(mm.compile_graph(graph, p, label=f"number {n}")) for n in range(2)]
            few = p | beam.Create([5])
            found += [kept(few | graph.transform("few")), kept(few | "again" >> graph.transform())]
            found += [kept(p | graph.transform("its own"))]
        values = [one["double"].values for one in found]
        assert values == [[2, 4]] * 3 + [[10]] * 2 + [[2, 4]]

    def test_in_a_transform_of_the_user(self) -> None:
        class Mine(beam.PTransform[Any, Any]):
            def expand(self, rows: Any) -> Any:
                nodes = rows | DOUBLED.transform("inner")
                return nodes["double"] | beam.Values()

        with pipeline() as p:
            rows = p | beam.Create([1, 2])
            found = Kept(rows | "first" >> Mine()), Kept(rows | "second" >> Mine())
        assert [sorted(one.elements) for one in found] == [[2, 4], [2, 4]]

    def test_several_sources_by_name(self) -> None:
        text = '{"l": left, "r": source(right, id="user")["x"]} | map(together)'
        graph = mm.parse(text).bind(
            together=lambda joined: joined, left=[1], right=[{"x": 1, "user": "0"}]
        )
        with pipeline() as p:
            right = p | beam.Create([{"x": 3, "user": "0"}])
            found = Kept(({"right": right} | graph.transform())["together"])
        assert found.values == [{"l": 1, "r": 3}]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (lambda rows: rows, "the graph has 2 sources"),
            (lambda rows: {"lefd": rows}, "did you mean 'left'"),
        ],
    )
    def test_other_pcollections_are_refused(self, given: Any, message: str) -> None:
        graph = mm.parse("{left, right} | map(double)").bind(double=double, left=[1], right=[2])
        rows = beam.Pipeline(FnApiRunner()) | beam.Create([1])
        with pytest.raises(RunError, match=message):
            given(rows) | graph.transform()

    def test_failures_are_reached(self) -> None:
        graph = mm.parse("rows | map(double)").bind(double=lambda x: 1 // x)
        with pipeline() as p:
            nodes = p | beam.Create([0, 1]) | graph.transform("a/b")
            failed, found = Kept(nodes.failed), Kept(nodes["double"])
        assert [failure.error for failure in failed.elements] == ["ZeroDivisionError"]
        assert found.values == [1]

    def test_no_label_clashes_with_the_name_of_a_node(self) -> None:
        mm.register("a", toys.Scale(2.0))
        mm.register("failures", toys.Scale(2.0))
        graph = mm.pipeline(
            'failures = rows | keyed({"u": a}, by="user", lowering="beam")\n'
            "all = [failures, rows | double] | kind\nall | keep | top",
            rows=[{"x": 1.0, "user": "u"}],
            double=lambda row: row["x"],
            kind=lambda joined: 1,
            keep=beam.Filter(bool),
            top=beam.combiners.Count.PerElement(),
        )
        p = beam.Pipeline(FnApiRunner())
        nodes = mm.compile_graph(graph, p)
        assert len({id(nodes[name]) for name in nodes} | {id(nodes.failed)}) == len(nodes) + 1


@pytest.mark.slow
class TestInteractive:
    def test_nodes_are_collected_shown_and_watched(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        p = beam.Pipeline(InteractiveRunner())
        rows = p | beam.Create([1, 2])
        first, second = (rows | DOUBLED.transform(label) for label in ("first", "second"))
        compiled = mm.compile_graph(mm.pipeline("rows | double", rows=rows, double=double), p)
        ib.watch({"one": first["double"], **compiled})
        frame = ib.collect(first["double"])
        assert sorted(frame[1]) == [2, 4]
        frames = ib.collect(second["rows"], compiled["double"], compiled.failed)
        assert [len(frame) for frame in frames] == [2, 2, 0]
        ib.show(compiled["double"])


X = np.random.default_rng(0).normal(size=(100, 4))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    import pickle

    path = tmp_path_factory.mktemp("model") / "m.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit(X, X[:, 0] > 0)))
    return str(path)


class TestLikeStock:
    def test_predictions_equal_those_of_run_inference(self, model_file: str) -> None:
        mm.register("m", model_file)
        with pipeline() as p:
            rows = p | beam.Create([(str(n), row) for n, row in enumerate(X)])
            graph = mm.parse('source(rows, id="key") | m')
            ours = Kept((rows | graph.transform())["m"])
            stock = rows | RunInference(KeyedModelHandler(SklearnModelHandlerNumpy(model_file)))
            theirs = Kept(stock)
        expected = {key: one.inference for key, one in theirs.elements}
        assert {key: one.inference for key, one in ours.by_id.items()} == expected

    def test_the_metrics_of_run_inference(self, model_file: str) -> None:
        mm.register("m", model_file, batch_size=16)
        handler = SklearnModelHandlerNumpy(model_file, min_batch_size=16, max_batch_size=16)
        found = []
        for step in (mm.parse("rows | m").transform(), RunInference(handler)):
            p = beam.Pipeline(FnApiRunner())
            p | beam.Create(list(X)) | step
            result = p.run()
            result.wait_until_finish()
            found.append(_standard(result.metrics()))
        ours, theirs = found
        assert ours.keys() == theirs.keys()
        for name in ("num_inferences", "inference_request_batch_size"):
            assert ours[name] == theirs[name], name
        assert ours["inference_batch_latency_micro_secs"].count == 7

    def test_a_failed_batch_is_counted(self) -> None:
        mm.register("most", toys.Scale(2.0, most=3))
        p = beam.Pipeline(FnApiRunner())
        p | beam.Create([1.0, 2.0, 5.0]) | mm.parse("rows | most").transform()
        result = p.run()
        result.wait_until_finish()
        metrics = _standard(result.metrics(), "")
        assert metrics["num_inferences"] == 2 and metrics["failed_batches_counter"] >= 1


def _standard(metrics: Any, start: str = "BeamML_Sklearn") -> dict[str, Any]:
    """The committed metrics of RunInference by name; each occurs in one namespace."""
    query = metrics.query()
    both = [*query["counters"], *query["distributions"]]
    ours = [one for one in both if not one.key.metric.namespace.startswith("mmnotebook")]
    named = [one for one in ours if one.key.metric.namespace.startswith(start)]
    counts = Counter(one.key.metric.name for one in named)
    assert set(counts.values()) <= {1}, counts
    return {one.key.metric.name: getattr(one.committed, "data", one.committed) for one in named}
