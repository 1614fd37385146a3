"""Hugging Face: pipelines and models, live, in a folder, or by name on the hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.compat.transformers import STAGES, commit, commit_of
from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.inputs import InputNames
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model import input_names
from mmnotebook.model.framework import (
    Framework,
    Options,
    at_commit,
    check_method,
    no_method,
    no_revision,
    not_mine,
    of_file,
    only_files,
    unloadable,
)
from mmnotebook.model.frameworks.huggingface_loading import load, quietly

_PIPELINE = {("transformers", "Pipeline")}
_MODEL = {("transformers", "PreTrainedModel")}


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return "architectures" in _config(target)
    return is_a(target, {*_PIPELINE, *_MODEL})


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        said = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, str) and not Path(target).exists():
        return _from_hub(name, target, options)
    if isinstance(target, (str, Path)):
        path = Path(target)
        if options.extra.get("revision"):
            raise no_revision(name, path)
        form = "pipeline" if options.extra.get("task") else "model"
        _check_pipeline(name, form, options)
        spec = replace(of_file(name, "huggingface", form, path), params=_params(path, options))
        names = _names(_tried(spec, options, str(path)), options)
        return replace(spec, target=options.model_class, input_names=names)
    if not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    if options.model_class is not None or options.model_params or options.extra:
        raise only_files(name, target, *options.extra)
    spec = _stored(name, target)
    _check_pipeline(name, spec.form, options)
    return replace(spec, input_names=_names(_tried(spec, options, spec.origin), options))


def _names(model: Any, options: Options) -> InputNames:
    """Return the inputs of a model, without those for training; a pipeline accepts any fields."""
    if is_a(model, _PIPELINE):
        return InputNames(open=True, always=True)
    from transformers.utils import find_labels

    truth = find_labels(type(model))
    known = list((input_names.of_call(model.forward) or InputNames()).known)
    needed: tuple[str, ...] = ()
    if options.method is not None:
        own = input_names.of_call(getattr(model, options.method)) or InputNames()
        # `generate` passes other arguments on to `forward`.
        known = [*own.known, *(known if own.open else ())]
    else:
        needed = (input_names.of_call(model.forward) or InputNames()).needed
    left = (name for name in dict.fromkeys(known) if name not in (*truth, *needed))
    return InputNames(needed, tuple(left), tuple(truth), always=True)


def _check_pipeline(name: str, form: str, options: Options) -> None:
    """Raise ModelError for options that a pipeline does not support."""
    if form != "pipeline":
        return
    no_method(name, options, "a pipeline can only be called")
    if options.model_class is not None:
        raise ModelError(
            f"cannot register {name!r} with task={options.extra.get('task')!r} and model_class: "
            "the task determines the class",
            remedy="leave one of them out; register a pipeline with your own model class as a "
            "live object: transformers.pipeline(task, model=model, tokenizer=tokenizer)",
        )


def _params(path: Path, options: Options) -> dict[str, Any]:
    architectures = _config(path).get("architectures") or ["AutoModel"]
    return {"class": architectures[0], **_given(options)}


def _given(options: Options) -> dict[str, Any]:
    extra = options.extra
    return {
        "task": extra.get("task"),
        "revision": extra.get("revision"),
        "load_args": {**dict(extra.get("load_args") or {}), **dict(options.model_params)},
        "model_class": options.model_class,
    }


def _stored(name: str, target: Any) -> ModelSpec:
    """Save a live pipeline or model with save_pretrained in a private folder."""
    kind = type(target).__name__
    path = storage.new_folder("model") / name
    try:
        with quietly():
            target.save_pretrained(path)
    except Exception as error:
        raise ModelError(
            f"cannot store this {kind} for {name!r} ({one_line(error)})",
            remedy="Hugging Face must be able to save it: it.save_pretrained('folder')",
        ) from error
    storage.make_private(path)
    if not is_a(target, _PIPELINE):
        spec = of_file(name, "huggingface", "model", path, origin=kind)
        return replace(spec, params={"class": kind, "model_class": type(target)})
    spec = of_file(name, "huggingface", "pipeline", path, origin=f"{target.task} {kind}")
    stages = {stage: dict(getattr(target, stage)) for stage in STAGES}
    return replace(spec, params={"task": target.task, "stages": stages})


def _from_hub(name: str, target: str, options: Options) -> ModelSpec:
    form = "pipeline" if options.extra.get("task") else "model"
    _check_pipeline(name, form, options)
    params = {"class": "AutoModel", **_given(options), "hub": target}
    # Find the commit to which the name refers now. From now on, the model is loaded by this commit;
    # a newer commit counts as another model.
    pinned = commit(target, params["revision"])
    params["revision"] = pinned or params["revision"]
    spec = ModelSpec(name, "huggingface", form, target, None, "", params=params)
    loaded = _tried(spec, options, target)
    pinned = pinned or commit_of((loaded.model if form == "pipeline" else loaded).config)
    params["revision"] = pinned or params["revision"]
    spec = replace(spec, params=params, input_names=_names(loaded, options))
    return at_commit(spec, pinned)


def _tried(spec: ModelSpec, options: Options, origin: str) -> Any:
    try:
        model = load(spec, "cpu")
    except Exception as error:
        raise unloadable(
            spec.name,
            Path(origin),
            error,
            "save it again with save_pretrained(folder), a pipeline with its tokenizer; pass task= "
            "if the folder contains a pipeline, not a model; a name on the hub needs the internet "
            "or a copy in the cache",
        ) from error
    check_method(spec.name, model, options.method)
    return model


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks import huggingface_handler as handlers

    kind = handlers.PipelineHandler if spec.form == "pipeline" else handlers.ModelHandler
    return kind(spec)


FRAMEWORK = Framework(
    name="huggingface",
    words="a Hugging Face pipeline or model, or a folder of save_pretrained",
    modules=("transformers", "torch"),
    install="pip install transformers",
    claims=_claims,
    store=_store,
    handler=_handler,
    extra=("task", "revision", "load_args"),
    devices=("CPU", "GPU"),
    uses=("model_class", "model_params", "method"),
    own_batches=("pipeline",),
    named=True,
)
