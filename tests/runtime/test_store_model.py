"""Random sequences of operations: the store behaves like a simple model of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mmnotebook.store import entries, eviction
from mmnotebook.store.entries import Entry
from mmnotebook.store.store import Store

IDENTITIES = st.sampled_from([*"abcdef"])
KERNELS = st.integers(0, 1)
HOLD = st.sampled_from([False, False, False, True])


class StoreMachine(RuleBasedStateMachine):
    """Two stores on one folder, and their expected content.

    `stored` has the identities that must be found, by last use, with the number of each; `held` has
    the held entries. All entries have the same size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stored: dict[str, int] = {}
        self.replaced: set[Path] = set()
        self.held: list[tuple[Entry, int]] = []
        self.number = 0

    @initialize()
    def open(self) -> None:
        self.stores = [Store(Path(self.folder.name), 1 << 30) for _ in range(2)]
        self.size = self.written(self.stores[0], "probe").commit({}).bytes
        self.stores[0].clear()
        for store in self.stores:
            store.limit = 4 * self.size

    def teardown(self) -> None:
        self.held.clear()
        self.folder.cleanup()

    def written(self, store: Store, identity: str):  # type: ignore[no-untyped-def]
        draft = store.draft(identity)
        eviction.write_shard(draft.path, 0, self.number.to_bytes(8, "little"))
        return draft

    @rule(kernel=KERNELS, identity=IDENTITIES, hold=HOLD, replace=st.booleans())
    def commit(self, kernel: int, identity: str, hold: bool, replace: bool) -> None:
        self.number += 1
        draft = self.written(self.stores[kernel], identity)
        entry = draft.commit({}, replace=replace)
        if replace or identity not in self.stored:
            self.stored.pop(identity, None)
            self.stored[identity] = self.number
            self.evicted(kernel, entry)
        if hold:
            self.held.append((entry, self.stored[identity]))

    @rule(kernel=KERNELS, hold=HOLD)
    def passing(self, kernel: int, hold: bool) -> None:
        self.number += 1
        entry = self.written(self.stores[kernel], "a").commit({}, lasting=False)
        if hold:
            self.held.append((entry, self.number))

    @rule(kernel=KERNELS, wanted=st.lists(IDENTITIES, max_size=4), hold=HOLD)
    def find(self, kernel: int, wanted: list[str], hold: bool) -> None:
        found = self.stores[kernel].find(wanted)
        assert found.keys() == self.stored.keys() & set(wanted)
        for identity, entry in found.items():
            number = self.stored.pop(identity)
            self.stored[identity] = number
            assert self.number_in(entry) == number
            if hold:
                self.held.append((entry, number))

    @rule(kernel=KERNELS, identity=IDENTITIES)
    def discard(self, kernel: int, identity: str) -> None:
        self.written(self.stores[kernel], identity).discard()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))

    @rule(kernel=KERNELS, count=st.integers(0, 6))
    def limit(self, kernel: int, count: int) -> None:
        self.stores[kernel].limit = count * self.size
        self.evicted(kernel)

    @rule(kernel=KERNELS)
    def clear(self, kernel: int) -> None:
        held = {entry.path for entry, _ in self.held}
        assert self.stores[kernel].clear()[1] == len(held) * self.size
        for identity in list(self.stored):
            if not self.is_held(identity):
                del self.stored[identity]

    @precondition(lambda self: self.stored)
    @rule(kernel=KERNELS, data=st.data())
    def damage(self, kernel: int, data: st.DataObject) -> None:
        identity = data.draw(st.sampled_from(sorted(self.stored)))
        if not self.is_held(identity):
            path = self.folder_of(identity)
            data.draw(st.sampled_from(sorted(path.glob("[m0-9]*")))).write_bytes(b"damaged")
            assert self.stores[kernel].find([identity]) == {}
            assert len(self.stores[kernel].notes) == 1
            self.stores[kernel].notes.clear()
            del self.stored[identity]

    @rule(kernel=KERNELS)
    def restart(self, kernel: int) -> None:
        self.stores[kernel] = Store(Path(self.folder.name), 4 * self.size)
        self.evicted(kernel)

    @invariant()
    def everything_that_is_held_can_be_read(self) -> None:
        for entry, number in self.held:
            assert self.number_in(entry) == number

    @invariant()
    def nothing_else_is_there(self) -> None:
        if hasattr(self, "stores"):
            current = {self.folder_of(identity) for identity in self.stored}
            there = set(eviction.all_entries(self.stores[0].inner))
            there -= {path for path in there if (path / entries.RETIRED).exists()}
            assert there == current | {e.path for e, _ in self.held if e.path in there}
            assert all(store.notes == [] for store in self.stores)

    def evicted(self, kernel: int, new: Entry | None = None) -> None:
        """Remove from the model the entries that the store must have evicted, oldest first."""
        store = self.stores[kernel]
        others = {entry.path for entry, _ in self.held} - set(map(self.folder_of, self.stored))
        total = (len(self.stored) + len(others)) * self.size
        if total <= store.limit:
            return
        for identity in list(self.stored):
            if total <= 0.9 * store.limit:
                break
            if not self.is_held(identity) and (new is None or identity != new.identity):
                del self.stored[identity]
                total -= self.size

    def folder_of(self, identity: str) -> Path:
        folders = sorted((self.stores[0].inner / "entries").glob(f"{identity}.*"))
        current = [path for path in folders if not (path / entries.RETIRED).exists()]
        return current[-1] if current else Path(identity)

    def is_held(self, identity: str) -> bool:
        return self.folder_of(identity) in {entry.path for entry, _ in self.held}

    @staticmethod
    def number_in(entry: Entry) -> int:
        (value,) = entry.shards()
        return int.from_bytes(value, "little")


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=40)
