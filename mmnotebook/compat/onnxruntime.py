"""ONNX Runtime's internals. This module does not import ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def source(session: Any) -> Path | bytes | None:
    """Return the file or the content from which a session was created; None if it is unknown.

    Relies on `onnxruntime/capi/onnxruntime_inference_collection.py`.
    """
    path = getattr(session, "_model_path", None)
    if path:
        return Path(path)
    content = getattr(session, "_model_bytes", None)
    return content if isinstance(content, bytes) and content else None
