"""A node is stored but for what may pass: the next run asks for that alone, and is as any other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

import mmnotebook as mm
from mmnotebook.analysis.results import Result
from mmnotebook.runtime.store.entries import Entry
from mmnotebook.runtime.store.eviction import write_shard
from mmnotebook.runtime.store.store import Store

ROWS = [f"row {i}" for i in range(9000)]  # blocks and shards, more than two of each
BUSY = {row for i, row in enumerate(ROWS) if i % 1000 == 7}
BAD = {row for i, row in enumerate(ROWS) if i % 2000 == 8}


class Service:
    """Stands for a service: busy for some elements for the time being, and deaf to others."""

    busy = True
    asked: ClassVar[Counter[str]] = Counter()

    def __reduce__(self) -> str:
        return "SERVICE"

    def answer(self, row: str) -> str:
        self.asked[row] += 1
        if row in BAD:
            raise ValueError("no answer")
        if self.busy and row in BUSY:
            raise TimeoutError("busy")
        return row.upper()


SERVICE = Service()


@pytest.fixture(autouse=True)
def service() -> Iterator[None]:
    Service.busy = True
    Service.asked.clear()
    yield


def ask(row: str) -> str:
    return SERVICE.answer(row)


def ask_twice(row: str) -> list[str]:
    return [SERVICE.answer(row), row][: int(row[4:]) % 3]


def ask_whether(row: str) -> bool:
    return SERVICE.answer(row)[-1] in "2478"


def plain(row: str) -> str:
    return row


def length(row: Any) -> int:
    return len(str(row))


def shout(row: str) -> str:
    return row.upper()


def is_loud(row: str) -> bool:
    SERVICE.answer(row.lower())
    return row.isupper()


def kind(row: str) -> str:
    return "odd" if int(row[4:]) % 2 else "even"


class Asks:
    def predict(self, batch: list[str]) -> list[str]:
        return [SERVICE.answer(row) for row in batch]


class Unsure:
    def predict(self, batch: list[str]) -> list[list[float]]:
        return [[0.6, 0.4] if int(row[4:]) % 2 else [1.0, 0.0] for row in batch]


def models() -> None:
    mm.register("asks", Asks(), batch_size=1)
    mm.register("also", Asks(), batch_size=1)
    mm.register("unsure", Unsure())


FUNCTIONS = (ask, ask_twice, ask_whether, plain, length, kind, shout, is_loud)


def ran(text: str, rows: list[str] = ROWS, **how: Any) -> Result:
    used = set(re.findall(r"\w+", text))
    functions = {f.__name__: f for f in FUNCTIONS if f.__name__ in used}
    graph = mm.pipeline(text, rows=rows, **functions)
    return mm.run(graph, max_failed=1.0, progress=False, **how)


def same(one: Result, other: Result, nodes: list[str]) -> None:
    for node in nodes:
        pd.testing.assert_frame_equal(one[node], other[node])
    order = ["node", "id"]
    pd.testing.assert_frame_equal(
        one.failed.drop(columns="traceback").sort_values(order, ignore_index=True),
        other.failed.drop(columns="traceback").sort_values(order, ignore_index=True),
    )


GRAPHS = {
    "map": "one = rows | ask",
    "flat_map": "one = rows | flat_map(ask_twice)",
    "filter": "one = rows | filter(ask_whether)",
    "model": "one = rows | asks",
    "keyed": 'one = rows | keyed({"odd": asks, "even": also}, by=kind)',
    "keyed by Beam": 'one = rows | keyed({"odd": asks, "even": also}, by=kind, lowering="beam")',
    "below": "one = rows | plain\ntwo = one | asks\nthree = two | length\nfour = three | length",
    "cascade": "one = rows | cascade(unsure, asks, below=0.8)",
}


@pytest.mark.parametrize("name", GRAPHS)
def test_only_what_failed_is_asked_again(name: str) -> None:
    models()
    text, rows = GRAPHS[name], ROWS[:1500] if "Beam" in name else ROWS
    first = ran(text, rows)
    nodes = list(first.nodes.index)
    answered = {row for row, times in Service.asked.items() if times} - BUSY
    Service.busy = False
    Service.asked.clear()
    second = ran(text, rows)
    asked = set(Service.asked)
    # What a filter or a flat_map gives nothing for leaves no trace of its answer.
    if name not in ("flat_map", "filter"):
        assert asked <= BUSY
    assert BUSY & asked and len(asked & answered) < len(answered)
    assert max(Service.asked.values()) == 1
    third = ran(text, rows)
    assert third.nodes["cached"].all()
    fresh = ran(text, rows, fresh=True)
    same(second, fresh, nodes)
    same(third, fresh, nodes)
    counts = ["elements_in", "elements_out", "failed"]
    assert second.nodes[counts].equals(fresh.nodes[counts])
    assert third.nodes[counts].equals(fresh.nodes[counts])


def test_why_counts_both() -> None:
    models()
    text = GRAPHS["below"]
    ran(text)
    Service.busy = False
    second = ran(text)
    read = len(ROWS) - len(BUSY)
    assert second.why["two"] == f"{read:,} read from the cache, {len(BUSY)} tried again"
    below = f"{read - len(BAD):,} read from the cache, {len(BUSY)} computed"
    assert second.why["three"] == second.why["four"] == below
    assert second.why["one"] == "read from the cache"


def test_a_service_that_stays_busy_is_asked_for_the_same_each_time() -> None:
    models()
    first = ran("one = rows | asks")
    for _ in range(2):
        Service.asked.clear()
        again = ran("one = rows | asks")
        assert set(Service.asked) == BUSY
        same(again, first, ["one"])
        assert len(again.failed) == len(BUSY) + len(BAD)


def test_what_joins_is_computed_as_a_whole() -> None:
    models()
    text = 'a = rows | asks\nb = rows | plain\nboth = [a, b] | vote(missing="use rest")'
    ran(text)
    Service.busy = False
    same(ran(text), ran(text, fresh=True), ["a", "both"])


def test_an_element_that_comes_twice_is_not_taken_for_the_other() -> None:
    text = "a = rows | plain\nb = rows | shout\none = {a, b} | filter(is_loud)"
    ran(text, ROWS[:50])
    Service.busy = False
    assert sorted(ran(text, ROWS[:50])["one"]["value"]) == sorted(
        row.upper() for row in ROWS[:50] if row not in BAD
    )


def test_other_elements_are_asked() -> None:
    models()
    ran("one = rows | asks", ROWS[:100])
    Service.busy = False
    Service.asked.clear()
    changed = ["row 11", *ROWS[1:100]]
    second = ran("one = rows | asks", changed)
    assert second["one"]["prediction"].iloc[0] == "ROW 11"


def test_another_model_is_asked_for_all() -> None:
    models()
    ran("one = rows | asks", ROWS[:100])
    Service.asked.clear()
    mm.register("asks", Asks(), batch_size=1, output=str.lower)
    assert ran("one = rows | asks", ROWS[:100])["one"]["prediction"].iloc[0] == "row 0"
    assert len(Service.asked) == 100


def test_fresh_asks_for_all() -> None:
    models()
    ran("one = rows | asks", ROWS[:100])
    Service.asked.clear()
    ran("one = rows | asks", ROWS[:100], fresh=True)
    assert len(Service.asked) == 100


class Noted:
    """Whose answer depends on what else is in its batch."""

    def predict(self, batch: list[str]) -> list[str]:
        return [f"{SERVICE.answer(row)} of {len(batch)}" for row in batch]


def test_a_model_whose_answers_depend_on_the_batch_is_asked_for_all() -> None:
    mm.register("noted", Noted(), batch_size=50)
    ran("one = rows | noted", ROWS[:200])
    Service.busy = False
    second, fresh = (ran("one = rows | noted", ROWS[:200], fresh=f) for f in (False, True))
    same(second, fresh, ["one"])


def test_a_whole_entry_takes_the_place_of_a_part_and_never_the_other_way(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def committed(value: str, **meta: list[str]) -> Entry:
        draft = store.draft("one")
        write_shard(draft.path, 0, [value], 1)
        return draft.commit({"node": "n", **meta})

    def found() -> list[str]:
        return [value for shard in store.find(["one"])["one"].shards() for value in shard]

    part = committed("part", again=["3"])
    assert not part.whole and found() == ["part"]
    newer = committed("newer part", again=[])
    assert not newer.whole and found() == ["newer part"]
    assert list(part.shards()) == [["part"]]  # whoever holds it may read it
    assert committed("whole").whole and found() == ["whole"]
    late = committed("late part", again=["3"])
    assert list(late.shards()) == [["late part"]] and found() == ["whole"]
