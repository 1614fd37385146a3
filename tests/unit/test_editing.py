"""Every command on a document: its effect, and when it is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mmnotebook.editing import clips, node_positions, texts
from mmnotebook.editing.commands import apply
from mmnotebook.editing.document import SIZE, Document
from mmnotebook.editing.history import LIMIT, History
from mmnotebook.editing.templates import templates
from mmnotebook.errors import GraphError
from mmnotebook.graph.graph import Graph, Group, Input, Node
from mmnotebook.graph.names import Names
from mmnotebook.notation.text import parse
from mmnotebook.steps.validation import faults, problems

SPLIT = 's = rows | split({"a": 0.5, "b": 0.5})\nx = s.a | mlp\ny = s.b | tree'
JOINED = '[a, b] | vote()\n{"k": a, "b": b} | mean()\nboth = [a, b]'
JOINED = f"a = rows | m1\nb = rows | m2\n{JOINED}"


def made(text: str = "") -> Document:
    graph = texts.read(text, None).graph
    assert graph is not None
    return Document.of(graph)


def after(text: str, op: str, /, **fields: Any) -> Document:
    """Return the document of a text after a command that went through JSON, as from the canvas."""
    return apply(made(text), json.loads(json.dumps({"op": op, **fields}))).document


def text_after(text: str, op: str, /, **fields: Any) -> str:
    return texts.written(after(text, op, **fields).graph)


def refusal(text: str, op: str, /, **fields: Any) -> GraphError:
    document = made(text)
    with pytest.raises(GraphError) as error:
        apply(document, {"op": op, **fields})
    assert document == made(text)
    return error.value


# --- documents -------------------------------------------------------------------------------


def test_a_document_is_arranged_from_left_to_right_with_room_for_labels() -> None:
    document = made("digits | [mlp, tree] | vote()\n... | lone")
    places = document.places
    assert set(places) == set(document.graph.names)
    assert min(x for x, _ in places.values()) == min(y for _, y in places.values()) == 0
    for node in document.graph:
        for wire in node.inputs:
            assert places[node.name][0] - places[wire.node][0] >= SIZE[0] + 72
    assert abs(places["mlp"][1] - places["tree"][1]) >= SIZE[1] + 28
    assert places["mlp"][0] == places["tree"][0]
    assert Document.of(Graph()).places == {}


def test_a_wire_that_passes_steps_has_a_row_of_its_own() -> None:
    places = made("a = rows | m1\nb = a | m2\n[rows, b] | map(f)").places
    middle = places["rows"][1] + SIZE[1] / 2
    assert places["rows"][1] == places["f"][1]
    assert all(abs(middle - places[n][1] - SIZE[1] / 2) > SIZE[1] / 2 + 8 for n in "ab")


@pytest.mark.parametrize(
    "node",
    [
        Node.make("a", "map", ["a"], function="f"),
        Node.make("a", "map", ["b"], function="f"),
        Node.make("a", "dance"),
        Node.make("a", "map", function=3),
        Node.make("a", "map", steps=3),
    ],
)
def test_a_wrong_graph_is_not_a_document(node: Node) -> None:
    with pytest.raises(GraphError):
        Document.of(Graph((node,)))


# --- add, template ---------------------------------------------------------------------------


def test_a_step_is_added_under_a_free_name_and_selected() -> None:
    edit = apply(made("digits | mlp"), {"op": "add", "kind": "model", "params": {"model": "mlp"}})
    assert edit.document.graph["mlp_2"] == Node.make("mlp_2", "model", model="mlp")
    assert (edit.label, edit.selection) == ("add mlp_2", ("mlp_2",))
    assert not faults(edit.document.graph)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("map", "... | map(...)"),
        ("source", "source(...)"),
        ("read", "read(...)"),
        ("model", "... | model(...)"),
        ("split", '... | split({"a": 0.5, "b": 0.5})'),
        ("switch", '... | switch(..., ["a", "b"])'),
        ("keyed", "... | keyed(...)"),
        ("cascade", "... | cascade(..., ..., below=...)"),
        ("stack", "... | stack()"),
        ("write", "... | write(...)"),
    ],
)
def test_a_step_without_parameters_is_incomplete_but_no_error(kind: str, text: str) -> None:
    document = after("", "add", kind=kind)
    assert texts.written(document.graph) == text
    assert problems(document.graph)


def test_a_step_is_added_behind_another_and_connected_where_that_is_allowed() -> None:
    document = after("digits | mlp", "add", kind="vote", after=["mlp", None])
    assert document.graph["vote"].inputs == (Input("mlp"),)
    assert document.places["vote"][0] > document.places["mlp"][0]
    arm = after(SPLIT, "add", kind="model", params={"model": "m"}, after=["s", "b"])
    assert arm.graph["m"].inputs == (Input("s", "b"),)
    source = after("digits | mlp", "add", kind="read", after=["mlp", None])
    assert source.graph["read"].inputs == ()
    assert after("digits", "add", kind="vote", after=["gone", None]).graph["vote"].inputs == ()


def test_a_step_is_placed_as_requested_or_below_other_steps() -> None:
    assert after("digits", "add", kind="vote", at=[500, 300]).places["vote"] == (500, 300)
    x, y = after("digits", "add", kind="vote", at=[10, 10]).places["vote"]
    assert x == 10 and y >= SIZE[1]
    assert after("digits", "add", kind="vote").places["vote"][1] > SIZE[1]
    assert after("", "add", kind="vote").places["vote"] == (0, 0)


def test_steps_that_cannot_be_added_are_refused() -> None:
    assert refusal("", "add", kind="modle").problems[0].nearest == "model"
    assert refusal("", "add", kind="map", params={"functoin": "f"}).problems[0].nearest
    assert (
        "cannot have this value" in refusal("", "add", kind="map", params={"function": 3}).message
    )
    assert "'at'" in refusal("", "add", kind="map", at=[1]).message
    assert "'at'" in refusal("", "add", kind="map", at=[1, float("nan")]).message
    assert "'kind'" in refusal("", "add").message
    assert refusal("", "ad").problems[0].nearest == "add"


@pytest.mark.parametrize(
    ("name", "left_open", "filled"),
    [
        (
            "ab_split",
            'source(...) | split({"a": 0.5, "b": 0.5})\n'
            "split.a | model(...)\n"
            "model_2 = split.b | model(...)",
            "rows | split(mlp=0.5, tree=0.5)",
        ),
        ("mirror", None, "rows | [mlp, tree]"),
        ("sequence", None, "rows | mlp | map(crop) | tree"),
        (
            "keyed",
            "source(...) | keyed(...)",
            'rows | keyed({"KEY_1": mlp, "KEY_2": tree})',
        ),
        ("ensemble", None, None),
        (
            "cascade",
            "source(...) | cascade(..., ..., below=0.8)",
            "rows | cascade(mlp, tree, below=0.8)",
        ),
    ],
)
def test_a_template_is_added_with_what_is_given(
    name: str, left_open: str | None, filled: str | None
) -> None:
    fill = {"data": "rows", "models": ["mlp", "tree"], "function": "crop"}
    text = text_after("", "template", name=name, fill=fill)
    assert filled in (None, text)
    bare = after("", "template", name=name)
    assert problems(bare.graph) and not faults(bare.graph)
    assert left_open in (None, texts.written(bare.graph))
    edit = apply(made("rows | mlp"), {"op": "template", "name": name, "fill": fill, "at": [0, 0]})
    assert edit.label == f"add {templates()[name].title}"
    assert edit.selection and "rows" not in edit.selection
    assert sum(node.kind == "source" for node in edit.document.graph) == 1


def test_a_template_stands_right_of_the_data_that_is_there() -> None:
    fill = {"data": "rows", "models": ["a", "b"]}
    document = after("rows | mlp", "template", name="ab_split", fill=fill)
    assert document.places["split"] == (240, 84)
    assert after("other", "template", name="mirror", fill=fill).places["rows"][1] >= 84


def test_templates_that_are_filled_are_complete() -> None:
    fill = {"data": "rows", "models": ["a", "b", "c"], "function": "f"}
    for name in templates():
        assert not problems(after("", "template", name=name, fill=fill).graph), name
    three = after("", "template", name="ab_split", fill=fill).graph["split"]
    assert dict(three["arms"]) == {"a": 0.34, "b": 0.33, "c": 0.33}
    keyed = text_after("", "template", name="keyed", fill=fill)
    assert keyed == 'rows | keyed({"KEY_1": a, "KEY_2": b, "KEY_3": c})'
    vote = text_after("", "template", name="ensemble", fill=fill)
    assert vote == "rows | [a, b, c] | vote()"
    assert refusal("", "template", name="mirrored").problems[0].nearest == "mirror"
    assert "'models'" in refusal("", "template", name="mirror", fill={"models": "a"}).message


# --- wires -----------------------------------------------------------------------------------


def test_a_wire_carries_a_field_and_a_key() -> None:
    wire = {"source": "a", "port": None, "target": "vote"}
    text = text_after(JOINED, "wire", **wire, select=["p", "q"], label="first")
    assert '{"first": a[["p", "q"]], "b": b} | vote()' in text
    assert '[a["p"], b] | vote()' in text_after(JOINED, "wire", **wire, select="p")
    mean = {**wire, "target": "mean"}
    assert "both | mean()" in text_after(JOINED, "wire", **mean)
    assert (
        "already has an input with the key b" in refusal(JOINED, "wire", **wire, label="b").message
    )
    assert "joins nothing" in refusal("d | m", "wire", source="d", target="m", label="k").message
    assert "no wire from d to m" in refusal("d\n... | m", "wire", source="d", target="m").message
    assert "'select'" in refusal("d | m", "wire", source="d", target="m", select=3).message


def test_a_plugged_wire_must_leave_keys_that_differ() -> None:
    text = JOINED + "\nk = rows | m3"
    fields = {"source": "k", "port": None, "target": "mean", "old": ["b", None, "mean"]}
    assert "already has an input with the key k" in refusal(text, "connect", **fields).message
    fields["old"] = ["a", None, "mean"]
    assert "[k, b] | mean()" in text_after(text, "connect", **fields)
    assert after(text, "connect", **fields).graph["mean"].inputs[0] == Input("k")
    fields["old"] = ["rows", None, "mean"]
    assert "no wire" in refusal(text, "connect", **fields).message


def test_several_inputs_are_joined_or_united() -> None:
    text = "a = rows | m1\nb = rows | m2\n[a, b] | map(f)"
    assert "{a, b} | map(f)" in text_after(text, "gather", node="f", gather="union")
    assert after(text, "gather", node="f", gather="join").graph == made(text).graph
    assert (
        "does not have several inputs" in refusal(text, "gather", node="a", gather="join").message
    )
    assert "unknown gather mode" in refusal(text, "gather", node="f", gather="mix").message
    assert "must be joined" in refusal(JOINED, "gather", node="vote", gather="union").message
    arms = SPLIT + "\n{s.a, s.b} | map(f)"
    assert "two outputs of s" in refusal(arms, "gather", node="f", gather="join").message


def test_labels_of_edits_name_what_changes() -> None:
    def label(text: str, **command: Any) -> str:
        return apply(made(text), command).label

    wire = {"source": "s", "port": "a", "target": "y"}
    assert label(SPLIT, op="connect", **wire) == "connect s.a to y"
    cut = [["s", "a", "x"], ["s", "b", "y"]]
    assert label(SPLIT, op="disconnect", wires=cut[:1]) == "disconnect s.a from x"
    assert label(SPLIT, op="disconnect", wires=cut) == "disconnect 2 wires"
    assert label(SPLIT, op="remove", nodes=["x"], wires=cut) == "remove x"
    assert label(SPLIT, op="remove", nodes=["x", "y"], wires=[]) == "remove 2 steps"
    assert label(SPLIT, op="remove", nodes=[], wires=cut[:1]) == "remove 1 wire"
    assert label(SPLIT, op="move", places={"x": [1, 2]}) == "move x"
    assert label(SPLIT, op="rename", old="x", new="z") == "rename x to z"
    assert label(SPLIT, op="wire", **{**wire, "target": "x"}).endswith("from s.a to x")


# --- names -----------------------------------------------------------------------------------


def test_a_name_is_changed_where_it_is_free() -> None:
    document = after(JOINED, "rename", old="a", new="first")
    assert document.graph["vote"].inputs[0].node == "first"
    assert document.graph.groups == (Group("both", ("first", "b")),)
    assert "first" in document.places and "a" not in document.places
    edit = apply(made(JOINED), {"op": "rename", "old": "a", "new": "first"})
    assert edit.selection == ("first",)
    assert after(JOINED, "rename", old="both", new="two").graph.groups[0].name == "two"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("a", "b", "there is a b already"),
        ("a", "both", "there is a both already"),
        ("a", "for", "'for' is not a valid name"),
        ("a", "2x", "'2x' is not a valid name"),
        ("c", "d", "no such node"),
        ("b", "k", "mean already has an input with the key k"),
    ],
)
def test_an_invalid_name_is_refused(old: str, new: str, why: str) -> None:
    assert why in refusal(JOINED, "rename", old=old, new=new).message


def test_steps_are_grouped_and_ungrouped() -> None:
    text = after(JOINED, "group", name="g", nodes=["vote", "mean"], gather="union")
    assert text.graph.groups[-1] == Group("g", ("vote", "mean"), "union")
    assert after(JOINED, "ungroup", name="both").graph.groups == ()
    assert (
        "two or more steps"
        in refusal(JOINED, "group", name="g", nodes=["a"], gather="join").message
    )
    assert "already" in refusal(JOINED, "group", name="a", nodes=["a", "b"], gather="join").message
    assert "no group" in refusal(JOINED, "ungroup", name="a").message
    wrong = refusal(JOINED, "group", name="g", nodes=["a", "q"], gather="join")
    assert "no such node" in wrong.message


# --- parameters ------------------------------------------------------------------------------


def test_a_step_called_by_its_model_follows_it() -> None:
    edit = apply(
        made("digits | mlp | map(f)"),
        {"op": "configure", "node": "mlp", "params": {"model": "tree"}},
    )
    assert texts.written(edit.document.graph) == "digits | tree | map(f)"
    assert edit.selection == ("tree",)
    left = after(
        "digits | tree\n... | model(...)", "configure", node="model", params={"model": "tree"}
    )
    assert left.graph["tree_2"]["model"] == "tree"
    again = {"op": "configure", "node": "tree_2", "params": {"model": "net"}}
    assert "net" in apply(left, again).document.graph
    named = after("x = digits | mlp", "configure", node="x", params={"model": "tree"})
    assert named.graph["x"]["model"] == "tree"


def test_a_following_name_is_no_key_of_a_join() -> None:
    text = 'm1 = rows | m1\nm2 = rows | m2\n{"net": m1, "o": m2} | vote()'
    document = after(text, "configure", node="m2", params={"model": "net"})
    assert "net_2" in document.graph and not faults(document.graph)


def test_a_parameter_goes_back_to_not_given() -> None:
    text = 'rows | keyed({"K": m}, by="lang", max_models=2)'
    document = after(text, "configure", node="keyed", params={"max_models": None, "models": None})
    assert texts.written(document.graph) == 'rows | keyed(..., by="lang")'
    function = after(text, "configure", node="keyed", params={"by_function": "f"})
    assert "by=f" in texts.written(function.graph) and "by" not in dict(
        function.graph["keyed"].params
    )
    default = after(text, "configure", node="keyed", params={"group": "auto"})
    assert default.graph == made(text).graph


def test_renamed_arms_keep_their_wires_by_position() -> None:
    arms = {"arms": [["big", 0.9], ["b", 0.1]]}
    document = after(SPLIT, "configure", node="s", params=arms)
    assert document.graph["x"].inputs == (Input("s", "big"),)
    assert document.graph["y"].inputs == (Input("s", "b"),)
    swapped = after(SPLIT, "configure", node="s", params={"arms": [["b", 0.5], ["a", 0.5]]})
    assert swapped.graph["x"].inputs == (Input("s", "b"),)
    switch = 'rows | switch(f, ["a", "b", "c"])\n{switch.a, switch.c} | map(g)'
    fewer = after(switch, "configure", node="switch", params={"arms": ["a", "b"]})
    assert fewer.graph["g"] == Node.make("g", "map", [Input("switch", "a")], function="g")
    none = after(SPLIT, "configure", node="s", params={"arms": None})
    assert none.graph["x"].inputs == (Input("s"),) and none.graph["y"].inputs == ()
    assert not faults(none.graph)
    back = apply(none, {"op": "configure", "node": "s", "params": arms}).document
    assert back.graph["x"].inputs == (Input("s", "big"),)


def test_pins_follow_the_arms() -> None:
    text = 'rows | split({"a": 0.5, "b": 0.5}, pin={"1": "a", "2": "b"})'
    document = after(text, "configure", node="split", params={"arms": [["c", 0.5], ["b", 0.5]]})
    assert document.graph["split"]["pin"] == ((("1",), "c"), (("2",), "b"))
    assert not faults(document.graph)
    pinned = refusal(text, "configure", node="split", params={"pin": [[["1"], "z"]]})
    assert "names an unknown branch" in pinned.message


def test_invalid_values_are_refused() -> None:
    wrong = refusal(SPLIT, "configure", node="s", params={"arms": [["a", 0.5], ["b", 0.6]]})
    assert "adding up to 1" in wrong.message
    assert refusal(SPLIT, "configure", node="s", params={"sal": "x"}).problems[0].nearest == "salt"
    assert "no such node" in refusal(SPLIT, "configure", node="q", params={}).message


# --- move, arrange, remove, paste --------------------------------------------------------------


def test_places_change_and_nothing_else() -> None:
    document = after(SPLIT, "move", places={"x": [5, -7.5]})
    assert document.places["x"] == (5, -7.5) and document.graph == made(SPLIT).graph
    assert apply(document, {"op": "arrange"}).document == made(SPLIT)
    assert "no such node" in refusal(SPLIT, "move", places={"q": [1, 2]}).message
    assert "'places'" in refusal(SPLIT, "move", places={"x": 3}).message
    assert "no step" in refusal(SPLIT, "move", places={}).message


def test_some_steps_are_arranged_where_they_stand() -> None:
    moved = after(SPLIT, "move", places={"x": [900, 905], "y": [910, 900]})
    document = apply(moved, {"op": "arrange", "nodes": ["x", "y"]}).document
    assert document.places["x"] == (900, 900)
    assert document.places["y"][1] >= 900 + SIZE[1] + 28
    assert document.places["s"] == moved.places["s"]


def test_removing_a_step_keeps_the_others() -> None:
    document = after(JOINED, "remove", nodes=["a", "vote"], wires=[])
    assert document.graph["mean"].inputs == (Input("b"),)
    assert document.graph.groups == (Group("both", ("b",)),)
    assert set(document.places) == {"rows", "b", "mean"}
    assert "no such node" in refusal(JOINED, "remove", nodes=["q"], wires=[]).message
    assert "no wire" in refusal(JOINED, "remove", nodes=[], wires=[["a", None, "b"]]).message
    assert "nothing to remove" in refusal(JOINED, "remove", nodes=[], wires=[]).message


def test_a_copy_is_pasted_under_free_names_with_the_wires_within() -> None:
    document = made(JOINED)
    clip = clips.copy(document, ["a", "b", "mean"])
    edit = apply(document, {"op": "paste", "clip": clip, "at": [1000, 50]})
    graph, places = edit.document.graph, edit.document.places
    assert edit.selection == ("a_2", "b_2", "mean_2")
    assert graph["a_2"].inputs == ()
    assert graph["mean_2"].inputs == (Input("a_2", label="k"), Input("b_2"))
    assert graph.groups[-1] == Group("both_2", ("a_2", "b_2"))
    assert min(places[name] for name in edit.selection)[0] == 1000
    shift = {places[n][1] - document.places[n[:-2]][1] for n in edit.selection}
    assert len(shift) == 1
    elsewhere = apply(made(), {"op": "paste", "clip": clip}).document
    assert elsewhere.graph.names == ("a", "b", "mean")
    assert elsewhere.places == {n: document.places[n] for n in ("a", "b", "mean")}


def test_a_graphs_file_is_pasted_too_and_anything_else_is_refused() -> None:
    text = parse("rows | [a, b]").to_json()
    assert texts.written(after("", "paste", clip=text).graph) == "rows | [a, b]"
    for clip in ("", "rows | a", "3", "{}", clips.copy(made(), [])):
        assert "the copied text contains no steps" in refusal("", "paste", clip=clip).message
    wrong = json.loads(text)
    wrong["nodes"][0]["kind"] = "dance"
    assert "no such kind" in refusal("", "paste", clip=json.dumps(wrong)).message
    odd = {**json.loads(text), "places": {"a": "here"}}
    assert "'places'" in refusal("", "paste", clip=json.dumps(odd)).message


# --- undo ------------------------------------------------------------------------------------


def done(history: History, op: str, /, **fields: Any) -> None:
    history.do(apply(history.document, {"op": op, **fields}))


def test_edits_are_undone_and_redone_by_name() -> None:
    history = History(made("digits"))
    assert history.undo() is None and history.redo() is None
    done(history, "add", kind="vote")
    done(history, "connect", source="digits", port=None, target="vote")
    assert (history.undoable, history.redoable) == ("connect digits to vote", None)
    undone = history.undo()
    assert undone is not None and undone.document is history.document
    assert (history.undoable, history.redoable) == ("add vote", "connect digits to vote")
    redone = history.redo()
    assert redone is not None and history.document.graph["vote"].inputs
    history.undo()
    done(history, "add", kind="map")
    assert history.redoable is None


def test_one_gesture_is_one_edit() -> None:
    history = History(made("digits | mlp"))
    first = history.document
    for x in range(5):
        done(history, "move", places={"mlp": [x, x]})
    assert history.undo() is not None and history.document == first and history.undoable is None
    for text in ("digits | a", "digits | ab"):
        done(history, "text", text=text, gesture="1")
    done(history, "text", text="digits | abc", gesture="2")
    history.undo()
    assert texts.written(history.document.graph) == "digits | ab"
    history.undo()
    assert history.document == first
    first = apply(first, {"op": "rename", "old": "mlp", "new": "m"}).document
    history = History(first)
    for model in ("x", "y"):
        done(history, "configure", node="m", params={"model": model}, gesture="3")
        assert history.document.graph["m"]["model"] == model
    history.undo()
    assert history.document == first
    history = History(made("digits | mlp"))
    for model in ("n", "ne", "net"):  # the name changes too
        name = history.document.graph.names[1]
        done(history, "configure", node=name, params={"model": model}, gesture="4")
    assert "net" in history.document.graph
    assert history.undo() is not None and history.undoable is None


def test_commands_without_effect_are_not_in_the_limited_history() -> None:
    history = History(made("digits"))
    done(history, "text", text="digits")
    done(history, "move", places=dict(history.document.places))
    assert history.undoable is None
    for n in range(LIMIT + 20):
        done(history, "add", kind="vote", at=[0, 100 * n])
    count = 0
    while history.undo() is not None:
        count += 1
    assert count == LIMIT


# --- text ------------------------------------------------------------------------------------

NAMES = Names(models={"mlp": 1, "tree": 1}, given={}, notebook={"rows": [1], "crop": len})


def test_typed_text_keeps_places_and_puts_new_steps_near_what_feeds_them() -> None:
    document = apply(made("rows | mlp"), {"op": "move", "places": {"mlp": [600, 400]}}).document
    command = {"op": "text", "text": "rows | mlp | map(crop)\n... | tree"}
    typed = apply(document, command, NAMES).document
    assert typed.places["mlp"] == (600, 400)
    assert typed.places["crop"] == (840, 400)
    assert typed.places["tree"][1] > 400
    assert typed.graph["tree"].inputs == ()


def test_a_step_typed_between_two_stands_between_them() -> None:
    command = {"op": "text", "text": "rows | map(crop) | mlp"}
    wide = apply(made("rows | mlp"), {"op": "move", "places": {"mlp": [480, 0]}}).document
    assert apply(wide, command).document.places["crop"] == (240, 0)
    moved = apply(made("... | mlp"), {"op": "move", "places": {"mlp": [0, 0]}}).document
    first = apply(moved, {"op": "text", "text": "rows | mlp"}).document
    assert first.places == {"rows": (-240, 0), "mlp": (0, 0)}
    chain = apply(moved, {"op": "text", "text": "rows | map(crop) | mlp"}).document
    assert chain.places == {"rows": (-480, 0), "crop": (-240, 0), "mlp": (0, 0)}


@pytest.mark.parametrize(
    "commands",
    [
        [{"op": "text", "text": "rows | mlp"}],
        [{"op": "template", "name": "ab_split", "fill": {"data": "rows"}, "at": [70, 35]}],
        [{"op": "text", "text": "rows | [mlp, mlp2]"}, {"op": "remove", "nodes": ["mlp2"]}],
        [{"op": "text", "text": "x = rows | mlp"}, {"op": "rename", "old": "x", "new": "y"}],
    ],
)
def test_text_is_arranged_while_no_step_was_moved(commands: list[dict[str, Any]]) -> None:
    document = made("")
    for command in commands:
        document = apply(document, command).document
    corner = [min(place[axis] for place in document.places.values()) for axis in (0, 1)]
    text = "rows | map(crop) | split(mlp=0.5, mlp2=0.5)"
    typed = apply(document, {"op": "text", "text": text}).document
    assert typed.places == node_positions.at_corner(
        node_positions.arranged(typed.graph), tuple(corner)
    )
    name = typed.graph.names[-1]
    moved = apply(typed, {"op": "move", "places": {name: [900, 900]}}).document
    again = apply(moved, {"op": "text", "text": "rows | mlp | map(crop)"}).document
    assert {n: again.places[n] for n in moved.places if n in again.places} == {
        n: at for n, at in moved.places.items() if n in again.places
    }


def test_incomplete_text_is_read_with_what_is_missing() -> None:
    reading = texts.read("... | mlp\nrows | map(...) | cascade(mlp, ..., below=...)", NAMES)
    assert reading.graph is not None
    assert dict(reading.graph["cascade"].params) == {"small": "mlp"}
    where = [(p.message, p.line) for p in reading.problems]
    assert ("this model step has no input", 1) in where
    assert ("map needs 'function'", 2) in where
    assert texts.read("", NAMES).graph == texts.read("# note", NAMES).graph == Graph()
    assert (
        texts.read("[..., mlp2] | vote()", None).graph == texts.read("[mlp2] | vote()", None).graph
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rows |", "not a pipeline's line"),
        ("rows | nothing", "no model or function with this name"),
        ("...", "a step is missing here"),
        ("x = ...", "a step is missing here"),
        ("rows | ...", "this cannot be a step"),
        ("rows | split(mlp=0.5, tree=0.6)", "'arms' of split cannot have this value"),
        ("rows | split(mlp=..., tree=0.5)", "this is not a valid value here"),
        ("[rows, rows] | vote()", "the same input twice"),
        ('rows | write("p.csv") | mlp', "nothing can follow a write"),
        ("rows | mlp | source(rows)", "source starts a line"),
        ("a | " + "(a | " * 150 + "b" + ")" * 150, ""),
    ],
)
def test_text_that_is_not_a_graph_has_a_reason(text: str, why: str) -> None:
    reading = texts.read(text, NAMES)
    assert reading.graph is None
    assert any(why in problem.message for problem in reading.problems)
    with pytest.raises(GraphError):
        apply(made("rows"), {"op": "text", "text": text}, NAMES)


@pytest.mark.parametrize(
    ("text", "column", "remedy"),
    [
        ("... | mlp", 1, "write the input: data | step"),
        ("rows | map(...)", 12, "write the name of a function"),
        ("rows | cascade(mlp, tree, below=...)", 33, "write a confidence from 0 to 1"),
    ],
)
def test_a_graph_with_a_gap_cannot_run(text: str, column: int, remedy: str) -> None:
    with pytest.raises(GraphError) as error:
        parse(text, NAMES)
    (problem,) = error.value.problems
    assert problem.message == "'...' is a placeholder for a missing part"
    assert (problem.line, problem.column) == (1, column)
    assert error.value.remedy == remedy


def test_deleted_names_keep_their_role() -> None:
    gone = Names(models={}, given={}, notebook={})
    graph = parse("rows | mlp | map(crop)", NAMES)
    assert texts.read("rows | mlp | map(crop) | mlp", gone, graph).graph is not None
    assert texts.read("rows | mlp | tree", gone, graph).graph is None
    found = texts.problems(graph, Names({"mlq": 1}, {}, {"row": [1], "crops": len}))
    assert [(p.node, p.nearest) for p in found] == [
        ("rows", "row"),
        ("mlp", "mlq"),
        ("crop", "crops"),
    ]
    assert texts.problems(graph, NAMES) == texts.problems(graph, None) == []
    assert texts.problems(graph.bind(rows=[1], crop=len), Names({"mlp": 1}, {}, {})) == []


def test_bindings_and_pipelines_stay_with_the_graph() -> None:
    inner = parse("rows | mlp", NAMES)
    names = Names({"mlp": 1, "tree": 1}, {"inner": inner}, {})
    document = Document.of(parse("inner | tree", names).bind(rows=[1, 2]))
    typed = apply(document, {"op": "text", "text": "rows | mlp"}, Names({"mlp": 1}, {}, {}))
    assert typed.document.graph.bindings == {"rows": [1, 2]}
    assert typed.document.graph.pipelines == ("inner",)


# --- speed -----------------------------------------------------------------------------------


def calls(work: Callable[[], Any]) -> int:
    """Return the number of Python function calls: a cost that is the same on every machine."""
    count = 0

    def see(frame: Any, event: str, given: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_three_hundred_steps_are_edited_with_little_work() -> None:
    chains = [
        f"c{n}_{k} = {f'c{n}_{k - 1}' if k else 'rows'} | m{n}" for n in range(60) for k in range(5)
    ]
    text = "\n".join(chains[:299])
    graph = parse(text)
    names = Names({f"m{n}": 1 for n in range(60)}, {"rows": [1]}, {})
    document, last = Document.of(graph), graph.names[-1]
    clip = clips.copy(document, graph.names[:30])
    # About twice the measured number.
    most: list[tuple[int, dict[str, Any]]] = [
        (80_000, {"op": "arrange"}),
        (100_000, {"op": "text", "text": text + "\nrows | m1"}),
        (2_500, {"op": "add", "kind": "model", "after": ["rows", None]}),
        (30_000, {"op": "connect", "source": "rows", "port": None, "target": last}),
        (6_000, {"op": "remove", "nodes": list(graph.names[:30]), "wires": []}),
        (20_000, {"op": "rename", "old": "rows", "new": "r"}),
        (2_000, {"op": "configure", "node": last, "params": {"model": "m2"}}),
        (100, {"op": "move", "places": {last: [0, 0]}}),
        (10_000, {"op": "paste", "clip": clip}),
    ]
    assert calls(lambda: Document.of(graph)) < 110_000
    took = {c["op"]: (calls(lambda c=c: apply(document, c, names)), limit) for limit, c in most}
    assert {op: pair for op, pair in took.items() if pair[0] > pair[1]} == {}
