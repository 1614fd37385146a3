"""Live sessions of ONNX Runtime, and equivalent new sessions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmnotebook.compat.onnxruntime import source
from mmnotebook.model.frameworks import onnx_weights

_OWN = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""The providers that `device=` selects; other providers of a session are kept."""


def settings(session: Any) -> dict[str, Any]:
    """Return the options and providers that are needed to create an equal session."""
    import onnxruntime

    usual, own = onnxruntime.SessionOptions(), session.get_session_options()
    options = {}
    for name in dir(usual):
        before, now = getattr(usual, name), getattr(own, name)
        # Strings are the names of files that a session writes, for example for profiling.
        silent = name[0] != "_" and not isinstance(before, str) and name != "enable_profiling"
        if silent and not callable(before) and now != before:
            options[name] = now if isinstance(now, (bool, int)) else int(now)
    given = session.get_provider_options()
    providers = {name: dict(given.get(name) or {}) for name in session.get_providers()}
    return {"options": options, "providers": providers}


def opened(path: str, device: str, kept: Mapping[str, Any]) -> Any:
    """Open a session of a file on a device, with the `settings` of a live session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    for name, value in (kept.get("options") or {}).items():
        setattr(options, name, type(getattr(options, name))(value))
    there, own = onnxruntime.get_available_providers(), dict(kept.get("providers") or {})
    wanted = _OWN if device == "GPU" else _OWN[1:]
    names = [*(name for name in own if name not in _OWN), *wanted]
    providers = [(name, own.get(name, {})) for name in names if name in there]
    return onnxruntime.InferenceSession(path, options, providers=providers)


def parameter_bytes(session: Any) -> int | None:
    """Return the size of the constants of a session in bytes; None if it cannot be determined."""
    import onnx

    made_from = source(session)
    try:
        content = made_from.read_bytes() if isinstance(made_from, Path) else made_from
        if content is None or content[4:8] == b"ORTM":  # the ORT format
            return None
        model = onnx.load_model_from_string(content)
        return onnx_weights.parameter_bytes(model)
    except Exception:  # noqa: BLE001 - reading a file of any format may raise anything
        return None
