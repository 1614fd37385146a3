"""Sources of a pipeline's names: a notebook, a script, `%run`, the variables of a function."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.notebook_state import called, name_of
from tests.notebook.conftest import ROOT

SCRIPT = """
import mmnotebook as mm

photos = [1, 2, 3]

def crop(value):
    return value * 10

def made():
    return mm.pipeline("photos | crop")
"""
RUN = SCRIPT + "result = mm.run(made(), progress=False)\nprint(list(result['crop']['value']))\n"
REFUSED = SCRIPT + "try:\n    made()\nexcept mm.GraphError as error:\n    print(error.remedy)\n"


def python(*arguments: str, folder: Path) -> str:
    """Return the output of Python, run with these arguments in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MMNOTEBOOK_CACHE": str(folder / "cache")}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_a_script_the_error_says_to_pass_names(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(REFUSED, encoding="utf-8")
    remedy = "mm.pipeline(..., photos=photos, crop=crop)\n"
    assert python("script.py", folder=tmp_path) == remedy
    assert python("-c", REFUSED, folder=tmp_path) == remedy
    assert python("-c", "import script", folder=tmp_path) == remedy
    given = SCRIPT.replace('"photos | crop"', '"photos | crop", crop=crop')
    told = REFUSED.replace(SCRIPT, given)
    assert python("-c", told, folder=tmp_path) == "mm.pipeline(..., photos=photos)\n"


def test_a_graph_that_lacks_a_name_says_how_a_script_gives_it(tmp_path: Path) -> None:
    code = REFUSED.replace("mm.pipeline", "mm.parse").replace(
        "made()\nexcept", "mm.run(made())\nexcept"
    )
    code = code.replace("GraphError", "MMError").replace("| crop", "| map(crop)")
    said = python("-c", code, folder=tmp_path)
    assert said == "mm.pipeline(..., crop=crop), or graph.bind(crop=...)\n"


def test_a_script_that_is_run_in_a_notebook_has_its_names(notebook: Any, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(RUN, encoding="utf-8")
    notebook.run("photos = ['of the notebook']")
    assert notebook.run(f"%run {script}").stdout == "[10, 20, 30]\n"
    assert notebook.run(f"%run -i {script}").stdout == "[10, 20, 30]\n"
    script.write_text(RUN.replace("photos =", "pictures ="), encoding="utf-8")
    shown = notebook.run(f"%run {script}")  # it continues after an error
    assert "nothing is defined with this name; found photos" in shown.stdout


def test_functions_of_a_script_work_in_the_cells_after_it(notebook: Any, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    notebook.run(f"%run {script}")
    notebook.run("photos = [4]\nlater = mm.run(mm.pipeline('photos | crop'), progress=False)")
    assert list(notebook.variables["later"]["crop"]["value"]) == [40]


def test_variables_of_a_function_are_given(notebook: Any) -> None:
    code = "def main():\n    rows = [1]\n    return mm.pipeline('rows | halve')\nmain()"
    error, _ = notebook.fail(code)
    assert str(error).endswith("→ mm.pipeline(..., rows=rows)")
    error, _ = notebook.fail("mm.pipeline('rowz | halve')")
    assert "→" not in str(error)


def test_a_model_that_is_a_variable_is_registered_rather_than_given(notebook: Any) -> None:
    code = "def main(mine):\n    return mm.pipeline('digits | mine')\nmain(net)"
    error, _ = notebook.fail(code)
    assert '→ register it first: mm.register("mine", mine)' in str(error)
    assert "mm.pipeline(" not in str(error)


def test_errors_use_the_variable_names_of_objects(notebook: Any) -> None:
    notebook.run("value = object()\n_private = value\nother = value")
    assert name_of(notebook.variables["value"]) == "other"
    assert name_of(object()) is None


@pytest.mark.parametrize("code", ["import mmnotebook as m", "m = __import__('mmnotebook')"])
def test_errors_use_the_notebooks_name_of_the_package(notebook: Any, code: str) -> None:
    notebook.run("mm = 25.4")
    assert called("last") == "import mmnotebook; mmnotebook.last"
    notebook.run(code)
    assert called("last") == "m.last"


def test_the_extension_defines_mm_unless_the_name_is_used(notebook: Any) -> None:
    shell = notebook.shell
    assert notebook.variables["mm"] is mm and called("last") == "mm.last"
    assert "mm" not in notebook.run("%who").stdout.split()
    shell.run_line_magic("unload_ext", "mmnotebook")
    assert "mm" not in notebook.variables
    notebook.run("mm = 25.4\n%load_ext mmnotebook")
    assert notebook.variables["mm"] == 25.4
    notebook.run("%unload_ext mmnotebook")
    assert notebook.variables["mm"] == 25.4
    notebook.run("%load_ext mmnotebook")
