"""The frameworks whose models can be registered, in the order in which they are asked."""

from __future__ import annotations

from mmnotebook.errors import ModelError, nearest
from mmnotebook.runtime.models.frameworks.base import Framework

ALL: tuple[Framework, ...] = ()
"""The first that claims a target has it: an XGBClassifier is a scikit-learn estimator too."""


def by_name(name: str) -> Framework:
    """The framework of that name.

    Raises
    ------
    ModelError
        When there is none, with the nearest name.
    """
    known = {framework.name: framework for framework in ALL}
    if name not in known:
        close = nearest(str(name), known)
        raise ModelError(
            f"framework={name!r}; allowed: {', '.join(known)}"
            + (f"; did you mean {close!r}?" if close else "")
        )
    return known[name]
