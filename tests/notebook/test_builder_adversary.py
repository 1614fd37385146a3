"""The builder with hostile variables, malformed messages and failing components."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from IPython.core.error import UsageError
from ipywidgets.widgets.widget import _instances

import mmnotebook as mm
from mmnotebook.errors import GraphError, RunError
from mmnotebook.ui.builder.builder import Builder
from mmnotebook.ui.builder.editor import VIEWS
from mmnotebook.ui.dashboard import Dashboard
from tests.notebook.conftest import ROOT, Notebook
from tests.notebook.test_builder import View

HOSTILE = """
class Weird(list):
    @property
    def shape(self):
        raise RuntimeError("no shape")
    def __len__(self):
        raise RuntimeError("no length")

class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("nothing behind it")
    def __getattr__(self, name):
        raise RuntimeError("nothing behind it")
    def __call__(self):
        pass
    def __repr__(self):
        raise RuntimeError("no words")

class Homeless:
    pass

def wordy(value):
    return value

def lost(value):
    return value

weird, proxy, homeless = Weird([1]), Proxy(), Homeless()
Homeless.__module__ = None
wordy.__doc__ = 7
lost.__module__ = None
far = "x" * 10_000_000
null = "a" + chr(0)
"""


pytestmark = pytest.mark.usefixtures("two_models")


def test_variables_that_raise_when_looked_at_are_listed_or_left_out(
    builder: Builder, notebook: Notebook
) -> None:
    view = View(builder)
    shown = notebook.run(HOSTILE)
    assert "Error" not in shown.stdout + shown.stderr
    assert view.items("Data") == ["digits", "weird"]
    assert view.items("Functions") == ["halve", "wordy"]
    view.send("text", text="weird | mlp | wordy")
    view.send("select", nodes=["weird"])
    assert builder.problems == []
    view.send("register")
    assert view.messages == [{"type": "form"}]


def test_an_error_in_the_hook_after_a_cell_does_not_fail_the_cell(
    builder: Builder, notebook: Notebook
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    builder._studio._show_palette = fail
    shown = notebook.run("1")
    assert "broken" not in shown.stdout + shown.stderr


def test_after_a_cell_that_changed_nothing_nothing_is_sent(
    builder: Builder, notebook: Notebook
) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp")
    told: list[str] = []
    view.canvas.observe(lambda change: told.append(change["name"]))
    notebook.run("1")
    assert told == []
    notebook.run("digits = digits.head(7)")
    assert told == ["palette", "scene"]


def test_views_and_malformed_messages_leave_no_trace(builder: Builder) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp")
    for number in range(3 * VIEWS):
        command = {"op": "move", "places": {"mlp": [number, 0]}}
        view.tell(type="command", view=f"v{number}", number=number, command=command)
    seen = view.canvas.seen
    assert len(seen) == VIEWS
    assert seen[f"v{3 * VIEWS - 1}"] == 3 * VIEWS - 1
    view.tell(type="command", view="x" * 10_000, number=1, command={"op": "undo"})
    view.tell(type="command", view={}, number="one", command={"op": "undo"})
    view.tell(type="command", view="view", number=10, command=7)
    assert all(len(name) < 100 for name in view.canvas.seen)
    graph = builder.graph
    deep = "(" * 5_000
    for text in (deep, f"digits | {deep}", "digits | map(" + "-" * 50_000, "\0", "\ud800"):
        view.send("text", text=text)
        assert view.scene["textProblems"], text[:20]
    view.send("undo")
    for clip in ("[" * 100_000, '{"nodes": 7}', "null", '"'):
        view.send("paste", clip=clip)
        assert view.messages[-1]["level"] == "error"
    view.send("move", places={"mlp": [10**400, 0]})
    assert view.messages[-1]["level"] == "error"
    assert builder.graph == graph


def test_a_text_with_mistakes_survives_a_move_and_comes_back_with_undo(builder: Builder) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp")
    view.send("text", text="digits | mlp | nobody")
    view.send("move", places={"mlp": [5, 500]})
    assert view.scene["text"] == "digits | mlp | nobody"
    view.send("add", kind="model", params={"model": "tree"})
    assert view.scene["textProblems"] == []
    assert "nobody" not in view.scene["text"]
    view.send("undo")
    assert view.scene["text"] == "digits | mlp | nobody"
    assert view.scene["textProblems"]
    view.send("undo")
    assert view.scene["text"] == "digits | mlp"


def test_hidden_parts_have_no_widgets(builder: Builder) -> None:
    """Check that no hidden widget exists: a reloaded page may request each one from the kernel."""
    view, before = View(builder), len(_instances)
    assert builder._studio.side.form is None and builder._studio.tables.tab.children == ()
    view.send("register")
    form = builder._studio.side.form
    assert form is not None and len(_instances) > before + 50
    view.send("register")
    assert builder._studio.side.form is form
    view.send("text", text="digits | mlp")
    before = len(_instances)
    view.send("run", limit=5)
    builder.wait(60)
    assert builder._studio.tables.tab.layout.display is None
    assert builder._studio.tables.tab.selected_index == 0
    assert len(_instances) > before + 50


def test_a_closed_builder_leaves_no_widgets_or_hooks(notebook: Notebook) -> None:
    mm.Builder("digits | mlp").close()  # a widget that was created once stays
    before = len(_instances)
    hooks = list(notebook.shell.events.callbacks["post_run_cell"])
    threads = threading.active_count()
    for _ in range(3):
        made = mm.Builder("digits | [mlp, tree]")
        view = View(made)
        view.send("select", nodes=["mlp"])
        view.send("select", nodes=["mlp", "tree"])
        view.send("run", limit=5)
        made.wait(60)
        view.send("register")
        made.close()
        made.close()
    assert [type(w).__name__ for w in list(_instances.values())[before:]] == []
    assert notebook.shell.events.callbacks["post_run_cell"] == hooks
    assert threading.active_count() <= threads + 1


def test_a_script_that_ends_with_an_open_builder_prints_nothing() -> None:
    script = "import mmnotebook as mm\nprint(mm.Builder())"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("Builder('')\n", "")


def test_the_builder_of_a_variable_is_never_a_closed_one(notebook: Notebook) -> None:
    from mmnotebook.ui.builder import builder as module

    notebook.run("%mm_builder mine")
    first = module._open["mine"]
    notebook.run("%mm_builder mine")
    assert module._open["mine"] is first
    first.close()
    notebook.run("%mm_builder mine")
    assert module._open["mine"] is not first
    module._open["mine"].close()


def test_a_private_variable_is_opened_and_not_overwritten(notebook: Notebook) -> None:
    from mmnotebook.ui.builder import builder as module

    notebook.run("import mmnotebook as mm\n_ab = mm.pipeline('digits | mlp')\n%mm_builder _ab")
    assert module._open["_ab"].text == "digits | mlp"
    module._open["_ab"].close()
    error, _ = notebook.fail("%mm_builder Out")
    assert "'Out' is not a pipeline" in str(error)
    for name in ("1x", "for", "a b", "digits | mlp"):
        assert isinstance(notebook.fail(f"%mm_builder {name}")[0], UsageError), name


def test_a_second_run_is_refused_while_one_is_in_progress(builder: Builder) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp")
    release = threading.Event()
    studio = builder._studio
    ended = studio.runner._on_result
    studio.runner._on_result = lambda result: (release.wait(60), ended(result))
    builder.run(limit=5)
    with pytest.raises(RunError, match="already in progress"):
        builder.run(limit=5)
    view.send("run", limit=5)
    assert "already in progress" in view.latest_text()
    release.set()
    assert builder.wait(60) is not None


def test_an_error_at_the_end_of_a_run_is_shown_and_ends_it(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = View(builder)
    view.send("text", text="digits | mlp")

    def broken(*_: Any) -> None:
        raise RuntimeError("no plot")

    monkeypatch.setattr(Dashboard, "add", broken)
    view.send("run", limit=5)
    builder.wait(60)
    assert view.canvas.status["state"] == "done"
    assert "no plot" in view.latest_text()


def test_a_step_that_ends_the_interpreter_ends_the_run(
    builder: Builder, notebook: Notebook
) -> None:
    notebook.run("def leave(value):\n    raise SystemExit('away')")
    view = View(builder)
    view.send("text", text="digits | leave")
    view.send("run", limit=5)
    builder.wait(60)
    assert view.canvas.status["state"] == "failed"


def test_an_inserted_cell_needs_the_given_objects_as_variables(
    builder: Builder, notebook: Notebook
) -> None:
    given = mm.Builder(mm.pipeline("rows | halve", rows=[1, 2]))
    assert given.problems == []
    with pytest.raises(GraphError, match="rows"):
        given.cell()
    notebook.variables["rows"] = [1, 2]
    assert given.cell("mine") == "%%mm_pipeline mine\nrows | map(halve)"
    given.close()


def test_the_example_replaces_no_variable(builder: Builder, notebook: Notebook) -> None:
    notebook.run(
        "from sklearn.pipeline import make_pipeline\n"
        "mine = make_pipeline(forest)\n%mm_model logistic mine --input y\n"
        "digits_example = 'my own'"
    )
    view = View(builder)
    view.send("example")
    view.send("example")
    assert mm.registry["logistic"].input == "y"
    assert notebook.variables["digits_example"] == "my own"
    assert builder.problems == []
    assert [name for name in notebook.variables if name.startswith("digits_example")] == [
        "digits_example",
        "digits_example_2",
    ]
