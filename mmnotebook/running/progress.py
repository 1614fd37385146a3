"""The progress of a run, from its events: by node and in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mmnotebook.graph.graph import Graph
from mmnotebook.state import events


@dataclass
class NodeProgress:
    """The progress of a node.

    Attributes
    ----------
    state
        "waiting", "running", "done", "cached", "stopped" or "failed". A node is "stopped" if the
        run ended before the node did, and "failed" if the node is the reason why the run failed.
    elements, failed
        The numbers of outputs and of failures so far.
    """

    name: str
    state: str = "waiting"
    elements: int = 0
    failed: int = 0


class Progress:
    """A subscriber that tracks the state of a run from its events.

    Attributes
    ----------
    state
        "starting", "running", or the outcome of the run: "done", "interrupted" or "failed".
    nodes
        The progress of each node, in graph order.
    notes
        Notes for the user, one line each.
    loading, evicted
        Models that are being loaded, and models that were evicted during the run.
    error
        The error of the run, on one line.
    """

    def __init__(self) -> None:
        self.state = "starting"
        self.nodes: dict[str, NodeProgress] = {}
        self.notes: list[str] = []
        self.loading: dict[str, None] = {}
        self.evicted: dict[str, None] = {}
        self.error: str | None = None
        self.failed_in: str | None = None
        self._totals: Mapping[str, int] = {}
        self._follows: Mapping[str, str] = {}

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.RunStarted):
            self.state, self._totals, self._follows = "running", event.totals, event.follows
            self.nodes = {name: NodeProgress(name) for name in event.nodes}
        elif isinstance(event, events.NodeCached):
            self._set(event.node, "cached", event.elements, event.failed)
        elif isinstance(event, events.NodeStarted):
            self.nodes[event.node].state = "running"
        elif isinstance(event, events.RunProgressed):
            self._count(event.counts)
        elif isinstance(event, events.NodeFinished):
            self._set(event.node, "done", event.elements, event.failed)
        elif isinstance(event, events.Noted):
            self.notes.append(event.text)
        elif isinstance(event, events.RunFinished):
            self._end(event)
        else:
            self._model(event)

    def _set(self, name: str, state: str, elements: int, failed: int) -> None:
        self.nodes[name] = NodeProgress(name, state, elements, failed)

    def _count(self, counts: Iterable[events.NodeCounts]) -> None:
        for count in counts:
            node = self.nodes[count.node]
            node.elements, node.failed = count.elements_out, count.failed

    def _model(self, event: events.ModelLoading | events.ModelLoaded | events.ModelEvicted) -> None:
        if isinstance(event, events.ModelLoading):
            self.loading[event.model] = None
            self.evicted.pop(event.model, None)
        elif isinstance(event, events.ModelLoaded):
            self.loading.pop(event.model, None)
        else:
            self.evicted[event.model] = None

    def _end(self, event: events.RunFinished) -> None:
        self._count(event.counts)
        self.state, self.error, self.failed_in = event.state, event.error, event.node
        self.loading.clear()
        ends = {"running": "stopped"}
        if event.state == "done":
            ends = {"running": "done", "waiting": "done"}
        for node in self.nodes.values():
            node.state = ends.get(node.state, node.state)
        if event.node in self.nodes:
            self.nodes[event.node].state = "failed"

    def expected(self) -> dict[str, int]:
        """Return how many elements each node is expected to produce, where known."""
        found: dict[str, int] = {}
        for node in self.nodes.values():
            before = self.nodes.get(self._follows.get(node.name, ""))
            if node.name in self._totals:
                found[node.name] = self._totals[node.name]
            elif before is not None and before.state in ("cached", "done"):
                found[node.name] = before.elements
            elif before is not None and before.name in found:
                found[node.name] = found[before.name] - before.failed
        return found

    def now(self) -> str:
        """Return which models are being loaded, and which were evicted."""
        parts = []
        if self.loading:
            parts.append(f"loading {', '.join(self.loading)}")
        if self.evicted:
            parts.append(f"no longer loaded: {', '.join(self.evicted)}")
        return "; ".join(parts)

    def so_far(self) -> str:
        """Return the number of elements that each node has produced."""
        expected = self.expected()
        parts = []
        for node in self.nodes.values():
            unfinished = node.state in ("running", "stopped") and node.name in expected
            of = f" of {expected[node.name]:,}" if unfinished else ""
            parts.append(f"{node.name} {node.elements:,}{of}")
        return ", ".join(parts) + " elements" if parts else "not started yet"

    def line(self) -> str:
        """Return the state and the number of nodes; runs with equal outcomes have equal lines."""
        count, cached, made = len(self.nodes), self._number("cached"), self._number("done")
        nodes = f"{count} node{'' if count == 1 else 's'}"
        if self.state == "starting":
            return self.state
        if self.state == "done":
            return _whole(nodes, made, cached) + self._failures()
        if self.state == "failed":
            # The number of nodes that were finished by then differs from run to run.
            return f"failed in {self.failed_in}" if self.failed_in else "failed"
        from_cache = f", {cached} from the cache" if cached else ""
        return f"{self.state}: {made} of {nodes} computed{from_cache}{self._failures()}"

    def _number(self, state: str) -> int:
        return sum(node.state == state for node in self.nodes.values())

    def _failures(self) -> str:
        failed = [node for node in self.nodes.values() if node.failed]
        total = sum(node.failed for node in failed)
        if not failed:
            return ""
        where = ", ".join(node.name for node in failed)
        if len(failed) > 3:
            where = f"{len(failed)} nodes"
        return f"; {total:,} failed element{'' if total == 1 else 's'} in {where}"


def _whole(nodes: str, made: int, cached: int) -> str:
    if made and cached:
        return f"{nodes}: {made} computed, {cached} from the cache"
    return f"{nodes} from the cache" if cached else f"{nodes} computed"


def follows(graph: Graph) -> dict[str, str]:
    """Return the input of each node that has one output per input element, by node name.

    Failed elements have no output.
    """
    return {
        node.name: node.inputs[0].node
        for node in graph
        if node.step.outputs == "one" and len(node.inputs) == 1 and not node.inputs[0].port
    }
