"""The property panel, controlled as by a browser: values are set, buttons are clicked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ipywidgets import HTML
from ipywidgets.widgets.widget import _instances

from mmnotebook.editing import commands
from mmnotebook.editing.document import Document
from mmnotebook.errors import GraphError, Problem
from mmnotebook.graph.field_selection import Drop
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.kinds import KINDS, Param
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import AbsentTransform, Names
from mmnotebook.ui.builder.controls.fields import (
    InvalidInput,
    join_names,
    read_select,
    select_text,
    split_names,
)
from mmnotebook.ui.builder.controls.rows import shares
from mmnotebook.ui.builder.node_view import NodeView
from mmnotebook.ui.builder.panel import Panel


def halve(value: float) -> float:
    return value / 2


def route(value: Any) -> str:
    return "cheap"


FRAME = pd.DataFrame({"x": [1.0], "label": [0], "user": ["a"]})
MODELS = {name: ModelSpec(name, "torch", "module", "Net", None, "") for name in ("mlp", "tree")}
HELD = {
    "digits": FRAME,
    "rows": [1, 2],
    "halve": halve,
    "route": route,
    "scaled": AbsentTransform(),
}
NAMES = Names(MODELS, {}, HELD)


class Session:
    """A document and a panel that edits it, without the rest of the builder."""

    def __init__(self, *nodes: Node, groups: tuple[Group, ...] = ()) -> None:
        graph = Graph(nodes, groups)
        self.document = Document(graph, dict.fromkeys(graph.names, (0.0, 0.0)))
        self.commands: list[dict[str, Any]] = []
        self.refusal: str | None = None
        self.selection: list[str] = []
        self.problems: list[Problem] = []
        self.panel = Panel(self.edit, lambda: NAMES)

    def select(self, *names: str) -> NodeView:
        self.selection = list(names)
        self.show()
        assert self.panel.node is not None or len(names) != 1
        return self.panel.node  # type: ignore[return-value]

    def show(self) -> None:
        self.panel.show(self.document, self.selection, self.problems)

    def edit(self, command: dict[str, Any]) -> str | None:
        json.dumps(command)
        self.commands.append(command)
        refused = self.refusal or self.apply(command)
        self.show()
        return refused

    def apply(self, command: dict[str, Any]) -> str | None:
        try:
            edit = commands.apply(self.document, command, NAMES)
        except GraphError as error:
            return error.message
        self.document = edit.document
        if edit.selection is not None:
            self.selection = list(edit.selection)
        self.selection = [name for name in self.selection if name in self.graph]
        return None

    def change(self, name: str, node: Node) -> None:
        nodes = tuple(node if other.name == name else other for other in self.graph)
        self.selection = [node.name if one == name else one for one in self.selection]
        graph = replace(self.graph, nodes=nodes)
        self.document = replace(self.document, graph=graph)

    @property
    def graph(self) -> Graph:
        return self.document.graph

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the selected node."""
        return dict(self.graph[self.selection[0]].params)


SOURCE = Node.make("digits", "source", data="digits")


def session(kind: str, **params: Any) -> tuple[Session, NodeView]:
    """Return a session with one selected node of this kind after `digits`."""
    inputs = [] if KINDS[kind].inputs == "none" else [Input("digits")]
    gather: Any = "join" if KINDS[kind].inputs == "join" else None
    node = Node.make("it", kind, inputs, gather, **params)
    made = Session(SOURCE, node)
    return made, made.select("it")


def fill(rows: Any, *values: tuple[Any, ...]) -> None:
    """Add rows and fill them, as a user does."""
    for place, value in enumerate(values):
        rows.add.click()
        for control, typed in zip(rows.rows[place].children, value, strict=False):
            control.value = typed


Type = Callable[[Any], None]
SETS: dict[str, tuple[Type, Mapping[str, Any]]] = {
    "data": (lambda e: setattr(e.choice, "value", "rows"), {"data": "rows"}),
    "id": (lambda e: setattr(e.text, "value", "user"), {"id": "user"}),
    "path": (lambda e: setattr(e.text, "value", "a/*.csv"), {"path": "a/*.csv"}),
    "model": (lambda e: setattr(e.choice, "value", "mlp"), {"model": "mlp"}),
    "watch": (lambda e: setattr(e.text, "value", "m/*.pt"), {"watch": "m/*.pt"}),
    "function": (lambda e: setattr(e.text, "value", "halve"), {"function": "halve"}),
    "transform": (lambda e: setattr(e.choice, "value", "scaled"), {"transform": "scaled"}),
    "missing": (lambda e: setattr(e.choice, "value", "skip"), {"missing": "skip"}),
    "by": (lambda e: setattr(e.text, "value", "user"), {"by": "user"}),
    "by_function": (
        lambda e: [setattr(e.mode, "value", "a function"), setattr(e.text, "value", "route")],  # type: ignore[func-returns-value]
        {"by_function": "route"},
    ),
    "salt": (lambda e: setattr(e.text, "value", "pepper"), {"salt": "pepper"}),
    "pin": (lambda e: fill(e, ("7, 8", "a")), {"pin": ((("7", "8"), "a"),)}),
    "small": (lambda e: setattr(e.choice, "value", "mlp"), {"small": "mlp"}),
    "big": (lambda e: setattr(e.choice, "value", "tree"), {"big": "tree"}),
    "below": (lambda e: setattr(e.text, "value", "0.8"), {"below": 0.8}),
    "score": (lambda e: setattr(e.text, "value", "halve"), {"score": "halve"}),
    "models": (lambda e: fill(e, ("en, de", "mlp")), {"models": ((("en", "de"), "mlp"),)}),
    "max_models": (lambda e: setattr(e.text, "value", "2"), {"max_models": 2}),
    "group": (lambda e: setattr(e.choice, "value", True), {"group": True}),
    "default": (lambda e: setattr(e.choice, "value", "tree"), {"default": "tree"}),
    "lowering": (lambda e: setattr(e.choice, "value", "beam"), {"lowering": "beam"}),
    "mode": (lambda e: setattr(e.choice, "value", "RGB"), {"mode": "RGB"}),
    "rotate": (lambda e: setattr(e.choice, "value", False), {"rotate": False}),
}
EVERY = [(kind, param) for kind in KINDS.values() for param in kind.params]
TEXTS = [(kind.name, param.name) for kind, param in EVERY if param.name != "arms"]


def test_the_panel_has_an_editor_for_exactly_the_parameters_of_a_kind() -> None:
    for kind in KINDS.values():
        _, view = session(kind.name)
        assert list(view.editors) == [param.name for param in kind.params]
        assert kind.summary.split("'")[0] in view.title.value


@pytest.mark.parametrize(("kind", "name"), TEXTS, ids=lambda value: str(value))
def test_a_valid_value_of_every_parameter_is_sent(kind: str, name: str) -> None:
    arms = {"arms": (("a", 0.5), ("b", 0.5))} if kind == "split" else {}
    made, view = session(kind, **arms)
    put, expected = SETS[name]
    put(view.editors[name])
    assert {key: made.params[key] for key in expected} == expected
    assert made.commands[-1]["op"] == "configure" and made.commands[-1]["gesture"]
    assert "mm-error" not in view.editors[name].message


@pytest.mark.parametrize(("kind", "name"), TEXTS, ids=lambda value: str(value))
def test_every_editor_shows_what_the_document_has(kind: str, name: str) -> None:
    arms = {"arms": (("a", 0.5), ("b", 0.5))} if kind == "split" else {}
    expected = SETS[name][1]
    made, view = session(kind, **{**arms, **expected})
    editor = view.editors[name]
    read = editor._checked(editor._read())
    assert {key: read[key] for key in expected} == expected
    assert not made.commands


@pytest.mark.parametrize(("kind", "param"), EVERY, ids=lambda value: value.name)
def test_a_required_parameter_is_marked(kind: Any, param: Param) -> None:
    _, view = session(kind.name)
    needed = param.required
    assert view.editors[param.name].title.endswith(" *") == needed


class TestWhatIsNotValid:
    @pytest.mark.parametrize(
        ("kind", "name", "typed", "says"),
        [
            ("cascade", "below", "1.5", "a confidence from 0 to 1"),
            ("cascade", "below", "much", "a confidence from 0 to 1"),
            ("cascade", "below", "nan", "a confidence from 0 to 1"),
            ("cascade", "score", "halv", "did you mean &#x27;halve&#x27;?"),
            ("keyed", "max_models", "0", "a positive integer"),
            ("keyed", "max_models", "-1", "a positive integer"),
            ("keyed", "max_models", "two", "a positive integer"),
            ("map", "function", "<b>", "&lt;b&gt;"),
        ],
    )
    def test_is_said_beneath_and_not_sent(
        self, kind: str, name: str, typed: str, says: str
    ) -> None:
        made, view = session(kind)
        editor: Any = view.editors[name]
        editor.text.value = typed
        assert not made.commands
        assert says in editor.message and 'role="alert"' in editor.message
        put, expected = SETS[name]
        put(editor)
        assert made.params == expected and "mm-error" not in editor.message

    def test_stays_while_something_else_changes(self) -> None:
        made, view = session("keyed", max_models=2)
        count: Any = view.editors["max_models"]
        count.text.value = "2x"
        made.change("it", Node.make("it", "keyed", ["digits"], max_models=2, by="user"))
        made.show()
        assert view is made.panel.node
        assert (count.text.value, view.editors["by"].text.value) == ("2x", "user")
        assert "mm-error" in count.message

    def test_goes_when_the_value_changes_elsewhere(self) -> None:
        made, view = session("keyed", max_models=2)
        count: Any = view.editors["max_models"]
        count.text.value = "2x"
        made.change("it", Node.make("it", "keyed", ["digits"], max_models=3))
        made.show()
        assert count.text.value == "3" and "mm-error" not in count.message

    def test_a_refusal_is_shown_and_can_be_tried_again(self) -> None:
        made, view = session("model")
        made.refusal = "not <now>"
        watch: Any = view.editors["watch"]
        watch.text.value = "a"
        assert "not &lt;now&gt;" in watch.message and watch.text.value == "a"
        made.refusal = None
        watch.text.value = "ab"
        assert made.params == {"watch": "ab"} and "mm-error" not in watch.message

    def test_a_required_text_cannot_be_emptied(self) -> None:
        made, view = session("read", path="a.csv")
        view.editors["path"].text.value = ""
        assert not made.commands and "required: a path" in view.editors["path"].message

    def test_an_optional_text_can_be_emptied(self) -> None:
        made, view = session("read", path="a.csv", id="user")
        view.editors["id"].text.value = ""
        assert made.commands[-1]["params"] == {"id": None} and "id" not in made.params

    @pytest.mark.parametrize(("kind", "param"), EVERY, ids=lambda value: value.name)
    def test_in_the_document_is_said(self, kind: Any, param: Param) -> None:
        made, view = session(kind.name, **{param.name: 3.5})
        assert f"{param.name}: 3.5" in view.editors[param.name].message
        assert not made.commands


class TestNamesThatAreOffered:
    def test_models_and_one_that_is_not_registered(self) -> None:
        made, view = session("model", model="gone")
        choice = view.editors["model"].choice
        labels = [label for label, _ in choice.options]
        assert labels == ["choose …", "mlp", "tree", "gone (not registered)"]
        assert choice.value == "gone"
        choice.value = "tree"
        assert made.params["model"] == "tree"
        assert [label for label, _ in choice.options] == labels[:3]

    def test_data_functions_and_fields(self) -> None:
        _, view = session("source", data="nothing")
        labels = [label for label, _ in view.editors["data"].choice.options]
        assert labels == ["choose …", "digits", "rows", "scaled", "nothing (not in the notebook)"]
        _, view = session("map")
        assert set(view.editors["function"].text.options) == {"halve", "route"}
        _, view = session("split")
        assert view.editors["by"].text.options == ("x", "label", "user")
        made = Session(SOURCE)
        assert made.select("digits").editors["id"].text.options == ("x", "label", "user")

    def test_pythons_own_functions_can_be_typed(self) -> None:
        made, view = session("map")
        view.editors["function"].text.value = "abs"
        assert made.params == {"function": "abs"}


class TestBy:
    def test_a_function_takes_the_place_of_a_field(self) -> None:
        made, view = session("keyed", by="user")
        by: Any = view.editors["by"]
        by.mode.value = "a function"
        assert not made.commands and by.text.value == ""
        by.text.value = "route"
        assert made.params == {"by_function": "route"}
        assert made.commands[-1]["params"] == {"by": None, "by_function": "route"}
        by.mode.value = "a field"
        by.text.value = "label"
        assert made.params == {"by": "label"}


class TestRows:
    def test_fractions_are_evened_and_made_to_add_up(self) -> None:
        made, view = session("split", arms=(("a", 0.5), ("b", 0.5)))
        arms: Any = view.editors["arms"]
        arms.rows[0].children[1].value = 0.9
        assert not made.commands and "they add up to 1.4, not 1" in arms.message
        arms.rows[1].children[1].value = 0.1
        assert made.params["arms"] == (("a", 0.9), ("b", 0.1))
        assert "they add up to 1" in arms.message and "mm-error" not in arms.message
        arms.add.click()
        assert "above 0" in arms.message
        arms.even.click()
        assert made.params["arms"] == (("a", 0.3334), ("b", 0.3333), ("c", 0.3333))
        arms.rows[0].children[1].value = 3.0
        assert "mm-error" in arms.message
        arms.normalize.click()
        assert sum(part for _, part in made.params["arms"]) == pytest.approx(1, abs=1e-12)

    def test_arms_are_renamed_and_removed(self) -> None:
        made, view = session("switch", function="route", arms=("a", "b"))
        arms: Any = view.editors["arms"]
        arms.rows[0].children[0].value = "cheap"
        assert made.params["arms"] == ("cheap", "b")
        arms.rows[1].children[0].value = "cheap"
        assert "two branches are named &#x27;cheap&#x27;" in arms.message
        arms.rows[1].children[0].value = "b c"
        assert "is not a valid name" in arms.message and made.params["arms"] == ("cheap", "b")
        arms.rows[1].children[-1].click()
        assert "at least two branches" in arms.message and made.params["arms"] == ("cheap", "b")
        arms.add.click()
        assert made.params["arms"] == ("cheap", "a")

    def test_keys_with_models(self) -> None:
        made, view = session("keyed", models=((("en",), "mlp"), (("de", "a, b"), "gone")))
        rows: Any = view.editors["models"]
        keys, target = rows.rows[1].children[:2]
        assert keys.value == 'de, "a, b"'
        assert ("gone (not registered)", "gone") in target.options
        keys.value = "en"
        assert "the key &#x27;en&#x27; is in two mappings" in rows.message
        keys.value = ""
        assert "row 2 needs keys" in rows.message and not made.commands
        keys.value = "de"
        target.value = "tree"
        assert made.params["models"] == ((("en",), "mlp"), (("de",), "tree"))
        rows.rows[0].children[-1].click()
        assert made.params["models"] == ((("de",), "tree"),)

    def test_pins_choose_among_the_arms_and_can_all_go(self) -> None:
        arms = (("a", 0.5), ("b", 0.5))
        made, view = session("split", arms=arms, pin=((("7",), "a"),))
        pin: Any = view.editors["pin"]
        assert [name for _, name in pin.rows[0].children[1].options] == ["", "a", "b"]
        pin.rows[0].children[-1].click()
        assert "pin" not in made.params and made.commands[-1]["params"] == {"pin": None}

    def test_rows_that_stay_are_the_same_controls(self) -> None:
        made, view = session("switch", function="route", arms=("a", "b"))
        before = view.editors["arms"].rows[0]
        made.change("it", replace(made.graph["it"], params=(("arms", ("x", "y", "z")),)))
        made.show()
        assert view.editors["arms"].rows[0] is before
        assert [row.children[0].value for row in view.editors["arms"].rows] == ["x", "y", "z"]


@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=12))
def test_shares_always_add_up_to_1(parts: list[float]) -> None:
    found = shares(parts)
    assert sum(found) == pytest.approx(1, abs=1e-9) and all(part > 0 for part in found)


@given(st.lists(st.text(), min_size=1, max_size=4, unique=True))
def test_names_come_back_as_they_were_written(names: list[str]) -> None:
    assert split_names(join_names(names)) == tuple(names)


NAMED = st.text(min_size=1)
SEVERAL = st.lists(NAMED, min_size=1, max_size=3, unique=True).map(tuple)


@given(st.one_of(st.none(), NAMED, SEVERAL, SEVERAL.map(Drop)))
@example("all but x")
@example(("all but", "x"))
@example(Drop(("all but x", "a, b")))
def test_fields_come_back_as_they_were_written(select: Any) -> None:
    assert read_select(select_text(select)) == select


@given(st.text(alphabet='ab ,"', max_size=12))
def test_whatever_is_typed_is_names_or_wrong(text: str) -> None:
    for read in (split_names, read_select):
        try:
            read(text)
        except InvalidInput as wrong:
            assert str(wrong)


class TestName:
    def test_a_new_name_keeps_the_controls(self) -> None:
        made, view = session("map", function="halve")
        view.name.value = "half"
        assert made.commands == [{"op": "rename", "old": "it", "new": "half"}]
        assert made.panel.node is view and view.node == "half"
        view.editors["function"].text.value = "route"
        assert made.commands[-1]["node"] == "half"

    def test_an_empty_name_is_refused(self) -> None:
        made, view = session("map")
        for name in ("a b", "", "class", "1"):
            view.name.value = name
            assert not made.commands and "is not a valid name" in view.message

    def test_a_refused_name_shows_the_reason(self) -> None:
        made, view = session("map")
        made.refusal = "'digits' is taken"
        view.name.value = "digits"
        assert "is taken" in view.message and view.name.value == "digits"
        made.show()
        assert view.name.value == "digits", "the typed text can be corrected"

    def test_one_that_follows_the_model_keeps_the_controls(self) -> None:
        node = Node.make("mlp", "model", ["digits"], model="mlp")
        made = Session(SOURCE, node)
        view = made.select("mlp")
        view.editors["model"].choice.value = "tree"
        assert made.panel.node is view and view.name.value == "tree"

    def test_another_node_of_the_kind_gets_its_own(self) -> None:
        made = Session(SOURCE, *(Node.make(n, "map", ["digits"], function=n) for n in ("a", "b")))
        first = made.select("a")
        first.editors["function"].text.value = "nonsense"
        second = made.select("b")
        assert second is not first and second.editors["function"].text.value == "b"

    def test_typing_in_one_go_is_one_gesture(self) -> None:
        made, view = session("read", path="a")
        for text in ("ab", "abc"):
            view.editors["path"].text.value = text
        view.editors["id"].text.value = "c"
        first, second, third = (command["gesture"] for command in made.commands)
        assert first == second != third


class TestInputs:
    def joined(self) -> tuple[Session, NodeView]:
        nodes = [Node.make(name, "model", ["digits"], model=name) for name in ("mlp", "tree")]
        both = Node.make("it", "map", ["mlp", "tree"], "join", function="route")
        made = Session(SOURCE, *nodes, both)
        return made, made.select("it")

    def test_fields_that_are_selected(self) -> None:
        made, view = session("model")
        (wire,) = view.inputs.wires.values()
        assert wire.select.options == ("x", "label", "user")
        wire.select.value = "x"
        command = {"op": "wire", "source": "digits", "port": None, "target": "it"}
        assert made.commands == [{**command, "select": "x", "label": None}]
        wire.select.value = "x, label"
        assert made.graph["it"].inputs[0].select == ("x", "label")
        wire.select.value = "x,"
        assert made.graph["it"].inputs[0].select == ("x",)
        wire.select.value = "all but label, user"
        assert made.graph["it"].inputs[0].select == Drop(("label", "user"))
        wire.select.value = "all but "
        assert "the name of a field" in wire.message and len(made.commands) == 4
        wire.select.value = 'x, "'
        assert "a quote is not closed" in wire.message and len(made.commands) == 4
        wire.select.value = ""
        assert made.graph["it"].inputs[0].select is None

    def test_each_of_several_fields_of_one_output(self) -> None:
        wires = [Input("digits", None, name, label) for name, label in (("x", "l"), ("user", "r"))]
        made = Session(SOURCE, Node.make("it", "map", wires, "join", function="route"))
        first, second = made.select("it").inputs.wires.values()
        second.select.value = "label"
        assert [w.select for w in made.graph["it"].inputs] == ["x", "label"]
        first.label.value = "left"
        assert [w.label for w in made.graph["it"].inputs] == ["left", "r"]

    def test_fields_flow_through_a_split_but_not_through_a_model(self) -> None:
        arms = (("a", 0.5), ("b", 0.5))
        split = Node.make("split", "split", ["digits"], arms=arms)
        model = Node.make("mlp", "model", [Input("split", "a")], model="mlp")
        made = Session(SOURCE, split, model, Node.make("tree", "model", ["mlp"], model="tree"))
        (wire,) = made.select("mlp").inputs.wires.values()
        assert wire.select.options == ("x", "label", "user")
        (wire,) = made.select("tree").inputs.wires.values()
        assert wire.select.options == ()

    def test_labels_and_how_inputs_come_together(self) -> None:
        made, view = self.joined()
        wire = view.inputs.wires["mlp", None]
        wire.label.value = "first"
        assert made.graph["it"].inputs[0].label == "first"
        wire.label.value = ""
        assert made.graph["it"].inputs[0].label is None
        view.inputs.gather.value = "union"
        assert made.commands[-1] == {"op": "gather", "node": "it", "gather": "union"}

    def test_a_refused_gather_goes_back(self) -> None:
        made, view = self.joined()
        made.refusal = "vote joins"
        view.inputs.gather.value = "union"
        assert view.inputs.gather.value == "join" and "vote joins" in view.inputs.message
        assert len(made.commands) == 1

    def test_a_label_only_in_a_join_and_gather_only_for_several(self) -> None:
        _, view = session("map")
        (wire,) = view.inputs.wires.values()
        assert wire.label.layout.display == view.inputs.gather.layout.display == "none"
        _, view = session("source")
        assert view.inputs.layout.display == "none"

    def test_disconnect(self) -> None:
        made, view = self.joined()
        view.inputs.wires["tree", None].cut.click()
        assert made.commands == [{"op": "disconnect", "wires": [["tree", None, "it"]]}]

    def test_wires_that_stay_keep_their_controls(self) -> None:
        made, view = self.joined()
        before = view.inputs.wires["mlp", None]
        made.change("it", replace(made.graph["it"], inputs=(Input("mlp"),), gather=None))
        made.show()
        assert list(view.inputs.wires.values()) == [before]


class TestSelections:
    def test_of_several_a_name_together_and_delete(self) -> None:
        made = Session(SOURCE, Node.make("a", "map", ["digits"]), Node.make("b", "map", ["digits"]))
        made.select("a", "b")
        view = made.panel.several
        assert view in made.panel.children and "2 steps are selected" in view._title.value
        view.group.click()
        assert "type a name first" in view.message
        view.name.value = "a b"
        assert "is not a valid name" in view.message
        view.name.value = "both"
        view.group.click()
        expected = {"op": "group", "name": "both", "nodes": ["a", "b"], "gather": "join"}
        assert made.commands == [expected]
        view.remove.click()
        assert made.commands[-1] == {"op": "remove", "nodes": ["a", "b"], "wires": []}

    def test_of_a_group_its_name_can_go(self) -> None:
        nodes = [Node.make(name, "map", ["digits"]) for name in ("a", "b")]
        made = Session(SOURCE, *nodes, groups=(Group("both", ("a", "b")),))
        made.select("b", "a")
        assert "grouped as <b>both</b>" in made.panel.several._title.value
        made.panel.several.ungroup.click()
        assert made.commands == [{"op": "ungroup", "name": "both"}]

    def test_nothing_selected_shows_the_graph(self) -> None:
        made = Session()
        made.show()
        assert "The canvas is empty" in made.panel.summary.value
        made = Session(SOURCE, Node.make("a", "model", ["digits"], model="gone"))
        made.problems = [Problem("it is <gone>", node="a")]
        made.show()
        shown = made.panel.summary.value
        assert "2 steps" in shown and "gone (not registered)" in shown
        assert "1 problem:" in shown and "&lt;gone&gt;" in shown

    def test_problems_stand_at_their_node(self) -> None:
        made, view = session("map")
        made.problems = [Problem("map needs <it>", node="it"), Problem("other", node="digits")]
        made.show()
        assert "map needs &lt;it&gt;" in view.problems.value and "other" not in view.problems.value

    def test_a_node_that_is_gone(self) -> None:
        made, _ = session("map")
        made.document = Document(Graph((SOURCE,)), {"digits": (0.0, 0.0)})
        made.show()
        assert made.panel.node is None and made.panel.summary in made.panel.children

    def test_a_node_can_be_deleted(self) -> None:
        made, view = session("map")
        view.remove.click()
        assert made.commands == [{"op": "remove", "nodes": ["it"], "wires": []}]


class TestControls:
    def test_showing_again_sends_nothing_to_the_browser(self) -> None:
        made, view = session("split", arms=(("a", 0.5), ("b", 0.5)), by="user")
        changes: list[Any] = []
        for widget in _below(made.panel):
            widget.observe(changes.append)
        made.show()
        assert changes == []
        assert view is made.panel.node

    def test_every_control_is_named_for_a_screen_reader(self) -> None:
        for kind in KINDS:
            made, view = session(kind)
            for editor in dict.fromkeys(view.editors.values()):
                if hasattr(editor, "add"):
                    editor.add.click()
            controls = [one for one in _below(made.panel) if {"value", "index"} & {*one.keys}]
            for control in controls:
                assert control.description or isinstance(control, HTML), control

    def test_hidden_controls_are_closed(self) -> None:
        arms = (("a", 0.5), ("b", 0.5))
        nodes = [Node.make(f"s{n}", "split", ["digits"], arms=arms) for n in range(20)]
        made = Session(SOURCE, *nodes)
        for node in nodes:
            made.select(node.name)
        before = len(_instances)
        for node in nodes:
            rows: Any = made.select(node.name).editors["pin"]
            rows.add.click()
            rows.rows[0].children[-1].click()
        made.select("s19")
        assert len(_instances) == before

    def test_late_messages_go_to_their_own_node(self) -> None:
        made = Session(SOURCE, *(Node.make(n, "read", path=n) for n in ("a", "b")))
        first = made.select("a")
        made.select("b")
        first.editors["path"].text.value = "late.csv"
        assert [dict(made.graph[n].params)["path"] for n in ("a", "b")] == ["late.csv", "b"]
        assert made.panel.node is not first

    def test_edits_from_two_threads(self) -> None:
        made, view = session("keyed", max_models=1)
        worker = threading.Thread(target=lambda: setattr(view.editors["by"].text, "value", "user"))
        worker.start()
        view.editors["max_models"].text.value = "2"
        worker.join(30)
        assert {command["op"] for command in made.commands} == {"configure"}
        assert len(made.commands) == 2

    def test_the_keyboard_goes_to_the_first_control(self) -> None:
        made, view = session("map")
        sent: list[Any] = []
        view.editors["function"].text.focus = lambda: sent.append("focus")  # type: ignore[method-assign]
        made.panel.focus()
        assert sent == ["focus"]
        made.select()
        made.panel.focus()

    def test_the_static_view(self) -> None:
        made, _ = session("cascade", small="mlp", big="tree", below=0.8)
        made.problems = [Problem("<odd>", node="it")]
        made.show()
        bundle = made.panel._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert "below: 0.8" in bundle["text/plain"] and "&lt;odd&gt;" in bundle["text/html"]
        made.select()
        assert "2 steps" in made.panel._repr_mimebundle_()["text/plain"]
        made.select("it", "digits")
        assert "2 steps are selected" in made.panel._repr_mimebundle_()["text/html"]


def _below(widget: Any) -> list[Any]:
    return [widget, *(one for child in getattr(widget, "children", ()) for one in _below(child))]


def test_the_findings_of_a_check_are_shown_until_the_graph_changes() -> None:
    session = Session(
        Node.make("digits", "source", data="digits"),
        Node.make("halve", "map", ["digits"], function="halve"),
    )
    session.show()
    before = session.panel.summary.value
    session.panel.checked = session.document.graph, [Problem("halve opens <files>", "halve")]
    session.show()
    assert "On workers elsewhere:" in session.panel.summary.value
    assert "halve opens &lt;files&gt;" in session.panel.summary.value
    session.document = replace(session.document, graph=Graph(session.document.graph.nodes[:1]))
    session.show()
    assert "On workers elsewhere:" not in session.panel.summary.value
    assert "On workers elsewhere:" not in before
