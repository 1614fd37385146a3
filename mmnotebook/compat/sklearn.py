"""scikit-learn's internals. Nothing here imports it."""

from __future__ import annotations

import sys
from typing import Any

STOP_WORDS_PLACE = "_stop_words_id"
"""Where a vectorizer keeps the place in memory of its stop words.

Leans on `sklearn/feature_extraction/text.py`.
"""


def usual_config() -> dict[str, Any] | None:
    """Return the configuration that a new thread has; None while scikit-learn is not loaded.

    Leans on `sklearn/_config.py`.
    """
    config: dict[str, Any] | None = getattr(
        sys.modules.get("sklearn._config"), "_global_config", None
    )
    return config
