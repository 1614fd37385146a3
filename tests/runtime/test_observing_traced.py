"""No file that a function opens is missed: the system's own trace says which ones it opened."""

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
"""What the C library and the loader of programs read for themselves."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here"),
]


def opened(trace: str, folder: Path) -> dict[str, set[str]]:
    """By way, the files that were opened on it in a working directory, found or not."""
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
    """Is it no code, and nothing of the system's?"""
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
    assert read >= len(seen) - 2  # what was read before may be remembered
    # The folder is listed by us, for what is to be watched below it.
    missed = {
        name: sorted(path for path in truth[name] - seen[name] - {str(folder)} if counts(path))
        for name in seen
    }
    assert {name: paths for name, paths in missed.items() if paths} == {}
