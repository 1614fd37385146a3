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
print(time.perf_counter() - started, *{"torch", "apache_beam"} & set(sys.modules))
"""


def measure(repeat: int) -> Report:
    """Measure the seconds per `%load_ext`."""
    times, heavy = [], set()
    for _ in range(repeat + 1):
        out = subprocess.run(
            [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
        )
        seconds, *imported = out.stdout.split()
        times.append(float(seconds))
        heavy.update(imported)
    if heavy:
        raise AssertionError(f"%load_ext imports {', '.join(sorted(heavy))}")
    return report("seconds of %load_ext", times[1:], at_most=0.3)
