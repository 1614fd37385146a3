"""Pickling of live objects that leaves the loading process unchanged.

cloudpickle identifies a class of the notebook by an id. When it loads a pickle, it resets the
attributes of the existing class to the pickled values. Here, each load creates new classes instead.
A stored object works as it did when it was pickled, and the classes of the notebook do not change.
"""

from __future__ import annotations

import io
import pickle
import threading
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

import cloudpickle
import numpy as np
import torch

from mmnotebook.compat import cloudpickle as compat
from mmnotebook.compat.cloudpickle import beams_tracked_class, tracked_class
from mmnotebook.elements import reductions
from mmnotebook.observing import pickle_references

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
_origins: weakref.WeakKeyDictionary[type, weakref.ref[type]] = weakref.WeakKeyDictionary()
_together: weakref.WeakKeyDictionary[type, weakref.WeakSet[type]] = weakref.WeakKeyDictionary()
_loaded: dict[int, weakref.WeakSet[type]] = {}
_loading = threading.local()
_trying = threading.local()


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """The pickler of cloudpickle without the ids of classes: each load creates new classes."""

    def reducer_override(self, value: Any) -> Any:
        reduced = reductions.completed(value, super().reducer_override(value), _can_pickle)
        if reduced is NotImplemented and isinstance(value, (type, *_FUNCTIONS)):
            pickle_references.note(str(value.__module__), value.__qualname__)
        if not isinstance(reduced, tuple) or reduced[0] not in compat.MAKERS:
            return reduced
        make, arguments, *state = reduced
        return (_own_class, (make, *arguments), *state)


def dump(value: Any, file: Any, protocol: int | None = None) -> None:
    """Pickle a live object into a binary file."""
    Pickler(file, protocol=protocol).dump(value)


def dumps(value: Any) -> bytes:
    """Pickle a live object."""
    buffer = io.BytesIO()
    dump(value, buffer)
    return buffer.getvalue()


def loads(pickled: bytes) -> Any:
    """Unpickle an object and create new classes for it."""
    return owning(lambda: pickle.loads(pickled))


def check(value: Any) -> None:
    """Raise the error that pickling a value raises, if any."""
    Pickler(Nowhere()).dump(value)


def _can_pickle(value: Any) -> bool:
    """Return whether a value can be pickled; True if this thread is just finding that out."""
    trying: set[int] = vars(_trying).setdefault("ids", set())
    if id(value) in trying:
        return True
    trying.add(id(value))
    try:
        check(value)
    except Exception:  # noqa: BLE001 - whatever a foreign object's pickling raises
        return False
    finally:
        trying.discard(id(value))
    return True


class Nowhere:
    """A file that discards its content."""

    def write(self, data: Any) -> int:
        return memoryview(data).nbytes  # a big array is passed as a buffer, which has no length


def _own_class(make: Callable[..., type], *arguments: Any) -> type:
    """Create a new class, and record the class that was pickled as its origin."""
    *given, tracker, extra = arguments
    made = make(*given, None, extra)
    origin = tracked_class(tracker)
    if origin is not None:
        _origins[made] = _origins.get(origin) or weakref.ref(origin)
        for group in _groups():
            group.add(made)
            _together[made] = group
    return made


def _groups() -> list[weakref.WeakSet[type]]:
    """Return the sets of created classes: one set for each unfinished load in this thread.

    A load can start another load. The set of the outer load is before that of the inner load.
    """
    if not hasattr(_loading, "groups"):
        _loading.groups = []
    found: list[weakref.WeakSet[type]] = _loading.groups
    return found


def owning(load: Callable[[], Any]) -> Any:
    """Load an object, and record the classes that were created for it."""
    group: weakref.WeakSet[type] = weakref.WeakSet()
    _groups().append(group)
    try:
        loaded = load()
    finally:
        _groups().pop()
    if group:
        with suppress(TypeError):  # the object does not support weak references
            weakref.finalize(loaded, _loaded.pop, id(loaded), None).atexit = False
            _loaded[id(loaded)] = group
    return loaded


def made_for(loaded: Any) -> Collection[type]:
    """Return the classes that were created when an object was loaded."""
    return _loaded.get(id(loaded)) or _together.get(type(loaded)) or ()


def by_origin(made: Iterable[type]) -> dict[type, type]:
    """Return a dict from each original class to the class that was created from it."""
    found = {}
    for one in made:
        origin = _origins[one]() if one in _origins else None
        if origin is not None:
            found[origin] = one
    return found


def exchanged(value: Any, others: Mapping[type, type]) -> Any:
    """Return a copy of a value in which the classes in `others` are replaced.

    If the value uses none of these classes, the value itself is returned. The copy shares tensors
    and arrays of numbers with the value.
    """
    if not others or _is_opaque(value):
        return value
    buffer = io.BytesIO()
    exchange = _Exchange(buffer, others)
    try:
        exchange.dump(value)
    except Exception:
        if exchange.met:
            raise
        return value
    if not exchange.met:
        return value
    buffer.seek(0)
    return _Exchanged(buffer, exchange.kept).load()


def _is_opaque(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return not value.dtype.hasobject
    return isinstance(value, torch.Tensor)


class _Exchange(pickle.Pickler):
    def __init__(self, file: Any, others: Mapping[type, type]) -> None:
        super().__init__(file, protocol=5)
        self.others = {id(one): other for one, other in others.items()}
        self.kept: list[Any] = []
        self.met = False

    def persistent_id(self, value: Any) -> int | None:
        other = self.others.get(id(value))
        if other is not None:
            self.met = True
        elif not _is_opaque(value):
            return None
        self.kept.append(value if other is None else other)
        return len(self.kept) - 1


class _Exchanged(pickle.Unpickler):
    def __init__(self, file: Any, kept: list[Any]) -> None:
        super().__init__(file)
        self.kept = kept

    def persistent_load(self, place: int) -> Any:
        return self.kept[place]


class _Marking(compat.BeamsPickler):
    """A pickler of Beam that marks each class that it pickles as already loaded."""

    def reducer_override(self, value: Any) -> Any:
        reduced: Any = super().reducer_override(value)  # type: ignore[no-untyped-call]
        reduced = reductions.completed(value, reduced, _can_pickle)
        if isinstance(value, type) and isinstance(reduced, tuple):
            compat.take_as_set(value)
        return reduced


class _Sending(_Marking):
    def reducer_override(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        if not isinstance(reduced, tuple) or reduced[0] not in compat.BEAMS_MAKERS:
            return reduced
        make, arguments, *state = reduced
        return (_class_here, (make, *arguments), *state)


def _class_here(make: Callable[..., type], *arguments: Any) -> type:
    """Return the class of this process if it exists; otherwise create it, which runs user code."""
    known: type | None = beams_tracked_class(arguments[-2])
    return make(*arguments) if known is None else known


class Sent:
    """A part of a pipeline that this process can unpickle without changes to its classes."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        buffer = io.BytesIO()
        # Use the settings of Beam's pickler, which calls this method.
        sending = _Sending(buffer, config=compat.BEAMS_CONFIG)
        sending.dump(vars(self))  # type: ignore[no-untyped-call]
        return _arrived, (type(self), buffer.getvalue())


def _arrived(kind: type, pickled: bytes) -> Any:
    made: Any = object.__new__(kind)
    vars(made).update(pickle.loads(pickled))
    return made


def keep_classes(value: Any) -> None:
    """Prevent Beam from changing the classes of this process when it loads a value.

    When Beam loads a class that this process has, it resets the attributes of the class to the
    pickled ones, but only in the first load. This function marks the classes of the value as
    already loaded.
    """
    with suppress(Exception):  # Beam raises the same error later when it pickles the value
        _Marking(Nowhere()).dump(value)  # type: ignore[no-untyped-call]
