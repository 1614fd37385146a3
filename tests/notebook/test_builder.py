"""The builder in a notebook, controlled by the messages that its canvas sends."""

from __future__ import annotations

from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.editing import clips
from mmnotebook.editing.document import Document
from mmnotebook.errors import GraphError
from mmnotebook.ui.builder.builder import Builder
from mmnotebook.ui.builder.canvas import Canvas
from tests.notebook.conftest import Notebook

pytestmark = pytest.mark.usefixtures("two_models")


class View:
    """The messages and the state of a canvas in a browser."""

    def __init__(self, builder: Builder, name: str = "view") -> None:
        self._builder = builder
        self.canvas: Canvas = builder.children[0].children[0]
        self.name, self.number = name, 0
        self.messages: list[dict[str, Any]] = []
        self.canvas.send = lambda content, buffers=None: self.messages.append(content)

    def tell(self, **content: Any) -> None:
        self.canvas._handle_custom_msg(content, [])

    def send(self, op: str, **fields: Any) -> None:
        self.number += 1
        command = {"op": op, **fields}
        self.tell(type="command", view=self.name, number=self.number, command=command)

    @property
    def scene(self) -> dict[str, Any]:
        return dict(self.canvas.scene)

    def items(self, section: str) -> list[str]:
        found = next(part for part in self.canvas.palette if part["title"] == section)
        return [item["title"] for item in found["items"]]

    @property
    def panel(self) -> Any:
        return self._builder.children[0].children[1].children[-1]

    @property
    def tab(self) -> Any:
        return self._builder.children[1]

    @property
    def inspector(self) -> Any:
        return self.tab.children[0]

    def latest_text(self) -> str:
        return str(self.messages[-1]["text"])


def ab(view: View) -> None:
    view.send("add", kind="source", params={"data": "digits"}, at=None)
    view.send("add", kind="split", after=["digits", None])
    for arm, model in (("a", "mlp"), ("b", "tree")):
        view.send("add", kind="model", params={"model": model}, after=["split", arm])


def test_a_split_is_built_run_and_inspected(builder: Builder) -> None:
    view = View(builder)
    ab(view)
    assert builder.problems == []
    assert [node["name"] for node in view.scene["nodes"]] == ["digits", "split", "mlp", "tree"]
    assert view.canvas.seen == {"view": 4}
    assert [node["detail"] for node in view.scene["nodes"]] == [
        "200 × 2 · DataFrame",
        "a 0.5, b 0.5",
        "Sequential · torch",
        "RandomForestClassifier · sklearn",
    ]
    assert mm.pipeline(builder.text) == builder.graph
    view.send("run", until=None, limit=50, fresh=False)
    result = builder.wait(60)
    assert result is mm.last
    assert len(result["mlp"]) + len(result["tree"]) == 50
    assert view.canvas.status["state"] == "done"
    assert view.canvas.status["nodes"]["mlp"]["elementsOut"] == len(result["mlp"])


def test_every_change_can_be_undone_and_redone(builder: Builder) -> None:
    view = View(builder)
    ab(view)
    built = builder.graph
    view.send("move", places={"mlp": [10, 400]})
    view.send("rename", old="mlp", new="net")
    for _ in range(6):
        assert view.scene["undo"]
        view.send("undo")
    assert (len(builder.graph), view.scene["undo"]) == (0, None)
    for _ in range(6):
        view.send("redo")
    assert view.scene["redo"] is None
    builder.undo()
    assert builder.graph == built
    moved = next(node for node in view.scene["nodes"] if node["name"] == "mlp")
    assert (moved["x"], moved["y"]) == (10, 400)


def test_text_and_canvas_follow_each_other(builder: Builder) -> None:
    view = View(builder)
    view.send("text", text="digits | [mlp, tree]")
    view.send("move", places={"mlp": [300, 300]})
    view.send("text", text="digits | [mlp, tree] | vote()")
    places = {node["name"]: (node["x"], node["y"]) for node in view.scene["nodes"]}
    assert places["mlp"] == (300, 300)
    assert set(places) == {"digits", "mlp", "tree", "vote"}
    view.send("remove", nodes=["vote"], wires=[])
    assert builder.text == "digits | [mlp, tree]"


def test_a_wrong_text_keeps_the_canvas_and_shows_the_position(builder: Builder) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp")
    view.send("text", text="digits | mpl")
    assert view.scene["text"] == "digits | mpl"
    (problem,) = view.scene["textProblems"]
    assert (problem["line"], problem["column"]) == (1, 10)
    assert "mlp" in problem["message"]
    assert "mlp" in builder.graph
    view.send("select", nodes=[])
    summary = view.panel.summary.value
    assert "1 problem" in summary
    assert "mpl" in summary
    view.send("run", until=None, limit=None, fresh=False)
    assert "mpl" in view.latest_text()
    assert builder.result is None
    view.send("undo")
    assert builder.text == "digits | mlp"


def test_a_refused_command_gives_a_reason_and_changes_nothing(builder: Builder) -> None:
    view = View(builder)
    ab(view)
    before = view.scene["nodes"]
    view.send("connect", source="mlp", port=None, target="split")
    assert "cycle" in view.latest_text()
    assert view.scene["nodes"] == before
    assert view.canvas.seen == {"view": 5}
    for wrong in (
        {"op": "nonsense"},
        {"op": "connect"},
        {"op": "add", "kind": "nonsense"},
        {"op": "move", "places": {"nobody": [1, 2]}},
        {"op": "move", "places": 7},
        {},
    ):
        count = len(view.messages)
        view.tell(type="command", view="view", number=9, command=wrong)
        assert len(view.messages) == count + 1, wrong
        assert view.messages[-1]["level"] == "error"
    assert view.scene["nodes"] == before
    with pytest.raises(GraphError, match="cycle"):
        builder.edit("connect", source="mlp", port=None, target="split")


def test_a_run_of_a_wrong_graph_is_refused_at_the_node(builder: Builder) -> None:
    view = View(builder)
    view.send("run", until=None, limit=None, fresh=False)
    assert "nothing to run" in view.latest_text()
    view.send("add", kind="model", params={"model": "mlp"})
    view.send("add", kind="source", params={"data": "digits"})
    view.send("run", until=None, limit=None, fresh=False)
    assert "this model step has no input" in view.latest_text()
    assert view.canvas.selection == ["mlp"]
    view.send("run", until="digits", limit=5, fresh=False)
    assert len(builder.wait(60)["digits"]) == 5


def test_the_palette_is_the_notebooks(builder: Builder, notebook: Notebook) -> None:
    view = View(builder)
    assert view.items("Data") == ["digits"]
    assert view.items("Models") == ["mlp", "tree"]
    assert view.items("Functions") == ["halve"]
    notebook.run("def double(value):\n    return value * 2\nnumbers = [1, 2]\nword = 'no path'")
    assert view.items("Functions") == ["halve", "double"]
    assert view.items("Data") == ["digits", "numbers"]
    notebook.run("columns, settings = {'a': [1], 'b': (2,)}, {'a': [1], 'b': 'x'}")
    assert view.items("Data") == ["digits", "numbers", "columns"]


def test_a_template_is_filled_with_existing_data_and_models(builder: Builder) -> None:
    view = View(builder)
    view.send("template", name="ab_split", at=None)
    assert builder.text == "digits | split(mlp=0.5, tree=0.5)"
    assert builder.problems == []


def test_a_template_takes_the_only_frame_of_many_data(builder: Builder, notebook: Notebook) -> None:
    notebook.run("numbers, more = [1, 2], [3, 4]")
    view = View(builder)
    view.send("template", name="mirror", at=None)
    assert builder.text == "digits | [mlp, tree]"
    notebook.run("other = digits.copy()")
    view.send("undo")
    view.send("template", name="mirror", at=None)
    assert builder.text == "source(...) | [mlp, tree]"


def test_the_example_is_a_graph_that_runs(builder: Builder, notebook: Notebook) -> None:
    view = View(builder)
    view.send("example")
    assert builder.text == "digits_example | split(logistic=0.5, tree_example=0.5)"
    assert builder.selection == ()  # the panel shows the whole graph
    assert len(notebook.variables["digits_example"]) == 898
    view.send("run", until=None, limit=100, fresh=False)
    assert len(builder.wait(60).models) == 2
    text = builder.text
    view.send("example")
    assert builder.text == text


def test_the_magic_keeps_the_variable_up_to_date(notebook: Notebook) -> None:
    notebook.run("import mmnotebook as mm\nab = mm.pipeline('digits | mlp')")
    notebook.run("%mm_builder ab")
    from mmnotebook.ui.builder import builder as module

    builder = module._open["ab"]
    builder.edit("template", name="mirror", fill={"data": "digits", "models": ["mlp", "tree"]})
    assert notebook.variables["ab"] == builder.graph
    incomplete = builder.graph
    builder.edit("add", kind="map")
    assert notebook.variables["ab"] == incomplete
    notebook.run("%mm_builder ab")
    assert module._open["ab"] is builder
    notebook.run("ab = mm.pipeline('digits | tree')\n%mm_builder ab")
    assert module._open["ab"] is builder
    assert builder.text == "digits | tree"
    builder.undo()
    assert "map(...)" in builder.text
    error, _ = notebook.fail("%mm_builder digits")
    assert "'digits' is not a pipeline" in str(error)


def test_a_cell_makes_the_same_graph(builder: Builder, notebook: Notebook) -> None:
    view = View(builder)
    with pytest.raises(GraphError):
        view.send("add", kind="map")
        builder.cell()
    view.tell(type="insert", name=None)
    assert view.messages[-1]["level"] == "error"
    view.send("undo")
    view.send("text", text="digits | [mlp, tree]")
    view.tell(type="insert", name="made")
    assert view.messages[-1]["type"] == "cell"
    notebook.run(view.latest_text())
    assert notebook.variables["made"] == builder.graph


def test_given_objects_stay_bound(builder: Builder) -> None:
    given = mm.Builder(mm.pipeline("rows | plus", rows=[1, 2], plus=lambda x: x + 1))
    assert given.problems == []
    given.edit("text", text="rows | plus | plus")
    assert given.problems == []
    given.run()
    assert list(given.wait(60)["plus_2"]["value"]) == [3, 4]
    given.close()


def test_a_graph_that_cannot_be_edited_is_an_error() -> None:
    with pytest.raises(GraphError, match="a builder takes a graph"):
        mm.Builder(7)
    with pytest.raises(GraphError):
        mm.Builder("digits |")


def test_without_a_kernel_a_static_view_is_shown(notebook: Notebook) -> None:
    shown = notebook.run("import mmnotebook as mm\nmm.Builder('digits | [mlp, tree]')")
    (output,) = shown.outputs
    assert set(output.data) == {"text/plain", "text/html"}
    assert "digits | [mlp, tree]" in output.data["text/plain"]
    assert "<svg" in output.data["text/html"]


def test_elements_of_the_selected_node_are_shown_and_a_trace_leads_to_others(
    builder: Builder,
) -> None:
    view = View(builder)
    view.send("text", text="digits | [mlp, tree]")
    assert view.tab.layout.display == "none"
    view.send("run", until=None, limit=20, fresh=False)
    builder.wait(60)
    assert view.tab.layout.display is None
    inspector = view.inspector
    view.send("select", nodes=["mlp"])
    assert inspector.node == "mlp"
    inspector.on_node("tree")
    assert (inspector.node, view.canvas.selection, builder.selection) == (
        "tree",
        ["tree"],
        ("tree",),
    )
    view.send("remove", nodes=["mlp"], wires=[])
    inspector.on_node("mlp")
    assert (inspector.node, view.canvas.selection) == ("mlp", [])


def test_changes_by_a_cell_are_noticed(builder: Builder, notebook: Notebook) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp | halve")
    removed = mm.registry.remove("mlp")
    notebook.run("1")
    assert "mlp" in str(builder.problems[0])
    assert view.scene["problems"][0]["node"] == "mlp"
    mm.registry.add(removed)
    notebook.run("1")
    assert (builder.problems, view.scene["problems"]) == ([], [])
    notebook.run("%mm_pipeline digits | tree --run --limit 9")
    (run,) = view.tab.children[1].runs
    assert run.graph == mm.last.graph


def test_failures_of_a_stopped_run_are_shown(builder: Builder, notebook: Notebook) -> None:
    notebook.run("def never(row):\n    raise ValueError('never')")
    view = View(builder)
    view.send("text", text="digits | never | tree")
    view.send("run", until=None, limit=None, fresh=False)
    builder.wait(60)
    assert view.canvas.status["state"] == "failed"
    assert "never" in view.latest_text()
    inspector = view.inspector
    assert (inspector.node, inspector.tabs.selected_index) == ("never", 1)
    assert len(inspector.failures.table.rows) > 0
    assert view.tab.layout.display is None
    view.send("text", text="digits | tree")
    view.send("run", until=None, limit=20, fresh=False)
    builder.wait(60)
    assert (inspector.node, inspector.tabs.selected_index) == ("tree", 0)


def test_the_panel_sets_how_many_elements_may_fail(builder: Builder, notebook: Notebook) -> None:
    notebook.run("def picky(row):\n    assert row['label'] > 2\n    return row")
    view = View(builder)
    panel = view.panel
    assert panel.may_fail not in panel.children  # an empty canvas
    view.send("text", text="digits | picky | tree")
    assert panel.may_fail in panel.children and panel.max_failed == 0.1
    view.send("run", until=None, limit=None, fresh=False)
    builder.wait(60)
    assert view.canvas.status["state"] == "failed"
    text = view.latest_text()
    assert "click on an empty part of the canvas and raise the share in the panel" in text
    panel.may_fail.value = 100
    view.send("run", until=None, limit=None, fresh=False)
    assert builder.wait(60).nodes["failed"]["picky"] > 20
    assert view.canvas.status["state"] == "done"
    builder.run(max_failed=0.01)
    builder.wait(60)
    assert view.canvas.status["state"] == "failed"


def test_a_selection_is_a_command_among_the_others(builder: Builder) -> None:
    view = View(builder)
    ab(view)
    clip = clips.copy(Document.of(builder.graph.upto("split")), ["split"])
    command = {"op": "paste", "clip": clip}
    view.tell(type="command", view="view", number=5, command=command)
    assert builder.selection == ("split_2",)
    select = {"op": "select", "nodes": ["tree", "gone"]}
    view.tell(type="command", view="view", number=6, command=select)
    assert builder.selection == ("tree",)
    assert (view.canvas.selection, view.canvas.seen) == (["tree"], {"view": 6})
    command = {"op": "move", "places": {"tree": [0, 400]}}
    view.tell(type="command", view="view", number=7, command=command)
    assert (builder.selection, view.canvas.seen) == (("tree",), {"view": 7})
