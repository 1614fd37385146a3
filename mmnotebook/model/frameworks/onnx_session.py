"""Live sessions of ONNX Runtime: what they were made from, and sessions made like them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmnotebook.model.frameworks import onnx_weights

_OWN = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""The providers that `device=` chooses between; a session's others stay what they are."""


def source(session: Any) -> Path | bytes | None:
    """The file or the content that a session was made from; None where it does not say.

    ONNX Runtime keeps both, and has no public way to ask for them.
    """
    path = getattr(session, "_model_path", None)
    if path:
        return Path(path)
    content = getattr(session, "_model_bytes", None)
    return content if isinstance(content, bytes) and content else None


def settings(session: Any) -> dict[str, Any]:
    """What a session like this one is made with: options, and providers with theirs."""
    import onnxruntime

    usual, own = onnxruntime.SessionOptions(), session.get_session_options()
    options = {}
    for name in dir(usual):
        before, now = getattr(usual, name), getattr(own, name)
        # Texts name files that a session writes, as profiling does.
        silent = name[0] != "_" and not isinstance(before, str) and name != "enable_profiling"
        if silent and not callable(before) and now != before:
            options[name] = now if isinstance(now, (bool, int)) else int(now)
    given = session.get_provider_options()
    providers = {name: dict(given.get(name) or {}) for name in session.get_providers()}
    return {"options": options, "providers": providers}


def opened(path: str, device: str, kept: Mapping[str, Any]) -> Any:
    """A session of a file on a device, with what `settings` kept of a live one."""
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
    """Of what a session was made from; None where that is gone, or no ONNX file."""
    import onnx

    made_from = source(session)
    try:
        content = made_from.read_bytes() if isinstance(made_from, Path) else made_from
        if content is None or content[4:8] == b"ORTM":  # ONNX Runtime's own format
            return None
        model = onnx.load_model_from_string(content)
        return onnx_weights.parameter_bytes(model)
    except Exception:  # noqa: BLE001 - whatever reading a file or a format of another's raises
        return None
