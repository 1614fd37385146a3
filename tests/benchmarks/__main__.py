"""Run the named benchmarks, or all; print the reports and write them as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from tests import benchmarks
from tests.benchmarks import measuring

HELPERS = ("__main__", "measuring", "work")
PACKAGES = ("apache-beam", "numpy", "pandas", "torch")


def machine() -> dict[str, Any]:
    """Return the machine and the versions with which the benchmarks ran."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def main() -> None:
    """Parse the names, run the benchmarks, write the reports."""
    known = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in HELPERS]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--repeat", type=int, default=5, help="timed runs after the warm-up")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    args = parser.parse_args()
    if unknown := set(args.names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    reports: dict[str, Any] = {"machine": machine()}
    for name in args.names or known:
        module = importlib.import_module(f"tests.benchmarks.{name}")
        report: measuring.Report = module.measure(args.repeat)
        reports[name] = report.as_dict()
        print(f"{name}: {report}", flush=True)
        args.json.write_text(json.dumps(reports, indent=1))


if __name__ == "__main__":
    main()
