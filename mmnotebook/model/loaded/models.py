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
"""The removed bytes from which on a full garbage collection is worth its 0.1 s."""


class Lease:
    """The use of a loaded model, which stays loaded as long as it has a lease.

    A lease ends when it is released, at the end of its `with`, or when nothing refers to it.

    Attributes
    ----------
    model
        The loaded model; None once the lease was released.
    fresh
        Whether it was loaded for this lease.
    seconds
        How long loading took; None for a model that was loaded before.
    weight
        The bytes of its parameters.
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
        self._models._tell_gone()

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class LoadedModels:
    """The models that are loaded in this process; displayed as a table.

    Every process has its own: a forked child starts with none. All methods are thread-safe.

    Attributes
    ----------
    on_event
        Callables that receive every `ModelLoading`, `ModelLoaded` and `ModelEvicted`, in the thread
        in which it happens. The event of a model that is removed because its lease was garbage
        comes with the next call.
    """

    def __init__(self) -> None:
        self.on_event: list[Callable[[events.Event], None]] = []
        self._leases = {os.getpid(): Leases(psutil.virtual_memory().total // 4)}

    @property
    def budget(self) -> int:
        """Host memory for loaded models in bytes; default: a quarter of the machine's memory.

        Set it to a whole number of bytes or a string such as "4GiB". The least recently used models
        are removed first. Models in use are kept even beyond the budget; one that is larger than
        the budget is removed as soon as nothing uses it. Memory on an accelerator does not count.

        Raises
        ------
        MMError
            If it is set to anything else.
        """
        return self._own().budget

    @budget.setter
    def budget(self, size: int | str) -> None:
        self._own().budget = sizes.parse("budget", size)
        self._tell_gone()

    def get(self, key: str, name: str, load: Callable[[], Any]) -> Lease:
        """Return a model, and load it if necessary.

        Parameters
        ----------
        key
            The identity of the model: its content, its device, its handler's settings. Names with
            equal keys share one model.
        name
            The name under which it is shown and can be unloaded.
        load
            Loads the model. If two threads ask for one key, it is loaded once. An exception that it
            raises is raised here.
        """
        leases = self._own()
        entry, is_loaded = leases.take(key, name)
        seconds = None if is_loaded else self._load(leases, entry, name, load)
        lease = Lease(self, leases, entry, seconds)
        if seconds is not None:
            self._tell(events.ModelLoaded(name, seconds, entry.total_bytes))
        self._tell_gone()
        return lease

    def get_loaded(self, key: str) -> Lease | None:
        """Return a loaded model; None, without loading it, if it is not loaded."""
        leases = self._own()
        entry = leases.take_loaded(key)
        return None if entry is None else Lease(self, leases, entry, None)

    def unload(self, name: str | None = None) -> Unloaded:
        """Unload the models that are loaded in this process.

        They are loaded again when a run needs them. Their memory is returned to the system. A model
        that a run is using is unloaded when the run ends.

        Parameters
        ----------
        name
            The name of a model. Default: all models.

        Returns
        -------
        Unloaded
            `models` are the names of the unloaded models, `bytes` those of their parameters, and
            `freed_bytes` the number by which this process's memory fell, as measured; `later` are
            the names of models that are unloaded when their runs end.

        Raises
        ------
        UnknownModelError
            If no model with that name is registered or loaded. It is a `ModelError`.

        See Also
        --------
        mmnotebook.models : The models that are loaded.

        Examples
        --------
        >>> import mmnotebook as mm
        >>> spec = mm.register("negate", lambda batch: [-x for x in batch], framework="python")
        >>> result = mm.run(mm.pipeline("numbers | negate", numbers=[1, 2]), progress=False)
        >>> mm.unload("negate").models
        ('negate',)
        """
        memory.release_freed()  # ends leases that only a reference cycle holds
        before = memory.own_bytes()
        chosen = self._named(name)
        gone, later = self._own().remove(chosen)
        if gone:
            memory.release_freed()
        freed = before - memory.own_bytes() if gone else 0
        self._tell_gone()
        known = [entry.weight.parameter_bytes for entry in gone]
        size = sum(count for count in known if count is not None)
        return Unloaded(_names(gone), size, freed, _names(later), name, None not in known)

    def forget(self, key: str) -> None:
        """Remove a model once nothing uses it, whether it is loaded or not."""
        self._own().remove(lambda entry: entry.key == key)
        self._tell_gone()

    def replace(self, name: str, key: str | None, others: Collection[str]) -> None:
        """Remove the previous model of a name once nothing uses it, whether it is loaded or not.

        Parameters
        ----------
        key
            The key of the name's current model, which is kept.
        others
            The names that keep a model loaded which they share with this one.
        """

        def is_over(entry: LoadedModel) -> bool:
            if name not in entry.names or (key is not None and entry.key.startswith(key)):
                return False
            del entry.names[name]
            return not any(other in entry.names for other in others)

        self._own().remove(is_over)
        self._tell_gone()

    @property
    def table(self) -> pd.DataFrame:
        """The loaded models as a table, most recently used first.

        Returns
        -------
        DataFrame
            One row per model. Index `model`: its names. Columns: `bytes` (those that count against
            the budget), `parameter_bytes` and `device_bytes` (of its parameters, and of those on an
            accelerator; missing if unknown or none), `in_use` (whether a run uses it), `loads` and
            `used` (how often it was loaded and requested in this process).
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
            # A forked child: it has the models of its parent.
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
            self._tell(events.ModelLoading(name))
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

    def _tell_gone(self) -> None:
        gone = []
        leases = self._own()
        with suppress(IndexError):
            while True:
                gone.append(leases.gone.popleft())
        if sum(entry.host_bytes for entry in gone) >= _WORTH_COLLECTING:
            memory.release_freed()
        for entry in gone:
            self._tell(events.ModelEvicted(entry.label, entry.total_bytes))

    def _tell(self, event: events.Event) -> None:
        for subscriber in tuple(self.on_event):
            subscriber(event)


def _names(entries: list[LoadedModel]) -> tuple[str, ...]:
    return tuple(name for entry in entries for name in entry.names)


def _host_bytes(weight: Weight, name: str, before: int) -> tuple[int, bool]:
    """Return the memory of this process that a model takes, and whether its file tells it."""
    if weight.parameter_bytes is not None:
        return weight.parameter_bytes - (weight.device_bytes or 0), False
    grown = memory.rss_bytes() - before
    # Memory that was free before is used again without any growth: the file is a lower bound.
    path = registry[name].path if name in registry else None
    stored = Path(path).stat().st_size if path is not None and Path(path).exists() else 0
    return max(grown, stored, 0), stored > grown


loaded_models = models = LoadedModels()
unload = loaded_models.unload
