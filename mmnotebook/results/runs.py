"""`Run`: the measures of a run, for comparison; `RunList`: the runs of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from weakref import WeakKeyDictionary

from mmnotebook.errors import ResultError
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.results.axes import in_seconds
from mmnotebook.results.metrics import ModelMeasure, NodeMeasure
from mmnotebook.results.records import Machine
from mmnotebook.results.results import Result
from mmnotebook.results.tables import short

MOST_RUNS = 4
"""The maximum number of runs that can be compared at a time."""

KEPT = 50
"""The maximum number of runs that are kept; the oldest runs are dropped."""

_ROLES = ("data", "model", "function", "file", "files")


@dataclass(frozen=True, repr=False)
class Run:
    """The graph and the measures of a run, to compare it with other runs.

    A `Run` holds neither elements nor the objects that are bound in the graph.

    Attributes
    ----------
    number
        The number of the run, from 1, in the order in which the runs were added.
    label
        The user's name for the run, or None.
    finished
        The end of the run, in local time.
    graph
        The graph that ran, without bindings.
    nodes, models
        Measures by name; a node that is missing did not run.
    seconds
        Time of the whole run in seconds.
    machine
        The machine's memory when the run began.
    changes
        Descriptions of what changed since the previous run; empty if nothing changed.
    limit
        The number of elements used from each source; None for all.
    """

    number: int
    label: str | None
    finished: datetime
    graph: Graph
    nodes: dict[str, NodeMeasure]
    models: dict[str, ModelMeasure]
    seconds: float
    machine: Machine
    changes: tuple[str, ...]
    limit: int | None = None

    @classmethod
    def of(
        cls, result: Result, number: int, label: str | None = None, before: Run | None = None
    ) -> Run:
        """Create a run from a result; `before` is the previous run."""
        made = cls(
            number,
            label,
            result.finished,
            Graph(result.graph.nodes, result.graph.groups),
            dict(result.measures),
            dict(result.sketches),
            result.seconds,
            result.machine,
            (),
            result.limit,
        )
        changes = ("first run",) if before is None else _changes(before, made, result.why)
        return replace(made, changes=tuple(changes))

    @property
    def name(self) -> str:
        return f"run {self.number}"

    @property
    def elements(self) -> int:
        """The number of elements from the sources."""
        sources = (node.name for node in self.graph if not node.inputs)
        return sum(self.nodes[name].elements_out or 0 for name in sources if name in self.nodes)

    @property
    def cached(self) -> int:
        """The number of nodes that were read from the cache."""
        return sum(node.cached for node in self.nodes.values())

    def is_cached(self, model: str) -> bool | None:
        """Return whether all nodes of a model were read from the cache; None if only some were."""
        nodes = [node.name for node in self.graph if model in node.models]
        found = {self.nodes[name].cached for name in nodes if name in self.nodes}
        return None if len(found) > 1 else found == {True}

    def __str__(self) -> str:
        """Return, for example, `run 3 · 14:02:11 · 1,200 elements · 2.1 s`."""
        parts = [self.name, *([self.label] if self.label else []), f"{self.finished:%H:%M:%S}"]
        return " · ".join([*parts, f"{self.elements:,} elements", in_seconds(self.seconds)])

    def __repr__(self) -> str:
        return f"<{self}>"


def runs_of(results: Sequence[Result | Run]) -> list[Run]:
    """Return one to four runs; a result becomes a run whose number is its position.

    Raises
    ------
    ResultError
        If an object is neither a result nor a run, or if there are no runs or too many.
    """
    runs: list[Run] = []
    for place, one in enumerate(results, 1):
        if not isinstance(one, (Result, Run)):
            raise not_a_result(one)
        runs.append(one if isinstance(one, Run) else Run.of(one, place))
    if not 1 <= len(runs) <= MOST_RUNS:
        raise ResultError(f"{len(runs)} runs; allowed: 1 to {MOST_RUNS} at a time")
    return runs


def not_a_result(value: object) -> ResultError:
    """Return the error for an object that is not the result of a run."""
    return ResultError(
        f"expected a Result, not {type(value).__name__} {short(value)!r}",
        remedy="pass what mm.run(graph) returned",
    )


class RunList:
    """The runs of a session, and the runs that are chosen for comparison.

    Attributes
    ----------
    runs
        The runs by number, the latest last.
    chosen
        The numbers of the chosen runs, at most four, the earliest first.
    """

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.chosen: tuple[int, ...] = ()
        self._seen: WeakKeyDictionary[Result, int] = WeakKeyDictionary()

    def add(self, result: Result, label: str | None = None) -> Run:
        """Add a run; for a run that was added before, only replace the label, if one is given.

        The new run replaces the latest run if that one is chosen. If no run is chosen, the new run
        is chosen.

        Raises
        ------
        ResultError
            When `result` is not a Result.
        """
        if not isinstance(result, Result):
            raise not_a_result(result)
        number = self._seen.get(result, 0)
        if number in self.runs:
            if label is not None:
                self.runs[number] = replace(self.runs[number], label=label)
            return self.runs[number]
        latest = max(self.runs, default=0)
        run = Run.of(result, latest + 1, label, self.runs.get(latest))
        self.runs[run.number] = run
        self._seen[result] = run.number
        while len(self.runs) > KEPT:
            del self.runs[min(self.runs)]
        moved = [run.number if number == latest else number for number in self.chosen]
        self.choose(moved)
        if not self.chosen:
            self.choose([run.number])
        return run

    def choose(self, numbers: Iterable[int]) -> None:
        """Choose runs by number; if there are more than four, choose the latest four."""
        self.chosen = tuple(sorted({*numbers} & self.runs.keys())[-MOST_RUNS:])


def _changes(before: Run, after: Run, why: Mapping[str, str]) -> Iterator[str]:
    old, new = before.graph, after.graph
    if not set(old.names) & set(new.names):
        yield "another pipeline"
        return
    added = [name for name in new.names if name not in old]
    removed = [name for name in old.names if name not in new]
    if added:
        yield f"added {', '.join(added)}"
    if removed:
        yield f"removed {', '.join(removed)}"
    both = [name for name in new.names if name in old]
    resized = before.elements != after.elements
    # These reasons are reported for nodes with an equal definition and changed content. A changed
    # number of elements is reported below, not as "its data".
    known = tuple(f"its {role} " for role in _ROLES if not (resized and role == "data"))
    for name in both:
        if old[name] != new[name]:
            yield f"changed {name}: {'; '.join(_node_changes(old[name], new[name]))}"
        elif why.get(name, "").startswith(known):
            yield f"{name}: {why[name]}"
    if set(old.groups) != set(new.groups):
        yield "changed the groups"
    stopped = [name for name in both if name in before.nodes and name not in after.nodes]
    if stopped:
        yield f"not run: {', '.join(stopped)}"
    if resized:
        limit = "no limit" if after.limit is None else f"limit {after.limit:,}"
        cause = f" ({limit})" if before.limit != after.limit else ""
        yield f"{before.elements:,} → {after.elements:,} elements{cause}"


def _node_changes(old: Node, new: Node) -> Iterator[str]:
    if old.kind != new.kind:
        yield f"{old.kind} → {new.kind}"
    else:
        given, now = dict(old.params), dict(new.params)
        for name in dict.fromkeys([*given, *now]):
            if given.get(name) != now.get(name):
                yield f"{name} {short(given.get(name))} → {short(now.get(name))}"
    if (old.inputs, old.gather) != (new.inputs, new.gather):
        yield "its inputs"
