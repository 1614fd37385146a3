"""The internals of cloudpickle, and of the copy of it that Beam brings along.

Both know a class of the notebook again by an id, its tracker.
"""

from __future__ import annotations

# isort: off
from mmnotebook import quiet_beam as quiet_beam  # first of all: Beam is imported without its log
# isort: on

from apache_beam.internal import cloudpickle_pickler
from apache_beam.internal.cloudpickle import cloudpickle as beams
from cloudpickle import cloudpickle as theirs

MAKERS = (theirs._make_skeleton_class, theirs._make_skeleton_enum)
"""The functions that make a class, and an enum, when they are loaded.

Their last two arguments are the tracker and something for the future. Leans on
`cloudpickle/cloudpickle.py`.
"""
tracked_class = theirs._DYNAMIC_CLASS_TRACKER_BY_ID.get
"""Return the class of this process that has a tracker, None for none.

Leans on `cloudpickle/cloudpickle.py`.
"""
BEAMS_MAKERS = (beams._make_skeleton_class, beams._make_skeleton_enum)
"""As `MAKERS`, of Beam's copy. Leans on `apache_beam/internal/cloudpickle/cloudpickle.py`."""
beams_tracked_class = beams._DYNAMIC_CLASS_TRACKER_BY_ID.get
"""As `tracked_class`, of Beam's copy.

Leans on `apache_beam/internal/cloudpickle/cloudpickle.py`.
"""
BeamsPickler = beams.CloudPickler
"""The pickler with which Beam sends a pipeline.

Leans on `apache_beam/internal/cloudpickle/cloudpickle.py`.
"""
BEAMS_CONFIG = cloudpickle_pickler.DEFAULT_CONFIG
"""How Beam sets `BeamsPickler` up. Leans on `apache_beam/internal/cloudpickle_pickler.py`."""


def take_as_set(kind: type) -> None:
    """Have Beam's copy take a class as it is, where a pickle would set on it what it was.

    Leans on `_class_setstate` in `apache_beam/internal/cloudpickle/cloudpickle.py`.
    """
    with beams._DYNAMIC_CLASS_TRACKER_LOCK:
        beams._DYNAMIC_CLASS_STATE_TRACKER_BY_CLASS[kind] = True
