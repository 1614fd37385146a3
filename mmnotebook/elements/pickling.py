"""Pickles of live objects that, when they are loaded, change nothing of this process.

cloudpickle knows the class of a notebook again by an id, and sets on it, whenever a pickle of it
is loaded, what it was when it was pickled. Here a load makes classes of its own: what was stored
answers as it was then, whatever becomes of the notebook's classes, and these stay as they are.
"""

from __future__ import annotations

import io
import pickle
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import cloudpickle
import numpy as np
import torch
from apache_beam.internal import cloudpickle_pickler
from apache_beam.internal.cloudpickle import cloudpickle as beams
from cloudpickle import cloudpickle as theirs

from mmnotebook.observing import referring

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
_MAKERS = (theirs._make_skeleton_class, theirs._make_skeleton_enum)
_BEAMS_MAKERS = (beams._make_skeleton_class, beams._make_skeleton_enum)
_origins: weakref.WeakKeyDictionary[type, weakref.ref[type]] = weakref.WeakKeyDictionary()
_together: weakref.WeakKeyDictionary[type, weakref.WeakSet[type]] = weakref.WeakKeyDictionary()
_loaded: dict[int, weakref.WeakSet[type]] = {}
_loading = threading.local()


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, but for the id of a class: each load makes a class of its own."""

    def reducer_override(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        if reduced is NotImplemented and isinstance(value, (type, *_FUNCTIONS)):
            referring.note(str(value.__module__), value.__qualname__)
        if not isinstance(reduced, tuple) or reduced[0] not in _MAKERS:
            return reduced
        make, arguments, *state = reduced
        return (_own_class, (make, *arguments), *state)


def dump(value: Any, file: Any, protocol: int | None = None) -> None:
    """Pickle into a binary file."""
    Pickler(file, protocol=protocol).dump(value)


def dumps(value: Any) -> bytes:
    """Pickle a live object."""
    buffer = io.BytesIO()
    dump(value, buffer)
    return buffer.getvalue()


def loads(pickled: bytes) -> Any:
    """Make again what was pickled, its classes too."""
    return owning(lambda: pickle.loads(pickled))


def check(value: Any) -> None:
    """Raise what pickling a value raises."""
    Pickler(_Nowhere()).dump(value)


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


def _own_class(make: Callable[..., type], *arguments: Any) -> type:
    """A class that is not the one that was pickled, which it is noted to come from."""
    *given, tracker, extra = arguments
    made = make(*given, None, extra)
    origin = theirs._DYNAMIC_CLASS_TRACKER_BY_ID.get(tracker)
    if origin is not None:
        _origins[made] = _origins.get(origin) or weakref.ref(origin)
        for group in _groups():
            group.add(made)
            _together[made] = group
    return made


def _groups() -> list[weakref.WeakSet[type]]:
    """The classes of the loads that are under way in this thread, the outer one first."""
    if not hasattr(_loading, "groups"):
        _loading.groups = []
    found: list[weakref.WeakSet[type]] = _loading.groups
    return found


def owning(load: Callable[[], Any]) -> Any:
    """Load something, and remember which classes were made for it."""
    group: weakref.WeakSet[type] = weakref.WeakSet()
    _groups().append(group)
    try:
        loaded = load()
    finally:
        _groups().pop()
    if group:
        with suppress(TypeError):  # no weak reference can be made to it
            weakref.finalize(loaded, _loaded.pop, id(loaded), None).atexit = False
            _loaded[id(loaded)] = group
    return loaded


def made_for(loaded: Any) -> weakref.WeakSet[type]:
    """The classes that were made when something was loaded."""
    group = _loaded.get(id(loaded)) or _together.get(type(loaded))
    return weakref.WeakSet() if group is None else group


def by_origin(made: Iterable[type]) -> dict[type, type]:
    """Classes that were made, by those of the notebook that they come from."""
    found = {}
    for one in made:
        origin = _origins[one]() if one in _origins else None
        if origin is not None:
            found[origin] = one
    return found


def exchanged(value: Any, others: Mapping[type, type]) -> Any:
    """A value in which what is of some classes is of others; itself where nothing of it is.

    Arrays of numbers and tensors are the same objects in both.
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


class _Marking(beams.CloudPickler):
    """Beam's pickler, writing nothing: the classes that it would send are not to be set again."""

    def reducer_override(self, value: Any) -> Any:
        reduced: Any = super().reducer_override(value)  # type: ignore[no-untyped-call]
        if isinstance(value, type) and isinstance(reduced, tuple):
            with beams._DYNAMIC_CLASS_TRACKER_LOCK:
                beams._DYNAMIC_CLASS_STATE_TRACKER_BY_CLASS[value] = True
        return reduced


class _Sending(_Marking):
    def reducer_override(self, value: Any) -> Any:
        reduced = super().reducer_override(value)
        if not isinstance(reduced, tuple) or reduced[0] not in _BEAMS_MAKERS:
            return reduced
        make, arguments, *state = reduced
        return (_class_here, (make, *arguments), *state)


def _class_here(make: Callable[..., type], *arguments: Any) -> type:
    """The class of this process, where it has it: to make another would call the user's code."""
    known: type | None = beams._DYNAMIC_CLASS_TRACKER_BY_ID.get(arguments[-2])
    return make(*arguments) if known is None else known


class Sent:
    """A part of a pipeline that comes to this process, from it, with the classes as they are."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        buffer = io.BytesIO()
        # As Beam does it, which is under way now.
        sending = _Sending(buffer, config=cloudpickle_pickler.DEFAULT_CONFIG)
        sending.dump(vars(self))  # type: ignore[no-untyped-call]
        return _arrived, (type(self), buffer.getvalue())


def _arrived(kind: type, pickled: bytes) -> Any:
    made: Any = object.__new__(kind)
    vars(made).update(pickle.loads(pickled))
    return made


def keep_classes(value: Any) -> None:
    """See to it that the classes of this process stay as they are when Beam sends a value to it.

    Beam knows a class again and, the first time, sets on it what was pickled. Afterwards it takes
    it as it is: these are marked as classes of which that has been done.
    """
    with suppress(Exception):  # Beam raises it too, where it matters
        _Marking(_Nowhere()).dump(value)  # type: ignore[no-untyped-call]
