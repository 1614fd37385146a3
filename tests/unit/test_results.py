"""Results as DataFrames, as text and as HTML."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult

from mmnotebook.errors import GraphError, RunError
from mmnotebook.graph.graph import Graph, Input, Node
from mmnotebook.results.metrics import NodeMeasure
from mmnotebook.results.records import Failure, Machine
from mmnotebook.results.results import Result
from mmnotebook.results.tables import html_table, short
from tests.unit.analysis_runs import (
    MemoryStore,
    Record,
    mirror_graph,
    mirror_run,
    node_measure,
    predicted,
    record,
    result_of,
)

HOSTILE = "<script>alert('x')</script>&\"'"


def one_model(source: pd.DataFrame, elements: list[Record], kind: str = "model") -> Result:
    params = {"model": "mlp"} if kind == "model" else {"function": "mlp"}
    graph = Graph(
        (Node.make("rows", "source", data="rows"), Node.make("mlp", kind, ["rows"], **params))
    )
    rows = [record(id, {}) for id in source.index]
    return result_of(graph, MemoryStore({"rows": rows, "mlp": elements}, source))


def test_a_predicting_node_has_its_fields_prediction_model_and_key() -> None:
    frame = mirror_run()["mlp"]
    assert list(frame) == ["id", "x", "label", "prediction", "model", "key"]
    assert frame["id"].tolist() == [str(n) for n in range(12) if n != 7]
    assert frame["prediction"].dtype == "int64" and frame["label"].dtype == "int64"
    assert (frame["prediction"] == frame["label"]).all()
    assert set(frame["model"]) == {"mlp"} and frame["key"].isna().all()
    assert list(frame.index) == list(range(11))


def test_any_other_node_has_its_value_and_key() -> None:
    result = mirror_run()
    assert list(result["vote"]) == ["id", "x", "label", "value", "key"]
    assert result["rows"]["value"][0] == {"x": 1.0}


def test_frames_are_built_once_and_only_when_asked_for() -> None:
    result = mirror_run()
    store = result._store
    assert isinstance(store, MemoryStore) and store.reads == []
    frame = result["mlp"]
    frame["extra"] = 1
    assert "extra" not in result["mlp"] and store.reads == ["mlp"]


def test_only_nodes_with_failures_are_read_for_them() -> None:
    result = mirror_run()
    store = result._store
    assert isinstance(store, MemoryStore)
    assert len(result.failed) == 1 and store.reads == ["failures of mlp"]


def test_changes_of_a_frame_do_not_change_the_result() -> None:
    result = mirror_run()
    frame = result["mlp"]
    frame.loc[0, "model"] = "other"
    frame.loc[0, "prediction"] = -1
    assert result["mlp"]["model"][0] == "mlp" and result["mlp"]["prediction"][0] != -1


def test_rows_follow_the_sources_and_children_their_place() -> None:
    source = pd.DataFrame({"name": ["b", "a"]}, index=["z/1", "p"])
    given = ["p/10", "p", "p/2/1", "z/1", "p/2", "stray", "z/1/0"]
    origins = {"stray": "elsewhere", "z/1/0": "z/1", "z/1": "z/1"}
    elements = [predicted(id, 1.5, "mlp", origin=origins.get(id, "p")) for id in given]
    frame = one_model(source, elements)["mlp"]
    assert frame["id"].tolist() == ["z/1", "z/1/0", "p", "p/2", "p/2/1", "p/10", "stray"]
    assert frame["name"].tolist()[:6] == ["b", "b", "a", "a", "a", "a"]
    assert frame["name"].isna().tolist() == [False] * 6 + [True]


def test_equal_places_keep_the_order_in_which_they_are_stored() -> None:
    source = pd.DataFrame(index=["a", "b"])
    elements = [record(id, place, origin="a") for place, id in enumerate(["q", "b1", "a"])]
    assert one_model(source, elements, "map")["mlp"]["value"].tolist() == [0, 1, 2]


def test_a_field_that_clashes_is_renamed_until_it_does_not() -> None:
    names = ["id", "id_field", "prediction", "model", "value", "key", "x", 3]
    source = pd.DataFrame([range(8)], index=["a"], columns=names)
    frame = one_model(source, [predicted("a", 0, "mlp", key="k")])["mlp"]
    assert list(frame) == [
        *("id", "id_field_field", "id_field", "prediction_field", "model_field", "value_field"),
        *("key_field", "x", 3, "prediction", "model", "key"),
    ]
    assert frame.iloc[0].tolist() == ["a", *range(8), 0, "mlp", "k"]


@pytest.mark.parametrize(
    ("inference", "plain", "dtype"),
    [
        (torch.tensor(2.5), 2.5, "float64"),
        (torch.tensor(3, requires_grad=False), 3, "int64"),
        (torch.tensor(1.5, requires_grad=True), 1.5, "float64"),
        (torch.tensor(1.5, dtype=torch.bfloat16), 1.5, "float64"),
        (np.array(7), 7, "int64"),
        (np.float32(0.5), 0.5, "float64"),
        (np.bool_(True), True, "bool"),
        (np.str_("cat"), "cat", "object"),
        (True, True, "bool"),
        (2**70, 2**70, "object"),
    ],
)
def test_scalars_become_pythons_in_a_typed_column(
    inference: object, plain: object, dtype: str
) -> None:
    frame = one_model(pd.DataFrame(index=["a"]), [predicted("a", inference, "mlp")])["mlp"]
    assert frame["prediction"].dtype == dtype
    assert frame["prediction"].tolist() == [plain]


@pytest.mark.parametrize(
    "inference",
    [
        torch.ones(2, 3, requires_grad=True),
        torch.ones(2, 3, dtype=torch.bfloat16),
        torch.ones(2, 3).to_sparse(),
        np.ones((2, 3)),
    ],
)
def test_tensors_become_arrays(inference: object) -> None:
    elements = [predicted(id, inference, "mlp") for id in "ab"]
    predictions = one_model(pd.DataFrame(index=["a", "b"]), elements)["mlp"]["prediction"]
    assert len(predictions) == 2
    for value in predictions:
        assert type(value) is np.ndarray
        np.testing.assert_array_equal(value, np.ones((2, 3)))


def test_values_in_a_dict_or_a_list_become_plain_too() -> None:
    inference = {"score": torch.tensor(0.5), "boxes": [torch.ones(2)]}
    frame = one_model(pd.DataFrame(index=["a"]), [predicted("a", inference, "mlp")])["mlp"]
    found = frame["prediction"][0]
    assert found["score"] == 0.5 and type(found["boxes"][0]) is np.ndarray


def test_values_of_several_types_stay_as_they_are() -> None:
    values = [1, "two", None, 3.0]
    elements = [record(str(place), value) for place, value in enumerate(values)]
    frame = one_model(pd.DataFrame(index=list("0123")), elements, "map")["mlp"]
    assert frame["value"].tolist() == values and frame["value"].dtype == object


def test_a_missing_value_makes_no_number() -> None:
    elements = [record("a", 1), record("b", None)]
    frame = one_model(pd.DataFrame(index=["a", "b"]), elements, "map")["mlp"]
    assert frame["value"].dtype == "Int64" and frame["value"][1] is pd.NA


def test_a_prediction_that_passes_a_filter_is_shown_by_its_inference() -> None:
    elements = [record("a", PredictionResult(None, torch.tensor(4), "mlp"))]
    frame = one_model(pd.DataFrame(index=["a"]), elements, "filter")["mlp"]
    assert frame["value"].tolist() == [4]


def test_a_name_for_several_puts_their_outputs_side_by_side() -> None:
    frame = mirror_run()["both"]
    assert list(frame) == ["id", "x", "label", "mlp", "tree"]
    assert frame["id"].tolist() == [str(n) for n in range(12)]
    assert frame["mlp"][7] is pd.NA and frame["mlp"][8] == 8
    assert frame["tree"].tolist()[:4] == [-1, 1, 2, -1]


def test_a_field_gives_way_to_a_member_of_the_same_name() -> None:
    graph = mirror_graph()
    source = pd.DataFrame({"mlp": [5]}, index=["a"])
    elements = {name: [record("a", {})] for name in ("rows", "vote")}
    models = {name: [predicted("a", 1, name)] for name in ("mlp", "tree")}
    frame = result_of(graph, MemoryStore({**elements, **models}, source))["both"]
    assert list(frame) == ["id", "mlp_field", "mlp", "tree"]
    assert frame.iloc[0].tolist() == ["a", 5, 1, 1]


def test_sources_that_share_ids_share_their_fields() -> None:
    source = pd.DataFrame(
        {
            "only": ["l", None, "m", None],
            "same": [1, 1, 2, 2],
            "differs": [1, 2, 3, 3],
            "x": [np.ones(2), np.ones(2), np.ones(2), np.zeros(2)],
        },
        index=["a", "a", "b", "b"],
    )
    frame = one_model(source, [predicted(id, 0, "mlp") for id in "ab"])["mlp"]
    assert frame["only"].tolist() == ["l", "m"] and frame["same"].tolist() == [1, 2]
    assert frame["differs"].isna().tolist() == [True, False]
    assert frame["x"].isna().tolist() == [False, True]


def test_a_node_without_elements_has_its_columns() -> None:
    frame = one_model(pd.DataFrame({"x": [1]}, index=["a"]), [])["mlp"]
    assert list(frame) == ["id", "x", "prediction", "model", "key"] and len(frame) == 0


def test_an_unknown_node_names_the_nearest() -> None:
    with pytest.raises(GraphError, match="did you mean 'tree'"):
        mirror_run()["treee"]


def test_a_node_that_did_not_run_says_so() -> None:
    result = mirror_run(skip=["tree", "vote"])
    with pytest.raises(RunError, match=r"'tree' was not part of this run.*rows, mlp"):
        result["tree"]
    with pytest.raises(RunError, match="until='tree'"):
        result["both"]
    assert "mlp" in result and "tree" not in result and "both" not in result
    assert "both" in mirror_run() and 3 not in result


def test_a_result_is_a_mapping_of_the_nodes_that_ran() -> None:
    result = mirror_run(skip=["vote"])
    assert list(result) == list(result.keys()) == ["rows", "mlp", "tree"]
    assert len(result) == 3 and set(dict(result)) == {"rows", "mlp", "tree"}
    assert result._ipython_key_completions_() == ["rows", "mlp", "tree", "both"]


def test_failures_are_in_the_order_of_the_graph_and_of_the_sources() -> None:
    base = mirror_run()
    store = base._store
    assert isinstance(store, MemoryStore)
    pairs = [("tree", "3"), ("mlp", "10"), ("mlp", "9/1"), ("mlp", "9/0"), ("mlp", "2")]
    store.failed = [Failure(node, id, "E", "m", "t") for node, id in pairs]
    failed = mirror_graph_result(store).failed
    assert list(zip(failed["node"], failed["id"], strict=True)) == [
        *(("mlp", "2"), ("mlp", "9/0"), ("mlp", "9/1"), ("mlp", "10"), ("tree", "3"))
    ]


def mirror_graph_result(store: MemoryStore) -> Result:
    return result_of(mirror_graph(), store)


def test_no_failures_is_an_empty_frame_with_the_columns() -> None:
    failed = one_model(pd.DataFrame(index=["a"]), [predicted("a", 0, "mlp")]).failed
    assert list(failed) == ["node", "id", "error", "message", "traceback"] and len(failed) == 0


def test_counts_of_a_mirror_are_what_left_each_node() -> None:
    assert mirror_run().counts() == {
        ("rows", "mlp"): 12,
        ("rows", "tree"): 12,
        ("mlp", "vote"): 11,
        ("tree", "vote"): 12,
    }


def split_result(measures: dict[str, NodeMeasure]) -> Result:
    arms = [Input("split", "a"), Input("split", "b")]
    graph = Graph(
        (
            Node.make("rows", "source", data="rows"),
            Node.make("split", "split", ["rows"], arms=(("a", 0.9), ("b", 0.1))),
            Node.make("a", "map", arms[:1], function="f"),
            Node.make("b", "map", arms[1:], function="f"),
            Node.make("all", "map", arms, "union", function="f"),
            Node.make("some", "map", [arms[0], Input("rows")], "union", function="f"),
        )
    )
    store = MemoryStore({}, pd.DataFrame())
    return Result(graph, store, measures, {}, 1.0, Machine(None, None))


def test_counts_of_a_split_are_what_reached_each_arm() -> None:
    measures = {
        "rows": node_measure("source", None, 100),
        "split": node_measure("split", 100, 100),
        "a": node_measure("map", 88, 80, 8),
        "b": node_measure("map", 12, 12),
        "all": node_measure("map", 100, 100),
        "some": node_measure("map", 188, 188),
    }
    assert split_result(measures).counts() == {
        ("rows", "split"): 100,
        ("split", "a"): 88,
        ("split", "b"): 12,
        ("split", "all"): 100,
        ("rows", "some"): 100,  # the number of elements from the split to `some` is unknown
    }


def test_counts_leave_out_what_did_not_run_or_is_not_known() -> None:
    measures = {"rows": node_measure("source", None, None), "split": node_measure("split", 9, 9)}
    assert split_result(measures).counts() == {}


def test_text_and_html_show_counts_and_no_times() -> None:
    result = mirror_run()
    bundle = result._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    text, html = bundle["text/plain"], bundle["text/html"]
    assert text == repr(result)
    for shown in ("4 nodes", "2 models", "1 failed", "mlp", "0.05222", "r.models"):
        assert shown in text and shown in html
    lines = [line.split() for line in text.splitlines()]
    assert ["mlp", "model", "12", "11", "1", "False"] in lines
    for timed in ("seconds", "_ms", "load_ms", "from the cache", "r.why"):
        assert timed not in text and timed not in html
    assert "<svg" in html and "<b>First failures</b>" in html


def cached_result(cached: int) -> Result:
    """Return a run in which this many of the four nodes were read from the cache."""
    names = ("rows", "split", "a", "b")
    kinds = ("source", "split", "map", "map")
    measures = {
        name: replace(node_measure(kind, 9, 9), cached=place < cached)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    graph = split_result(measures).graph
    why = dict.fromkeys(names, "read from the cache")
    store = MemoryStore({}, pd.DataFrame())
    return Result(graph, store, measures, {}, 1.0, Machine(None, None), why)


@pytest.mark.parametrize(
    ("cached", "headline"),
    [
        (0, "Result: 4 nodes, 0 models, 0 failed"),
        (1, "Result: 4 nodes (1 from the cache), 0 models, 0 failed"),
        (4, "Result: 4 nodes (all from the cache), 0 models, 0 failed"),
    ],
)
def test_cached_nodes_are_in_the_headline_and_the_table(cached: int, headline: str) -> None:
    bundle = cached_result(cached)._repr_mimebundle_()
    text, html = bundle["text/plain"], bundle["text/html"]
    assert text.splitlines()[0] == headline and headline in html
    rows = [line.split() for line in text.splitlines() if "9" in line.split()]
    assert [row[-1] for row in rows] == ["True"] * cached + ["False"] * (4 - cached)
    for shown in (text, html):
        assert "Times and sizes: r.nodes. Why a node was computed: r.why." in shown
        assert "Latencies" not in shown


def test_html_escapes_what_the_user_gave() -> None:
    html = mirror_run()._repr_mimebundle_()["text/html"]
    assert "<script" not in html and "&lt;script&gt;" in html


def test_a_size_that_was_not_measured_is_a_dash() -> None:
    rows = [line.split() for line in repr(mirror_run()).splitlines()]
    assert next(row for row in rows if row[:2] == ["tree", "3"])[-1] == "–"


def test_html_table_escapes_names_labels_and_cells() -> None:
    frame = pd.DataFrame(
        {HOSTILE: [HOSTILE, {HOSTILE: [HOSTILE]}]}, index=pd.Index([HOSTILE, 2], name=HOSTILE)
    )
    html = html_table(frame)
    assert "<script" not in html and html.count("&lt;script&gt;") >= 5
    assert "&#x27;" in html and "&quot;" in html


def test_html_table_says_how_much_it_shows() -> None:
    frame = pd.DataFrame({"n": range(1797)})
    assert "20 of 1,797 rows" in html_table(frame)
    assert html_table(frame).count("<tr>") == 21
    assert "rows" not in html_table(frame.head(20))
    assert html_table(frame.head(0)).count("<tr>") == 1


def test_html_table_inherits_its_colours() -> None:
    html = html_table(pd.DataFrame({"a": [1], "b": ["t"]}))
    assert "color:inherit" in html and "<style" not in html and "#" not in html
    assert 'text-align:right">1<' in html and 'text-align:left">t<' in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (pd.NA, "–"),
        (0, "0"),
        (1797, "1,797"),
        (True, "True"),
        (np.int64(3), "3"),
        (0.123456, "0.1235"),
        (64.0, "64.0"),
        (12345.6, "12,346"),
        ("a\n b", "a b"),
        (np.array([0.0, 5.0, 13.0, 9.0]), "array(4,) [0.0, 5.0, 13.0, …]"),
        (torch.zeros(8, 8), "array(8, 8) [0.0, 0.0, 0.0, …]"),
        ([1, 2, 3], "[1, 2, 3]"),
        ({"a": torch.tensor(1.5)}, "{a: 1.5}"),
        (PredictionResult(np.zeros(1000), 3, "m"), "3"),
        (pd.Series([1, 2]), "0 1 1 2 dtype: int64"),
    ],
)
def test_values_are_shown_short(value: object, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("value", ["x" * 500, ["x" * 500], {"k": "x" * 500}, b"x" * 500])
def test_long_values_are_cut(value: object) -> None:
    assert len(short(value)) == 120 and short(value).endswith("…")
