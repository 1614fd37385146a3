"""The loaded models of a process, their leases, and their removal to free memory."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmnotebook.model.loaded.parameter_bytes import Weight


class LoadedModel:
    """A model that is being loaded, loaded, or removed.

    Attributes
    ----------
    leases
        The number of current leases.
    leased
        The number of leases so far.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.names: dict[str, None] = {}
        self.model: Any = None
        self.weight = Weight(None, None)
        self.host_bytes, self.is_file = 0, False
        self.leases = self.leased = self.loads = 0
        self.leaving = False

    @property
    def label(self) -> str:
        """The names under which the model was requested: `a, b`."""
        return ", ".join(self.names)

    @property
    def total_bytes(self) -> int:
        """The size of the model's parameters on all devices, or else its memory in this process."""
        known = self.weight.parameter_bytes
        return self.host_bytes if known is None else known


class Leases:
    """The loaded models of one process: at most `budget` bytes, unless models in use need more.

    A lease ends when its holder is garbage-collected. `end` can therefore be called at any time in
    any thread, even in a thread that holds the lock, so it never waits. It records the end of the
    lease. If another call holds the lock, that call processes the record when it releases the lock.
    """

    def __init__(self, budget: int) -> None:
        self.removed: deque[LoadedModel] = deque()
        self._budget = budget
        self._entries: dict[str, LoadedModel] = {}  # the least recently used first
        self._loading: dict[str, LoadedModel] = {}
        self._loads: Counter[str] = Counter()
        self._ended: deque[LoadedModel] = deque()
        self._lock = threading.Lock()
        self._loading_changed = threading.Condition(self._lock)

    @property
    def budget(self) -> int:
        """The host memory in bytes above which models without a lease are removed."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        with self._changing():
            self._budget = budget
            self._make_room()

    def take(self, key: str, name: str) -> tuple[LoadedModel, bool]:
        """Lease the model of a key; wait while another thread loads it.

        Returns
        -------
        model, is_loaded
            If the model is not loaded, the caller must load it and call `put` or `fail`.
        """
        with self._changing():
            while key in self._loading:
                self._loading_changed.wait()
            entry = self._entries.get(key)
            is_loaded = entry is not None
            if entry is None:
                entry = self._loading[key] = LoadedModel(key)
            else:
                self._touch(entry)
            entry.names[name] = None
            entry.leases += 1
            entry.leased += 1
            return entry, is_loaded

    def take_loaded(self, key: str) -> LoadedModel | None:
        """Lease the model of a key if it is loaded; return None otherwise."""
        with self._changing():
            entry = self._entries.get(key)
            if entry is not None:
                entry.leases += 1
            return entry

    def put(self, entry: LoadedModel, model: Any, weight: Weight, host_bytes: int) -> None:
        """Store a leased model after loading; remove other models if the budget is exceeded."""
        with self._changing():
            entry.model, entry.weight, entry.host_bytes = model, weight, host_bytes
            self._loads[entry.key] += 1
            entry.loads = self._loads[entry.key]
            self._entries[entry.key] = entry
            del self._loading[entry.key]
            self._loading_changed.notify_all()
            self._make_room()

    def fail(self, entry: LoadedModel) -> None:
        """End the lease of a model that could not be loaded."""
        with self._changing():
            del self._loading[entry.key]
            self._loading_changed.notify_all()

    def end(self, entry: LoadedModel) -> None:
        """End a lease, without waiting, so that finalizers can call this method."""
        self._ended.append(entry)
        self._settle()

    def remove(
        self, chosen: Callable[[LoadedModel], bool]
    ) -> tuple[list[LoadedModel], list[LoadedModel]]:
        """Remove the chosen models that are not in use; mark the chosen models in use for removal.

        Returns
        -------
        removed, in_use
            Models in use are removed when their last lease ends.
        """
        with self._changing():
            every = [*self._entries.values(), *self._loading.values()]
            leaving = [entry for entry in every if chosen(entry)]
            for entry in leaving:
                entry.leaving = True
                if not entry.leases:
                    self._drop(entry)
        return [e for e in leaving if not e.leases], [e for e in leaving if e.leases]

    def entries(self) -> list[LoadedModel]:
        """Return the loaded models, most recently used first."""
        with self._changing():
            return list(reversed(self._entries.values()))

    def abandon(self) -> None:
        """Release the models in a forked child, without the lock.

        A thread that exists only in the parent may hold the lock.
        """
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
        # If another thread holds the lock, that thread calls this method after releasing the lock.
        while self._ended and self._lock.acquire(blocking=False):
            try:
                while self._ended:
                    self._count_end(self._ended.popleft())
                self._make_room()
            finally:
                self._lock.release()

    def _count_end(self, entry: LoadedModel) -> None:
        entry.leases -= 1
        self._touch(entry)
        if entry.leaving and not entry.leases:
            self._drop(entry)

    def _touch(self, entry: LoadedModel) -> None:
        self._entries[entry.key] = self._entries.pop(entry.key)

    def _make_room(self) -> None:
        held = sum(entry.host_bytes for entry in self._entries.values())
        for entry in list(self._entries.values()):
            if held <= self._budget:
                return
            # Removing a model on an accelerator frees no memory here.
            if not entry.leases and entry.host_bytes:
                held -= entry.host_bytes
                self._drop(entry)

    def _drop(self, entry: LoadedModel) -> None:
        del self._entries[entry.key]
        entry.model = None
        self.removed.append(entry)
