"""`python -m mmnotebook run`: a run of a graph file as a job, in CI, cron or a workflow."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook.errors import InterruptedRunError, MMError
from mmnotebook.export import graph_file, job_target, registrations
from mmnotebook.export.graph_file import GraphFile
from mmnotebook.export.job_arguments import UsageError, functions, missing, named, pairs
from mmnotebook.export.job_progress import Lines
from mmnotebook.graph.graph import Gather, Graph, Input, Node
from mmnotebook.model.registered.register import register
from mmnotebook.results import summary
from mmnotebook.results.results import Result
from mmnotebook.running.session import run as run_graph

DONE, FAILED, USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def run(args: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    stopped: list[int] = []
    try:
        with _sigterm_as_interrupt(stopped):
            return _run(args)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return TERMINATED if stopped else INTERRUPTED


def _run(args: argparse.Namespace) -> int:
    lines = Lines(args.progress, sys.stderr)
    try:
        graph, outputs = _prepared(args)
        target = None if args.on is None else job_target.read(args.on)
        result = run_graph(
            graph,
            limit=args.limit,
            max_failed=args.max_failed,
            fresh=args.fresh,
            progress=False,
            subscribers=[lines],
            on=target,
        )
    except InterruptedRunError:
        raise
    except MMError as error:
        print(error, file=sys.stderr)
        return FAILED if lines.began else USAGE
    print(_SUMMARIES[args.summary](result, outputs), end="")
    return DONE


@contextmanager
def _sigterm_as_interrupt(stopped: list[int]) -> Iterator[None]:
    """Handle SIGTERM like Ctrl-C, which stops a run cleanly; note the signal in `stopped`."""

    def handle(number: int, frame: Any) -> None:
        stopped.append(number)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepared(args: argparse.Namespace) -> tuple[Graph, dict[str, str]]:
    """Return the graph with all that the arguments set, and the path of each output by node.

    Raises
    ------
    MMError
        If the graph or an argument cannot be used.
    """
    _check(args)
    file = graph_file.read(args.graph)
    whole = file.graph if args.until is None else file.graph.upto(args.until)
    values, models = pairs("--set", args.set), pairs("--model", args.model)
    needed = _names(whole)
    wanted = {*needed["functions"], *_registered_functions(file)}
    found: dict[str, Any] = functions(args.functions, wanted)
    found |= {name: named(values[name]) for name in needed["functions"] if name in values}
    data = {name: values[name] for name in values if name not in needed["functions"]}
    _refuse_unknown("--set", data, needed["data"])
    _refuse_unknown("--model", models, needed["models"])
    given = {"data": data, "functions": found, "models": models}
    problem = missing(needed, given)
    if problem is not None:
        raise problem
    for name, path in models.items():
        options = registrations.options(name, file.registrations.get(name, {}), found)
        register(name, Path(path), **options)
    used = {name: found[name] for name in needed["functions"] if name in found}
    outputs = pairs("--output", args.output)
    return with_outputs(whole.bind(**data, **used), outputs), outputs


def _check(args: argparse.Namespace) -> None:
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit}; allowed: a positive number")
    if not 0 <= args.max_failed <= 1:
        raise UsageError(f"--max-failed {args.max_failed}; allowed: a share from 0 to 1")


def _names(graph: Graph) -> dict[str, list[str]]:
    """Return the names of data, functions and models that a graph uses, by role."""
    return {
        role: list(dict.fromkeys(name for node in graph for name in getattr(node, role)))
        for role in ("data", "functions", "models")
    }


def _registered_functions(file: GraphFile) -> set[str]:
    """Return the names of the functions that registrations of models use."""
    named = (one.get("functions", {}) for one in file.registrations.values())
    return {name for one in named if isinstance(one, dict) for name in one.values()}


def _refuse_unknown(option: str, given: Mapping[str, str], known: list[str]) -> None:
    for name in given:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise UsageError(f"{option} {name}=...: the graph has no such name; allowed: {allowed}")


def with_outputs(graph: Graph, outputs: Mapping[str, str]) -> Graph:
    """Return the graph with a step that writes each of these nodes to a path."""
    nodes = list(graph.nodes)
    taken = {*graph.names, *(group.name for group in graph.groups)}
    for name, path in outputs.items():
        above = graph[name]
        wires = [Input(name, arm) for arm in above.arms] or [Input(name)]
        new = f"output_{name}"
        while new in taken:
            new += "_"
        taken.add(new)
        gather: Gather | None = "union" if len(wires) > 1 else None
        nodes.append(Node.make(new, "write", wires, gather, path=path))
    return replace(graph, nodes=tuple(nodes)).validate()


def _text(result: Result, outputs: Mapping[str, str]) -> str:
    written = "".join(f"wrote {node} to {path}\n" for node, path in outputs.items())
    return f"{summary.tables(result)}\n\n{written}"


def _json(result: Result, outputs: Mapping[str, str]) -> str:
    data = {
        "seconds": round(result.seconds, 3),
        "nodes": _records(result.nodes),
        "models": _records(result.models),
        "outputs": dict(outputs),
    }
    return json.dumps(data) + "\n"


def _nothing(result: Result, outputs: Mapping[str, str]) -> str:
    return ""


_SUMMARIES = {"text": _text, "json": _json, "none": _nothing}


def _records(table: Any) -> dict[str, Any]:
    """Return a table as a dict of rows by name; missing cells are None."""
    found: dict[str, Any] = json.loads(table.to_json(orient="index"))
    return found
