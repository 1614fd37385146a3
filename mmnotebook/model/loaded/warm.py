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
from mmnotebook.model.loaded import resident, warm_view
from mmnotebook.model.loaded.shelf import LoadedModel, Shelf
from mmnotebook.model.loaded.warm_view import Unloaded
from mmnotebook.model.loaded.weighing import Weight, weigh
from mmnotebook.state import events

if TYPE_CHECKING:
    import pandas as pd

_WORTH_COLLECTING = 64 << 20
"""Evicted bytes that are worth a collection of all garbage, which takes 0.1 s in a kernel."""


class Loan:
    """A loaded model for as long as something uses it: it stays warm while its loan lives.

    A loan ends when it is released, at the end of its `with`, or when nothing holds it any more.

    Attributes
    ----------
    model
        The loaded model; None once the loan was released.
    fresh
        Was it loaded for this loan?
    seconds
        What loading took, None for a model that was warm.
    weight
        Its parameters' bytes.
    """

    def __init__(
        self, warm: WarmModels, shelf: Shelf, entry: LoadedModel, seconds: float | None
    ) -> None:
        self.model: Any = entry.model
        self.fresh = seconds is not None
        self.seconds = seconds
        self.weight: Weight = entry.weight
        self._warm = warm
        self._end = weakref.finalize(self, shelf.give_back, entry)
        self._end.atexit = False

    def release(self) -> None:
        """End the loan; again and again does no harm."""
        self.model = None
        self._end()
        self._warm._tell_gone()

    def __enter__(self) -> Loan:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class WarmModels:
    """The models that are loaded in this process; displayed as a table.

    Every process has its own: a forked child starts with none. Any thread may use it.

    Attributes
    ----------
    on_event
        Callables that are told of every `ModelLoading`, `ModelLoaded` and `ModelEvicted`, in the
        thread in which it happens. Of a model that goes because its loan was garbage they are told
        at the next call.
    """

    def __init__(self) -> None:
        self.on_event: list[Callable[[events.Event], None]] = []
        self._shelves = {os.getpid(): Shelf(psutil.virtual_memory().total // 4)}

    @property
    def budget(self) -> int:
        """Memory for loaded models in bytes; default: a quarter of the machine's memory.

        Set to a whole number of bytes or to text such as "4GiB". The least recently used models go
        first; those in use stay, also beyond the budget, and one that is bigger than the budget
        goes as soon as nothing uses it. What lies on an accelerator does not count.
        """
        return self._shelf().budget

    @budget.setter
    def budget(self, size: int | str) -> None:
        self._shelf().budget = sizes.parse("budget", size)
        self._tell_gone()

    def get(self, key: str, name: str, load: Callable[[], Any]) -> Loan:
        """Return a model, and load it if necessary.

        Parameters
        ----------
        key
            What the model is: its content, its device, its handler's settings. Names with equal
            keys share one model.
        name
            The name that it is shown under and unloaded by.
        load
            Loads it. Two threads that ask for one key load it once. What it raises is raised here
            and leaves nothing behind.
        """
        shelf = self._shelf()
        entry, is_warm = shelf.borrow(key, name)
        seconds = None if is_warm else self._load(shelf, entry, name, load)
        loan = Loan(self, shelf, entry, seconds)
        if seconds is not None:
            self._tell(events.ModelLoaded(name, seconds, entry.total_bytes))
        self._tell_gone()
        return loan

    def lent(self, key: str) -> Loan | None:
        """Return a loaded model; None, without loading it, if it is not loaded."""
        shelf = self._shelf()
        entry = shelf.borrow_warm(key)
        return None if entry is None else Loan(self, shelf, entry, None)

    def unload(self, name: str | None = None) -> Unloaded:
        """Unload the models that are loaded in this process.

        They are loaded again when a run needs them. Their memory goes back to the system, which
        is measured. A model that a run is using is unloaded when the run ends.

        Parameters
        ----------
        name
            A registered name; all models without it.

        Returns
        -------
        Unloaded
            The names, their parameters' bytes, and by how much resident memory fell.

        Raises
        ------
        UnknownModelError
            If no model with that name is registered or loaded.
        """
        resident.release_freed()  # a loan that only a reference cycle holds is none
        before = resident.own_bytes()
        chosen = self._named(name)
        gone, later = self._shelf().remove(chosen)
        if gone:
            resident.release_freed()
        freed = before - resident.own_bytes() if gone else 0
        self._tell_gone()
        known = [entry.weight.parameter_bytes for entry in gone]
        size = sum(count for count in known if count is not None)
        return Unloaded(_names(gone), size, freed, _names(later), name, None not in known)

    def forget(self, key: str) -> None:
        """Remove a model once nothing uses it, whether it is loaded or not."""
        self._shelf().remove(lambda entry: entry.key == key)
        self._tell_gone()

    def replace(self, name: str, key: str | None, others: Collection[str]) -> None:
        """Remove the previous model of a name once nothing uses it, whether it is loaded or not.

        Parameters
        ----------
        key
            What the name stands for now, which stays.
        others
            The names that keep a model warm which they share with this one.
        """

        def is_over(entry: LoadedModel) -> bool:
            if name not in entry.names or (key is not None and entry.key.startswith(key)):
                return False
            del entry.names[name]
            return not any(other in entry.names for other in others)

        self._shelf().remove(is_over)
        self._tell_gone()

    @property
    def table(self) -> pd.DataFrame:
        """Return a row per loaded model, most recently used first.

        Index `model`: its names. `bytes`: what counts against the budget. `parameter_bytes` and
        `device_bytes`: of its parameters, and of those on an accelerator; missing where unknown or
        none. `in_use`: does a run use it? `loads`, `used`: how often it was loaded and asked for
        in this process.
        """
        return warm_view.table(self._shelf().entries())

    def __repr__(self) -> str:
        return warm_view.text(self._shelf().entries(), self.budget)

    def _repr_html_(self) -> str:
        return warm_view.html(self._shelf().entries(), self.budget)

    def _shelf(self) -> Shelf:
        pid = os.getpid()
        shelf = self._shelves.get(pid)
        if shelf is None:
            # A forked child: what it has are its parent's models.
            inherited = tuple(self._shelves.items())
            shelf = self._shelves.setdefault(pid, Shelf(inherited[0][1].budget))
            for owner, other in inherited:
                if owner != pid:
                    other.abandon()
                    self._shelves.pop(owner, None)
        return shelf

    def _load(self, shelf: Shelf, entry: LoadedModel, name: str, load: Callable[[], Any]) -> float:
        try:
            self._tell(events.ModelLoading(name))
            before = resident.rss_bytes()
            started = time.perf_counter()
            model = load()
            seconds = time.perf_counter() - started
            weight = weigh(model)
            host_bytes, entry.is_file = _host_bytes(weight, name, before)
        except BaseException:
            shelf.fail(entry)
            raise
        shelf.put(entry, model, weight, host_bytes)
        return seconds

    def _named(self, name: str | None) -> Callable[[LoadedModel], bool]:
        warm = _names(self._shelf().entries())
        known = list(dict.fromkeys([*warm, *registry]))
        if name is not None and name not in known:
            close = nearest(str(name), known)
            raise UnknownModelError(
                f"no model is registered as {shown(name)}; loaded: {', '.join(warm) or 'none'}"
                + (f"; did you mean {close!r}?" if close else ""),
                remedy="mm.models lists the loaded models; mm.unload() unloads all of them",
            )
        return lambda entry: name is None or name in entry.names

    def _tell_gone(self) -> None:
        gone = []
        shelf = self._shelf()
        with suppress(IndexError):
            while True:
                gone.append(shelf.gone.popleft())
        if sum(entry.host_bytes for entry in gone) >= _WORTH_COLLECTING:
            resident.release_freed()
        for entry in gone:
            self._tell(events.ModelEvicted(entry.label, entry.total_bytes))

    def _tell(self, event: events.Event) -> None:
        for subscriber in tuple(self.on_event):
            subscriber(event)


def _names(entries: list[LoadedModel]) -> tuple[str, ...]:
    return tuple(name for entry in entries for name in entry.names)


def _host_bytes(weight: Weight, name: str, before: int) -> tuple[int, bool]:
    """What a model takes of this process's memory, weighed or measured; is it its file's size?"""
    if weight.parameter_bytes is not None:
        return weight.parameter_bytes - (weight.device_bytes or 0), False
    grown = resident.rss_bytes() - before
    # Memory that was free before is used again without any growth: the file is a lower bound.
    path = registry[name].path if name in registry else None
    stored = Path(path).stat().st_size if path is not None and Path(path).exists() else 0
    return max(grown, stored, 0), stored > grown


warm = models = WarmModels()
unload = warm.unload
