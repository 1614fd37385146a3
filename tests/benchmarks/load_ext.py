"""`%load_ext mmnotebook` in a fresh process with IPython loaded."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.measuring import Report, report

CODE = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
started = time.perf_counter()
shell.run_line_magic("load_ext", "mmnotebook")
print(time.perf_counter() - started, "torch" in sys.modules, "apache_beam" in sys.modules)
"""


def measure(repeat: int) -> Report:
    """Seconds per load."""
    times, imported = [], set()
    for _ in range(repeat + 1):
        out = subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
        )
        seconds, *heavy = out.stdout.split()
        times.append(float(seconds))
        imported.update(heavy)
    return report("seconds of %load_ext:", times[1:], "<= 0.3", torch_or_beam=sorted(imported))
