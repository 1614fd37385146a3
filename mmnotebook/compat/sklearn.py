"""scikit-learn's internals. This module does not import scikit-learn."""

from __future__ import annotations

import sys
from typing import Any

STOP_WORDS_PLACE = "_stop_words_id"
"""The attribute in which a vectorizer stores the `id` of its stop words.

Relies on `sklearn/feature_extraction/text.py`.
"""


def usual_config() -> dict[str, Any] | None:
    """Return the configuration that new threads have; None if scikit-learn is not imported.

    Relies on `sklearn/_config.py`.
    """
    config: dict[str, Any] | None = getattr(
        sys.modules.get("sklearn._config"), "_global_config", None
    )
    return config
