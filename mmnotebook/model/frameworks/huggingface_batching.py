"""Batches for Hugging Face pipelines without padding."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers.pipelines import base

from mmnotebook.compat.transformers import may_generate, outputs_apart

_OutputsApart = outputs_apart()


def unpadded(pipeline: Any) -> Any:
    """Change a pipeline so that it batches only inputs of equal shapes, and return it.

    transformers pads the inputs of a batch to the longest one. Padding can appear as tokens in the
    outputs, can change the positions of other tokens, and is read by models that have no mask.
    """
    kind = type(pipeline)
    if kind.get_iterator is not _outputs:
        # Use a subclass, so that the pipeline keeps its __call__.
        own = {"get_iterator": _outputs, "__module__": kind.__module__}
        pipeline.__class__ = type(kind.__name__, (kind,), own)
    return pipeline


def _outputs(
    pipeline: Any,
    inputs: Any,
    num_workers: int,
    batch_size: int,
    preprocess_params: Mapping[str, Any],
    forward_params: Mapping[str, Any],
    postprocess_params: Mapping[str, Any],
) -> Iterator[Any]:
    """Yield the outputs for some inputs, in order; each input is preprocessed once."""
    chunked = isinstance(pipeline, base.ChunkPipeline)
    made = [pipeline.preprocess(given, **preprocess_params) for given in inputs]
    parts = [list(chunks) if chunked else [chunks] for chunks in made]
    most = 1 if _shows_filling(pipeline, postprocess_params) else batch_size
    flat = [part for own in parts for part in own]
    results = iter(_forward(pipeline, flat, most, forward_params))
    for own in parts:
        outputs = [next(results) for _ in own]
        for output in outputs if chunked else ():
            output.pop("is_last", None)  # it marks the last chunk of an input
        yield pipeline.postprocess(outputs if chunked else outputs[0], **postprocess_params)


def _forward(
    pipeline: Any, parts: Sequence[Any], most: int, arguments: Mapping[str, Any]
) -> list[Any]:
    """Call the model in batches of up to `most` parts of equal shape; return an output per part."""
    alike: dict[Hashable, list[int]] = {}
    for place, part in enumerate(parts):
        shapes = _shapes(part)
        alike.setdefault(place if shapes is None else shapes, []).append(place)
    outputs: list[Any] = [None] * len(parts)
    for places in alike.values():
        for start in range(0, len(places), most):
            some = places[start : start + most]
            batch = parts[some[0]] if len(some) == 1 else _joined([parts[i] for i in some])
            # transformers itself splits the output for a batch here.
            ran = _OutputsApart([batch], pipeline.forward, arguments, len(some))
            for place, output in zip(some, ran, strict=True):
                outputs[place] = output
    return outputs


def _shapes(part: Any) -> tuple[Any, ...] | None:
    """Return the shapes that must be equal in a batch; None if a part needs its own batch."""
    if not isinstance(part, Mapping):
        return None
    tensors = {key: value for key, value in part.items() if isinstance(value, torch.Tensor)}
    if not tensors or any(tensor.shape[:1] != (1,) for tensor in tensors.values()):
        return None
    shapes = sorted((key, tensor.shape, tensor.dtype.itemsize) for key, tensor in tensors.items())
    return tuple(sorted(part)), tuple(shapes)


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        key: torch.cat([part[key] for part in parts])
        if isinstance(value, torch.Tensor)
        else [part[key] for part in parts]
        for key, value in parts[0].items()
    }


def _shows_filling(pipeline: Any, postprocess_params: Mapping[str, Any]) -> bool:
    """Return whether an output depends on the lengths of other outputs of the batch.

    Generated tokens are padded to the longest output of the batch. This padding is not visible in
    text without special tokens.
    """
    if not may_generate(pipeline) or not pipeline.model.can_generate():
        return False
    as_text = "skip_special_tokens" in inspect.signature(pipeline.postprocess).parameters
    as_text &= getattr(postprocess_params.get("return_type"), "name", "") != "TENSORS"
    as_text &= postprocess_params.get("skip_special_tokens") is not False
    tokenizer = pipeline.tokenizer
    if not as_text or tokenizer is None or getattr(tokenizer, "response_template", None):
        return True
    config = getattr(pipeline, "generation_config", None) or pipeline.model.generation_config
    filling = config.eos_token_id if config.pad_token_id is None else config.pad_token_id
    ids = filling if isinstance(filling, list) else [filling]
    return not set(ids[:1]) <= set(tokenizer.all_special_ids)
