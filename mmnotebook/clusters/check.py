"""`check`: what of a graph would not work on workers elsewhere, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmnotebook import sizes
from mmnotebook.beam.prepare import Prepared, check_graph, prepare
from mmnotebook.beam.readiness import lint, places
from mmnotebook.beam.readiness.finding import Finding, Target
from mmnotebook.beam.readiness.functions import of_model
from mmnotebook.beam.readiness.streams import streams
from mmnotebook.clusters import probe as probing
from mmnotebook.clusters.probe import WorkerReport
from mmnotebook.clusters.target import Cluster
from mmnotebook.errors import RunError, counted, shown
from mmnotebook.fingerprint.reached import reached
from mmnotebook.graph.graph import Graph
from mmnotebook.results.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

_ALWAYS = ("apache_beam", "cloudpickle", "mmnotebook", "numpy", "pandas", "pyarrow", "torch")
"""The packages that every run of a graph needs on its workers."""


@dataclass(frozen=True, repr=False)
class Readiness:
    """What of a graph would not work, or work otherwise, on workers elsewhere.

    Attributes
    ----------
    findings
        The findings, errors first. Each has `node` ("" for all nodes), `reason`, `remedy` and
        `severity`: "error" if a run will fail or lose results, "warning" if it may, or if its
        results may differ.
    packages
        The versions of the packages that workers need, by name, as they are installed here.
    worker
        What a worker said about itself (`python`, `packages`, `memory`); None without `probe=True`.

    See Also
    --------
    check : Check a graph.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> mm.check(graph).ok
    True
    """

    findings: tuple[Finding, ...]
    packages: dict[str, str] = field(default_factory=dict)
    worker: WorkerReport | None = None

    @property
    def ok(self) -> bool:
        """Whether there is no error; there may be warnings."""
        return not any(one.severity == "error" for one in self.findings)

    @property
    def table(self) -> pd.DataFrame:
        """The findings as a table: node, severity, reason, remedy."""
        import pandas as pd

        columns = ["node", "severity", "reason", "remedy"]
        rows = [[getattr(one, name) for name in columns] for one in self.findings]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def __repr__(self) -> str:
        return "\n".join([self._head(), *(f"{one.severity}: {one}" for one in self.findings)])

    def _repr_html_(self) -> str:
        head = f"<p>{self._head()}</p>"
        if not self.findings:
            return f'<div class="mm-readiness">{head}</div>'
        table = html_table(self.table, max_rows=len(self.findings), whole=["reason", "remedy"])
        return f'<div class="mm-readiness">{head}{table}</div>'

    def _head(self) -> str:
        errors = sum(one.severity == "error" for one in self.findings)
        if not self.findings:
            return "ready: no findings"
        counts = [counted(errors, "error"), counted(len(self.findings) - errors, "warning")]
        return f"{'not ready' if errors else 'ready'}: {', '.join(counts)}"


def check(graph: Graph, where: Cluster | None = None, *, probe: bool = False) -> Readiness:
    """Check a graph for what would not work, or work otherwise, on workers elsewhere.

    The code of functions is read, but no function is called, and nothing is sent, unless
    `probe=True`.

    Parameters
    ----------
    graph
        The graph. Names that are not bound in it are looked up in the notebook, models in the
        registry.
    where
        Where the graph will run: `mm.cluster(...)`. None checks for any workers on other machines
        that share no files with this one.
    probe
        Run a pipeline of one element on the cluster, which returns the versions of Python and of
        the packages that the graph needs, and the memory of the worker.

    Returns
    -------
    Readiness
        The findings, as a table. `ok` is False if there is an error.

    Raises
    ------
    GraphError, ModelError, RunError
        If the graph is not valid, or a name is unknown; a run raises the same errors.

    See Also
    --------
    cluster : Describe a cluster.
    explain : How each step will run.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> graph = mm.pipeline('words | write("out.csv")', words=["a", "b"])
    >>> mm.check(graph).table[["node", "severity"]]
        node severity
    0  write    error
    """
    check_graph(graph)
    if where is not None and not isinstance(where, Cluster):
        raise RunError(
            f"where={shown(where)}; allowed: a cluster, or None",
            remedy='create one: mm.cluster("FlinkRunner", flink_master="host:8081")',
        )
    if probe and where is None:
        raise RunError("probe=True needs a cluster", remedy="mm.check(graph, where, probe=True)")
    refused: list[RunError] = []
    prepared = prepare(graph, refused=refused)
    target = _target(where)
    found = [
        *(Finding(str(one.node), one.message, str(one.remedy), "error") for one in refused),
        *lint.findings(prepared, target),
        *streams(prepared),
    ]
    needed = probing.here(probing.distributions([*_ALWAYS, *_packages(prepared)]))
    answer = None
    if probe and where is not None:
        answer = probing.ask(where.create_runner(), where.pipeline_options(), [*needed.packages])
        found += _compared(prepared, needed, answer)
    found.sort(key=lambda one: one.severity != "error")
    return Readiness(tuple(found), needed.packages, answer)


def _target(where: Cluster | None) -> Target:
    if where is None:
        return Target.unknown()
    runner, options = where.create_runner(), where.pipeline_options()
    return Target(runner, options, where.staging, ships_modules=where.staging is not None)


def _packages(prepared: Prepared) -> list[str]:
    """Return the import names of the packages that functions and models of a graph use."""
    found: dict[str, None] = {}
    for function in prepared.functions.values():
        found.update(reached(function).packages)
    for spec in prepared.models.values():
        found[spec.framework] = None
        found.update(dict.fromkeys(module.partition(".")[0] for module, _ in spec.references))
        for _, function in of_model(spec):
            found.update(reached(function).packages)
    return list(found)


def _compared(prepared: Prepared, here: WorkerReport, worker: WorkerReport) -> list[Finding]:
    """Return what a worker lacks, or has in another version."""
    if worker.error:
        remedy = "check that the cluster runs, and that its workers have Beam of this version"
        return [Finding("", f"no worker answered the probe: {worker.error}", remedy, "error")]
    return [*_versions(here, worker), *_memory(prepared, worker)]


def _versions(here: WorkerReport, worker: WorkerReport) -> list[Finding]:
    found = []
    if _minor(here.python) != _minor(worker.python):
        reason = f"workers run Python {worker.python}, this process {here.python}"
        remedy = "use an image with the same Python: functions are sent as bytecode"
        found.append(Finding("", reason, remedy, "error"))
    for name, version in here.packages.items():
        there = worker.packages.get(name, "")
        if not there:
            remedy = f"install it in the image of the workers: {name}=={version}"
            found.append(Finding("", f"workers lack the package {name}", remedy, "error"))
        elif there != version:
            reason = f"workers have {name} {there}, this process has {version}"
            remedy = f"install the same version: {name}=={version}"
            found.append(Finding("", reason, remedy))
    return found


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _memory(prepared: Prepared, worker: WorkerReport) -> list[Finding]:
    if worker.memory is None:
        return []
    found = []
    for node in prepared.graph.order():
        needs = {name: _bytes(prepared, name) for name in node.models}
        if sum(needs.values()) > worker.memory:
            reason = (
                f"its models have {sizes.text(sum(needs.values()))}, more than the "
                f"{sizes.text(worker.memory)} of memory of a worker"
            )
            found.append(Finding(node.name, reason, "give the workers more memory", "error"))
    return found


def _bytes(prepared: Prepared, name: str) -> int:
    spec: Any = prepared.models[name]
    return places.size_of(spec) * (spec.model_copies or 1)
