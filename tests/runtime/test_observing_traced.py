"""Every file that a function opens is observed, compared with the trace of the system calls."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from mmnotebook.observing import origins, paths

SCRIPT = Path(__file__).with_name("observed_files.py")
MARK = "/observed/"
OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, |\d+, )?"([^"]*)"')
SYSTEM = ("/etc/", "/lib/", "/usr/lib/", "/usr/share/zoneinfo/")
"""Folders from which the C library and the program loader read their own files."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


def opened(trace: str, folder: Path) -> dict[str, set[str]]:
    """Return the files opened in each way, in a working directory, found or not."""
    found: dict[str, set[str]] = defaultdict(set)
    way = ""
    for line in trace.splitlines():
        match = OPENED.search(line)
        if match is None:
            continue
        path = match[1]
        if path.startswith(MARK):
            way = path.removeprefix(MARK)
        elif way:
            found[way].add(str(folder / path))
    return found


def counts(path: str) -> bool:
    """Return whether a path is neither code nor a file of the system."""
    return not (origins.is_code(path) or paths.is_kernel(path) or path.startswith(SYSTEM))


def test_no_file_that_is_opened_is_missed(tmp_path: Path) -> None:
    folder, trace = tmp_path / "data", tmp_path / "trace"
    folder.mkdir()
    command = ["strace", "-f", "-qq", "-e", "trace=open,openat", "-e", "signal=none", "-o", trace]
    root = SCRIPT.parents[2]
    run = subprocess.run(
        [*command, sys.executable, "-m", "tests.runtime.observed_files", folder],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    seen = {name: set(paths) for name, paths in json.loads(run.stdout.splitlines()[-1]).items()}
    truth = opened(trace.read_text(errors="replace"), folder)
    assert len(seen) > 120
    read = sum(any(path.startswith(str(folder)) for path in found) for found in truth.values())
    assert read >= len(seen) - 2  # files that were read before may be cached by libraries
    # The run lists the folder itself, to watch it.
    missed = {
        name: sorted(path for path in truth[name] - seen[name] - {str(folder)} if counts(path))
        for name in seen
    }
    assert {name: paths for name, paths in missed.items() if paths} == {}
