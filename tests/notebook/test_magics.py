"""The magics in a real IPython and in a real kernel, with real models."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError
from matplotlib.image import imread

import mmnotebook as mm
from mmnotebook.ui.common.arguments import split_pipeline_line, words

MAGICS = ("model", "pipeline", "run", "check", "builder", "inspect", "trace", "plot", "doctor")


@pytest.mark.parametrize(
    ("line", "said", "text"),
    [
        ('digits["x"] | [mlp, tree]', [], 'digits["x"] | [mlp, tree]'),
        ('ab digits["x"] | [mlp, tree]', ["ab"], 'digits["x"] | [mlp, tree]'),
        ("ab digits | mlp --run", ["--run", "ab"], "digits | mlp"),
        ("ab --run --limit 5 digits | mlp", ["ab", "--run", "--limit", "5"], "digits | mlp"),
        ("--run ab digits | mlp -o r", ["-o", "r", "--run", "ab"], "digits | mlp"),
        ("ab digits | mlp --run --fresh", ["--run", "--fresh", "ab"], "digits | mlp"),
        ("ab --background --run digits", ["ab", "--background", "--run"], "digits"),
        ('read("a --fresh") | f', [], 'read("a --fresh") | f'),
        ("both = digits | mlp", [], "both = digits | mlp"),
        ("ab both = digits | mlp", ["ab"], "both = digits | mlp"),
        ("ab", ["ab"], ""),
        ("ab --run", ["--run", "ab"], ""),
        ("ab {a, b} | mlp", ["ab"], "{a, b} | mlp"),
        ('read("a --run") | f', [], 'read("a --run") | f'),
        ("lambda x: x", [], "lambda x: x"),
        ("--rum digits | mlp", ["--rum", "digits", "|", "mlp"], ""),
        ("", [], ""),
    ],
)
def test_a_pipeline_line(line: str, said: list[str], text: str) -> None:
    assert split_pipeline_line(line) == (said, text)


@given(
    st.from_regex(r"[a-z]+(\[\"[ !#-~]*\"\])? \| [ -\"$-~]*[\])}\"']", fullmatch=True),
    st.sampled_from(["", "ab ", "--run ", "ab --run ", "ab --limit 3 -o r ", "ab --fresh "]),
    st.sampled_from(["", " --run", " --until x", " --limit=3 --run", " --run --background"]),
)
def test_the_text_of_a_line_is_left_alone(text: str, front: str, back: str) -> None:
    assert split_pipeline_line(front + text + back)[1] == text


def test_words_keep_what_is_in_quotes_and_every_backslash() -> None:
    line = r"""net C:\models\a.pt --params '{"hidden": 64}' -w "a == 'b c'" """
    expected = ["net", r"C:\models\a.pt", "--params", '{"hidden": 64}', "-w", "a == 'b c'"]
    assert words(line) == expected
    with pytest.raises(UsageError, match="a quote is not closed"):
        words("net 'a")


def test_register_run_and_inspect(notebook: Any) -> None:
    shown = notebook.run("%mm_model mlp net --batch 64 --output argmax\n%mm_model tree forest")
    mlp, tree = (output.data["text/plain"] for output in shown.outputs)
    assert (mlp, tree) == (repr(mm.registry["mlp"]), repr(mm.registry["tree"]))
    assert mm.registry["mlp"].batch_size == 64
    shown = notebook.run('%%mm_pipeline digits_ab --run -o r\nboth = digits["x"] | [mlp, tree]')
    graph, result = notebook.variables["digits_ab"], notebook.variables["r"]
    assert graph == mm.pipeline('both = digits["x"] | [mlp, tree]')
    assert result is mm.last
    assert len(shown.outputs) == 1
    assert shown.stdout == ""
    assert list(result.models.index) == ["mlp", "tree"]
    assert list(result.models.predictions) == [200, 200]
    shown = notebook.run("%mm_inspect mlp -n 5 -w 'label == 3'")
    expected = mm.inspect(result, "mlp", n=5, where="label == 3")
    assert shown.outputs[0].data["text/plain"] == repr(expected)
    assert len(expected) == 5
    shown = notebook.run("%mm_trace 7")
    assert shown.outputs[0].data["text/plain"] == repr(mm.trace(result, "7"))


def test_a_pipeline_in_one_line(notebook: Any) -> None:
    notebook.run("%mm_model mlp net")
    notebook.run('%mm_pipeline seq digits["x"] | halve | mlp')
    assert notebook.variables["seq"].names == ("digits", "halve", "mlp")
    shown = notebook.run("%mm_pipeline seq")
    assert shown.outputs[0].data["text/plain"] == repr(notebook.variables["seq"])
    notebook.run("%mm_pipeline seq --run --limit 10 -o few")
    assert len(notebook.variables["few"]["mlp"]) == 10


def test_run(notebook: Any) -> None:
    notebook.run('%mm_model mlp net\n%mm_pipeline seq digits["x"] | halve | mlp')
    shown = notebook.run("%mm_run seq --limit 20 --until halve --max-failed 0 -o half")
    result = notebook.variables["half"]
    assert list(result.nodes.elements_out) == [20, 20]
    assert shown.outputs[-1].data["text/plain"] == repr(result)


def test_cached_nodes_are_computed_only_with_fresh(notebook: Any) -> None:
    notebook.run('%mm_pipeline seq digits["x"] | halve\n%mm_run seq --limit 20')
    notebook.run("%mm_run seq --limit 20 -o again")
    assert notebook.variables["again"].nodes["cached"].all()
    notebook.run("%mm_run seq --limit 20 --fresh -o anew")
    assert not notebook.variables["anew"].nodes["cached"].any()
    notebook.run("%mm_pipeline seq --run --limit 20 --fresh -o anew")
    assert set(notebook.variables["anew"].why.values()) == {"fresh=True"}


@pytest.mark.parametrize("line", ["%mm_run seq", "%mm_pipeline seq --run"])
def test_in_the_background_the_run_itself_is_assigned(notebook: Any, line: str) -> None:
    notebook.run('%mm_pipeline seq digits["x"] | halve')
    shown = notebook.run(f"{line} --background -o going")
    assert shown.outputs == []
    going = notebook.variables["going"]
    assert isinstance(going, mm.Running)
    error, _ = notebook.fail("%mm_inspect halve -r going")
    assert "going = going.result()" in str(error)
    assert going.result(timeout=60) is mm.last
    assert notebook.variables["going"] is going


def test_run_passes_on_max_failed(notebook: Any) -> None:
    notebook.run('def odd(v):\n    return v.x if v[2] > 3 else v\n%mm_pipeline p digits["x"] | odd')
    error, printed = notebook.fail("%mm_run p --max-failed 0")
    assert isinstance(error, mm.RunError)
    assert "odd" in printed
    notebook.run("%mm_run p --max-failed 1")


def test_a_state_dict_with_its_class(notebook: Any, tmp_path: Path) -> None:
    notebook.run(
        "class Net(torch.nn.Module):\n"
        "    def __init__(self, hidden):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(64, hidden)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x)\n"
    )
    path = tmp_path / "my weights.pt"
    torch.save(notebook.variables["Net"](6).state_dict(), path)
    notebook.run(
        f"""%mm_model net "{path}" --class Net --params '{{"hidden": 6}}' --input x --batch 8"""
    )
    spec = mm.registry["net"]
    assert (spec.form, spec.input, spec.batch_size) == ("state_dict", "x", 8)
    assert spec.params == {"hidden": 6}


def test_every_option_of_register(notebook: Any) -> None:
    notebook.run(
        "%mm_model sure forest --framework sklearn --method predict_proba --preprocess halve "
        '--postprocess argmax --timeout 2.5 --large --copies 2 --env \'{"A": "1"}\' '
        "--inference-args '{}' --extra '{}'"
    )
    spec = mm.registry["sure"]
    assert (spec.framework, spec.method, spec.output) == ("sklearn", "predict_proba", "argmax")
    assert spec.preprocess is notebook.variables["halve"]
    assert (spec.timeout, spec.large_model, spec.model_copies) == (2.5, True, 2)
    assert spec.env_vars == {"A": "1"}


def test_names_in_modules_and_pythons_own_functions(notebook: Any, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(torch.nn.Linear(2, 3).state_dict(), path)
    notebook.run(
        f'%mm_model line "{path}" --class torch.nn.Linear --preprocess np.negative --output sum '
        """--params '{"in_features": 2, "out_features": 3}' --min-batch 2 --max-batch 4"""
    )
    spec = mm.registry["line"]
    assert spec.target is torch.nn.Linear and spec.output is sum and spec.batch_size == 4
    notebook.run("parts = torch.nn.ModuleDict({'head': net})\n%mm_model head parts.head")
    assert mm.registry["head"].origin == "Sequential"


@pytest.mark.parametrize("target", ["torch.nn.Linear(2,3)", 'parts["head"]'])
def test_an_expression_is_not_a_target(notebook: Any, target: str) -> None:
    _, printed = notebook.fail(f"%mm_model head '{target}'")
    assert "assign it to a variable first" in printed


def test_several_fields_and_a_function_of_the_output(notebook: Any) -> None:
    notebook.run("%mm_model tree forest --output halve --input a b --cache element")
    assert mm.registry["tree"].cache == "element"
    assert mm.registry["tree"].input == ("a", "b")
    assert mm.registry["tree"].output is notebook.variables["halve"]
    assert "tree" in notebook.run("%mm_model").outputs[0].data["text/html"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%mm_model mlp", "%mm_model mlp TARGET"),
        ("%mm_model --batch 3", "the model's name is missing"),
        ("%mm_model mlp net --batch none", "'none' is not a positive integer"),
        ("%mm_model mlp net --params '[1]'", "is not a dict of names"),
        ("%mm_model mlp net --batch-axis first", "is not an axis number"),
        ("%mm_model mlp net --output-batch-axis '(0,'", "is not an axis"),
        ("%mm_model mlp net --timeout 0", "is not a number of seconds above 0"),
        ("%mm_model mlp net --device TPU", "invalid choice: 'TPU'"),
        ("%mm_model mlp net --cache all", "invalid choice: 'all'"),
        ("%mm_pipeline", "no pipeline"),
        ("%mm_pipeline digits | halve --limit 3", "needs --run"),
        ("%mm_pipeline digits | halve --fresh", "--fresh needs --run"),
        ("%mm_pipeline digits | halve --background", "needs --run"),
        ("%mm_pipeline --rum digits | halve", "--rum"),
        ("%mm_pipeline digits digits | halve", "give the pipeline another name"),
        ("%%mm_pipeline a-b\ndigits | halve", "'a-b' cannot be the name of a variable"),
        ("%mm_run", "NAME"),
        ("%mm_check", "NAME"),
        ("%mm_run a --max-failed 2", "'2' is not a number from 0 to 1"),
        ("%mm_plot speed", "invalid choice: 'speed'"),
        ("%mm_inspect mlp 'x", "a quote is not closed"),
        ("%mm_doctor now", "unrecognized arguments: now"),
    ],
)
def test_a_wrong_line_is_a_usage_error(notebook: Any, line: str, message: str) -> None:
    error, printed = notebook.fail(line)
    assert isinstance(error, UsageError)
    assert message in printed
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%mm_model tree forst", "did you mean 'forest'?"),
        ("%mm_model tree forest --output halv", "did you mean 'halve'?"),
        ("%mm_model mlp net --unbatched --batch-axis 1", "batched=False"),
        ("%mm_run digits_ba", "did you mean 'digits_ab'?"),
        ("%mm_run digits", "'digits' is not a pipeline: it is a DataFrame"),
        ("%mm_check digits_ba", "did you mean 'digits_ab'?"),
        ("%mm_check digits_ab --on digits", "'digits' is not a cluster: it is a DataFrame"),
        ("%mm_check digits_ab --probe", "probe=True needs a cluster"),
        ("%mm_inspect mlp -r digits", "'digits' is not a result: it is a DataFrame"),
        ("%mm_pipeline digits_ba --run", "did you mean 'digits_ab'?"),
    ],
)
def test_a_user_error_has_a_remedy(notebook: Any, line: str, message: str) -> None:
    notebook.run("%mm_pipeline digits_ab digits | halve")
    error, printed = notebook.fail(line)
    assert isinstance(error, mm.MMError)
    assert message in printed
    assert "→" in printed
    assert "Traceback" not in printed


def test_the_check_of_a_graph(notebook: Any) -> None:
    notebook.run("def opens(row):\n    return open(row)")
    notebook.run("%mm_pipeline risky digits | opens")
    notebook.run('import mmnotebook as mm\nhere = mm.cluster("FnApiRunner")')
    (shown,) = notebook.run("%mm_check risky").outputs
    assert "opens files" in shown.data["text/plain"]
    (shown,) = notebook.run("%mm_check risky --on here --probe").outputs
    assert shown.data["text/plain"] == "ready: no findings"


def test_a_line_is_not_expanded(notebook: Any) -> None:
    notebook.run('%mm_pipeline p digits["x"] | switch(halve, a=halve, b=halve)')
    notebook.run('n = 3\n%mm_pipeline q read("{n}.csv") | halve')
    assert '"{n}.csv"' in notebook.variables["q"].to_text()


@pytest.mark.parametrize("name", MAGICS)
def test_every_manual_has_an_example_and_every_option(notebook: Any, name: str) -> None:
    magic = notebook.shell.magics_manager.magics["line"][f"mm_{name}"]
    manual = magic.__doc__
    assert "Examples::" in manual
    assert f"%mm_{name}" in manual.split("Examples::")[1]
    assert "In Python: mm." in manual
    described = manual.split("Examples::")[1]
    usage, text, *_ = (
        part for part in re.split(r"\n\n+", manual.removeprefix("::")) if part.strip()
    )
    assert usage.strip().startswith(f"%mm_{name}") and "\n" not in usage.strip()
    assert text[0].isupper() and text.rstrip().endswith(".")
    lines = described.splitlines()
    for action in magic.parser._actions:
        assert action.help, action.dest
        if action.option_strings:
            (line,) = (one for one in lines if one.startswith(f"  {action.option_strings[0]} "))
            assert line.endswith(f" {action.help}")
            assert re.search(r"\(default: .+\)\.$", action.help), action.dest
        for option in action.option_strings:
            assert option in described


def test_unloading_removes_all_magics(notebook: Any) -> None:
    shell = notebook.shell
    shell.run_line_magic("reload_ext", "mmnotebook")
    assert len(shell.Completer.custom_matchers) == 1
    shell.run_line_magic("unload_ext", "mmnotebook")
    assert not shell.Completer.custom_matchers
    for kind in ("line", "cell"):
        assert not [name for name in shell.magics_manager.magics[kind] if name.startswith("mm_")]
    shell.run_line_magic("load_ext", "mmnotebook")


def test_a_fresh_kernel_loads_at_once_and_has_run_nothing(fresh_kernel: Any) -> None:
    code = (
        "import sys, time\n"
        "started = time.perf_counter()\n"
        "%load_ext mmnotebook\n"
        "print(f'%load_ext mmnotebook: {time.perf_counter() - started:.3f} s')\n"
        "heavy = ('torch', 'apache_beam', 'pandas', 'matplotlib', 'networkx')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert fresh_kernel.run(code)["status"] == "ok"
    sys.stdout.write(fresh_kernel.printed())
    assert fresh_kernel.printed().splitlines()[1] == "[]"
    reply = fresh_kernel.run("%mm_inspect mlp")
    assert reply["evalue"] == "nothing has been run yet\n  → %mm_run PIPELINE runs one"


def test_an_error_in_a_kernel_is_one_short_block(kernel: Any) -> None:
    reply = kernel.run("%%mm_pipeline\ndigits | halv")
    assert reply["status"] == "error"
    (error,) = kernel.of("error")
    assert error["ename"] == "GraphError"
    assert "did you mean 'halve'?" in error["evalue"]
    assert error["traceback"] == [f"GraphError: {error['evalue']}"]


def test_a_failed_run_in_a_kernel_is_one_short_block(kernel: Any) -> None:
    assert kernel.run('%mm_pipeline bad digits["x"] | len | halve')["status"] == "ok"
    kernel.run("def boom(value):\n    raise ValueError('no <b>luck</b>')")
    assert kernel.run('%mm_pipeline bad --run digits["x"] | boom')["status"] == "error"
    (error,) = kernel.of("error")
    assert error["ename"] == "RunError"
    assert "no <b>luck</b>" in error["evalue"]
    assert len(error["traceback"]) == 1
    assert "File " not in error["traceback"][0]


@pytest.mark.parametrize("line", ["%mm_run nope", "%mm_run", "%mm_plot speed"])
def test_an_error_stops_the_following_cells(kernel: Any, line: str, tmp_path: Path) -> None:
    client, gate = kernel.client, tmp_path / "gate"
    os.mkfifo(gate)
    before = client.execute(f"open({str(gate)!r}).read();")  # until all of them exist
    first = client.execute(line)
    second = client.execute("after = 1")
    gate.write_text("")
    replies = {}
    while len(replies) < 3:
        message = client.get_shell_msg(timeout=60)
        replies[message["parent_header"]["msg_id"]] = message["content"]["status"]
    assert replies == {before: "ok", first: "error", second: "aborted"}


def test_plots_in_a_kernel_are_one_picture_each(kernel: Any) -> None:
    kernel.run(
        '%mm_model mlp net\n%mm_model tree forest\n%mm_pipeline ab digits["x"] | [mlp, tree]'
    )
    assert kernel.run("%mm_run ab -o r")["status"] == "ok"
    for code in (
        "%mm_plot latency memory",
        "import matplotlib.pyplot\n%mm_plot latency memory -r r",
    ):
        assert kernel.run(code)["status"] == "ok"
        pictures = kernel.of("display_data")
        assert [picture["data"]["text/plain"] for picture in pictures] == [
            "<latency plot of mlp, tree>",
            "<memory plot of mlp, tree>",
        ]
        for picture in pictures:
            pixels = imread(io.BytesIO(base64.b64decode(picture["data"]["image/png"])))
            assert pixels.std() > 0.01
            assert picture["metadata"]["image/png"]["alt"]
        assert len(kernel.outputs) == 2


def test_outputs_of_a_kernel_can_be_saved(kernel: Any) -> None:
    kernel.run('%mm_model mlp net\n%mm_pipeline one --run digits["x"] | mlp')
    for content in kernel.of("display_data"):
        assert "text/plain" in content["data"]
        json.dumps(content["data"])
    assert kernel.run("%mm_doctor")["status"] == "ok"
    assert "a Jupyter kernel" in kernel.of("display_data")[0]["data"]["text/html"]


EXPORTED = """
import math
LIMIT = 2

class Scale:
    def __init__(self, by):
        self.by = by
    def __call__(self, x):
        return math.floor(x * self.by)

def scaled(x):
    return Scale(LIMIT)(x)

values = [1.5, 2.25]
%mm_pipeline scales values | scaled
"""


def test_a_graph_and_a_run_are_exported(notebook: Any, tmp_path: Path) -> None:
    notebook.run(EXPORTED)
    shown = notebook.run(
        f"%mm_export scales {tmp_path}/made/pipeline.py --sample 1\n"
        f"%mm_export scales {tmp_path}/scales.mmgraph\n"
        f"%mm_run scales -o r\n%mm_export r {tmp_path}/run.mmcapsule"
    )
    assert shown.stdout.count("wrote ") == 3
    text = (tmp_path / "made" / "pipeline.py").read_text()
    assert "class Scale:" in text and "LIMIT = 2" in text and "import math" in text
    names: dict[str, Any] = {"__file__": str(tmp_path / "made" / "pipeline.py")}
    exec(text, names)
    assert names["scaled"](2.25) == 4
    assert mm.open(tmp_path / "scales.mmgraph") == notebook.variables["scales"]
    assert mm.open(tmp_path / "run.mmcapsule")["scaled"]["value"].tolist() == [3, 4]
