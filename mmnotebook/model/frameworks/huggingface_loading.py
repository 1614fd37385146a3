"""Loading of Hugging Face pipelines and models."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from mmnotebook.graph.models import ModelSpec


def load(spec: ModelSpec, device: str) -> Any:
    """Load the pipeline or model of a spec, ready to predict on a torch device."""
    with quietly():
        return _loaded(spec, device)


def _loaded(spec: ModelSpec, device: str) -> Any:
    import transformers

    params = spec.params
    where = params.get("hub") or spec.path
    arguments = dict(params.get("load_args") or {})
    if params.get("revision"):
        arguments["revision"] = params["revision"]
    if spec.form == "pipeline":
        if "device_map" not in arguments:
            arguments["device"] = device
        pipeline = transformers.pipeline(params["task"], model=where, **arguments)
        for stage, given in (params.get("stages") or {}).items():
            setattr(pipeline, stage, dict(given))
        return pipeline
    kind = params.get("model_class") or getattr(transformers, params["class"])
    model = kind.from_pretrained(where, **arguments)
    model.requires_grad_(False)
    return model.eval() if "device_map" in arguments else model.eval().to(device)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Hide the progress bars of loading."""
    from transformers.utils import logging

    if not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
