"""The probe: one element that asks a worker for its Python, its packages and its memory.

The answer comes back as the names of Beam's counters, which every runner returns. The function is
sent by value and imports nothing of mmnotebook, which the worker may lack.
"""

from __future__ import annotations

import importlib.metadata
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter

from mmnotebook import quiet_beam
from mmnotebook.errors import one_line
from mmnotebook.fingerprint import installed

NAMESPACE = "mmnotebook.probe"
LIMIT = 120.0
"""Seconds to wait for the answer of a worker."""

# By value, as it is in no module that a worker could import.
_SOURCE = """
def answer(packages):
    import importlib.metadata
    import os
    import sys
    from apache_beam.metrics import Metrics

    def tell(name, value):
        Metrics.counter("mmnotebook.probe", f"{name}={value}").inc()

    tell("python", "%d.%d.%d" % sys.version_info[:3])
    for name in packages:
        try:
            tell("package " + name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            tell("package " + name, "")
    sizes = []
    try:
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        with open("/sys/fs/cgroup/memory.max") as limit:
            sizes.append(int(limit.read()))  # of a container; "max" is no limit
    except (AttributeError, ValueError, OSError):
        pass
    if sizes:
        tell("memory", min(sizes))
    return packages
"""


@dataclass(frozen=True)
class WorkerReport:
    """What a worker said about itself.

    Attributes
    ----------
    python
        The version of Python; "" if there was no answer.
    packages
        The versions of the packages that were asked for, by the name of the distribution; "" for a
        package that is not installed.
    memory
        The memory of the worker's machine or container in bytes, or None.
    error
        Why there is no answer; "" if there is one.
    """

    python: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    memory: int | None = None
    error: str = ""


def here(packages: Iterable[str]) -> WorkerReport:
    """Return the versions of this process."""
    found = {}
    for name in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            one = importlib.metadata.distribution(name)
            found[one.name] = one.version
    return WorkerReport("{}.{}.{}".format(*sys.version_info[:3]), found)


def distributions(packages: Iterable[str]) -> list[str]:
    """Return the names of the distributions that contain packages, by import name."""
    return sorted({one for name in packages for one in installed.distributions(name)[:1]})


def ask(runner: Any, options: Any, packages: list[str], limit: float = LIMIT) -> WorkerReport:
    """Run a pipeline of one element, and return what its worker says about itself.

    Parameters
    ----------
    packages
        Names of distributions.
    limit
        Seconds to wait.
    """
    found: list[WorkerReport] = []
    run: list[Any] = []
    thread = threading.Thread(
        target=lambda: found.append(_asked(runner, options, packages, run)),
        name="mmnotebook-probe",
        daemon=True,
    )
    thread.start()
    thread.join(limit)
    if found:
        return found[0]
    _cancel(run)
    return WorkerReport(error=f"no worker answered within {limit:.0f} s")


def _asked(runner: Any, options: Any, packages: list[str], run: list[Any]) -> WorkerReport:
    try:
        with quiet_beam.quiet():
            pipeline = beam.Pipeline(runner, options=options)
            one = pipeline | "probe: packages" >> beam.Create([packages])
            one | "probe: answer" >> beam.Map(_answer())
            result = pipeline.run()
            run.append(result)
            result.wait_until_finish()
            return _read(result)
    except Exception as error:  # noqa: BLE001 - whatever a runner or a worker raises
        return WorkerReport(error=one_line(error))


def _answer() -> Any:
    made: dict[str, Any] = {"__name__": "__main__"}
    exec(_SOURCE, made)  # a constant
    return made["answer"]


def _read(result: Any) -> WorkerReport:
    counters = result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]
    said = dict(one.key.metric.name.split("=", 1) for one in counters)
    if "python" not in said:
        return WorkerReport(error="the runner returns no counters")
    memory = said.get("memory")
    packages = {
        name.removeprefix("package "): version
        for name, version in said.items()
        if name.startswith("package ")
    }
    return WorkerReport(said["python"], packages, None if memory is None else int(memory))


def _cancel(run: list[Any]) -> None:
    for result in run:
        with suppress(Exception):  # many runners cannot cancel
            result.cancel()
