"""The loaded models of a keyed node: the most recently used, within `max_models` and the budget."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmnotebook.beam.inference.inference import BlockHandler
from mmnotebook.compat.beam import shared_model
from mmnotebook.model.loaded.models import Lease, loaded_models


class _Shared:
    """A model that the processes of a worker share by Beam's `MultiProcessShared`."""

    def __init__(self, member: BlockHandler, tag: str) -> None:
        self._handle = shared_model(lambda: member.meter.load(member.base.load_model), tag)
        self.model: Any = self._handle.acquire()

    def release(self) -> None:
        self._handle.release(self.model)


class ModelSet:
    """Loads models on request, and evicts the least recently used.

    Parameters
    ----------
    members
        The handler of each model by its name.
    limit
        Maximum number of loaded models; None if only the memory budget limits it. With a limit, an
        evicted model is freed at once, and no model stays loaded after the run.
    owner
        An id of letters and digits. All copies of one node's set have the same id; other sets have
        other ids.
    """

    def __init__(self, members: Mapping[str, BlockHandler], limit: int | None, owner: str) -> None:
        self.members, self.limit, self.owner = members, limit, owner
        self._held: OrderedDict[str, Any] = OrderedDict()  # the most recently used last
        self._lock = threading.RLock()
        if limit is not None:
            self._forget_loaded()

    @contextmanager
    def using(self, name: str) -> Iterator[Any]:
        """Yield the loaded model in its wrapper; with a limit, one model at a time is in use."""
        if self.limit is None:
            with self._lock:
                held = self._get(name)
            yield held.model if isinstance(held, _Shared) else held
            return
        with self._lock:
            held = self._get(name)
            yield held.model if isinstance(held, _Shared) else held

    def release(self) -> None:
        """Release all models."""
        with self._lock:
            while self._held:
                self._let_go()

    def _get(self, name: str) -> Any:
        if name in self._held:
            self._held.move_to_end(name)
            return self._held[name]
        while self.limit is not None and len(self._held) >= self.limit:
            self._let_go()
        self._held[name] = self._lease(name)
        while len(self._held) > 1 and self._bytes() > loaded_models.budget:
            self._let_go()
        return self._held[name]

    def _lease(self, name: str) -> Any:
        member = self.members[name]
        if member.share_model_across_processes():
            with member.loading():
                return _Shared(member, f"{self.owner}-{list(self.members).index(name)}")
        # A limited set shares no model with other nodes.
        return member.lease(member.key if self.limit is None else f"{self.owner} {name}")

    def _let_go(self) -> None:
        name, lease = self._held.popitem(last=False)
        lease.release()
        if isinstance(lease, Lease) and self.limit is not None:
            loaded_models.forget(f"{self.owner} {name}")

    def _bytes(self) -> int:
        """Return the bytes of host memory that the leased models use."""
        weights = [lease.weight for lease in self._held.values() if isinstance(lease, Lease)]
        return sum((w.parameter_bytes or 0) - (w.device_bytes or 0) for w in weights)

    def _forget_loaded(self) -> None:
        for member in self.members.values():
            if member.key is not None:
                loaded_models.forget(member.key)
