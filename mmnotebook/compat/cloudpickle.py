"""The internals of cloudpickle, and of the copy of it that Beam contains.

Both recognize a class of the notebook by an id, its tracker.
"""

from __future__ import annotations

# isort: off
from mmnotebook import quiet_beam as quiet_beam  # first of all: Beam is imported without its log
# isort: on

from apache_beam.internal import cloudpickle_pickler
from apache_beam.internal.cloudpickle import cloudpickle as beams
from cloudpickle import cloudpickle as theirs

MAKERS = (theirs._make_skeleton_class, theirs._make_skeleton_enum)
"""The functions that create a class, and an enum, when they are loaded.

Their last two arguments are the tracker and a reserved one. Leans on
`cloudpickle/cloudpickle.py`.
"""
tracked_class = theirs._DYNAMIC_CLASS_TRACKER_BY_ID.get
"""Return the class of this process with this tracker, None if there is none.

Leans on `cloudpickle/cloudpickle.py`.
"""
BEAMS_MAKERS = (beams._make_skeleton_class, beams._make_skeleton_enum)
"""As `MAKERS`, in Beam's copy. Leans on `apache_beam/internal/cloudpickle/cloudpickle.py`."""
beams_tracked_class = beams._DYNAMIC_CLASS_TRACKER_BY_ID.get
"""As `tracked_class`, in Beam's copy.

Leans on `apache_beam/internal/cloudpickle/cloudpickle.py`.
"""
BeamsPickler = beams.CloudPickler
"""The pickler with which Beam sends a pipeline.

Leans on `apache_beam/internal/cloudpickle/cloudpickle.py`.
"""
BEAMS_CONFIG = cloudpickle_pickler.DEFAULT_CONFIG
"""Beam's settings of `BeamsPickler`. Leans on `apache_beam/internal/cloudpickle_pickler.py`."""


def take_as_set(kind: type) -> None:
    """Make Beam's copy leave a class as it is, where a pickle would reset its attributes.

    Leans on `_class_setstate` in `apache_beam/internal/cloudpickle/cloudpickle.py`.
    """
    with beams._DYNAMIC_CLASS_TRACKER_LOCK:
        beams._DYNAMIC_CLASS_STATE_TRACKER_BY_CLASS[kind] = True
