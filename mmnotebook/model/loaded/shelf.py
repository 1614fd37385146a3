"""Where warm models stand: who uses which, and which goes when there is no room."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmnotebook.model.loaded.weighing import Weight


class LoadedModel:
    """One model: loading, warm, or gone."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.names: dict[str, None] = {}
        self.model: Any = None
        self.weight = Weight(None, None)
        self.host_bytes, self.is_file = 0, False
        self.users = self.uses = self.loads = 0
        self.leaving = False

    @property
    def label(self) -> str:
        """Every name that the model was asked for under, `a, b`."""
        return ", ".join(self.names)

    @property
    def total_bytes(self) -> int:
        """Bytes of its parameters wherever they lie; where that is unknown, what it takes here."""
        known = self.weight.parameter_bytes
        return self.host_bytes if known is None else known


class Shelf:
    """The models of one process, at most `budget` bytes of them unless more are in use.

    A model comes back when whoever used it is garbage, so `give_back` may be called in any thread
    between any two instructions, in one that holds the lock too: it never waits. It leaves a note,
    which is seen to by whoever has the lock, at the latest when they let go of it.
    """

    def __init__(self, budget: int) -> None:
        self.gone: deque[LoadedModel] = deque()
        self._budget = budget
        self._entries: dict[str, LoadedModel] = {}  # the least recently used first
        self._loading: dict[str, LoadedModel] = {}
        self._loads: Counter[str] = Counter()
        self._returned: deque[LoadedModel] = deque()
        self._lock = threading.Lock()
        self._loading_changed = threading.Condition(self._lock)

    @property
    def budget(self) -> int:
        """Bytes of host memory that models which nothing uses may take."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        with self._changing():
            self._budget = budget
            self._make_room()

    def borrow(self, key: str, name: str) -> tuple[LoadedModel, bool]:
        """The entry for a key, and is it warm? When it is not, the caller owes `put` or `fail`.

        Waits while another thread loads the same model.
        """
        with self._changing():
            while key in self._loading:
                self._loading_changed.wait()
            entry = self._entries.get(key)
            warm = entry is not None
            if entry is None:
                entry = self._loading[key] = LoadedModel(key)
            else:
                self._touch(entry)
            entry.names[name] = None
            entry.users += 1
            entry.uses += 1
            return entry, warm

    def borrow_warm(self, key: str) -> LoadedModel | None:
        """The entry for a key, if its model is there; the caller owes nothing otherwise."""
        with self._changing():
            entry = self._entries.get(key)
            if entry is not None:
                entry.users += 1
            return entry

    def put(self, entry: LoadedModel, model: Any, weight: Weight, host_bytes: int) -> None:
        """A borrowed entry's model was loaded; others go where it needs their room."""
        with self._changing():
            entry.model, entry.weight, entry.host_bytes = model, weight, host_bytes
            self._loads[entry.key] += 1
            entry.loads = self._loads[entry.key]
            self._entries[entry.key] = entry
            del self._loading[entry.key]
            self._loading_changed.notify_all()
            self._make_room()

    def fail(self, entry: LoadedModel) -> None:
        """A borrowed entry's model could not be loaded."""
        with self._changing():
            del self._loading[entry.key]
            self._loading_changed.notify_all()

    def give_back(self, entry: LoadedModel) -> None:
        """One user less. Never waits, so that it can be a finalizer."""
        self._returned.append(entry)
        self._settle()

    def remove(
        self, chosen: Callable[[LoadedModel], bool]
    ) -> tuple[list[LoadedModel], list[LoadedModel]]:
        """Take models out: those that went, and those in use, which go after that."""
        with self._changing():
            every = [*self._entries.values(), *self._loading.values()]
            leaving = [entry for entry in every if chosen(entry)]
            for entry in leaving:
                entry.leaving = True
                if not entry.users:
                    self._drop(entry)
        return [e for e in leaving if not e.users], [e for e in leaving if e.users]

    def entries(self) -> list[LoadedModel]:
        """The warm models, the latest used first."""
        with self._changing():
            return list(reversed(self._entries.values()))

    def abandon(self) -> None:
        """Let go of the models in a forked child, where the lock may be held by a lost thread."""
        for entry in self._entries.values():
            entry.model = None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        finally:
            self._settle()

    def _settle(self) -> None:
        # Who holds the lock when it cannot be had comes here after letting go of it.
        while self._returned and self._lock.acquire(blocking=False):
            try:
                while self._returned:
                    self._take_back(self._returned.popleft())
                self._make_room()
            finally:
                self._lock.release()

    def _take_back(self, entry: LoadedModel) -> None:
        entry.users -= 1
        self._touch(entry)
        if entry.leaving and not entry.users:
            self._drop(entry)

    def _touch(self, entry: LoadedModel) -> None:
        self._entries[entry.key] = self._entries.pop(entry.key)

    def _make_room(self) -> None:
        held = sum(entry.host_bytes for entry in self._entries.values())
        for entry in list(self._entries.values()):
            if held <= self._budget:
                return
            # A model that lies on an accelerator makes no room here.
            if not entry.users and entry.host_bytes:
                held -= entry.host_bytes
                self._drop(entry)

    def _drop(self, entry: LoadedModel) -> None:
        del self._entries[entry.key]
        entry.model = None
        self.gone.append(entry)
