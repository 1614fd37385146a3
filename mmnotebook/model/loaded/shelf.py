"""Loaded models and their leases, and which are removed when memory is short."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmnotebook.model.loaded.weighing import Weight


class LoadedModel:
    """One model: being loaded, loaded, or removed."""

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
        """All names that the model was requested under: `a, b`."""
        return ", ".join(self.names)

    @property
    def total_bytes(self) -> int:
        """Bytes of its parameters, on any device; if unknown, the host memory it takes."""
        known = self.weight.parameter_bytes
        return self.host_bytes if known is None else known


class Shelf:
    """The loaded models of one process: at most `budget` bytes, or more while they are in use.

    A lease may be ended by the garbage collector: in any thread, between any two instructions, even
    while the thread holds the lock. So `give_back` never waits. It appends to a queue, which is
    processed by whoever holds the lock, at the latest on releasing it.
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
        """Bytes of host memory that unused models may take."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        with self._changing():
            self._budget = budget
            self._make_room()

    def borrow(self, key: str, name: str) -> tuple[LoadedModel, bool]:
        """Return the entry for a key, and whether it is loaded; if not, call `put` or `fail` next.

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
        """Return the entry for a key if its model is loaded, else None."""
        with self._changing():
            entry = self._entries.get(key)
            if entry is not None:
                entry.users += 1
            return entry

    def put(self, entry: LoadedModel, model: Any, weight: Weight, host_bytes: int) -> None:
        """Add the loaded model of a borrowed entry; others are removed if it needs their memory."""
        with self._changing():
            entry.model, entry.weight, entry.host_bytes = model, weight, host_bytes
            self._loads[entry.key] += 1
            entry.loads = self._loads[entry.key]
            self._entries[entry.key] = entry
            del self._loading[entry.key]
            self._loading_changed.notify_all()
            self._make_room()

    def fail(self, entry: LoadedModel) -> None:
        """Note that the model of a borrowed entry could not be loaded."""
        with self._changing():
            del self._loading[entry.key]
            self._loading_changed.notify_all()

    def give_back(self, entry: LoadedModel) -> None:
        """Return a borrowed entry. Never waits, so that a finalizer can call it."""
        self._returned.append(entry)
        self._settle()

    def remove(
        self, chosen: Callable[[LoadedModel], bool]
    ) -> tuple[list[LoadedModel], list[LoadedModel]]:
        """Remove models; return those removed, and those in use, which are removed afterwards."""
        with self._changing():
            every = [*self._entries.values(), *self._loading.values()]
            leaving = [entry for entry in every if chosen(entry)]
            for entry in leaving:
                entry.leaving = True
                if not entry.users:
                    self._drop(entry)
        return [e for e in leaving if not e.users], [e for e in leaving if e.users]

    def entries(self) -> list[LoadedModel]:
        """List the loaded models, most recently used first."""
        with self._changing():
            return list(reversed(self._entries.values()))

    def abandon(self) -> None:
        """Drop the models in a forked child, where a thread that is gone may hold the lock."""
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
        # If the lock is taken, its holder comes here after releasing it.
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
            # Removing a model on an accelerator frees no host memory.
            if not entry.users and entry.host_bytes:
                held -= entry.host_bytes
                self._drop(entry)

    def _drop(self, entry: LoadedModel) -> None:
        del self._entries[entry.key]
        entry.model = None
        self.gone.append(entry)
