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
from mmnotebook.errors import RunError, interruptible
from mmnotebook.graph.checks import is_count, is_fraction
from mmnotebook.graph.graph import Graph
from mmnotebook.results import latest
from mmnotebook.results.results import Result
from mmnotebook.running.execution import Execution
from mmnotebook.running.fresh import Fresh, reasons
from mmnotebook.running.handle import Running
from mmnotebook.state import events
from mmnotebook.store.cache import open_store

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

    Returns
    -------
    Result or Running
        The outputs, failures and measures of every node; with `wait=False`, a handle of the run.

    Raises
    ------
    GraphError, ModelError
        Before anything runs: if the graph is not valid or a model is not registered.
    RunError
        If `fresh` names an unknown node, a source cannot be read, a `write` would replace something
        that the graph reads, a model cannot be loaded, or more than `max_failed` of a node's
        elements failed. `failed` has the failures; `result` has what was computed, or is None if
        the run stopped before its end.
    StorageError
        If the cache folder cannot be used. A folder that is read-only or full can still be read;
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
        part = graph if until is None else graph.validate().upto(until)
        beam_options.check(runner, options)
        anew = reasons(part, fresh)
        record = _record(part, anew, {"options": options, "progress": progress})
        prepared = prepare.prepare(part, limit, record)
        new_ids.warn(part, prepared.decisions, stacklevel=3)
        interactive.prepare()
        running = _begun(graph, prepared, anew, max_failed, subscribers)
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
        )
        _current = weakref.ref(execution)
        return Running(execution)


def _check(graph: Any, limit: Any, max_failed: Any) -> None:
    prepare.check_graph(graph)
    if limit is not None and not is_count(limit):
        raise RunError(f"limit={limit!r}; allowed: a positive integer, or None for all")
    if not is_fraction(max_failed):
        raise RunError(f"max_failed={max_failed!r}; allowed: a share from 0 to 1")
