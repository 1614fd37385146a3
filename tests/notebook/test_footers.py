"""Expressions shown with results and errors use the notebook's names, so they can be executed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from IPython.utils.capture import CapturedIO

import mmnotebook as mm

ATTRIBUTES = "models|nodes|why|failed|arms|result|progress|cancel|last"
EXPRESSION = re.compile(rf"(?:\bimport \w+; )?\b[A-Za-z_][\w.]*\.(?:{ATTRIBUTES})\b")
ODD = "def odd(v):\n    return 1 / (v % 5)\nd = list(range(100))\n"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MMNOTEBOOK_CACHE", str(tmp_path_factory.mktemp("cache")))


def texts(shown: CapturedIO) -> Iterator[str]:
    yield shown.stdout
    for output in shown.outputs:
        for kind in ("text/plain", "text/html"):
            words = output.data.get(kind, "")
            yield unescape(re.sub(r"<(style|svg).*?</\1>|<[^>]+>", " ", words, flags=re.DOTALL))


def expressions(shown: CapturedIO) -> set[str]:
    return {found for text in texts(shown) for found in EXPRESSION.findall(text)}


def check(notebook: Any, shown: CapturedIO, expected: set[str]) -> None:
    """Execute each of the shown expressions as a cell."""
    found = expressions(shown)
    assert found == expected
    for expression in found:
        notebook.run(expression)


@pytest.mark.parametrize(
    ("cell", "called"),
    [
        ("%mm_pipeline g d | odd --run", "mm.last"),
        ("%mm_pipeline g d | odd --run -o res", "res"),
        ("%mm_run g --max-failed 1", "mm.last"),
        ("%mm_run g --max-failed 1 -o other", "other"),
        ("kept = mm.run(g, max_failed=1, progress=False)\nkept", "kept"),
        ("mm.run(g, max_failed=1, progress=False)", "mm.last"),
        ("_private = mm.run(g, max_failed=1, progress=False)\n_private", "mm.last"),
    ],
)
def test_hints_use_the_variable_of_the_result(notebook: Any, cell: str, called: str) -> None:
    notebook.run(ODD.replace("% 5", "% 50") + "g = mm.pipeline('d | odd')")
    shown = notebook.run("from IPython.display import display\n" + cell)
    if not shown.outputs:  # the value of the cell's last line, which this shell prints
        assert called in shown.stdout
    check(notebook, shown, {f"{called}.{name}" for name in ("nodes", "why", *_failed(shown))})


def _failed(shown: CapturedIO) -> list[str]:
    """Return the expression for `failed`, which the HTML shows below the first failures."""
    return ["failed"] if any("First failures" in text for text in texts(shown)) else []


def test_a_result_of_models_names_its_latencies(notebook: Any, two_models: None) -> None:
    shown = notebook.run("%mm_pipeline g digits | [mlp, tree] --run --limit 20 -o res")
    check(notebook, shown, {"res.models", "res.nodes", "res.why"})


def test_a_result_without_a_name_that_is_not_the_latest_names_nothing(notebook: Any) -> None:
    notebook.run(ODD + "def f(v):\n    return v")
    notebook.run("g = mm.pipeline('d | f')\nkept = [mm.run(g, progress=False)]\nmm.run(g)")
    shown = notebook.run("from IPython.display import display\ndisplay(kept[0])")
    assert expressions(shown) == set()
    assert "its .nodes" in " ".join(texts(shown))


@pytest.mark.parametrize(
    ("code", "called"),
    [
        ("import mmnotebook as m", "m.last"),
        ("import mmnotebook", "mmnotebook.last"),
        ("mm = 25.4", "import mmnotebook; mmnotebook.last"),
    ],
)
def test_hints_for_the_latest_result_use_mm_last(notebook: Any, code: str, called: str) -> None:
    notebook.run(ODD + "def f(v):\n    return v\nmm = 25.4\n" + code)
    shown = notebook.run("%mm_pipeline g d | f --run")
    check(notebook, shown, {f"{called}.nodes", f"{called}.why"})


def test_the_error_of_a_run_has_the_expression_for_its_failures(notebook: Any) -> None:
    notebook.run(ODD + "mm = 1\nimport mmnotebook as other")
    error, _ = notebook.fail("%mm_pipeline g d | odd --run")
    assert isinstance(error, mm.RunError)
    for expression in EXPRESSION.findall(str(error)):
        notebook.run(expression)


def remedy_of(error: BaseException) -> str:
    assert isinstance(error, mm.MMError) and error.remedy is not None
    return error.remedy


def test_the_remedy_for_an_unknown_id_can_be_evaluated(notebook: Any) -> None:
    notebook.run(
        ODD + "def f(v):\n    return v\nres = mm.run(mm.pipeline('d | f'), progress=False)"
    )
    error, _ = notebook.fail("%mm_trace nobody")
    assert remedy_of(error) == 'the ids are in res["d"]["id"]'
    notebook.run('assert list(res["d"]["id"])')


def test_the_remedy_for_a_forecast_can_be_evaluated(notebook: Any, two_models: None) -> None:
    notebook.run(
        "digits['key'] = 'a'\n"
        'keyed = mm.pipeline(\'digits | keyed({"a": mlp, "b": tree}, by="key")\')\n'
        "res = mm.run(keyed, limit=20, progress=False)"
    )
    error, _ = notebook.fail("mm.forecast(res, 'keyd')")
    assert remedy_of(error) == 'mm.forecast(res, "keyed")'
    notebook.run(remedy_of(error))
    notebook.run("plain = mm.run(mm.pipeline('digits | mlp'), limit=5, progress=False)")
    error, _ = notebook.fail("mm.forecast(plain)")
    assert remedy_of(error) == "run a graph with a model per key: data | keyed({...}, by=...)"


def test_a_misspelt_function_of_the_package_gets_the_nearest(notebook: Any) -> None:
    error, _ = notebook.fail("mm.dashbord()")
    assert str(error).endswith("no attribute 'dashbord'; did you mean 'dashboard'?")
    assert not hasattr(mm, "__wrapped__")
