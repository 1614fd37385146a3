"""Spot checks: a few cached elements are recomputed and compared.

A check happens with a probability that keeps its expected cost at most `SHARE` of the seconds that
reading the entry saves. Checks apply to steps with one stored input that call a function, call a
model or combine outputs.

Joins, unions, sources, writes, branches, models per key, cascades and streams are not checked.
Models are not checked if they are remote, not loaded or keep state, or if their outputs depend on
the batch or differ from call to call. Functions are not checked if they use the network, write
files, import a new library or are declared pure.

Outputs of functions are compared by their content, outputs of models with the same tolerance as in
checks of the model's first calls, and failures by their class.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmnotebook.errors import shown
from mmnotebook.fingerprint.identity import Identity, Unknowable, digest
from mmnotebook.graph.graph import Node
from mmnotebook.model import probes
from mmnotebook.observing import outcome
from mmnotebook.running import recompute, samples
from mmnotebook.running.incremental import MOST
from mmnotebook.running.measures import Measured
from mmnotebook.running.plan import Plan
from mmnotebook.running.samples import ELEMENTS, SampleOutcome
from mmnotebook.state.run_state import RunState

SHARE = 0.03
"""Maximum average cost of checks, as a share of the seconds that reading an entry saves."""
AGAIN = "computed again: the stored output differed from the current output"
_FIXED = 0.01
"""Fixed cost of a check, in seconds."""
_RATE = 20e6
"""Assumed reading speed for stored elements, in bytes per second; big arrays are faster."""
_PAUSE = 60.0
"""Seconds after a check of an entry until the next check has its full probability again."""


@dataclass
class CheckCost:
    """The seconds that checks of a step have taken in this process."""

    total: float = 0.0
    times: int = 0

    @property
    def mean(self) -> float:
        return self.total / max(1, self.times)


# By the result of `_work`. A step that this process has neither computed nor checked is missing.
_costs: dict[tuple[str, ...], CheckCost] = {}
# The time of the last check of each entry in this process, by the entry's folder.
_last: dict[Path, float] = {}


def probability(saved: float, cost: float) -> float:
    """Return the probability of a check, from the seconds that its entry saves and its cost."""
    return min(1.0, SHARE * saved / cost)


def expected_cost(measured: Measured, size: int, known: CheckCost | None) -> float:
    """Estimate how many seconds a check takes.

    Parameters
    ----------
    measured
        Measures of the computation of the node's entry.
    size
        The number of bytes to read.
    known
        The cost of checks of the step in this process; None if the step was not computed here.
        Then the first call may load what the original computation loaded, so the estimate
        includes all seconds that the entry saves.
    """
    saved, node = measured.node.seconds or 0.0, measured.node
    elements = saved * min(1.0, ELEMENTS / max(1, node.elements_in or 0))
    for model in measured.models.values():
        elements = max(elements, saved / max(1, model.batches))
    if known is None:
        return _FIXED + size / _RATE + saved
    return max(_FIXED + size / _RATE + elements, known.mean)


def learn(plan: Plan, names: Collection[str]) -> None:
    """Remember that this process computed these nodes."""
    for name in names:
        _costs.setdefault(_work(plan.identities[name]), CheckCost())


def check(
    plan: Plan,
    run: RunState,
    keys: Mapping[str, str | None],
    verify: str,
    dice: random.Random | None = None,
) -> dict[str, str]:
    """Check some nodes that a plan reads from the cache, and discard the entries that differ.

    If the entry of a node differs, the node and all nodes downstream of it are recomputed, and
    all nodes that share its function or model are checked too.

    Parameters
    ----------
    run
        The current run; its cancellation also cancels the check.
    keys
        The key under which each loaded model is kept, by model name.
    verify
        "sample", "all" or "off".
    dice
        The random number generator that chooses nodes and elements to check.

    Returns
    -------
    dict
        A description of the difference for each node that differs.
    """
    if verify == "off":
        return {}
    found: dict[str, str] = {}
    dice = dice or random.Random()

    def is_chosen(node: Node) -> bool:
        return verify == "all" or dice.random() < _chance(plan, node)

    def is_suspect(node: Node) -> bool:
        return any(not _used(plan, node.name).isdisjoint(_used(plan, one)) for one in found)

    for choose in (is_chosen, is_suspect):
        for node in plan.prepared.graph.order():
            if _is_checkable(plan, node) and choose(node):
                what = _checked(plan, node, run, keys, dice)
                if what:
                    found[node.name] = what
                    _discard(plan, node.name, what)
    return found


def said(node: str, what: str) -> str:
    """Return the text of the warning about a node that differed."""
    return (
        f"node {node!r}: its cached output differed from its current output ({what}). "
        "The cached output and all outputs computed from it were removed and computed again. "
        "The node depends on something that mmnotebook cannot detect; fresh=True computes every "
        "node"
    )


def _is_checkable(plan: Plan, node: Node) -> bool:
    if node.name not in plan.entries or len(node.inputs) != 1:
        return False
    if plan.identities[node.name].stated or outcome.stored(plan.entries[node.name].meta).kernel:
        return False
    if not recompute.can(node) or node.inputs[0].node not in plan.entries:
        return False
    return _costs.get(_work(plan.identities[node.name]), CheckCost()).total < math.inf


def _chance(plan: Plan, node: Node) -> float:
    entry, above = plan.entries[node.name], plan.entries[node.inputs[0].node]
    measured = plan.measured[node.name]
    size = samples.bytes_read(node, entry, above)
    known = _costs.get(_work(plan.identities[node.name]))
    if node.step.runs_one_model:
        known = known or CheckCost()  # only a loaded model is checked
    chance = probability(measured.node.seconds or 0.0, expected_cost(measured, size, known))
    return chance * rest_factor(time.monotonic() - _last.get(entry.path, -math.inf))


def rest_factor(seconds: float) -> float:
    """Return the factor for the probability of a check this many seconds after another."""
    return min(1.0, seconds / _PAUSE)


def _used(plan: Plan, name: str) -> set[str]:
    """Return the identities of the functions and models that a node uses."""
    parts = plan.identities[name].parts
    return {part for of, part in parts.items() if of.startswith(("function ", "model "))}


def _work(identity: Identity) -> tuple[str, ...]:
    """Return the identities of the parts of a node, without those of its inputs."""
    return tuple(part for name, part in identity.parts.items() if not name.startswith("input "))


def _checked(
    plan: Plan, node: Node, run: RunState, keys: Mapping[str, str | None], dice: random.Random
) -> str:
    """Compare a node with its entry; return the difference, or "" if no difference was found."""
    if node.step.runs_one_model and recompute.loaded(node, plan.prepared, keys) is None:
        return ""
    started = time.perf_counter()
    cost = _costs.setdefault(_work(plan.identities[node.name]), CheckCost())
    try:
        return _compared(plan, node, run, keys, dice)
    except KeyboardInterrupt:
        raise
    except recompute.Remote:
        cost.total = math.inf
        return ""
    except BaseException:  # noqa: BLE001 - a check that cannot be made does not fail the run
        run.check()
        return ""
    finally:
        _last[plan.entries[node.name].path] = time.monotonic()
        cost.total, cost.times = cost.total + time.perf_counter() - started, cost.times + 1


def _compared(
    plan: Plan, node: Node, run: RunState, keys: Mapping[str, str | None], dice: random.Random
) -> str:
    entry, above = plan.entries[node.name], plan.entries[node.inputs[0].node]
    chosen = samples.choose(node, above, dice)
    if chosen is None:
        return ""
    block, where = chosen
    stored = samples.outcomes(node, block.ids, entry, where)
    if stored is None:
        return ""

    def differences(places: Collection[int]) -> dict[int, str]:
        part = block.take(list(places))
        now = recompute.computed(node, plan.prepared, keys, part, run)
        pairs = {at: (stored[block.ids[at]], now[block.ids[at]]) for at in places}
        found = {at: difference(node, *pair) for at, pair in pairs.items()}
        return {at: text for at, text in found.items() if text}

    found = differences(range(len(block)))
    if found and node.step.runs_one_model:  # drop differences that only the batch causes
        found = {at: text for at, text in found.items() if differences([at])}
    plan.store.checked += 1
    ids = [block.ids[at] for at in found]
    if not found or not samples.are_unique(node, ids, above):
        return ""
    at, text = next(iter(found.items()))
    return f"element {block.ids[at]}: {text}"


def difference(node: Node, stored: SampleOutcome, now: SampleOutcome) -> str:
    """Return the difference between two outcomes of one element, or "" if there is none."""
    if stored.error != now.error:
        return f"{_ended(stored)} and {_ended(now)}"
    if stored.values.keys() != now.values.keys():
        return f"{len(stored.values)} and {len(now.values)} outputs"
    pairs = [(stored.values[one], now.values[one]) for one in now.values]
    if node.step.runs_one_model:
        return next((text for pair in pairs if (text := _far(*pair))), "")
    return next((text for pair in pairs if (text := _unequal(*pair))), "")


def _ended(outcome: SampleOutcome) -> str:
    return "an output" if outcome.error is None else outcome.error


def _far(one: Any, other: Any) -> str:
    return probes.difference([one], [other])


def _unequal(one: Any, other: Any) -> str:
    try:
        if digest(one) == digest(other):
            return ""
    except Unknowable:
        return _far(one, other)
    return _far(one, other) or f"{shown(one)} and {shown(other)}"


def _discard(plan: Plan, name: str, what: str) -> None:
    """Remove the entries of a node and of all nodes downstream of it; plan to recompute them."""
    plan.store.differed += 1
    wrong = {name}
    for node in plan.prepared.graph.order():
        if any(wire.node in wrong for wire in node.inputs):
            wrong.add(node.name)
    digests = [plan.identities[one].digest for one in wrong]
    # Outputs of single elements may come from any earlier entry of the same step.
    steps = {plan.identities[one].own for one in wrong} - {None}
    digests += [entry.identity for one in steps if one for entry in plan.store.answers(one, MOST)]
    plan.answered = {one: of for one, of in plan.answered.items() if of.own not in steps}
    plan.store.discard(one for one in digests if one is not None)
    for one in wrong & plan.entries.keys():
        above = (
            f"computed again: the stored output of the upstream node {name!r} differed from its "
            "current output"
        )
        plan.again(one, f"{AGAIN} ({what})" if one == name else above)
