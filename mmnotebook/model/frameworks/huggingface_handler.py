"""Beam ModelHandlers for Hugging Face pipelines and models.

Beam's handlers for Hugging Face cannot be imported: they use TensorFlow classes that transformers
removed in version 5.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from apache_beam.ml.inference import base
from transformers.pipelines.pt_utils import KeyDataset

from mmnotebook.errors import shown
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model import inputs
from mmnotebook.model.frameworks import own_methods
from mmnotebook.model.frameworks.huggingface_batching import unpadded
from mmnotebook.model.frameworks.huggingface_loading import load
from mmnotebook.model.layouts import Each


class _Handler(base.ModelHandler[Any, Any, Any]):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self._spec = spec

    def load_model(self) -> Any:
        gpu = self._spec.device == "GPU" and torch.cuda.is_available()
        return load(self._spec, "cuda" if gpu else "cpu")

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        pass  # arguments of the call

    def get_metrics_namespace(self) -> str:
        return "BeamML_HuggingFace"


class PipelineHandler(_Handler):
    """A handler that calls a pipeline with its inputs, usually strings: one output per element.

    Inputs of equal length are batched together. Nothing is padded, so an output does not depend on
    the other elements of its batch.
    """

    def load_model(self) -> Any:
        return unpadded(super().load_model())

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        if "num_workers" in (inference_args or {}):
            raise ValueError("num_workers: the inputs are prepared in the process of the model")

    takes_columns = True

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> list[Any]:
        # Pass a data set: for a list of one item, some pipelines return the output without a list.
        given = inputs.by_name(batch, self._spec.fields).rows()
        examples = KeyDataset([{"": example} for example in given], "")
        arguments: dict[str, Any] = {"batch_size": len(batch), **(inference_args or {})}
        return Each(model(examples, **arguments))


class ModelHandler(_Handler):
    """A handler that calls a model with a tensor as its first input, or with tensors by name.

    Records are passed by name. The output is the only tensor that the model returns, or a record of
    its tensors.
    """

    takes_columns = True

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Any:
        collated = inputs.is_collated(batch)
        if not collated and isinstance(batch[0], str) and self._spec.method is None:
            raise TypeError(
                f"a {type(model).__name__} takes tensors; the example is {shown(batch[0])}; "
                "register a pipeline with the tokenizer: "
                "transformers.pipeline(task, model=model, tokenizer=tokenizer); "
                "or set method= to a method of the model that takes texts"
            )
        call = getattr(model, self._spec.method or "__call__")
        arguments = dict(inference_args or {})
        if self._spec.method is None and "use_cache" in inspect.signature(model.forward).parameters:
            arguments.setdefault("use_cache", False)  # the cache is no output of an element
        with torch.no_grad():
            given = inputs.arranged(batch, self._spec, lambda part: self._given(part, model))
            if collated:
                given = inputs.on_device(given, model, model.device)
            made = (
                call(**given, **arguments) if isinstance(given, dict) else call(given, **arguments)
            )
        return _outputs(made)

    def _given(self, part: Sequence[Any], model: Any) -> Any:
        named = inputs.by_name(part, self._spec.fields)
        return _tensors(named, model, self._spec.method)


def _tensors(batch: Sequence[Any], model: Any, method: str | None) -> Any:
    column = inputs.unnamed(batch)
    if isinstance(column[0], Mapping):
        names = list(column[0])
        parts = {name: column.field(name) or [row[name] for row in column] for name in names}
        return {name: _tensors(part, model, method) for name, part in parts.items()}
    texts = None if method is None else own_methods.as_list(column)
    if texts is not None:
        return texts
    # Integers (tokens, masks, positions) keep their type.
    given = inputs.torch_batch(column, torch.nn.Identity(), model.device)
    return given.to(model.dtype) if given.is_floating_point() else given


def _outputs(made: Any) -> Any:
    if not isinstance(made, Mapping):
        return made
    parts = dict(made)
    return next(iter(parts.values())) if len(parts) == 1 else parts
