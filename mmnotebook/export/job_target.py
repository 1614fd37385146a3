"""The cluster of a job, in a TOML file: the argument `--on` of `python -m mmnotebook run`."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from mmnotebook.clusters.target import Cluster, cluster
from mmnotebook.errors import nearest, one_line, shown
from mmnotebook.export.job_arguments import UsageError

_KEYS = ("runner", "staging", "worker_pool", "options")
_REMEDY = (
    'runner = "FlinkRunner", staging = "...", worker_pool = "host:50000", and a table [options]'
)


def read(path: Path) -> Cluster:
    """Return the cluster that a file describes: runner, staging, worker_pool, options.

    Raises
    ------
    UsageError
        If the file cannot be read, or has other keys.
    RunError
        If `mm.cluster` refuses the description.
    """
    data = _loaded(path)
    for key in data:
        if key not in _KEYS:
            close = nearest(key, _KEYS)
            hint = f"; did you mean {close!r}?" if close else ""
            raise UsageError(f"{str(path)!r} has the key {key!r}{hint}", remedy=_REMEDY)
    options = data.pop("options", {})
    if not isinstance(data.get("runner"), str) or not isinstance(options, dict):
        found = shown(data.get("runner"))
        raise UsageError(f"{str(path)!r}: runner is {found}; it must be a name", remedy=_REMEDY)
    for key in ("staging", "worker_pool"):
        if not isinstance(data.get(key, ""), str):
            raise UsageError(f"{str(path)!r}: {key} is {shown(data[key])}; it must be text")
    return cluster(**data, **options)


def _loaded(path: Path) -> dict[str, Any]:
    try:
        reader = importlib.import_module("tomllib")
    except ImportError as error:
        raise UsageError("--on reads TOML, which needs Python 3.11 or later") from error
    try:
        found: dict[str, Any] = reader.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {str(path)!r}: {one_line(error)}") from error
    return found
