"""`cluster`: a checked description of where a graph runs, other than in this process."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
from apache_beam.runners.runner import PipelineRunner

from mmnotebook.beam import credentials, options, runners
from mmnotebook.beam.elsewhere.area import Area
from mmnotebook.errors import RunError, shown

_OURS = ("staging", "worker_pool")
_ADDRESS = re.compile(r"(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}")
_ENVIRONMENT = ("environment_type", "environment_config", "environment_option")


@dataclass(frozen=True, repr=False, eq=False)
class Cluster:
    """Where a graph runs: a runner, its options and a staging area; `mm.cluster` creates it.

    Its representation shows no credentials, and a pickle of it has none.

    Attributes
    ----------
    runner
        The name of the runner in Beam, its path `module.Class`, or the runner itself.
    staging
        The folder or address to which models and data are copied for the workers; or None.
    worker_pool
        The address of the external worker pool as each worker host sees it; or None.
    options
        Beam's options by name, without credentials.

    See Also
    --------
    cluster : Create one.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> where = mm.cluster("FlinkRunner", flink_master="host:8081", parallelism=2)
    >>> where.runner, dict(where.options)
    ('FlinkRunner', {'flink_master': 'host:8081', 'parallelism': 2})
    """

    runner: str | PipelineRunner
    staging: str | None = None
    worker_pool: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    _secrets: Mapping[str, Any] = field(default_factory=dict)

    def create_runner(self) -> PipelineRunner:
        """Return the runner.

        Returns
        -------
        PipelineRunner
            A new one for a name; otherwise the runner that was passed.
        """
        return runners.create(self.runner)

    def pipeline_options(self) -> PipelineOptions:
        """Return Beam's options of a pipeline that runs there, with credentials.

        Returns
        -------
        PipelineOptions
            A new object for each call.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> where = mm.cluster("PortableRunner", job_endpoint="host:8073", worker_pool="host:50000")
        >>> from apache_beam.options.pipeline_options import PortableOptions
        >>> where.pipeline_options().view_as(PortableOptions).environment_type
        'EXTERNAL'
        """
        given = {**self.options, **self._secrets}
        if self.worker_pool is not None:
            given.update(environment_type="EXTERNAL", environment_config=self.worker_pool)
        return options.create(self.create_runner(), given, _OURS)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the workers may be on other machines, which do not see this machine's files."""
        return runners.is_elsewhere(self.create_runner(), self.pipeline_options())

    def clean(self, older_than: float | timedelta) -> int:
        """Remove old files from the staging area: those of runs, and models and data.

        Models and data are sent again when a run needs them. Do not remove files that a run in
        progress uses.

        Parameters
        ----------
        older_than
            The minimum age of the files, in seconds or as a timedelta.

        Returns
        -------
        int
            The number of bytes that were removed.

        Raises
        ------
        RunError
            If there is no staging area.
        StorageError
            If it cannot be used.

        Examples
        --------
        >>> import tempfile
        >>> import mmnotebook as mm
        >>> folder = tempfile.mkdtemp()
        >>> where = mm.cluster("PortableRunner", job_endpoint="host:8073", staging=folder)
        >>> where.clean(older_than=86_400)
        0
        """
        if self.staging is None:
            raise RunError("there is no staging area", remedy="mm.cluster(..., staging=...)")
        age = older_than.total_seconds() if isinstance(older_than, timedelta) else older_than
        return Area(self.staging).clean(time.time() - age)

    def __repr__(self) -> str:
        name = self.runner if isinstance(self.runner, str) else type(self.runner).__name__
        given = {"staging": self.staging, "worker_pool": self.worker_pool}
        ours = {key: value for key, value in given.items() if value is not None}
        hidden = dict.fromkeys(self._secrets, credentials.HIDDEN)
        told = {**credentials.shown({**ours, **self.options}), **hidden}
        return f"cluster({', '.join([repr(name), *(f'{k}={v!r}' for k, v in told.items())])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.runner, self.staging, self.worker_pool, dict(self.options))


def cluster(
    runner: str | PipelineRunner,
    *,
    staging: str | os.PathLike[str] | None = None,
    worker_pool: str | None = None,
    **options: Any,
) -> Cluster:
    """Describe where graphs run: on Flink, Dataflow, Spark, or any other runner of Beam.

    The description is checked at once; nothing is sent anywhere.

    Parameters
    ----------
    runner
        The name of a runner in Beam ("FlinkRunner", "PortableRunner", "DataflowRunner",
        "SparkRunner", "PrismRunner"), the path of a class ("my_module.MyRunner"), or a runner.
    staging
        A folder or address that this machine and all workers can read and write. Models, data and
        results pass through it.
    worker_pool
        The address "host:port" of an external worker pool, as each worker host sees it. This sets
        Beam's options environment_type and environment_config.
    **options
        Beam's pipeline options, under their own names.

    Returns
    -------
    Cluster
        The checked description.

    Raises
    ------
    RunError
        If there is no such runner, Beam has no option of a name, cannot parse a value, the runner
        would ignore an option, or options contradict each other.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> mm.cluster("FlinkRunner", flink_master="host:8081", worker_pool="localhost:50000")
    cluster('FlinkRunner', worker_pool='localhost:50000', flink_master='host:8081')
    >>> mm.cluster("FlinkRunner", flink_mastr="host:8081")
    Traceback (most recent call last):
        ...
    mmnotebook.errors.RunError: Beam has no option 'flink_mastr'; did you mean 'flink_master'?
      → correct the name; an option of your own needs a class: class MyOptions(PipelineOptions)
    """
    created = runners.create(runner)
    open_ones = {name: value for name, value in options.items() if not _is_secret(name, value)}
    secret = {name: value for name, value in options.items() if name not in open_ones}
    where = Cluster(
        runner,
        _staging(staging),
        _worker_pool(worker_pool, created, options),
        MappingProxyType(open_ones),
        MappingProxyType(secret),
    )
    _check_endpoint(created, where.pipeline_options())
    return where


def _restored(runner: Any, staging: Any, worker_pool: Any, options: dict[str, Any]) -> Cluster:
    """Return an unpickled cluster, which has no credentials."""
    return Cluster(runner, staging, worker_pool, MappingProxyType(options), MappingProxyType({}))


def _is_secret(name: str, value: Any) -> bool:
    return credentials.is_credential(name) or credentials.has_any(value)


def _staging(given: Any) -> str | None:
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise RunError(f"staging={shown(given)}; allowed: a folder or an address, such as s3://…")
    text = os.fsdecode(given)
    if credentials.has_any(text):
        raise RunError(
            f"staging={credentials.hidden(text)!r} contains a credential, which would be stored",
            remedy="pass it as an option of Beam, or in the environment",
        )
    return text if "://" in text else str(Path(text).expanduser().absolute())


def _worker_pool(given: Any, runner: PipelineRunner, options: Mapping[str, Any]) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or not _ADDRESS.fullmatch(given):
        raise RunError(f"worker_pool={given!r}; allowed: an address host:port")
    taken = [name for name in options if name.startswith(_ENVIRONMENT)]
    if taken:
        raise RunError(
            f"worker_pool={given!r} and {taken[0]}={options[taken[0]]!r} contradict each other: "
            "both choose the workers",
            remedy="pass one of them",
        )
    if "DataflowRunner" in runners.names(runner):
        raise RunError(
            f"worker_pool={given!r}: Dataflow starts its own workers, and uses no worker pool",
            remedy="leave it out",
        )
    return given


def _check_endpoint(runner: PipelineRunner, made: PipelineOptions) -> None:
    if type(runner).__name__ == "PortableRunner" and not made.view_as(PortableOptions).job_endpoint:
        raise RunError(
            "PortableRunner needs the address of a job server",
            remedy="pass job_endpoint='host:port', or choose FlinkRunner or SparkRunner",
        )
