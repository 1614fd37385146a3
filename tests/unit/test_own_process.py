"""Tests with the mark `own_process` run in a separate process, and are reported as usual."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFTEST = """
import sys
import pytest
from tests import own_process

own_process.ALONE = "colorsys"

def pytest_configure(config):
    if own_process.Hooks.are_needed():
        config.pluginmanager.register(own_process.Hooks())

@pytest.fixture(scope="session")
def process():
    import os
    return os.getpid()
"""
INI = "[pytest]\nmarkers =\n    own_process: apart\n    slow: slow\n"
APART = """
import os, sys
import pytest

pytestmark = pytest.mark.own_process
processes = []

def test_first(process):
    import colorsys
    processes.append(process)

@pytest.mark.parametrize("n", [1, 2])
def test_same_process(n, process):
    assert processes == [process] and "colorsys" in sys.modules

def test_fails():
    print("said before")
    found = {"a": 1}
    assert found == {"a": 2}

@pytest.mark.skip(reason="not today")
def test_skipped(): ...

@pytest.mark.slow
def test_left_out():
    raise SystemExit
"""
TOGETHER = """
import os, sys
import pytest

def test_before(tmp_path):
    assert "colorsys" not in sys.modules

@pytest.mark.own_process
def test_between(tmp_path):
    assert "test_apart" in " ".join(sys.argv) and "before" not in sys.modules

def test_after(tmp_path):
    assert "colorsys" not in sys.modules
"""
CRASH = """
import os
import pytest

def test_here(): ...

@pytest.mark.own_process
def test_crash():
    os.abort()

@pytest.mark.own_process
def test_next(): ...
"""


def run(folder: Path, *options: str, **files: str) -> str:
    """Return pytest's output for these modules; its first line is the exit status."""
    written = {"conftest": CONFTEST, **files}
    for name, text in written.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pytest.ini").write_text(INI)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "not slow", "-ra", *options],
        capture_output=True, text=True, cwd=folder, timeout=120,
        env={
            **os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "", "COLUMNS": "120",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin,pytest_timeout",
        },
    )  # fmt: skip
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def counts(said: str) -> dict[str, int]:
    last = [line for line in said.splitlines() if re.search(r" in [\d.]+s", line)][-1]
    return {word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|skipped)", last)}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_they_count_and_fail_as_if_they_had_run_here(tmp_path: Path, workers: str) -> None:
    options = ["-n", workers, "--dist=loadscope"]
    said = run(tmp_path, *options, test_apart=APART, test_together=TOGETHER)
    assert said.startswith("1\n") and counts(said) == {"passed": 6, "failed": 1, "skipped": 1}, said
    assert "assert {'a': 1} == {'a': 2}" in said and "said before" in said
    assert "test_apart.py::test_fails" in said and "not today" in said


def test_where_all_have_the_mark_they_run_here(tmp_path: Path) -> None:
    said = run(tmp_path, "-n", "0", "-s", test_apart=APART)
    assert counts(said) == {"passed": 3, "failed": 1, "skipped": 1}
    assert "said before" in said.split("FAILURES")[0]  # with -s, in this process


def test_a_crash_fails_its_test_and_the_next_one_runs(tmp_path: Path) -> None:
    said = run(tmp_path, "-n", "0", test_crash=CRASH)
    assert counts(said) == {"passed": 2, "failed": 1}
    assert "the process that ran this test ended with SIGABRT" in said
    assert "Fatal Python error: Aborted" in said


def test_a_module_that_imports_it_for_all_is_refused(tmp_path: Path) -> None:
    said = run(tmp_path, "-n", "0", test_apart=APART, test_wrong="import colorsys\ndef test(): ...")
    assert "a module of tests imports colorsys" in said and said.startswith("4\n")
