"""The internals of cloudpickle, and of Beam's copy of it.

Both identify a class of the notebook by an id, its tracker.
"""

from __future__ import annotations

# isort: off
from mmnotebook import quiet_beam as quiet_beam  # first: it imports Beam without its log output
# isort: on

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType

from apache_beam.internal import cloudpickle_pickler
from apache_beam.internal.cloudpickle import cloudpickle as beams
from cloudpickle import cloudpickle as theirs

MAKERS = (theirs._make_skeleton_class, theirs._make_skeleton_enum)
"""The functions that create a class or an enum when a pickle is loaded.

Their last two arguments are the tracker and a reserved value. Relies on
`cloudpickle/cloudpickle.py`.
"""
tracked_class = theirs._DYNAMIC_CLASS_TRACKER_BY_ID.get
"""Return the class of this process with this tracker; None if there is none.

Relies on `cloudpickle/cloudpickle.py`.
"""
BEAMS_MAKERS = (beams._make_skeleton_class, beams._make_skeleton_enum)
"""`MAKERS` of Beam's copy. Relies on `apache_beam/internal/cloudpickle/cloudpickle.py`."""
beams_tracked_class = beams._DYNAMIC_CLASS_TRACKER_BY_ID.get
"""`tracked_class` of Beam's copy.

Relies on `apache_beam/internal/cloudpickle/cloudpickle.py`.
"""
BeamsPickler = beams.CloudPickler
"""The class of the pickler that Beam uses to send a pipeline.

Relies on `apache_beam/internal/cloudpickle/cloudpickle.py`.
"""
BEAMS_CONFIG = cloudpickle_pickler.DEFAULT_CONFIG
"""The settings of `BeamsPickler`. Relies on `apache_beam/internal/cloudpickle_pickler.py`."""


def by_value_names() -> set[str]:
    """Return the modules whose functions and classes Beam pickles by value.

    Relies on `apache_beam/internal/cloudpickle/cloudpickle.py`.
    """
    return set(beams.list_registry_pickle_by_value())


def take_as_set(kind: type) -> None:
    """Let Beam's copy keep the attributes of a class when it loads a pickle of the class.

    Relies on `_class_setstate` in `apache_beam/internal/cloudpickle/cloudpickle.py`.
    """
    with beams._DYNAMIC_CLASS_TRACKER_LOCK:
        beams._DYNAMIC_CLASS_STATE_TRACKER_BY_CLASS[kind] = True


@contextmanager
def by_value(modules: Iterable[ModuleType]) -> Iterator[None]:
    """Let Beam pickle the functions and classes of these modules by value in this block.

    Relies on `apache_beam/internal/cloudpickle/cloudpickle.py`.
    """
    known = beams.list_registry_pickle_by_value()
    new = [module for module in modules if module.__name__ not in known]
    for module in new:
        beams.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in new:
            beams.unregister_pickle_by_value(module)
