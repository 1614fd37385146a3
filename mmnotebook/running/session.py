"""`run`: runs of a graph in the notebook, with caching, progress and cancellation."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from mmnotebook.beam import interactive, prepare
from mmnotebook.beam import options as beam_options
from mmnotebook.beam.streaming import recording
from mmnotebook.beam.streaming.recorded import Recording
from mmnotebook.beam.transforms import new_ids
from mmnotebook.compat import beam_files
from mmnotebook.errors import RunError, interruptible
from mmnotebook.graph.checks import is_count, is_fraction
from mmnotebook.graph.graph import Graph
from mmnotebook.graph.parameters import with_set
from mmnotebook.results import latest
from mmnotebook.results.results import Result
from mmnotebook.running import elsewhere
from mmnotebook.running.elsewhere import Elsewhere, RunTarget, Wanted
from mmnotebook.running.execution import Execution
from mmnotebook.running.fresh import Fresh, reasons
from mmnotebook.running.handle import Running
from mmnotebook.state import events
from mmnotebook.store.cache import open_store

SAMPLE = 10_000
"""The default of `sample`."""
# A weak reference, so that an ended run does not keep the elements of its sources in memory.
_current: weakref.ref[Execution] | None = None
_turn = threading.Lock()


@overload
def run(
    graph: Graph,
    *,
    limit: int | None = None,
    until: str | None = None,
    max_failed: float = 0.1,
    fresh: Fresh = False,
    wait: Literal[True] = True,
    progress: bool = True,
    subscribers: Sequence[events.Subscriber] = (),
    runner: Any = None,
    options: Any = None,
    set: Mapping[str, Any] | None = None,
    staging: str | None = None,
    on: RunTarget | None = None,
    keep: Sequence[str] = (),
    sample: int | None = None,
) -> Result: ...


@overload
def run(
    graph: Graph,
    *,
    limit: int | None = None,
    until: str | None = None,
    max_failed: float = 0.1,
    fresh: Fresh = False,
    wait: Literal[False],
    progress: bool = True,
    subscribers: Sequence[events.Subscriber] = (),
    runner: Any = None,
    options: Any = None,
    set: Mapping[str, Any] | None = None,
    staging: str | None = None,
    on: RunTarget | None = None,
    keep: Sequence[str] = (),
    sample: int | None = None,
) -> Running: ...


@overload
def run(
    graph: Graph,
    *,
    limit: int | None = None,
    until: str | None = None,
    max_failed: float = 0.1,
    fresh: Fresh = False,
    wait: bool,
    progress: bool = True,
    subscribers: Sequence[events.Subscriber] = (),
    runner: Any = None,
    options: Any = None,
    set: Mapping[str, Any] | None = None,
    staging: str | None = None,
    on: RunTarget | None = None,
    keep: Sequence[str] = (),
    sample: int | None = None,
) -> Result | Running: ...


def run(
    graph: Graph,
    *,
    limit: int | None = None,
    until: str | None = None,
    max_failed: float = 0.1,
    fresh: Fresh = False,
    wait: bool = True,
    progress: bool = True,
    subscribers: Sequence[events.Subscriber] = (),
    runner: Any = None,
    options: Any = None,
    set: Mapping[str, Any] | None = None,
    staging: str | None = None,
    on: RunTarget | None = None,
    keep: Sequence[str] = (),
    sample: int | None = None,
) -> Result | Running:
    """Run a graph on Beam and keep the output of every node.

    Nodes are read from the cache if an earlier run, in this process or another,
    has computed them with the same step, functions, models, data and inputs.

    Parameters
    ----------
    graph
        The graph to run. Names that are not bound in it are looked up in the notebook, and models
        in the registry, when the run starts.
    limit
        Use only the first `limit` elements of each source. Default: all.
    until
        Run only this node and the nodes that it needs. Default: all nodes.
    max_failed
        The share of a node's elements, from 0 to 1, that may fail before the run fails.
    fresh
        True recomputes every node, even if it is cached. A node, its name, or a list of nodes or
        names recomputes these nodes and all nodes that depend on them. Default: False.
    wait
        False starts the run in the background and returns a `Running` at once. A run in the
        background may be slower if torch or scikit-learn has been used before: each thread that
        calls them gets its own OpenMP threads, which compete for the cores. Default: True.
    progress
        Show a line per node with its counts during the run, one line at its end, and then the
        warnings of models and functions. If False, only these warnings are issued, as Python
        warnings, once each, at the end.
    subscribers
        Callables that receive every event of the run, in a thread that watches the run; see
        `mm.events`.
    runner
        A Beam runner; None (the default) is the in-process FnApiRunner.
    options
        Beam's PipelineOptions, or a dict of them.
    set
        Values of the graph's parameters, by name; see `mm.parameter`. Other data and functions of
        the graph can be replaced too.
    staging
        A folder that this process and all workers of the runner see: a path, or a URL such as
        "gs://bucket/folder". Models, data and outputs go through this folder if workers may have
        another file system. Default: a folder in the option `temp_location`, if it is given.
    on
        The cluster to run on, from `mm.cluster`, in place of `runner`, `options` and `staging`. The
        counts and failures of every node come back, and a sample of its elements.
    keep
        On a cluster: the names of the nodes that come back whole. So do their sources.
    sample
        On a cluster: about how many elements of every other node come back, the same ones for each
        node. Default: 10,000.

    Returns
    -------
    Result or Running
        The outputs, failures and measures of every node; with `wait=False`, a handle of the run.

    Raises
    ------
    GraphError, ModelError
        Before anything runs: if the graph is not valid or a model is not registered.
    RunError
        If `fresh` or `set` names something unknown, a parameter is not set, a source cannot be
        read, a `write` would replace something that the graph reads, a model cannot be loaded, or
        more than `max_failed` of a node's elements failed. `failed` has the failures; `result` has
        what was computed, or is None if the run stopped before its end. For a run elsewhere, also
        if workers may have another file system and there is no staging area, or if not all
        elements came back.
    StorageError
        If the staging area cannot be used, or a file in it was altered; or if the cache folder
        cannot be used. A folder that is read-only or full can still be read;
        new outputs are then kept in a private temporary folder until the process ends.
    InterruptedRunError
        If Ctrl-C was pressed. The run stops within two seconds, or when a longer call of compiled
        code or the first import of a framework ends. This error is also a KeyboardInterrupt.

    See Also
    --------
    pipeline : Create a graph from its text.
    explain : How each step will run, and why.
    inspect : Search the outputs of a node.
    compile_graph : Add a graph to a Beam pipeline of your own.

    Examples
    --------
    >>> import mmnotebook as mm
    >>> def double(x):
    ...     return 2 * x
    >>> graph = mm.pipeline("numbers | double", numbers=[1, 2, 3], double=double)
    >>> result = mm.run(graph, progress=False)
    >>> result["double"]
      id  value   key
    0  0      2  None
    1  1      4  None
    2  2      6  None

    In the background, with only the first two elements:

    >>> running = mm.run(graph, limit=2, wait=False, progress=False)
    >>> running.result()["double"]["value"].tolist()
    [2, 4]
    """
    with interruptible("stopped by you before the run started"):
        _check(graph, limit, max_failed)
        graph = with_set(graph, set)
        part = graph if until is None else graph.validate().upto(until)
        wanted = _wanted(part, on, keep, sample)
        runner, options, where = _engine(on, runner, options, staging, wanted)
        if not wait:
            elsewhere.check_background(where)
        anew = reasons(part, fresh)
        record = _record(part, anew, {"options": options, "progress": progress})
        prepared = prepare.prepare(part, limit, record)
        new_ids.warn(part, prepared.decisions)
        interactive.prepare()
        running = _begun(graph, prepared, anew, max_failed, subscribers, where)
    try:
        if progress:
            running.show(background=not wait)
        if wait:
            return running.run_here(runner, options)
        running.start(runner, options)
    except BaseException:
        running.cancel()  # a run that never started must not block the next one
        raise
    return running


def _engine(
    on: RunTarget | None, runner: Any, options: Any, staging: str | None, wanted: Wanted | None
) -> tuple[Any, Any, Elsewhere | None]:
    """Return the runner, its options, and where it runs; None for a usual run in this process."""
    if on is not None:
        _check_alone(runner=runner, options=options, staging=staging)
        runner, options, staging = on.create_runner(), on.pipeline_options(), on.staging
    is_usual = runner is None and not options and staging is None
    runner, options = beam_options.resolved(runner, options)
    beam_files.use(options)
    where = None if is_usual else elsewhere.where(runner, options, staging, wanted)
    return runner, options, where


def _record(graph: Graph, anew: Mapping[str, str], how: Mapping[str, Any]) -> prepare.Record:
    """Return a function that finds the recording of a Beam transform, or else records it."""
    sources = {name for node in graph if node.name in anew for name in node.data}

    def record(name: str, transform: Any, limit: int | None) -> tuple[Recording, str]:
        return recording.recall(name, transform, limit, fresh=name in sources, **how)

    return record


def _begun(
    graph: Graph,
    prepared: prepare.Prepared,
    fresh: Mapping[str, str],
    max_failed: float,
    subscribers: Sequence[events.Subscriber],
    where: Elsewhere | None,
) -> Running:
    """Return the handle of a new run; raise RunError if another run is in progress."""
    global _current
    with _turn:
        before = None if _current is None else _current()
        if before is not None and not (before.over.is_set() or before.live.stopped):
            raise RunError(
                "another run is already in progress in this process",
                remedy="wait for it, interrupt it, or .cancel() it when it is in the background",
            )
        execution = Execution(
            graph,
            prepared,
            open_store(),
            fresh=fresh,
            max_failed=max_failed,
            subscribers=subscribers,
            found=latest.remember,
            where=where,
        )
        _current = weakref.ref(execution)
        return Running(execution)


def _wanted(
    graph: Graph, on: RunTarget | None, keep: Sequence[str], sample: int | None
) -> Wanted | None:
    """Return which outputs come back from a cluster; None for a run that is not on a cluster."""
    if on is None:
        _check_alone(keep=keep or None, sample=sample, on="one")
        return None
    if not isinstance(on, RunTarget):
        raise RunError(f"on={on!r}; allowed: a cluster", remedy="mm.cluster(runner, staging=...)")
    if sample is not None and not is_count(sample):
        raise RunError(f"sample={sample!r}; allowed: a positive integer")
    names = (keep,) if isinstance(keep, str) else tuple(keep)
    for name in names:
        if name not in graph:
            raise graph.unknown(name)
    return Wanted(SAMPLE if sample is None else sample, names, lasts=True)


def _check_alone(**given: Any) -> None:
    """Raise RunError for arguments that have no effect with, or without, `on`."""
    without = given.pop("on", None)
    for name, value in given.items():
        if value is not None:
            what = "only has an effect with on=" if without else "has no effect with on="
            raise RunError(
                f"{name}={value!r} {what}",
                remedy="on=mm.cluster(...)" if without else f"mm.cluster(..., {name}=...)",
            )


def _check(graph: Any, limit: Any, max_failed: Any) -> None:
    prepare.check_graph(graph)
    if limit is not None and not is_count(limit):
        raise RunError(f"limit={limit!r}; allowed: a positive integer, or None for all")
    if not is_fraction(max_failed):
        raise RunError(f"max_failed={max_failed!r}; allowed: a share from 0 to 1")
