"""When a run has failed, and what is said then."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mmnotebook.analysis.records import Failure
from mmnotebook.analysis.results import Result
from mmnotebook.errors import MMError, RunError, one_line
from mmnotebook.graph.graph import Graph
from mmnotebook.here import called
from mmnotebook.runtime.cache import ShardCache, unstorable
from mmnotebook.runtime.preparing import Prepared


def check(result: Result, prepared: Prepared, max_failed: float) -> None:
    """Raise when more than `max_failed` of a node's elements failed."""
    for name, measure in result.measures.items():
        if measure.elements_in is None:
            seen = measure.failed + (measure.elements_out or 0)
        else:
            seen = measure.elements_in or 0
        if measure.failed > max_failed * seen:
            rows = result.failed[result.failed["node"] == name].itertuples(index=False)
            failures = [Failure(*row) for row in rows]
            raise too_many(result.graph, name, measure.failed, seen, failures, "", result)


def too_many(
    graph: Graph,
    name: str,
    failed: int,
    seen: int,
    failures: Sequence[Failure],
    so_far: str,
    result: Result | None = None,
) -> RunError:
    """The error for a node of which too many elements failed."""
    models = ", ".join(graph[name].models)
    by = f" (model {models})" if models else ""
    first = failures[0]
    where = "this error's .failed (in a notebook: import sys; sys.last_value.failed)"
    if result is not None:
        where = f"{called('last')}.failed"
    return RunError(
        f"node {name!r}{by}: {so_far}{failed:,} of {seen:,} elements failed; "
        f"the first, {first.id!r}: {first.error}: {first.message}",
        remedy=f"mend it, or allow a greater share with max_failed=; the failures are in {where}",
        node=name,
        model=models or None,
        result=result,
        failed=pd.DataFrame(failures, columns=Failure._fields),
    )


def unexpected(error: BaseException, cache: ShardCache) -> RunError:
    """The error for what Beam raised itself."""
    while error.__cause__ is not None:
        error = error.__cause__
    said, _, step = one_line(error, 1000).partition(" [while running ")
    node = cache.name_in(step)
    if node is not None:
        return unstorable(f"node {node!r}: a value cannot be stored: {said}", node)
    return RunError(
        f"the run failed: {said}", remedy="the whole of Beam's error is this error's __cause__"
    )


def said(error: BaseException) -> str:
    """What a run has failed with, in one line."""
    return one_line(error) if not isinstance(error, MMError) else " ".join(error.message.split())
