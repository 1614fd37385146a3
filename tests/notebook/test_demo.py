"""`python -m mmnotebook demo`: it executes a notebook, prints its table and writes an HTML file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mmnotebook.ui.demo import DemoError, demo

ROOT = Path(__file__).parents[2]

RESULT = """
import os, sys, tempfile
import mmnotebook as mm
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
rows = [[0.0], [1.0], [2.0]]
mm.register("tiny", model)
r = mm.run(mm.pipeline("rows | tiny"), progress=False)
print(sys.executable)
print(tempfile.mkdtemp())
r
"""


def write(path: Path, *cells: str) -> Path:
    book = new_notebook(cells=[new_markdown_cell("# Title $x^2$"), *map(new_code_cell, cells)])
    nbformat.write(book, path)
    return path


def test_it_prints_the_table_and_writes_one_private_file(tmp_path: Path) -> None:
    said: list[str] = []
    out = tmp_path / "demo.html"
    out.write_text("an older one")
    out.chmod(0o644)
    notebook = write(tmp_path / "a.ipynb", "%load_ext mmnotebook", RESULT)
    demo(out, say=said.append, notebook=notebook)
    assert said[:2] == ["[1/2] %load_ext mmnotebook", "[2/2] import os, sys, tempfile"]
    table, wrote = said[3], said[-1]
    assert table.splitlines()[0].split()[0] == "predictions"
    assert re.search(r"^tiny +3 ", table, re.MULTILINE)
    assert wrote == f"wrote {out}"
    assert out.stat().st_mode & 0o777 == 0o600
    html = out.read_text("utf-8")
    assert "<script" not in html
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", html)
    assert not re.search(r"@import|url\([\"']?(https?:)?//", html)
    assert "r.models.to_string" not in html
    assert sys.executable in html
    # The files of the kernel are removed too.
    (left,) = re.findall(r"\S+/mmnotebook-demo-\w+/\w+", html)
    assert not Path(left).exists()
    assert not Path(left).parent.exists()


def test_a_failing_cell_is_reported_and_shown(tmp_path: Path) -> None:
    notebook = write(tmp_path / "a.ipynb", "%load_ext mmnotebook", "1 / 0", "never = 1")
    out = tmp_path / "demo.html"
    with pytest.raises(DemoError) as caught:
        demo(out, say=lambda _: None, notebook=notebook)
    assert "cell 2 of 3 failed: ZeroDivisionError: division by zero" in str(caught.value)
    assert str(out) in str(caught.value)
    assert "ZeroDivisionError" in out.read_text("utf-8")


def test_a_notebook_without_a_result_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="NameError"):
        demo(tmp_path / "d.html", say=lambda _: None, notebook=write(tmp_path / "a.ipynb", "1"))


def test_a_missing_folder_is_an_error_before_the_run(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(DemoError, match="no such folder"):
        demo(tmp_path / "none" / "d.html", say=said.append, notebook=tmp_path / "a.ipynb")
    assert not said


def test_ctrl_c_stops_it_and_its_kernel(tmp_path: Path) -> None:
    """Interrupt the real command in the first cell of the real tutorial."""
    running = subprocess.Popen(
        [sys.executable, "-m", "mmnotebook", "demo", "--out", str(tmp_path / "d.html")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline().startswith("[1/")
    children = psutil.Process(running.pid).children(recursive=True)
    assert children
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130
    assert errors == "stopped\n"
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.iterdir())
