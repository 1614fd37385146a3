"""sentence-transformers: encoders and cross-encoders, live, in a folder, or by name on the hub."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook import storage
from mmnotebook.compat.transformers import commit, commit_of
from mmnotebook.elements import pickling
from mmnotebook.errors import ModelError
from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a
from mmnotebook.model.framework import (
    Framework,
    Options,
    at_commit,
    check_method,
    no_revision,
    not_mine,
    of_file,
    only_files,
    unloadable,
    unpicklable,
)
from mmnotebook.model.frameworks.sentence_transformers_loading import load

_CROSS = {("sentence_transformers", "CrossEncoder")}
_KINDS = {
    *_CROSS,
    ("sentence_transformers", "SentenceTransformer"),
    ("sentence_transformers", "SparseEncoder"),
}


def _claims(target: Any) -> bool:
    if isinstance(target, Path):
        return _kind(target) is not None
    return is_a(target, _KINDS)


def _kind(folder: Path) -> str | None:
    """Return the class that saved a folder; None for a folder of another library."""
    modules = _json(folder / "modules.json")
    if isinstance(modules, list) and all(isinstance(m, dict) and "type" in m for m in modules):
        said = _json(folder / "config_sentence_transformers.json")
        kind = said.get("model_type") if isinstance(said, dict) else None
        return str(kind or "SentenceTransformer")  # older versions do not store the class
    config = _json(folder / "config.json")
    cross = isinstance(config, dict) and "sentence_transformers" in config
    return "CrossEncoder" if cross else None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    if isinstance(target, str) and not Path(target).exists():
        return _from_hub(name, target, options)
    if isinstance(target, (str, Path)):
        path = Path(target)
        if options.extra.get("revision"):
            raise no_revision(name, path)
        kind = options.model_class or _kind(path) or "SentenceTransformer"
        params = {"class": kind, "load_args": _load_args(options)}
        spec = replace(of_file(name, "sentence_transformers", "folder", path), params=params)
        _tried(spec, options)
        return spec
    if not _claims(target):
        raise not_mine(name, target, FRAMEWORK)
    if options.model_class is not None or options.model_params or options.extra:
        raise only_files(name, target, *options.extra)
    check_method(name, target, options.method)
    return _stored(name, target)


def _load_args(options: Options) -> dict[str, Any]:
    revision = options.extra.get("revision")
    said = {} if revision is None else {"revision": revision}
    return {**dict(options.extra.get("load_args") or {}), **dict(options.model_params), **said}


def _stored(name: str, target: Any) -> ModelSpec:
    """Store a live model as a pickle: save_pretrained omits attributes that were set later."""
    import torch

    path = storage.new_folder("model") / f"{name}.pt"
    try:
        with storage.create_private(path) as file:
            torch.save(target, file, pickle_module=pickling)
    except Exception as error:
        raise unpicklable(name, target, error) from error
    return of_file(name, "sentence_transformers", "module", path, type(target).__name__)


def _from_hub(name: str, target: str, options: Options) -> ModelSpec:
    kind = options.model_class or "SentenceTransformer"
    given = _load_args(options)
    # Find the commit to which the name refers now. From now on, the model is loaded by this commit;
    # a newer commit counts as another model.
    pinned = commit(target, given.get("revision"))
    spec = ModelSpec(name, "sentence_transformers", "hub", target, None, "")
    spec = replace(spec, params={"class": kind, "load_args": given | _at(pinned), "hub": target})
    model = _tried(spec, options)
    config = getattr(getattr(model, "transformers_model", None), "config", None)
    pinned = pinned or commit_of(config)
    spec = replace(spec, params={**spec.params, "load_args": given | _at(pinned)})
    return at_commit(spec, pinned)


def _at(commit: str | None) -> dict[str, Any]:
    return {} if commit is None else {"revision": commit}


def _tried(spec: ModelSpec, options: Options) -> Any:
    try:
        model = load(spec, "cpu")
    except Exception as error:
        raise unloadable(
            spec.name,
            Path(spec.origin),
            error,
            "save it again with save_pretrained(folder); set model_class= to the class, such as "
            "CrossEncoder; a name on the hub needs the internet or a copy in the cache",
        ) from error
    if not is_a(model, _KINDS):
        raise ModelError(
            f"cannot register {spec.origin!r} as {spec.name!r}: model_class creates a "
            f"{type(model).__name__}",
            remedy="allowed: SentenceTransformer, CrossEncoder or SparseEncoder",
        )
    check_method(spec.name, model, options.method)
    return model


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.sentence_transformers_handler import EncoderHandler

    return EncoderHandler(spec)


FRAMEWORK = Framework(
    name="sentence_transformers",
    words="a SentenceTransformer, CrossEncoder or SparseEncoder, or its folder",
    modules=("sentence_transformers", "torch"),
    install='pip install "mmnotebook[sentence_transformers]"',
    claims=_claims,
    store=_store,
    handler=_handler,
    extra=("revision", "load_args"),
    devices=("CPU", "GPU"),
    uses=("model_class", "model_params", "method"),
    own_batches=("module", "folder", "hub"),
    named=True,
)
