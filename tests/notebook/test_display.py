"""The output of a run in a real kernel, during the run and in the saved notebook."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.notebook.conftest import Kernel

SETUP = """
%load_ext mmnotebook
import mmnotebook as mm, os, time

def slow(x):
    time.sleep(0.02)
    return x

def broken(x):
    raise ValueError("<b>no</b>")

X = list(range(60))
slowly = mm.pipeline("X | slow")
os.getpid()
"""


@pytest.fixture(scope="module")
def ready(kernel: Kernel) -> Kernel:
    assert kernel.run(SETUP)["status"] == "ok"
    return kernel


def texts(contents: list[dict[str, Any]]) -> list[str]:
    return [content["data"]["text/plain"] for content in contents]


def ids(contents: list[dict[str, Any]]) -> list[str | None]:
    return [content["transient"].get("display_id") for content in contents]


def test_a_line_per_node_is_rewritten_in_place_and_one_line_stays(ready: Kernel) -> None:
    assert ready.run("r = mm.run(slowly, fresh=True)")["status"] == "ok"
    shown, rewritten = ready.of("display_data"), ready.of("update_display_data")
    assert texts(shown) == ["", "2 nodes computed"]
    assert 'role="status"' in shown[1]["data"]["text/html"]
    assert {*ids(rewritten)} == {ids(shown)[0]} and len(rewritten) >= 3
    # The saved output is the same, whether or not the frontend supports updates.
    assert rewritten[-1]["data"] == shown[0]["data"]
    states = [line.split()[:2] for text in texts(rewritten) for line in text.splitlines()]
    assert ["X", "done"] in states and ["slow", "running"] in states


def test_a_short_run_is_never_updated(ready: Kernel) -> None:
    assert ready.run("mm.run(slowly)")["status"] == "ok"
    rewritten = []
    for _ in range(3):  # one may take longer on a busy machine
        assert ready.run("r = mm.run(slowly)")["status"] == "ok"
        assert texts(ready.of("display_data")) == ["", "2 nodes from the cache"]
        rewritten.append(ready.of("update_display_data"))
    assert [] in rewritten


def test_failures_are_in_the_line_and_in_the_error(ready: Kernel) -> None:
    assert ready.run("%mm_pipeline X | broken --run")["status"] == "error"
    assert texts(ready.of("display_data")) == ["", "failed in broken"]
    (error,) = ready.of("error")
    assert "ValueError: <b>no</b>" in error["evalue"]


def test_without_progress_nothing_is_shown(ready: Kernel) -> None:
    assert ready.run("r = mm.run(slowly, fresh=True, progress=False)")["status"] == "ok"
    assert ready.outputs == []


def test_cells_run_while_a_run_goes_on_in_the_background(ready: Kernel) -> None:
    assert ready.run("%mm_run slowly --fresh --background -o going")["status"] == "ok"
    (place,) = ready.of("display_data")
    assert texts([place]) == [""]
    assert ready.run("time.sleep(0.6); going")["status"] == "ok"
    assert {*ids(ready.of("update_display_data"))} == {*ids([place])}
    assert ready.of("display_data") == []
    (going,) = ready.of("execute_result")
    assert going["data"]["text/plain"].startswith("<run in the background, running: 1 of 2 nodes")
    assert ready.run("len(going.result()['slow'])")["status"] == "ok"
    assert ids(ready.of("update_display_data"))[-1] == ids([place])[0]
    assert texts(ready.of("update_display_data"))[-1] == "2 nodes computed"
    assert texts(ready.of("execute_result")) == ["60"]


def test_a_run_in_the_background_is_cancelled(ready: Kernel) -> None:
    assert ready.run("%mm_run slowly --fresh --background -o going")["status"] == "ok"
    reply = ready.run("going.cancel(); going.result()")
    assert reply["ename"] == "InterruptedRunError"
    assert texts(ready.of("update_display_data"))[-1] == "interrupted: 1 of 2 nodes computed"


def test_a_run_in_the_background_shows_its_error(ready: Kernel) -> None:
    assert ready.run("%mm_pipeline X | broken --run --background -o going")["status"] == "ok"
    reply = ready.run("going.result()")
    assert reply["ename"] == "RunError" and "ValueError: <b>no</b>" in reply["evalue"]
    line, error = texts(ready.of("update_display_data"))[-1].splitlines()
    assert line == "failed in broken" and "ValueError: <b>no</b>" in error
    assert "<b>no" not in ready.of("update_display_data")[-1]["data"]["text/html"]


def test_the_stop_button_ends_the_waiting_and_not_the_run(ready: Kernel) -> None:
    assert ready.run("os.getpid()")["status"] == "ok"
    pid = int(texts(ready.of("execute_result"))[0])
    assert ready.run("%mm_run slowly --fresh --background -o going")["status"] == "ok"
    timer = threading.Timer(0.5, os.kill, (pid, signal.SIGINT))
    timer.start()
    reply = ready.run("going.result()")
    timer.join()
    assert reply["ename"] == "InterruptedWaitError"
    assert "the run continues" in reply["evalue"] and ".cancel()" in reply["evalue"]
    assert ready.run("len(going.result()['slow'])")["status"] == "ok"
    assert texts(ready.of("execute_result")) == ["60"]


def saved(cells: list[str], folder: Path) -> list[list[str]]:
    """Return the texts of each cell's outputs in a notebook that was run and saved."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(made, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**os.environ, "MMNOTEBOOK_CACHE": str(folder / "cache")})
    return [
        [output["data"]["text/plain"] for output in cell.outputs if "data" in output]
        for cell in made.cells[1:]
    ]


def test_a_saved_notebook_is_the_same_in_every_run(tmp_path: Path) -> None:
    cells = [SETUP, "r = mm.run(slowly)", "r = mm.run(slowly)", "%mm_run slowly --limit 3"]
    notebooks = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        notebooks.append(saved(cells, tmp_path / name))
    assert notebooks[0] == notebooks[1]
    first, second, third = notebooks[0]
    assert (first, second) == (["", "2 nodes computed"], ["", "2 nodes from the cache"])
    assert third[1] == "2 nodes computed" and third[2].startswith("Result: 2 nodes, ")


def test_a_run_in_the_background_reaches_the_output_of_its_own_cell(tmp_path: Path) -> None:
    going = ["%mm_run slowly --background -o going", "1 + 1", "going.result() is mm.last"]
    cells = saved([SETUP, *going], tmp_path)
    assert cells == [["2 nodes computed"], ["2"], ["True"]]
