"""Warnings about models that receive the verdict of a guard instead of the guard's input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmnotebook.beam.dofns.inferences import inferences
from mmnotebook.beam.prepare import Prepared
from mmnotebook.elements.block import Block
from mmnotebook.elements.columns import Column, Tuples
from mmnotebook.errors import shown
from mmnotebook.results.labels import labeled
from mmnotebook.results.values import is_prediction, plain
from mmnotebook.running.guards import Guarded, guarded, meant
from mmnotebook.state.run_state import Tally
from mmnotebook.store import timed
from mmnotebook.store.entries import Entry

_ROWS = 256
"""The number of elements that are examined."""


def warnings(
    prepared: Prepared, entries: Mapping[str, Entry], tallies: Mapping[str, Tally]
) -> Iterator[str]:
    """Yield a warning for each switch whose models received a verdict as their input.

    There is no warning for an encoder before a switch, because models are meant to receive the
    output of an encoder.
    """

    def has_input(name: str) -> bool:
        return prepared.models[name].input is not None

    for one in guarded(prepared.graph, has_input):
        seen = _first(entries.get(one.switch.name))
        found = None if seen is None else verdict(seen.values, one.switch.arms)
        failing = [node for node in one.models if _only_fails(tallies[node.name])]
        if found is not None or failing:
            example = "" if found is None else f", such as {shown(found)},"
            yield _warning(one, example, meant(prepared.graph, one))


def _warning(one: Guarded, example: str, lines: str) -> str:
    models = " and ".join(repr(node.name) for node in one.models)
    guard, way = repr(one.guard.name), repr(one.switch.name)
    return (
        f"{models} after the switch {way} received the output of {guard}{example} and not "
        "its input. To pass that input, write:\n"
        + "".join(f"    {line}\n" for line in lines.split("\n"))
        + f"To pass the output of {guard}, put a function between them: map(f)."
    )


def _first(entry: Entry | None) -> Block | None:
    shards = () if entry is None else entry.shards()
    blocks = (block for shard in shards for block, _ in timed.pairs(shard))
    return next((block for block in blocks if len(block)), None)


def _only_fails(tally: Tally) -> bool:
    return tally.failed > 0 and tally.elements_out == 0


def verdict(values: Column, outputs: Sequence[str]) -> Any:
    """Return the first value if all values are verdicts; None if they may be other data.

    A verdict is a label with its score, a truth value, the name of an output, a number for an input
    that is not a number, or one value for several inputs.
    """
    values = values.part(0, min(_ROWS, len(values)))
    given = [plain(value) for value in inferences(values)]
    judged: list[Any] = [object() for _ in given]  # the inputs of an ensemble are not kept
    if isinstance(values, Tuples) and is_prediction(values.kind):
        judged = [plain(example) for example in values.columns[0]]
    if all(labeled(one) is not None for one in given):
        return given[0]
    if not all(isinstance(one, (str, bool, int, float)) for one in given):
        return None
    names = all(isinstance(one, bool) or one in outputs for one in given)
    numbers = not any(isinstance(one, str) for one in given) and not any(
        isinstance(one, (int, float)) for one in judged
    )
    return given[0] if names or numbers or len(set(given)) < _different(judged) else None


def _different(values: Sequence[Any]) -> int:
    try:
        return len(set(values))
    except TypeError:  # arrays, records
        return len(values)
