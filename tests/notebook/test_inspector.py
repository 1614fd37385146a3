"""The inspector and mm.inspect on real runs over scikit-learn's digits, without a browser."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ipywidgets.widgets.widget import _instances
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

import mmnotebook as mm
from mmnotebook.errors import GraphError, ResultError
from mmnotebook.results import inspection
from mmnotebook.ui.inspector import Inspector, first_rows
from mmnotebook.ui.inspector.pages import NodeRows, Query
from mmnotebook.ui.inspector.panes import Pane
from tests.notebook.conftest import ROOT, Kernel

COUNT = 200


def inked(pixels: Any) -> Any:
    """Return the digit; raise for digits without ink at one position."""
    if pixels[21] == 0:
        raise ValueError("no <b>ink</b> here")
    return pixels


def halves(pixels: Any) -> Any:
    return [pixels[:32], pixels[32:]]


def darkest(half: Any) -> float:
    if half[0] > 0:
        raise ValueError("the corner is dark")
    return float(half.max())


PIPELINE = """
clean = digits["x"] | inked
both = clean | [forest, small]
parts = clean | flat_map(halves)
top = parts | darkest
"""


@pytest.fixture(scope="module")
def result() -> Iterator[mm.Result]:
    """Run a graph in which some digits fail in `inked`, and some halves in `darkest`."""
    data = load_digits()
    digits = pd.DataFrame(
        {
            "x": list(data.data[:COUNT].astype(np.float32)),
            "image": list(data.images[:COUNT]),
            "label": data.target[:COUNT],
            "note": [None if row % 3 else f"Note {row}" for row in range(COUNT)],
        }
    )
    for name, trees in (("forest", 10), ("small", 1)):
        model = RandomForestClassifier(trees, random_state=0)
        mm.register(name, model.fit(data.data[:COUNT], data.target[:COUNT]))
    functions = {"inked": inked, "halves": halves, "darkest": darkest}
    graph = mm.pipeline(PIPELINE, digits=digits, **functions)
    yield mm.run(graph, max_failed=0.5, progress=False)
    for name in list(mm.registry):
        mm.registry.remove(name)


@pytest.fixture
def inspector(result: mm.Result) -> Inspector:
    return Inspector(result, "forest")


def column(inspector: Inspector, name: str) -> list[str]:
    """Return the texts of a column of the current page."""
    table = inspector.elements.table
    place = [column["name"] for column in table.columns].index(name)
    return [row[place]["text"] for row in table.rows]


def sort(inspector: Inspector, name: str, ascending: bool) -> None:
    """Send the message of a click on a header."""
    names = [column["name"] for column in inspector.elements.table.columns]
    inspector.elements.table.sort = {"column": names.index(name), "ascending": ascending}


def click(table: Any, row: int) -> None:
    table._handle_custom_msg({"type": "open", "row": row}, [])


def test_a_page_of_a_node(inspector: Inspector, result: mm.Result) -> None:
    count = len(result["forest"])
    assert inspector.tabs.titles == (f"Elements ({count})", "Failed (0)")
    assert inspector.elements.table.pager["text"] == f"1–20 of {count}"
    assert column(inspector, "id") == result["forest"]["id"].head(20).tolist()
    assert f"{count} in · {count} out · 0 failed" in inspector._counts.value
    (image,) = {row[2]["kind"] for row in inspector.elements.table.rows}
    assert image == "image"


def test_pages_can_be_changed(inspector: Inspector, result: mm.Result) -> None:
    ids = result["forest"]["id"].tolist()
    table, start = inspector.elements.table, (len(ids) - 1) // 20 * 20
    for to, first in (("next", 20), ("last", start), ("next", start), ("previous", start - 20)):
        table._handle_custom_msg({"type": "page", "to": to}, [])
        assert column(inspector, "id") == ids[first : first + 20]
        assert table.pager["text"].startswith(f"{first + 1}–{min(first + 20, len(ids))} of ")
    assert (table.pager["back"], table.pager["forward"]) == (True, True)
    table._handle_custom_msg({"type": "page", "to": "first"}, [])
    assert (table.pager["back"], table.pager["forward"]) == (False, True)


@pytest.mark.parametrize("needle", ["note 1", "NOTE 1", "  Note 1 "])
def test_search_finds_text_in_any_column(
    inspector: Inspector, result: mm.Result, needle: str
) -> None:
    inspector.elements.search.value = needle
    frame = result["forest"]
    expected = frame["id"][frame["note"].str.contains("Note 1", na=False)].tolist()
    assert len(expected) > 3 and column(inspector, "id") == expected[:20]
    assert (
        f"of {len(expected)} found, {len(frame)} in all" in inspector.elements.table.pager["text"]
    )
    inspector.elements.search.value = "nowhere at all"
    assert inspector.elements.table.rows == []
    assert inspector.elements.table.empty == "No row matches"
    assert inspector.elements.table.pager["text"].startswith("0 of 0 found")


def test_where_is_that_of_inspect(inspector: Inspector, result: mm.Result) -> None:
    inspector.elements.where.value = "label == 3"
    expected = mm.inspect(result, "forest", where="label == 3")["id"].tolist()
    assert column(inspector, "id") == expected
    inspector.elements.where.value = "labl == 3"
    assert "did you mean &#x27;label&#x27;" in inspector.elements.problem.value
    assert "→ for example" in inspector.elements.problem.value
    assert inspector.elements.problem.layout.display is None
    assert len(inspector.elements.table.rows) == 20
    inspector.elements.where.value = ""
    assert inspector.elements.problem.layout.display == "none"


def test_sorting_by_a_column_and_back(inspector: Inspector, result: mm.Result) -> None:
    frame = result["forest"]
    sort(inspector, "label", True)
    expected = frame.sort_values("label", kind="stable")["id"].tolist()
    assert column(inspector, "id") == expected[:20]
    inspector.elements.turn("last")
    sort(inspector, "label", False)
    assert inspector.elements.table.pager["text"].startswith("1–20 of ")
    assert {*column(inspector, "label")} <= {"9", "8"}
    inspector.elements.table.sort = {}
    assert column(inspector, "id") == frame["id"].head(20).tolist()


def test_ids_sort_as_numbers_do_and_what_is_missing_comes_last(
    inspector: Inspector, result: mm.Result
) -> None:
    sort(inspector, "id", False)
    assert column(inspector, "id") == result["forest"]["id"].tolist()[:-21:-1]
    for ascending in (True, False):
        sort(inspector, "note", ascending)
        inspector.elements.turn("last")
        assert {*column(inspector, "note")} == {"–"}
        inspector.elements.turn("first")
        assert "–" not in column(inspector, "note")
    sort(inspector, "image", True)
    assert len(column(inspector, "id")) == 20


def test_mixed_types_sort() -> None:
    mixed = ["b", 2, None, 1.5, np.int64(1), "a10", "a9", (1,), float("nan"), {}, np.zeros(2), True]
    frame = pd.DataFrame({"id": [*map(str, range(len(mixed)))], "value": pd.Series(mixed)})
    rows = NodeRows(frame)
    for ascending in (True, False):
        query = Query(sort=(1, ascending))
        ordered = [mixed[place] for place in rows.ordered(rows.found(query), query, 20)]
        assert ordered[-2] is None and np.isnan(ordered[-1])
        texts = [value for value in ordered if isinstance(value, str)]
        assert texts == (["a9", "a10", "b"] if ascending else ["b", "a10", "a9"])
        numbers = [float(value) for value in ordered if isinstance(value, (int, float, np.int64))]
        assert numbers[:-1] == sorted(numbers[:-1], reverse=not ascending)


def test_a_sample_is_shown_with_its_seed_and_again_is_another(inspector: Inspector) -> None:
    first, shown = column(inspector, "id"), []
    for seed in (0, 1):
        inspector.elements.sample.click()
        assert f"a sample of 20 of 1{inspector.tabs.titles[0][11:13]}" in _pager(inspector)
        assert _pager(inspector).endswith(f"seed {seed}")
        shown.append(column(inspector, "id"))
    assert len({*map(tuple, (first, *shown))}) == 3
    assert shown[0] == sorted(shown[0], key=int)
    inspector.elements.first.click()
    assert column(inspector, "id") == first
    assert inspector.elements.first.disabled
    inspector.elements.sample.click()
    assert column(inspector, "id") == shown[0]


def _pager(inspector: Inspector) -> str:
    text: str = inspector.elements.table.pager["text"]
    return text


def test_vectors_as_images_on_demand(inspector: Inspector) -> None:
    assert "image" not in inspector.elements.table.rows[0][1]
    inspector.elements.pictures.value = True
    assert inspector.elements.table.rows[0][1]["image"].startswith("data:image/png;base64,")


def test_a_failed_element_and_its_way(result: mm.Result) -> None:
    inspector = Inspector(result, "clean")
    failed = result.failed[result.failed["node"] == "clean"]
    assert inspector.tabs.titles[1] == f"Failed ({len(failed)})"
    assert [row[0]["text"] for row in inspector.failures.table.rows] == failed["id"].tolist()[:20]
    assert "in inked" in inspector.failures.table.rows[0][3]["more"]
    inspector.failures.search.value = failed["id"].iloc[1]
    click(inspector.failures.table, 0)
    assert inspector.selected is not None
    assert inspector.trace.layout.display is None
    assert inspector.failures.table.selected == [0]
    rows = inspector.trace.table.rows
    assert [row[0]["text"] for row in rows] == ["digits", "clean"]
    assert rows[0][3]["image"].startswith("data:image/png")  # of the record's field
    assert rows[1][4]["text"] == "ValueError: no <b>ink</b> here"
    assert "in inked" in rows[1][4]["more"]
    assert inspector.trace.table.selected == [1]
    inspector.trace.close_button.click()
    assert inspector.selected is None and inspector.trace.layout.display == "none"
    assert inspector.failures.table.selected == []


def test_the_way_of_a_child(result: mm.Result) -> None:
    inspector = Inspector(result, "parts")
    click(inspector.elements.table, 1)
    id = result["parts"]["id"][1]
    assert inspector.selected == id and id.endswith("/1")
    shown = [(row[0]["text"], row[2]["text"]) for row in inspector.trace.table.rows]
    expected = mm.trace(result, id)
    assert shown == list(zip(expected["node"], expected["id"], strict=True))
    assert ("digits", id[:-2]) in shown and ("top", id) in shown


def test_a_row_of_the_way_is_a_node_to_go_to(result: mm.Result) -> None:
    inspector = Inspector(result, "clean")
    click(inspector.elements.table, 0)
    nodes = [row[0]["text"] for row in inspector.trace.table.rows]
    click(inspector.trace.table, nodes.index("forest"))
    assert inspector.node == "forest" and inspector.selected == "0"
    assert inspector.elements.table.selected == [0]
    told: list[str] = []
    inspector.on_node = told.append
    click(inspector.trace.table, 0)
    assert told == ["digits"] and inspector.node == "forest"


def test_an_unknown_id_is_an_error(inspector: Inspector) -> None:
    inspector.selected = "<b>"
    assert "&lt;b&gt;" in inspector.trace.title.value
    assert inspector.trace.table.rows == [] and inspector.trace.layout.display is None


def test_a_name_for_several_nodes(result: mm.Result) -> None:
    inspector = Inspector(result, "both")
    assert {"forest", "small"} <= {column["name"] for column in inspector.elements.table.columns}
    assert "forest, small" in inspector._counts.value


def test_another_run_keeps_the_settings_and_another_node_resets_them(result: mm.Result) -> None:
    inspector = Inspector(result)
    assert inspector.node == "both"
    assert [*inspector._nodes.options] == [*result, "both"]
    inspector._nodes.value = "digits"
    inspector.elements.search.value = "note"
    sort(inspector, "label", False)
    query = inspector.elements.query
    again = mm.run(result.graph, until="clean", max_failed=0.5, progress=False)
    inspector.show(again)
    assert (inspector.node, inspector.elements.query) == ("digits", query)
    inspector._nodes.value = "clean"
    assert inspector.elements.query == Query()
    assert inspector.elements.search.value == ""
    with pytest.raises(GraphError, match="did you mean 'forest'"):
        inspector.show(again, "forst")
    assert inspector.node == "clean"


def test_without_a_run_it_is_empty() -> None:
    inspector = Inspector()
    assert "run the pipeline" in inspector._counts.value
    assert inspector.elements.table.rows == []
    assert "run the pipeline" in inspector._repr_mimebundle_()["text/html"]


def test_an_inspector_has_a_static_view(inspector: Inspector) -> None:
    shown = inspector._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"].startswith("forest: 1") and "data:image/png" in shown["text/html"]


# The return value of mm.inspect


@pytest.mark.parametrize("where", [None, "label == 3"])
def test_inspect_returns_the_rows_of_the_results_package(
    result: mm.Result, where: str | None
) -> None:
    for node in (*result, "both"):
        if where is None or node != "top":
            shown = mm.inspect(result, node, n=7, where=where)
            expected = inspection.inspect(result, node, n=7, where=where)
            pd.testing.assert_frame_equal(shown, expected)
            # Cells such as dicts of arrays equal only themselves, and each call reads its own.
            assert shown.equals(pd.DataFrame(shown)) and repr(shown) == repr(expected)


def test_operations_on_it_return_a_plain_frame(result: mm.Result) -> None:
    frame = mm.inspect(result, "forest", n=5)
    made = [frame.head(2), frame.copy(), copy.copy(frame), copy.deepcopy(frame), frame[["id"]]]
    made += [pickle.loads(pickle.dumps(frame)), frame.merge(frame, on="id"), frame.T]
    made += [frame.assign(more=1), frame.sort_values("label"), pd.concat([frame, frame])]
    assert [type(other) for other in made] == [pd.DataFrame] * len(made)
    assert isinstance(frame["label"], pd.Series)
    for same in (frame.copy(), copy.deepcopy(frame), pickle.loads(pickle.dumps(frame))):
        pd.testing.assert_frame_equal(frame, same, check_frame_type=False)


def test_its_html_has_pictures_counts_and_failures_and_is_the_same_each_time(
    result: mm.Result,
) -> None:
    count = len(result["clean"])
    html = mm.inspect(result, "clean", n=5)._repr_html_()
    assert html.count("data:image/png") == 5 and f"5 of {count} rows" in html
    failed = result.failed[result.failed["node"] == "clean"]
    assert f"<b>{len(failed)} failed</b>" in html and "no &lt;b&gt;ink" in html
    assert "<script" not in html
    assert html == mm.inspect(result, "clean", n=5)._repr_html_()
    some = mm.inspect(result, "clean", n=5, where="label == 3")._repr_html_()
    assert f"rows that match, {count} in all" in some


def test_a_modified_frame_is_shown_with_its_changes(result: mm.Result) -> None:
    changes: list[Any] = [
        lambda frame: frame.insert(0, "new", 1),
        lambda frame: frame.drop(columns="key", inplace=True),
        lambda frame: frame.__setitem__("label", 0),
        lambda frame: frame.__setitem__("note", "other"),
        lambda frame: frame.drop(index=0, inplace=True),
    ]
    for change in changes:
        frame = mm.inspect(result, "forest", n=5)
        assert "mm-inspect" in frame._repr_html_()
        change(frame)
        assert frame._repr_html_() == pd.DataFrame(frame)._repr_html_()
        assert "mm-inspect" in mm.inspect(result, "forest", n=5)._repr_html_()


def test_wrong_arguments_are_refused_immediately(result: mm.Result) -> None:
    with pytest.raises(ResultError, match="1 or more"):
        mm.inspect(result, "forest", n=0)
    with pytest.raises(ResultError, match="no column 'labl'"):
        mm.inspect(result, "forest", where="labl == 3")


def test_outside_a_notebook_no_widget_is_made() -> None:
    code = (
        "import sys, mmnotebook as mm\n"
        "graph = mm.pipeline('rows | abs', rows=[1, 2])\n"
        "frame = mm.inspect(mm.run(graph, progress=False), 'abs')\n"
        "shown = frame._repr_mimebundle_()\n"
        "print(sorted(shown), 'mmnotebook.ui.inspector.widget' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.strip() == "['text/html', 'text/plain'] False", done.stderr


def test_in_a_notebook_it_is_the_widget_with_static_views_beside_it(kernel: Kernel) -> None:
    run = "import mmnotebook as mm\n%mm_pipeline numbers digits['label'] | abs\n"
    run += "r = mm.run(numbers, progress=False)"
    assert kernel.run(run)["status"] == "ok"
    assert kernel.run("mm.inspect(r, 'abs', n=3)")["status"] == "ok"
    widget, static = kernel.of("display_data")
    assert [*widget["data"]] == ["application/vnd.jupyter.widget-view+json"]
    assert {*static["data"]} == {"text/html", "text/plain"}
    assert "3 of 200 rows" in static["data"]["text/html"]
    assert kernel.run("%mm_inspect abs -n 3")["status"] == "ok"
    assert [kernel.of("display_data")[1]["data"]] == [static["data"]]
    assert kernel.run("sorted(mm.inspect(r, 'abs')._repr_mimebundle_())")["status"] == "ok"
    (kinds,) = kernel.of("execute_result")
    assert "widget-view" in kinds["data"]["text/plain"]
    assert "text/html" in kinds["data"]["text/plain"]
    assert kernel.run("mm.inspect(r, 'abs', n=3).head(2)")["status"] == "ok"
    (plain,) = kernel.of("execute_result")
    assert {*plain["data"]} == {"text/html", "text/plain"}


def test_another_page_needs_no_sorting() -> None:
    sorted_by: list[str] = []

    class Name(str):
        def casefold(self) -> str:
            sorted_by.append(str(self))
            return super().casefold()

    frame = pd.DataFrame({"id": [Name(number) for number in range(90)]})
    pane = Pane(lambda id: None, "Elements")
    pane.show(frame)
    pane.table.sort = {"column": 0, "ascending": False}
    assert len(sorted_by) == 90
    pane.turn("next")
    assert [row[0]["text"] for row in pane.table.rows[:2]] == ["69", "68"]
    assert len(sorted_by) == 90


@pytest.mark.parametrize(
    "value", ["Größe \ud800", "a\n b", 1234567, -5, 0.25, 1e30, math.nan, True]
)
def test_displayed_text_is_found_by_search(value: Any) -> None:
    rows = NodeRows(pd.DataFrame({"id": ["x"], "value": pd.Series([value], dtype=object)}))
    needle = rows.cells([0])[0][1].text
    assert len(rows.found(Query(search=needle))) == 1


def test_only_the_latest_inspectors_stay_interactive(
    result: mm.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_rows, "has_kernel", lambda: True)
    monkeypatch.setattr(first_rows, "ALIVE", 2)
    monkeypatch.setattr(first_rows, "_alive", deque())
    frame = mm.inspect(result, next(iter(result)))
    first, second = frame._widget(), frame._widget()
    count = len(_instances)
    third = frame._widget()
    assert len(_instances) == count
    assert [shown.comm is None for shown in (first, second, third)] == [True, False, False]
