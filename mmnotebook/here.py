"""Where this runs: in an IPython shell or not, under a frontend that shows widgets or not."""

from __future__ import annotations

import sys
from typing import Any


def shell() -> Any:
    """The IPython shell that this runs in, None outside of one; imports nothing."""
    module = sys.modules.get("IPython")
    return None if module is None else module.get_ipython()


def has_kernel() -> bool:
    """Is this a notebook, which can show widgets?"""
    return getattr(shell(), "kernel", None) is not None
