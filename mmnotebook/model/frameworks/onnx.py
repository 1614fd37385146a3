"""ONNX: a live ModelProto or InferenceSession, or an .onnx file, run by ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.compat.onnxruntime import source
from mmnotebook.errors import ModelError, nearest, one_line
from mmnotebook.fingerprint import contents
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model.framework import Framework, Options, not_mine, of_file, unloadable
from mmnotebook.model.frameworks import onnx_session

_SESSION = {("onnxruntime", "InferenceSession")}


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return target.suffix.lower() == ".onnx"
    return is_a(target, {("onnx", "ModelProto"), *_SESSION})


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, Path):
        spec = _of_path(name, target)
    elif not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    elif is_a(target, _SESSION):
        spec = _of_session(name, target)
    else:
        spec = replace(_of_path(name, _written(name, _content(name, target))), origin="ModelProto")
    session = _tried(spec)
    _check_method(name, options.method, [output.name for output in session.get_outputs()])
    names = tuple(slot.name for slot in session.get_inputs())
    return replace(spec, input_names=InputNames(names))


def _of_session(name: str, session: Any) -> ModelSpec:
    """Return the spec of a live session, from the file or content that it was created from."""
    made_from = source(session)
    if made_from is None or (isinstance(made_from, Path) and not made_from.is_file()):
        gone = (
            "does not record the file or content from which it was created"
            if made_from is None
            else f"{made_from} no longer exists"
        )
        raise ModelError(
            f"cannot register this InferenceSession as {name!r}: {gone}",
            remedy="register the .onnx file, or a session that was created from its content",
        )
    path = made_from if isinstance(made_from, Path) else _written(name, made_from)
    spec = _of_path(name, path)
    return replace(spec, origin="InferenceSession", params=onnx_session.settings(session))


def _of_path(name: str, path: Path) -> ModelSpec:
    """Return the spec of a file and of the files with its external data."""
    return of_file(name, "onnx", "onnx", path, beside=map(str, _external(path)))


def _external(path: Path) -> list[Path]:
    """List the existing files of external data to which a model refers."""
    import onnx
    from onnx.external_data_helper import uses_external_data

    try:
        tensors = onnx.load(path, load_external_data=False).graph.initializer
    except Exception:  # noqa: BLE001 - the error is reported when the session is created
        return []
    said = [{e.key: e.value for e in t.external_data} for t in tensors if uses_external_data(t)]
    names = sorted({entries["location"] for entries in said if "location" in entries})
    return [path.parent / name for name in names if (path.parent / name).is_file()]


def _digest(model: Any) -> str:
    if is_a(model, _SESSION):
        made_from = source(model)
        known = contents.of(made_from) if isinstance(made_from, Path) else made_from
        return digest((known, sorted(onnx_session.settings(model).items())))
    return digest(_content(type(model).__name__, model))


def _content(name: str, model: Any) -> bytes:
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except Exception as error:
        raise ModelError(
            f"cannot store this ModelProto for {name!r} ({one_line(error)})",
            remedy="save it with onnx.save_model(proto, path, save_as_external_data=True) and "
            "register the path: a ModelProto cannot be larger than 2 GB",
        ) from error


def _written(name: str, content: bytes) -> Path:
    # ONNX Runtime recognizes the ORT format by its extension.
    ending = ".ort" if content[4:8] == b"ORTM" else ".onnx"
    path = storage.new_folder("model") / f"{name}{ending}"
    with storage.create_private(path) as file:
        file.write(content)
    return path


def _tried(spec: ModelSpec) -> Any:
    import onnxruntime

    try:
        return onnx_session.opened(str(spec.path), "CPU", spec.params)
    except Exception as error:
        raise unloadable(
            spec.name,
            Path(str(spec.path)),
            error,
            "export the model again, with an opset that this ONNX Runtime supports "
            f"({onnxruntime.__version__}); files of external weights must be in the same folder",
        ) from error


def _check_method(name: str, method: str | None, outputs: list[str]) -> None:
    if method is not None and method not in outputs:
        close = nearest(method, outputs)
        raise ModelError(
            f"cannot register {name!r}: method={method!r} is not an output of the model; "
            f"allowed: {', '.join(outputs)}" + (f"; did you mean {close!r}?" if close else ""),
            remedy="set method= to the output of the graph that is returned",
        )


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.onnx_handler import OnnxHandler

    return OnnxHandler(spec)


FRAMEWORK = Framework(
    name="onnx",
    words="an ONNX ModelProto, InferenceSession or .onnx file",
    modules=("onnx", "onnxruntime"),
    install="pip install onnx onnxruntime",
    claims=_claims,
    store=_store,
    handler=_handler,
    content=_digest,
    devices=("CPU", "GPU"),
    uses=("method",),
)
