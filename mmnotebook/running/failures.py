"""Failures of runs, and their error messages."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence

import pandas as pd

from mmnotebook.beam.dofns.cache_manager import unstorable
from mmnotebook.beam.prepare import Prepared
from mmnotebook.errors import MMError, RunError, one_line
from mmnotebook.graph.field_selection import Drop
from mmnotebook.graph.graph import Graph, Node
from mmnotebook.notebook_state import called
from mmnotebook.results import causes
from mmnotebook.results.causes import Cause
from mmnotebook.results.metrics import NodeMeasure
from mmnotebook.results.records import Failure
from mmnotebook.results.results import Result
from mmnotebook.running.plan import Plan
from mmnotebook.running.stored import StoredElements
from mmnotebook.state.run_state import RunState
from mmnotebook.steps import phrases

_WHILE = re.compile(r"\[while running '(.*?)'\]")
_LABEL = " [while running "
_TRACE = "Traceback (most recent call last)"
_MISREAD = {"AttributeError", "IndexError", "KeyError", "TypeError"}
"""Classes of errors that a function may raise if it uses a row as a record."""


def check(result: Result, prepared: Prepared, max_failed: float) -> None:
    """Raise RunError if a node's share of failed elements is greater than `max_failed`."""
    for name, measure in result.measures.items():
        if (count := _exceeds(measure, max_failed)) is not None:
            rows = result.failed[result.failed["node"] == name].itertuples(index=False)
            failures = [Failure(*row) for row in rows]
            found = causes.of(failure[1:4] for failure in failures)
            raise _too_many(result.graph, name, count, found, failures, result)


def check_stored(graph: Graph, plan: Plan, max_failed: float) -> None:
    """Raise RunError if a cached node's share of failed elements is greater than `max_failed`."""
    for name, one in plan.measured.items():
        if (count := _exceeds(one.node, max_failed)) is not None:
            failures = list(StoredElements(plan.entries).failures([name]))
            found = causes.of(failure[1:4] for failure in failures)
            raise _too_many(graph, name, count, found, failures)


def _exceeds(measure: NodeMeasure, max_failed: float) -> str | None:
    """Return the text "FAILED of ALL" if too many of a node's elements failed, else None."""
    if measure.elements_in is None:
        seen = measure.failed + (measure.elements_out or 0)
    else:
        seen = measure.elements_in
    return f"{measure.failed:,} of {seen:,}" if measure.failed > max_failed * seen else None


def stopped_early(graph: Graph, run: RunState) -> RunError:
    """Return the error of a run that stopped before its end because too many elements failed."""
    assert run.too_many is not None
    name = run.too_many
    tally = run.tallies[name]
    failures = [Failure(*failed) for failed in run.failures if failed[0] == name]
    count = f"so far {tally.failed:,} of {tally.elements_in:,}"
    elsewhere = run.errors.get(name, {}).items()
    found = run.causes[name].ranked() or [Cause(error, "", "", True, n) for error, n in elsewhere]
    return _too_many(graph, name, count, found, failures)


def _too_many(
    graph: Graph,
    name: str,
    count: str,
    found: list[Cause],
    failures: Sequence[Failure],
    result: Result | None = None,
) -> RunError:
    """Return the error of a node with too many failed elements, with the causes."""
    models = ", ".join(graph[name].models)
    by = f" (model {models})" if models else ""
    all_of_them = len(failures) == sum(cause.count for cause in found)
    which = "failures" if all_of_them else f"first {len(failures):,} failures"
    where = "this error's .failed (in a notebook: import sys; sys.last_value.failed)"
    if result is not None:
        where = f"{called('last')}.failed"
    remedy = f"fix it, or raise max_failed; the {which} are in {where}"
    if not failures:
        remedy = "fix it, or raise max_failed"
    if row := _of_row(graph[name], found):
        remedy = f"{row}\n  → {remedy}"
    return RunError(
        f"node {name!r}{by}: {count} elements failed: {causes.said(found)}",
        remedy=remedy,
        node=name,
        model=models or None,
        result=result,
        failed=pd.DataFrame(failures, columns=Failure._fields),
    )


def _of_row(node: Node, found: Sequence[Cause]) -> str | None:
    """Return the remedy for a function that may use a row as a record; None for other nodes."""
    selects = [wire.select for wire in node.inputs]
    is_row = bool(selects) and all(isinstance(select, (tuple, Drop)) for select in selects)
    if not is_row or node.gather == "join" or node.models or not node.functions:
        return None
    if not any(cause.error in _MISREAD for cause in found):
        return None
    name, selected = node.functions[0], phrases.select(node.inputs[0])
    return (
        f"{name} receives the selected fields as one NumPy row, without their names: leave out "
        f"{selected} to receive a record"
    )


Stores = Callable[[str], str | None]
"""A function that takes the label of a pipeline step and returns the node that the step stores.

It returns None for steps that store no node.
"""


def unexpected(error: BaseException, graph: Graph, stores: Stores, run: RunState) -> RunError:
    """Return the error of a run that ended for another reason than failed elements.

    The error has the node and the model, if they are known.
    """
    chain = [error]
    while (cause := chain[-1].__cause__) is not None:
        chain.append(cause)
    steps = [_step(one) for one in chain]
    what = _what(chain[-1])
    for step in filter(None, steps):
        if (name := stores(step)) is not None:
            return unstorable(f"node {name!r}: a value cannot be stored: {what}", name)
    node, model = run.broken or (_node(graph, steps), None)
    if node is None:
        return RunError(
            f"the run failed: {what}", remedy="Beam's full error is the __cause__ of this error"
        )
    by = model or ", ".join(graph[node].models)
    return RunError(
        f"node {node!r}{f' (model {by})' if by else ''}: {what}",
        remedy="this is not the failure of a single element, so it stopped the run; "
        "Beam's full error is the __cause__ of this error",
        node=node,
        model=by or None,
    )


def as_raised(error: MMError) -> MMError:
    """Return an `MMError` without the step's label, which Beam adds to the message."""
    before = error.__context__ or error.__cause__
    if _LABEL not in error.message:
        return error
    text = error.message.partition(_LABEL)[0]
    if isinstance(before, type(error)) and before.message.startswith(text):
        return as_raised(before)
    return type(error)(text, remedy=error.remedy)


def _what(error: BaseException) -> str:
    """Return the error's message on one line; if it contains a traceback, only its last line."""
    text = one_line(error, 1000)
    if _TRACE in text:
        lines = [line for line in str(error).splitlines() if line.strip()]
        text = " ".join(lines[-1].split())
    return text.partition(_LABEL)[0][:1000]


def _step(error: BaseException) -> str | None:
    """Return the label of the step that raised the error, as Beam reports it."""
    found = _WHILE.search(one_line(error, sys.maxsize))
    return found[1] if found else None


def _node(graph: Graph, steps: Sequence[str | None]) -> str | None:
    """Return the node whose transform has one of these labels."""
    names = (re.split(r"[/:,]", step, maxsplit=1)[0] for step in steps if step)
    return next((name for name in names if name in graph), None)


def said(error: BaseException) -> str:
    """Format the error of a run on one line."""
    return one_line(error) if not isinstance(error, MMError) else " ".join(error.message.split())
