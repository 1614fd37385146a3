"""Completion through IPython's own completer and through a kernel."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

import mmnotebook as mm


def complete(notebook: Any, code: str) -> dict[str, str]:
    """Return IPython's completions at the end of the code: text and type."""
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(code, len(code)))
    return {code[: item.start] + item.text: item.type for item in found}


def words(notebook: Any, code: str) -> set[str]:
    """Return the completions of the word at the end of the code."""
    start = len(code) - len(code.split()[-1]) if code[-1:].strip() else len(code)
    return {text[start:] for text in complete(notebook, code)}


RUN = {"--background", "--fresh", "--limit", "--result", "--until"}


@pytest.fixture
def ab(notebook: Any) -> Any:
    """Return a notebook with two models and two graphs that have not run."""
    notebook.run("%mm_model mlp net\n%mm_model tree forest")
    notebook.run('%mm_pipeline ab both = digits["x"] | [mlp, tree]')
    notebook.run('%mm_pipeline seq digits["x"] | halve | mlp')
    notebook.run('import mmnotebook as mm\nflink = mm.cluster("FlinkRunner", flink_master="h:1")')
    return notebook


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("%mm_run --", RUN | {"--max-failed"}),
        ("%mm_pipeline --r", {"--result", "--run"}),
        ("%mm_pipeline ab --run --", RUN | {"--run"}),
        ("%mm_run ab --fresh --back", {"--background"}),
        ("%mm_run --fresh --background s", {"seq"}),
        ("%%mm_pipeline ab --ru", {"--run"}),
        ("%mm_model mlp net --d", {"--device"}),
        ("%mm_model mlp net --device ", {"CPU", "GPU"}),
        ("%mm_model mlp net --output arg", {"argmax"}),
        ("%mm_model mlp net --output ha", {"halve"}),
        ("%mm_model mlp net --class Random", {"RandomForestClassifier"}),
        ("%mm_model ml", {"mlp"}),
        ("%mm_model tree fo", {"forest"}),
        ("%mm_run ", {"ab", "seq"}),
        ("r = %mm_run s", {"seq"}),
        ("%mm_run ab --until tr", {"tree"}),
        ("%mm_check s", {"seq"}),
        ("%mm_check seq --", {"--on", "--probe"}),
        ("%mm_check seq --on ", {"flink"}),
        ("%mm_check --probe s", {"seq"}),
        ("%mm_inspect ha", {"halve"}),
        ("%mm_inspect bo", {"both"}),
        ("%mm_plot ", {"latency", "memory"}),
        ("%mm_plot latency m", {"memory"}),
    ],
)
def test_in_a_line(ab: Any, code: str, expected: set[str]) -> None:
    assert words(ab, code) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dig", {"digits"}),
        ('digits["x"] | ml', {"mlp"}),
        ('digits["x"] | hal', {"halve"}),
        ('digits["x"] | spl', {"split("}),
        ("[mlp, tree] | vo", {"vote()"}),
        ("first = digits | halve\nfir", {"first"}),
    ],
)
def test_in_a_pipelines_text(ab: Any, line: str, expected: set[str]) -> None:
    for head in ("%%mm_pipeline ab --run\n", "\n\n%%mm_pipeline\n"):
        code = head + line
        start = len(head) + line.rindex(line.split()[-1])
        assert {text[start:] for text in complete(ab, code)} == expected
    if "\n" not in line:
        code = "%mm_pipeline " + line
        assert expected <= {text[code.rindex(" ") + 1 :] for text in complete(ab, code)}


def test_a_step_after_a_bracket(ab: Any) -> None:
    code = '%%mm_pipeline\ndigits["x"] | [mlp,tre'
    assert set(complete(ab, code)) == {'%%mm_pipeline\ndigits["x"] | [mlp,tree'}


def test_everything_that_may_follow(ab: Any) -> None:
    found = words(ab, "%%mm_pipeline\ndigits | ")
    assert {
        "mlp",
        "tree",
        "halve",
        "split(",
        "cascade(",
        "keyed(",
        "switch(",
        "mean()",
        "ab",
    } <= found
    assert not {"net", "forest", "get_ipython", "In", "exit", "source("} & found


def test_completions_of_a_text_have_their_type(ab: Any) -> None:
    assert complete(ab, "%%mm_pipeline\nml") == {"%%mm_pipeline\nmlp": "model"}
    assert complete(ab, "%%mm_pipeline\ndigits | ab") == {"%%mm_pipeline\ndigits | ab": "pipeline"}
    assert complete(ab, "%%mm_pipeline\nvot") == {"%%mm_pipeline\nvote()": "step"}


def test_no_completions_in_a_string_or_elsewhere(ab: Any) -> None:
    assert "split(" not in words(ab, '%%mm_pipeline\nread("spl')
    assert "split(" not in words(ab, "# spl")
    assert "mlp" not in words(ab, "ml")
    assert "mlp" not in words(ab, "%%time\nml")


def test_the_latest_results_nodes_come_too(ab: Any) -> None:
    ab.run("%mm_run seq --limit 3 -o r\ndel seq")
    assert mm.last is ab.variables["r"]
    assert "halve" in words(ab, "%mm_inspect ")
    assert words(ab, "%mm_inspect mlp -r ") == {"r"}


def test_files_are_offered_where_a_model_file_is_allowed(ab: Any, tmp_path: Any) -> None:
    (tmp_path / "weights.pt").touch()
    code = f"%mm_model mlp {tmp_path}/wei"
    assert f"%mm_model mlp {tmp_path}/weights.pt" in complete(ab, code)


def test_after_unloading_ipython_completes_alone(ab: Any) -> None:
    ab.shell.run_line_magic("unload_ext", "mmnotebook")
    assert "split(" not in words(ab, "%%mm_pipeline\nspl")


def test_a_kernel_completes_without_importing_a_framework(fresh_kernel: Any) -> None:
    fresh_kernel.run("%load_ext mmnotebook\nrows = [1, 2]\ndef twice(v): return 2 * v")
    assert fresh_kernel.complete("%mm_run --lim") == ["--limit"]
    assert fresh_kernel.complete("%%mm_pipeline a\nro") == ["rows"]
    assert fresh_kernel.complete("%%mm_pipeline a\nrows | tw") == ["twice"]
    assert fresh_kernel.complete("%%mm_pipeline a\nrows | casc") == ["cascade("]
    heavy = ("torch", "apache_beam", "pandas")
    fresh_kernel.run(f"import sys; print([name for name in {heavy!r} if name in sys.modules])")
    assert fresh_kernel.printed() == "[]\n"


def test_a_kernel_completes_models_and_nodes(kernel: Any) -> None:
    kernel.run('%mm_model mlp net\n%mm_pipeline seq digits["x"] | halve | mlp')
    assert kernel.complete("%mm_inspect ha") == ["halve"]
    assert kernel.complete("%%mm_pipeline b\ndigits | ml") == ["mlp"]
    assert kernel.complete("%mm_run se") == ["seq"]
