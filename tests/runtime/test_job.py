"""`python -m mmnotebook run`: a graph file as a job."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook.__main__ import main

STEPS = """
import time

def double(row):
    return {"x": row["x"] * 2}

def picky(row):
    if row["x"] > 0:
        raise ValueError("too large")
    return row

def slow(row):
    open("begun", "w").close()
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a graph file, data, functions and a model; it is the current folder."""
    monkeypatch.chdir(tmp_path)
    model = LinearRegression().fit(np.array([[0.0], [1.0]]), [1.0, 2.0])
    Path("line.pkl").write_bytes(pickle.dumps(model))
    mm.register("line", model, input="x")
    Path("rows.jsonl").write_text('{"x": 1}\n{"x": 2}\n')
    text = "data | map(double) | line"
    mm.export.graph(mm.parse(text).bind(data=mm.parameter("path")), "g.mmgraph")
    mm.registry.remove("line")
    Path("job_steps.py").write_text(STEPS)
    monkeypatch.syspath_prepend(tmp_path)  # as `python -m` does
    yield tmp_path
    sys.modules.pop("job_steps", None)


GIVEN = ("g.mmgraph", "--set", "data=rows.jsonl", "--functions", "job_steps.py")
MODEL = ("--model", "line=line.pkl")


def run(*args: str) -> int:
    return main(["run", *GIVEN, *args])


def command(*args: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "mmnotebook", "run", *args]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
def test_a_run_writes_outputs_events_and_a_summary(folder: Path) -> None:
    more = ("--output", "line=out.jsonl", "--progress", "json", "--summary", "json")
    process = command(*GIVEN, *MODEL, *more)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    events = [json.loads(line) for line in stderr.splitlines()]
    assert events[0]["event"] == "RunStarted" and events[-1]["event"] == "RunFinished"
    assert all(isinstance(event["time"], float) for event in events)
    summary = json.loads(stdout)
    assert summary["nodes"]["line"]["elements_out"] == 2
    assert summary["models"]["line"]["predictions"] == 2
    assert summary["outputs"] == {"line": "out.jsonl"}
    written = pd.read_json("out.jsonl", lines=True)
    assert written["prediction"].round(6).tolist() == [3.0, 5.0]


def test_the_summary_is_text_by_default(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*MODEL, "--output", "double=out.csv", "--limit", "1", "--until", "double") == 2
    assert "no such name" in capsys.readouterr().err
    assert run("--output", "double=out.csv", "--limit", "1", "--until", "double") == 0
    shown = capsys.readouterr()
    assert "wrote double to out.csv" in shown.out and "Result: 3 nodes" in shown.out
    assert "double: 1 element" in shown.err
    assert len(pd.read_csv("out.csv")) == 1


def test_events_and_the_summary_are_json_on_request(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*MODEL, "--progress", "json", "--summary", "json") == 0
    shown = capsys.readouterr()
    events = [json.loads(line)["event"] for line in shown.err.splitlines()]
    assert events[0] == "RunStarted" and events[-1] == "RunFinished"
    assert json.loads(shown.out)["nodes"]["line"]["elements_out"] == 2


def test_a_branch_node_is_written_whole(folder: Path) -> None:
    graph = mm.parse("s = data | split({'a': 0.5, 'b': 0.5})\ns.a | map(f)")
    mm.export.graph(graph, "s.mmgraph")
    argv = ["s.mmgraph", "--set", "data=rows.jsonl", "--set", "f=job_steps:double"]
    argv += ["--output", "s=out.jsonl", "--summary", "none", "--progress", "none"]
    assert main(["run", *argv]) == 0
    assert len(pd.read_json("out.jsonl", lines=True)) == 2


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing set": (("g.mmgraph",), "the data 'data' is not set: --set data=path"),
    "no function": (("g.mmgraph",), "the function 'double' is not set"),
    "no model": (GIVEN, "the model 'line' is not set: --model line=path"),
    "no such file": (("h.mmgraph",), "cannot read 'h.mmgraph'"),
    "no such data": ((*GIVEN, *MODEL, "--set", "dat=x"), "no such name; allowed: data"),
    "no such model": ((*GIVEN, *MODEL, "--model", "l=x"), "no such name; allowed: line"),
    "no such output": ((*GIVEN, *MODEL, "--output", "lin=o.csv"), "did you mean 'line'"),
    "no such module": (("g.mmgraph", "--functions", "nowhere.py"), "no file 'nowhere.py'"),
    "no such function": (("g.mmgraph", "--functions", "job_steps:doble"), "mean 'double'"),
    "no pair": ((*GIVEN, "--model", "line"), "allowed: NAME=VALUE"),
    "twice": ((*GIVEN, "--set", "data=x"), "given twice"),
    "no such model file": ((*GIVEN, "--model", "line=l.pkl"), "there is no such file"),
    "no such rows": (("g.mmgraph", "--set", "data=r.jsonl", *GIVEN[3:], *MODEL), "r.jsonl"),
    "a share of two": ((*GIVEN, *MODEL, "--max-failed", "2"), "a share from 0 to 1"),
    "no elements": ((*GIVEN, *MODEL, "--limit", "0"), "a positive number"),
}


@pytest.mark.parametrize(("args", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_end_with_2(
    args: tuple[str, ...], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *args]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and "Traceback" not in shown.err and not shown.out


def test_a_run_with_too_many_failures_ends_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mm.export.graph(mm.parse("data | map(picky)"), "p.mmgraph")
    argv = ["run", "p.mmgraph", *GIVEN[1:]]
    assert main(argv) == 1
    assert "too large" in capsys.readouterr().err
    assert main([*argv, "--max-failed", "1"]) == 0
    assert "2 failed" in capsys.readouterr().out


def test_a_registration_that_runs_code_by_name_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path("g.mmgraph").read_text()
    for old, new, message in (
        ('"framework"', '"env_vars": {"A": "b"}, "framework"', "not an option that a file can set"),
        ('"input": "x"', '"functions": {"output": "os.system"}', "which was not passed"),
    ):
        assert old in whole
        Path("g.mmgraph").write_text(whole.replace(old, new))
        assert run(*MODEL) == 2
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_cleanly(number: int, code: int, folder: Path) -> None:
    mm.export.graph(mm.parse("data | map(slow)"), "s.mmgraph")
    process = command("s.mmgraph", *GIVEN[1:], "--progress", "json", "--output", "slow=o.csv")
    deadline = time.monotonic() + 120
    while not Path("begun").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr and stderr.endswith("stopped\n") and not stdout
    assert not Path("o.csv").exists()


RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def test_a_job_runs_where_a_file_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("where.toml").write_text(f'runner = "{RUNNER}"\n[options]\njob_name = "nightly"\n')
    assert run(*MODEL, "--on", "where.toml", "--output", "line=out.jsonl") == 0
    assert len(pd.read_json("out.jsonl", lines=True)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runner = ", "cannot read 'where.toml'"),
        ("runer = 'FlinkRunner'", "did you mean 'runner'"),
        ("runner = 3", "it must be a name"),
        ("staging = 'x'", "it must be a name"),
        ("runner = 'FlinkRunner'\nstaging = 3", "staging is 3"),
        ("runner = 'FlinkRuner'", "FlinkRunner"),
        ("runner = 'FlinkRunner'\n[options]\nflink_mastr = 'h:1'", "did you mean 'flink_master'"),
    ],
)
def test_a_wrong_description_of_a_cluster_ends_with_2(
    text: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("where.toml").write_text(text)
    assert run(*MODEL, "--on", "where.toml") == 2
    assert message in capsys.readouterr().err
