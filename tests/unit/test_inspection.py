"""Inspection of a node's rows and of one element."""

from __future__ import annotations

import pandas as pd
import pytest

from mmnotebook.errors import GraphError, MMError, ResultError
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results.inspection import inspect, trace
from mmnotebook.results.records import Failure
from mmnotebook.results.results import Result
from tests.unit.analysis_runs import MemoryStore, mirror_run, predicted, record, result_of

outside = 3


def test_the_first_rows_in_source_order() -> None:
    frame = inspect(mirror_run(), "mlp", n=3)
    assert frame["id"].tolist() == ["0", "1", "2"]
    assert list(frame) == ["id", "x", "label", "prediction", "model", "key"]
    assert len(inspect(mirror_run(30), "mlp")) == 20


def test_of_no_elements_where_picks_none() -> None:
    graph = Graph((Node.make("rows", "source", data="rows"),))
    assert inspect(
        result_of(graph, MemoryStore({"rows": []}, pd.DataFrame())), "rows", where="x > 1"
    ).empty


def test_where_picks_rows_before_they_are_counted() -> None:
    frame = inspect(mirror_run(), "tree", n=3, where="prediction != label")
    assert frame["id"].tolist() == ["0", "3", "6"]
    assert list(frame.index) == [0, 1, 2]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("id == '4'", ["4"]),
        ("label in [1, 2] and prediction == 1", ["1", "11"]),
        ("label > 8 or label < 1", ["0", "9", "10"]),
        ("not label > 0", ["0", "10"]),
        ("model == 'nobody'", []),
        ("label > 100", []),
    ],
)
def test_where_is_written_as_for_pandas(where: str, ids: list[str]) -> None:
    assert inspect(mirror_run(), "mlp", where=where)["id"].tolist() == ids


def test_a_row_whose_answer_is_missing_is_left_out() -> None:
    frame = inspect(mirror_run(), "both", where="mlp != tree")
    assert frame["id"].tolist() == ["0", "3", "6", "9"]


def test_a_column_with_spaces_stands_in_backticks() -> None:
    source = pd.DataFrame({"petal width": [1.0, 3.0]}, index=["a", "b"])
    graph = Graph((Node.make("rows", "source", data="rows"),))
    result = result_of(graph, MemoryStore({"rows": [record("a", 1), record("b", 2)]}, source))
    assert inspect(result, "rows", where="`petal width` > 2")["id"].tolist() == ["b"]
    with pytest.raises(ResultError, match=r"did you mean 'petal width'(?s:.*)in backticks"):
        inspect(result, "rows", where="`petal widht` > 2")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("predicton != label", "no column 'predicton' .did you mean 'prediction'"),
        ("label == 'x`' and lable == 1", "no column 'lable'"),
        ("label == @outside", "notebook variables are not available"),
        ("label == outside", "no column 'outside'"),
        ("x > 3", "each row of 'x' has several numbers"),
        ("prediction ==", "SyntaxError"),
        ("prediction = 3", "== compares"),
        ("__import__('os')", "not a supported function"),
        ("prediction > 'a'", r"prediction .int. and 'a' .str. cannot be compared"),
        ("prediction + 1", "not true or false for each row"),
        ("label.sum()", "'sum' is not a supported method"),
        ("1 == 1", "not true or false for each row"),
        ("", "an expression over the columns, not ''"),
        (3, "an expression over the columns, not 3"),
    ],
)
def test_a_where_that_cannot_be_answered_says_why(where: str, message: str) -> None:
    with pytest.raises(ResultError, match=message) as caught:
        inspect(mirror_run(), "mlp", where=where)
    assert repr(where) in str(caught.value)


def test_a_wide_node_does_not_list_every_column() -> None:
    source = pd.DataFrame([range(64)], index=["a"], columns=[f"pixel_{n}" for n in range(64)])
    graph = Graph((Node.make("rows", "source", data="rows"),))
    result = result_of(graph, MemoryStore({"rows": [record("a", 1)]}, source))
    with pytest.raises(ResultError, match="pixel_18, …") as caught:
        inspect(result, "rows", where="pixel_7O > 1")
    assert "pixel_40" not in str(caught.value) and "did you mean 'pixel_7'" in str(caught.value)


@pytest.mark.parametrize("n", [0, -1, 2.0, "5", True, None])
def test_n_is_a_number_of_rows(n: object) -> None:
    with pytest.raises(ResultError, match="1 or more"):
        inspect(mirror_run(), "mlp", n=n)  # type: ignore[arg-type]


def test_an_unknown_node_is_an_error_of_the_graph() -> None:
    with pytest.raises(GraphError, match="did you mean 'mlp'"):
        inspect(mirror_run(), "mpl")


def test_trace_follows_one_element_in_graph_order() -> None:
    frame = trace(mirror_run(), "7")
    assert list(frame) == ["node", "kind", "id", "value", "failed"]
    assert frame["node"].tolist() == ["rows", "mlp", "tree", "vote"][:3]
    assert frame["kind"].tolist() == ["source", "model", "model"]
    assert frame["value"].tolist() == [{"x": 1.0}, None, 7]
    assert frame["failed"][1] == "ValueError: <script>alert(1)</script>"
    assert frame["failed"].isna().tolist() == [True, False, True]


def family() -> Result:
    """Return a run with photos "p" and "p2", cropped and classified; "p/1" fails there."""
    graph = Graph(
        (
            Node.make("photos", "source", data="photos"),
            Node.make("crop", "flat_map", ["photos"], function="crop"),
            Node.make("classifier", "model", ["crop"], model="classifier"),
        )
    )
    crops = [("p/1", "p"), ("p/0", "p"), ("p2/0", "p2")]
    elements = {
        "photos": [record("p", "photo"), record("p2", "photo")],
        "crop": [record(id, f"crop {id}", origin=origin) for id, origin in crops],
        "classifier": [
            predicted(id, "cat", "classifier", origin=origin) for id, origin in crops[1:]
        ],
    }
    failed = [Failure("classifier", "p/1", "ValueError", "too small", "…")]
    store = MemoryStore(elements, pd.DataFrame(index=["p", "p2"]), failed)
    return result_of(graph, store)


def test_trace_of_a_parent_shows_its_children() -> None:
    frame = trace(family(), "p")
    assert list(zip(frame["node"], frame["id"], strict=True)) == [
        *(("photos", "p"), ("crop", "p/0"), ("crop", "p/1")),
        *(("classifier", "p/0"), ("classifier", "p/1")),
    ]
    assert frame["failed"].tolist()[-1] == "ValueError: too small"


def test_trace_of_a_child_shows_what_it_comes_from_and_no_sibling() -> None:
    frame = trace(family(), "p/0")
    assert frame["id"].tolist() == ["p", "p/0", "p/0"]


def test_trace_takes_a_number_for_a_position() -> None:
    pd.testing.assert_frame_equal(trace(mirror_run(), 3), trace(mirror_run(), "3"))


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("p3", "the nearest of 5 ids: 'p', 'p2'"),
        ("p/9", "the nearest of 5 ids: 'p/1', 'p/0'"),
        ("zzz", "the nearest of 5 ids: 'p'"),
    ],
)
def test_an_unknown_id_names_the_nearest(id: str, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        trace(family(), id)


def test_trace_leaves_out_what_did_not_run() -> None:
    assert set(trace(mirror_run(skip=["tree", "vote"]), "1")["node"]) == {"rows", "mlp"}


def test_errors_of_a_result_are_those_of_the_package() -> None:
    assert issubclass(ResultError, MMError)
