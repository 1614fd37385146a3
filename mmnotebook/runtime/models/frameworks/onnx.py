"""ONNX: a live ModelProto or an .onnx file, run by ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook.errors import ModelError, nearest, one_line
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.runtime.data import storage
from mmnotebook.runtime.models.frameworks.base import (
    Framework,
    Options,
    not_mine,
    of_file,
    unloadable,
)


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return target.suffix.lower() == ".onnx"
    return is_a(target, {("onnx", "ModelProto")})


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, Path):
        session = _tried(name, target)
        spec = of_file(name, "onnx", "onnx", target)
    elif not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    else:
        path = storage.new_folder("model") / f"{name}.onnx"
        try:
            content = target.SerializeToString(deterministic=True)
        except Exception as error:
            raise ModelError(
                f"cannot store this ModelProto for {name!r} ({one_line(error)})",
                remedy="save it with onnx.save_model(proto, path, save_as_external_data=True) and "
                "register the path: a model over 2 GB does not fit into one message",
            ) from error
        with storage.create_private(path) as file:
            file.write(content)
        session = _tried(name, path)
        spec = of_file(name, "onnx", "onnx", path, origin="ModelProto")
    _check_method(name, options.method, [output.name for output in session.get_outputs()])
    names = tuple(slot.name for slot in session.get_inputs())
    return replace(spec, input_names=InputNames(names))


def _tried(name: str, path: Path) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise unloadable(
            name,
            path,
            error,
            "export the model again, with an opset that this ONNX Runtime knows "
            f"({onnxruntime.__version__}); files of external weights belong beside it",
        ) from error


def _check_method(name: str, method: str | None, outputs: list[str]) -> None:
    if method is not None and method not in outputs:
        close = nearest(method, outputs)
        raise ModelError(
            f"cannot register {name!r}: method={method!r} is no output of the model; "
            f"allowed: {', '.join(outputs)}" + (f"; did you mean {close!r}?" if close else ""),
            remedy="method= names the one output of the graph that is wanted",
        )


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.runtime.models.frameworks.onnx_handler import OnnxHandler

    return OnnxHandler(spec)


FRAMEWORK = Framework(
    name="onnx",
    words="an ONNX ModelProto or .onnx file",
    modules=("onnx", "onnxruntime"),
    install="pip install onnx onnxruntime",
    claims=_claims,
    store=_store,
    handler=_handler,
    devices=("CPU", "GPU"),
    uses=("method",),
)
