"""Run Beam's own tests with our cache manager and our handler of blocks."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.beam_suites.suites import EXCLUDED, PART, SUITES, USES

_ROOT = Path(__file__).parents[2]
# Looked up without importing it, since the import takes seconds.
_PACKAGES = Path(str(getattr(importlib.util.find_spec("apache_beam"), "origin", None))).parents[1]
# Tests of handlers often sleep; running the others in parallel takes as long as it saves.
_WORKERS = {"manager": "0", "handler": "2"}


@dataclass
class Outcome:
    """The outcomes of a suite's tests, each with its message."""

    passed: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        counts = ", ".join(f"{len(tests)} {kind}" for kind, tests in vars(self).items())
        said = [
            f"\n  {kind} {name}: {why}"
            for kind, tests in vars(self).items()
            if kind != "passed"
            for name, why in tests.items()
        ]
        return counts + "".join(said)


def run(part: str, names: Sequence[str]) -> tuple[dict[str, Outcome], str]:
    """Run the suites of one part in separate processes; return the outcomes and pytest's output."""
    outcomes = {name: Outcome() for name in names}
    with tempfile.TemporaryDirectory() as folder:
        report, uses, settings = (Path(folder, name) for name in ("report", "uses", "pytest.ini"))
        # Outside of this project, whose settings do not apply to the tests of another project.
        settings.write_text("[pytest]\n")
        command = [
            *(sys.executable, "-m", "pytest", "-c", str(settings), f"--rootdir={_PACKAGES}", "-q"),
            *("-p", "tests.beam_suites.plugin", "-p", "no:cacheprovider", "-W", "ignore"),
            *("-n", _WORKERS[part], "--dist=worksteal", f"--junitxml={report}"),
            *(str(_file(name)) for name in names),
        ]
        environment = {PART: part, USES: str(uses), "PYTHONPATH": str(_ROOT), "TMPDIR": folder}
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if report.exists():
            _read(report, outcomes)
        used = sum(map(int, uses.read_text().split())) if uses.exists() else 0
    for name, outcome in outcomes.items():
        if not outcome.passed:
            outcome.failed[name] = "none of its tests has passed"
        if not used:
            outcome.failed[name] = f"our {part} was never used"
    return outcomes, done.stdout


def _file(name: str) -> Path:
    return _PACKAGES.joinpath("apache_beam", *SUITES[name].module.split(".")).with_suffix(".py")


def _read(report: Path, outcomes: dict[str, Outcome]) -> None:
    names = {f"apache_beam.{SUITES[name].module}": name for name in outcomes}
    for case in ElementTree.parse(report).iter("testcase"):
        module, _, group = case.get("classname", "").rpartition(".")
        outcome = outcomes.get(names.get(module, ""), next(iter(outcomes.values())))
        test = f"{group}.{case.get('name')}"
        marks = {mark.tag: mark.get("message", "") for mark in case}
        why = marks.get("skipped", "")
        if said := marks.get("failure") or marks.get("error"):
            outcome.failed[test] = said.partition("\n")[0]
        elif why.startswith(EXCLUDED):
            outcome.excluded[test] = why.removeprefix(EXCLUDED)
        elif "skipped" in marks:
            outcome.skipped[test] = f"by Beam: {why}"
        else:
            outcome.passed[test] = ""


def main() -> int:
    """Run the named suites, or all; return 1 if a test failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.beam_suites", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"suites: {', '.join(SUITES)}")
    args = parser.parse_args()
    if unknown := set(args.names) - set(SUITES):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    parts = defaultdict(list)
    for name in args.names or SUITES:
        parts[SUITES[name].part].append(name)
    # All in parallel: many of the tests sleep.
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(run, parts, parts.values()))
    failed = False
    for outcomes, said in results:
        if any(outcome.failed for outcome in outcomes.values()):
            failed = True
            sys.stdout.write(said)
        for name, outcome in outcomes.items():
            sys.stdout.write(f"{name}: {outcome}\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
