"""Models that stay loaded between runs, within a memory budget."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from mmnotebook import sizes
from mmnotebook.errors import UnknownModelError, nearest, shown
from mmnotebook.graph.models import registry
from mmnotebook.model.loaded import display, memory
from mmnotebook.model.loaded.display import Unloaded
from mmnotebook.model.loaded.leases import Leases, LoadedModel
from mmnotebook.model.loaded.parameter_bytes import Weight, weigh
from mmnotebook.state import events

if TYPE_CHECKING:
    import pandas as pd

_WORTH_COLLECTING = 64 << 20
"""The minimum number of removed bytes for a full garbage collection, which takes 0.1 s."""


class Lease:
    """The use of a loaded model; a model stays loaded as long as it has a lease.

    A lease ends when it is released, at the end of its `with` block, or when it is
    garbage-collected.

    Attributes
    ----------
    model
        The loaded model; None after the release.
    fresh
        Whether the model was loaded for this lease.
    seconds
        The time that loading took; None for a model that was already loaded.
    weight
        The size of the parameters of the model.
    """

    def __init__(
        self, models: LoadedModels, leases: Leases, entry: LoadedModel, seconds: float | None
    ) -> None:
        self.model: Any = entry.model
        self.fresh = seconds is not None
        self.seconds = seconds
        self.weight: Weight = entry.weight
        self._models = models
        self._end = weakref.finalize(self, leases.end, entry)
        self._end.atexit = False

    def release(self) -> None:
        """End the lease; later calls have no effect."""
        self.model = None
        self._end()
        self._models._send_removed()

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class LoadedModels:
    """The models that are loaded in this process; displayed as a table.

    Every process has its own models; a forked child starts without any. All methods are
    thread-safe.

    Attributes
    ----------
    on_event
        Callables that receive every `ModelLoading`, `ModelLoaded` and `ModelEvicted` event, in the
        thread that caused it. If a model is removed because its lease was garbage-collected, the
        event is sent in the next call of a method.
    """

    def __init__(self) -> None:
        self.on_event: list[Callable[[events.Event], None]] = []
        self._leases = {os.getpid(): Leases(psutil.virtual_memory().total // 4)}

    @property
    def budget(self) -> int:
        """The maximum host memory of loaded models, in bytes.

        Set it to a whole number of bytes or a string such as "4GiB". The default is a quarter of
        the memory of the machine. The least recently used models are removed first. Models in use
        are kept even if the budget is exceeded; a model that is larger than the budget is removed
        when its use ends. Memory on an accelerator does not count.

        Raises
        ------
        MMError
            If the new value is not a size.
        """
        return self._own().budget

    @budget.setter
    def budget(self, size: int | str) -> None:
        self._own().budget = sizes.parse("budget", size)
        self._send_removed()

    def get(self, key: str, name: str, load: Callable[[], Any]) -> Lease:
        """Return a lease of a model; load the model if necessary.

        Parameters
        ----------
        key
            The identity of the model: its content, its device, and the settings of its handler.
            Names with equal keys share one model.
        name
            The name under which the model is displayed and can be unloaded.
        load
            A function that loads the model. If two threads request one key, it is called once. Its
            exceptions are raised here.
        """
        leases = self._own()
        entry, is_loaded = leases.take(key, name)
        seconds = None if is_loaded else self._load(leases, entry, name, load)
        lease = Lease(self, leases, entry, seconds)
        if seconds is not None:
            self._send(events.ModelLoaded(name, seconds, entry.total_bytes))
        self._send_removed()
        return lease

    def get_loaded(self, key: str) -> Lease | None:
        """Return a lease of a model if the model is already loaded, else None."""
        leases = self._own()
        entry = leases.take_loaded(key)
        return None if entry is None else Lease(self, leases, entry, None)

    def unload(self, name: str | None = None) -> Unloaded:
        """Unload the models that are loaded in this process.

        The memory is returned to the system. A run that needs a model loads it again. A model that
        a run is using is unloaded when the run ends.

        Parameters
        ----------
        name
            The name of a model. Default: all models.

        Returns
        -------
        Unloaded
            `models` are the names of the unloaded models, `bytes` is the size of their parameters,
            and `freed_bytes` is the measured decrease of the memory of this process. `later` are
            the names of models that are unloaded when their runs end.

        Raises
        ------
        UnknownModelError
            If no model with this name is registered or loaded. It is a `ModelError`.

        See Also
        --------
        mmnotebook.models : The models that are loaded.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> spec = mm.register("minus7", lambda batch: [x - 7 for x in batch], framework="python")
        >>> graph = mm.pipeline("numbers | minus7", numbers=[1, 2])
        >>> result = mm.run(graph, fresh=True, progress=False)  # a cached node loads no model
        >>> mm.unload("minus7").models
        ('minus7',)
        """
        memory.release_freed()  # also ends leases in reference cycles
        before = memory.own_bytes()
        chosen = self._named(name)
        gone, later = self._own().remove(chosen)
        if gone:
            memory.release_freed()
        freed = before - memory.own_bytes() if gone else 0
        self._send_removed()
        known = [entry.weight.parameter_bytes for entry in gone]
        size = sum(count for count in known if count is not None)
        return Unloaded(_names(gone), size, freed, _names(later), name, None not in known)

    def forget(self, key: str) -> None:
        """Remove a model that is loaded or being loaded, as soon as it is not in use."""
        self._own().remove(lambda entry: entry.key == key)
        self._send_removed()

    def replace(self, name: str, key: str | None, others: Collection[str]) -> None:
        """Remove the previous model of a name, as soon as it is not in use.

        Parameters
        ----------
        key
            The key of the current model of the name, which is kept.
        others
            Other names: a model that the name shares with one of them is kept.
        """

        def is_over(entry: LoadedModel) -> bool:
            if name not in entry.names or (key is not None and entry.key.startswith(key)):
                return False
            del entry.names[name]
            return not any(other in entry.names for other in others)

        self._own().remove(is_over)
        self._send_removed()

    @property
    def table(self) -> pd.DataFrame:
        """The loaded models as a table, most recently used first.

        Returns
        -------
        DataFrame
            One row per model. Index `model`: its names. Columns: `bytes` (the size that counts
            against the budget), `parameter_bytes` and `device_bytes` (the sizes of its parameters,
            and of those on an accelerator; missing if unknown or none), `in_use` (whether a run
            uses it), `loads` and `used` (how often it was loaded and requested in this process).
        """
        return display.table(self._own().entries())

    def __repr__(self) -> str:
        return display.text(self._own().entries(), self.budget)

    def _repr_html_(self) -> str:
        return display.html(self._own().entries(), self.budget)

    def _own(self) -> Leases:
        """Return the leases of this process."""
        pid = os.getpid()
        leases = self._leases.get(pid)
        if leases is None:
            # This is a forked child, which has the models of its parent.
            inherited = tuple(self._leases.items())
            leases = self._leases.setdefault(pid, Leases(inherited[0][1].budget))
            for owner, other in inherited:
                if owner != pid:
                    other.abandon()
                    self._leases.pop(owner, None)
        return leases

    def _load(
        self, leases: Leases, entry: LoadedModel, name: str, load: Callable[[], Any]
    ) -> float:
        try:
            self._send(events.ModelLoading(name))
            before = memory.rss_bytes()
            started = time.perf_counter()
            model = load()
            seconds = time.perf_counter() - started
            weight = weigh(model)
            host_bytes, entry.is_file = _host_bytes(weight, name, before)
        except BaseException:
            leases.fail(entry)
            raise
        leases.put(entry, model, weight, host_bytes)
        return seconds

    def _named(self, name: str | None) -> Callable[[LoadedModel], bool]:
        loaded = _names(self._own().entries())
        known = list(dict.fromkeys([*loaded, *registry]))
        if name is not None and name not in known:
            close = nearest(str(name), known)
            raise UnknownModelError(
                f"no model is registered as {shown(name)}; loaded: {', '.join(loaded) or 'none'}"
                + (f"; did you mean {close!r}?" if close else ""),
                remedy="mm.models lists the loaded models; mm.unload() unloads all of them",
            )
        return lambda entry: name is None or name in entry.names

    def _send_removed(self) -> None:
        removed = []
        leases = self._own()
        with suppress(IndexError):
            while True:
                removed.append(leases.removed.popleft())
        if sum(entry.host_bytes for entry in removed) >= _WORTH_COLLECTING:
            memory.release_freed()
        for entry in removed:
            self._send(events.ModelEvicted(entry.label, entry.total_bytes))

    def _send(self, event: events.Event) -> None:
        for subscriber in tuple(self.on_event):
            subscriber(event)


def _names(entries: list[LoadedModel]) -> tuple[str, ...]:
    return tuple(name for entry in entries for name in entry.names)


def _host_bytes(weight: Weight, name: str, before: int) -> tuple[int, bool]:
    """Return the memory of a model in this process, and whether this is the size of its file."""
    if weight.parameter_bytes is not None:
        return weight.parameter_bytes - (weight.device_bytes or 0), False
    grown = memory.rss_bytes() - before
    # Free memory is reused without growth of the process, so the file size is a lower bound.
    path = registry[name].path if name in registry else None
    stored = Path(path).stat().st_size if path is not None and Path(path).exists() else 0
    return max(grown, stored, 0), stored > grown


loaded_models = models = LoadedModels()
unload = loaded_models.unload
