"""A DoFn that runs a chain of ParDos over the values of a block.

It does the same as a `PairFn` for each ParDo, in a small part of the time: the code of a step is
observed once per block, not once per element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue

from mmnotebook.beam.dofns.node_fn import NodeFn
from mmnotebook.beam.dofns.tracking import CallOutcome, weight
from mmnotebook.beam.transforms.pairs import record, rows_of
from mmnotebook.compat.beam import WindowedValue, at_most_one, makes_children
from mmnotebook.elements.block import Block, in_parts
from mmnotebook.elements.elements import Select, settled
from mmnotebook.elements.user_code import ENDS_RUN
from mmnotebook.errors import RunError
from mmnotebook.results.records import Failure
from mmnotebook.state import run_state

Made = tuple[str, Any, Any]
"""An output: the end of its id, its value, and its timestamp if that is a new one."""


class ChainFn(NodeFn):
    """Calls DoFns, one after another, with each value; they need nothing but values.

    Parameters
    ----------
    pardos
        The ParDos of the DoFns.
    """

    def __init__(self, node: str, run_id: str, select: Select, pardos: Sequence[Any]) -> None:
        super().__init__(node, run_id, select)
        self.functions = [one.dofn for one in pardos]
        self.passed = [one.raw_side_inputs for one in pardos]
        self.keeps = list(map(at_most_one, self.functions))
        self.children = list(map(makes_children, self.functions))

    def setup(self) -> None:
        super().setup()
        self.track.watch_state(self.functions)
        for function in self.functions:
            function.setup()

    def start_bundle(self) -> None:
        for function in self.functions:
            function.start_bundle()

    def teardown(self) -> None:
        for function in self.functions:
            function.teardown()

    def blocks(self, block: Block) -> Iterator[Any]:
        self.track.count_inputs(len(block))
        failed: list[Failure] = []
        places: list[int] = []
        outputs: list[Made] = []
        for place, value in enumerate(rows_of(block)):
            self.track.check()
            made = self._chain(block.ids[place], value, failed)
            places += [place] * len(made)
            outputs += made
        return self._timed(replace(block, failed=[*block.failed, *failed]), places, outputs)

    def _chain(self, name: str, value: Any, failed: list[Failure]) -> list[Made]:
        found: list[Made] = [("", value, None)]
        for place in range(len(self.functions)):
            found = [new for one in found for new in self._call(place, name, one, failed)]
        return found

    def _call(self, place: int, name: str, given: Made, failed: list[Failure]) -> Iterable[Made]:
        end, value, when = given
        more, named = self.passed[place]
        try:
            made = list(self.functions[place].process(value, *more, **named) or ())
        except ENDS_RUN:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises
            failed.append(self.track.fail(name + end, error))
            return []
        made = [one for one in made if not isinstance(one, beam.pvalue.TaggedOutput)]
        alone = self.keeps[place] or (len(made) == 1 and not self.children[place])
        return [
            (end if alone else f"{end}/{number}", *self._plain(one, when))
            for number, one in enumerate(made)
        ]

    def _plain(self, output: Any, when: Any) -> tuple[Any, Any]:
        if isinstance(output, WindowedValue):
            cause = RunError(
                f"node {self.node!r}: its transform outputs a WindowedValue",
                remedy="beam.WindowInto in the transform, or a window as a parameter of process",
                node=self.node,
            )
            raise run_state.stop(self.run_id, cause)
        if isinstance(output, TimestampedValue):
            return settled(output.value), output.timestamp
        return settled(output), when

    def _timed(self, block: Block, places: list[int], outputs: list[Made]) -> Iterator[Any]:
        """Yield the outputs in blocks, each with one timestamp; the first one has the failures."""
        times = dict.fromkeys(when for _, _, when in outputs) or {None: None}
        failed = block.failed
        for when in times:
            at = [number for number, one in enumerate(outputs) if one[2] == when]
            some = [outputs[number] for number in at]
            made = self._block(block, [places[number] for number in at], some)
            made, failed = replace(made, failed=[*failed, *made.failed]), []
            for part in in_parts(made):
                yield part if when is None else self._at(part, when)

    def _at(self, part: Block, when: Any) -> TimestampedValue[Any]:
        self.track.flow.given += weight(part)  # `process` counts only blocks
        self.track.count_outputs(len(part))
        return TimestampedValue(part, when)

    def _block(self, block: Block, places: list[int], outputs: list[Made]) -> Block:
        taken = block.take(places)
        ids = [name + end for name, (end, _, _) in zip(taken.ids, outputs, strict=True)]
        origins = taken.origins
        if origins is None and any(end for end, _, _ in outputs):
            origins = taken.ids
        values = [record(value) for _, value, _ in outputs]
        outcome = CallOutcome(list(range(len(values))), values)
        return self.track.stored(replace(taken, ids=ids, origins=origins), outcome)
