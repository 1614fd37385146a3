"""TensorFlow: Keras models and tf.Modules, live or saved as .keras, .h5 or a SavedModel folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmnotebook import storage
from mmnotebook.compat.keras import layers as layers_of
from mmnotebook.errors import ModelError, one_line
from mmnotebook.fingerprint.identity import digest, digest_of_classes
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model.framework import Framework, Options, not_mine, of_file, only_files, unloadable
from mmnotebook.model.frameworks.tensorflow_loading import called, load

_KERAS = {("keras", "Model")}
_ENDINGS = (".keras", ".h5")


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return target.suffix.lower() in _ENDINGS or (target / "saved_model.pb").is_file()
    return is_a(target, {*_KERAS, ("tensorflow", "Module")})


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, Path):
        return _of_path(name, target, options)
    if not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    if options.model_class is not None or options.model_params:
        raise only_files(name, target)
    keras = is_a(target, _KERAS)
    folder = storage.new_folder("model")
    path = folder / (f"{name}.keras" if keras else name)
    kind = type(target).__name__
    try:
        _save(target, path, keras)
    except Exception as error:
        raise ModelError(
            f"cannot store this {kind} for {name!r} ({one_line(error)})",
            remedy="call the model once, so that its weights exist; TensorFlow must be able to "
            "save it: model.save('m.keras'), tf.saved_model.save(module, 'folder')",
        ) from error
    spec = of_file(name, "tensorflow", "keras" if keras else "saved_model", path, origin=kind)
    return _tried(spec, options, Path(kind))


def _content(model: Any) -> str:
    """Return the digest of a live model; a saved file would be different each time."""
    if is_a(model, _KERAS):
        layers = {type(layer) for layer in layers_of(model)}
        made_of = [model.to_json(), [weight.numpy() for weight in model.weights]]
    else:
        layers = {type(part) for part in (model, *model.submodules)}
        made_of = [[(one.name, one.numpy()) for one in model.variables], _plain(model)]
    kinds = sorted(layers, key=lambda kind: (kind.__module__, kind.__qualname__))
    return digest((made_of, digest_of_classes(kinds)))


def _plain(module: Any) -> list[Any]:
    """List the plain values and arrays among the attributes of a module and its submodules."""
    plain = (str, int, float, bool, type(None), np.ndarray)
    return [
        {name: held for name, held in vars(part).items() if isinstance(held, plain)}
        for part in (module, *module.submodules)
    ]


def _save(target: Any, path: Path, keras: bool) -> None:
    if keras:
        target.save(path)
        path.chmod(0o600)
        return
    import tensorflow as tf

    tf.saved_model.save(target, str(path))
    storage.make_private(path)


def _of_path(name: str, path: Path, options: Options) -> ModelSpec:
    form = "saved_model" if path.is_dir() else "keras"
    if options.model_class is not None:
        form = "weights"
    elif options.model_params:
        raise ModelError(
            f"cannot register {str(path)!r} as {name!r}: model_params without model_class",
            remedy="for a file of weights, set model_class= to the class with these arguments; "
            "a file with a whole model needs neither",
        )
    spec = of_file(name, "tensorflow", form, path)
    spec = replace(spec, target=options.model_class, params=dict(options.model_params))
    return _tried(spec, options, path)


def _tried(spec: ModelSpec, options: Options, origin: Path) -> ModelSpec:
    try:
        model = load(spec)
    except Exception as error:
        raise unloadable(
            spec.name,
            origin,
            error,
            "your own class or function needs @keras.saving.register_keras_serializable(); "
            "a file of weights needs model_class=; otherwise save the model again with this "
            "version of Keras",
        ) from error
    call = called(spec.name, model, options.method)
    return replace(spec, input_names=_names(model, call))


def _names(model: Any, call: Any) -> InputNames | None:
    """Return the input names of a signature, functional model, or model that takes a dict."""
    _, wanted = getattr(call, "structured_input_signature", None) or ((), {})
    if wanted:
        return InputNames(tuple(wanted))
    given = getattr(model, "input", None) if hasattr(model, "inputs") else None
    if given is None and hasattr(model, "get_build_config"):
        given = (model.get_build_config() or {}).get("input_shape")
        given = given if isinstance(given, dict) else None
    if isinstance(given, dict):
        return InputNames(tuple(given), always=True)
    parts = given if isinstance(given, (list, tuple)) else [given]
    names = [getattr(part, "name", None) for part in parts]
    known = tuple(name for name in names if isinstance(name, str))
    return InputNames(known) if len(known) == len(names) else None


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.tensorflow_handler import TensorFlowHandler

    return TensorFlowHandler(spec)


FRAMEWORK = Framework(
    name="tensorflow",
    words="a Keras model or tf.Module, its .keras or .h5 file or SavedModel folder",
    modules=("tensorflow",),
    install="pip install tensorflow",
    claims=_claims,
    store=_store,
    handler=_handler,
    content=_content,
    devices=("CPU", "GPU"),
    uses=("model_class", "model_params", "method"),
)
