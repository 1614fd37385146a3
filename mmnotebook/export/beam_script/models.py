"""Models of a script: Beam's own handlers, and the files that they load."""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.errors import one_line
from mmnotebook.export.beam_script.code import Code, distributions
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.frameworks import pickles

_UNSUPPORTED: Mapping[str, Callable[[ModelSpec], bool]] = {
    "timeout": lambda spec: spec.timeout is not None,
    "batched=False": lambda spec: not spec.batched,
    "batch_axis": lambda spec: spec.batch_axis != 0,
    "output_batch_axis": lambda spec: spec.output_batch_axis is not None,
    "collate": lambda spec: spec.collate is not None,
    "reset": lambda spec: spec.reset is not None,
    "env_vars": lambda spec: bool(spec.env_vars),
}


@dataclass(frozen=True)
class StockModel:
    """A model as plain Beam runs it.

    Attributes
    ----------
    handler
        The expression that creates Beam's handler.
    convert
        Returns the expression of the model's input, for the expression of a value.
    content
        The content of the model's file.
    file
        The name of the file, with the digest of its content.
    """

    handler: str
    convert: Callable[[str], str]
    content: bytes
    file: str


def stock(spec: ModelSpec, code: Code) -> StockModel:
    """Return how plain Beam runs a model.

    Raises
    ------
    NotWritable
        If Beam's own handlers cannot run it in the same way.
    """
    options = [name for name, is_given in _UNSUPPORTED.items() if is_given(spec)]
    if options:
        raise NotWritable(f"Beam's own handlers have no {options[0]}")
    if spec.framework not in _FRAMEWORKS:
        raise NotWritable(f"models of the framework {spec.framework!r} cannot be exported yet")
    return _FRAMEWORKS[spec.framework](spec, code)


def _path(file: str) -> str:
    """Return the expression of a model's path, in a function with the parameter `models`."""
    return f'f"{{models}}/{file}"'


def file_name(content: bytes, ending: str) -> str:
    """Return the name of a model's file: a digest of its content."""
    return f"{hashlib.sha256(content).hexdigest()[:16]}{ending}"


def _sizes(spec: ModelSpec) -> str:
    return f"min_batch_size=1, max_batch_size={spec.batch_size}"


def _sklearn(spec: ModelSpec, code: Code) -> StockModel:
    content = pickled(spec)
    code.imported("import numpy as np")
    code.imported(
        "from apache_beam.ml.inference.sklearn_inference import "
        "ModelFileType, SklearnModelHandlerNumpy"
    )
    code.packages.add("sklearn")
    file = file_name(content, ".pkl")
    call, names = "", spec.input_names
    if spec.method is not None or spec.inference_args or names is not None:
        function = code.helper("call_method")
        code.imported("import functools")
        columns = "" if names is None else f", columns={list(names.needed)!r}"
        method = spec.method or "predict"
        call = f"inference_fn=functools.partial({function}, method={method!r}{columns}), "
    handler = (
        f"SklearnModelHandlerNumpy(model_uri={_path(file)}, "
        f"model_file_type=ModelFileType.PICKLE, {call}{_sizes(spec)})"
    )
    if names is None:
        return StockModel(
            handler, lambda value: f"np.atleast_1d(np.asarray({value}))", content, file
        )
    row = code.helper("named_row")
    given = list(names.needed)
    return StockModel(handler, lambda value: f"{row}({value}, {given!r})", content, file)


def _torch(spec: ModelSpec, code: Code) -> StockModel:
    import torch

    if spec.method is not None:
        raise NotWritable(f"Beam's torch handler calls forward, not {spec.method!r}")
    if spec.input_names is not None and len(spec.input_names.needed) > 1:
        raise NotWritable("its inputs have names; Beam's handler for tensors takes one input")
    content, module = torch_script(spec)
    code.imported(
        "from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor"
    )
    tensor = code.helper("as_tensor")
    file = file_name(content, ".pt")
    handler = (
        f"PytorchModelHandlerTensor(torch_script_model_path={_path(file)}, "
        f"device={spec.device!r}, {_sizes(spec)})"
    )
    floats = [one.dtype for one in module.parameters() if one.is_floating_point()]
    dtype = str(floats[0] if floats else torch.float32).removeprefix("torch.")
    keeps = ", keeps_integers=True" if _has_embedding(module) else ""
    return StockModel(handler, lambda value: f"{tensor}({value}, {dtype!r}{keeps})", content, file)


def torch_script(spec: ModelSpec) -> tuple[bytes, Any]:
    """Return a module as TorchScript, and the module."""
    import torch

    load: Any = torch.jit.load
    path = str(spec.path)
    if spec.form == "torchscript":
        content = Path(path).read_bytes()
        return content, load(io.BytesIO(content), map_location="cpu")
    if spec.form == "module":
        module = torch.load(path, map_location="cpu", weights_only=False).eval()
    elif spec.form == "state_dict":
        module = spec.target(**spec.params).eval()
        module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    else:
        raise NotWritable("exported programs cannot be exported yet; register TorchScript")
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.save(torch.jit.script(module), buffer)
    except Exception as error:
        raise NotWritable(
            f"it is not TorchScript and cannot be converted to it ({one_line(error, 120)})"
        ) from error
    return buffer.getvalue(), module


def _has_embedding(module: Any) -> bool:
    names = {getattr(one, "original_name", type(one).__name__) for one in module.modules()}
    return "Embedding" in names


def _python(spec: ModelSpec, code: Code) -> StockModel:
    content = pickled(spec)
    kind = code.helper("PickledModelHandler")
    file = file_name(content, ".pkl")
    method = spec.method or ("predict" if hasattr(pickle.loads(content), "predict") else None)
    handler = f"{kind}({_path(file)}, {method!r}, {spec.batch_size})"
    return StockModel(handler, lambda value: value, content, file)


_FRAMEWORKS: Mapping[str, Callable[[ModelSpec, Code], StockModel]] = {
    "sklearn": _sklearn,
    "torch": _torch,
    "python": _python,
}


def pickled(spec: ModelSpec) -> bytes:
    """Return a pickle of an object that every process with the same packages can load."""
    import cloudpickle

    if spec.form == "pickle" and not storage.is_ours(Path(str(spec.path))):
        content = Path(str(spec.path)).read_bytes()
    else:
        model = pickles.read(Path(str(spec.path)), spec.form)
        with _by_value(_local_modules(spec)):
            content = cloudpickle.dumps(model)
    ours = [name for name in _modules(content) if name.partition(".")[0] == "mmnotebook"]
    if ours:
        raise NotWritable(f"its pickle uses {ours[0]}, a part of mmnotebook")
    return bytes(content)


def _local_modules(spec: ModelSpec) -> list[str]:
    """Return the imported modules of no package: those of the user."""
    top = {name.partition(".")[0] for name, _ in spec.references}
    return [
        name
        for name in list(sys.modules)
        if name.partition(".")[0] in top
        and name.partition(".")[0] not in sys.stdlib_module_names
        and name.partition(".")[0] not in distributions()
        and name != "__main__"
    ]


@contextmanager
def _by_value(modules: list[str]) -> Any:
    """Let cloudpickle store the classes and functions of these modules by value."""
    import cloudpickle

    found = [sys.modules[name] for name in modules]
    for module in found:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in found:
            cloudpickle.unregister_pickle_by_value(module)


def _modules(content: bytes) -> set[str]:
    """Return the modules that a pickle imports, and all of its other texts."""
    return {
        str(argument).split(" ")[0]
        for _, argument, _ in pickletools.genops(content)
        if isinstance(argument, str)
    }
