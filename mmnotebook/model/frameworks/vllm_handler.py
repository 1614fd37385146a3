"""Beam's vLLM handlers, which start a server on the worker and send it requests."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from apache_beam.ml.inference.vllm_inference import (
    OpenAIChatMessage,
    VLLMChatModelHandler,
    VLLMCompletionsModelHandler,
)

from mmnotebook.errors import shown
from mmnotebook.graph.models import ModelSpec


def _arguments(spec: ModelSpec) -> dict[str, Any]:
    extra = spec.extra
    server = {
        key: None if value is None else str(value)
        for key, value in dict(extra.get("server_args") or {}).items()
    }
    return {
        "model_name": spec.path or spec.origin,
        "vllm_server_kwargs": server,
        "use_dynamo": bool(extra.get("use_dynamo")),
        "dynamo_frontend_kwargs": extra.get("frontend_args"),
    }


def _need_vllm() -> None:
    """Raise an error if vLLM is not installed; Beam would try to start the server for minutes."""
    if importlib.util.find_spec("vllm") is None:
        raise ModuleNotFoundError("vllm is not installed on this worker: pip install vllm")


def _record(result: Any) -> dict[str, Any]:
    """Return the response of the server as a plain record."""
    return dict(result.inference.model_dump())


class CompletionsHandler(VLLMCompletionsModelHandler):
    """A handler that returns completions of strings from the server, as records."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(**_arguments(spec))

    def load_model(self) -> Any:
        _need_vllm()
        return super().load_model()

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        for example in batch:
            if not isinstance(example, str):
                raise TypeError(f"a completion needs a string; the example is {shown(example)}")
        return [_record(result) for result in super().run_inference(batch, model, inference_args)]


class ChatHandler(VLLMChatModelHandler):
    """A handler that returns chat completions of strings, or of lists of messages."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(chat_template_path=spec.extra.get("chat_template"), **_arguments(spec))

    def load_model(self) -> Any:
        _need_vllm()
        return super().load_model()

    def run_inference(
        self, batch: Sequence[Any], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Sequence[Any]:
        chats = [_messages(example) for example in batch]
        return [_record(result) for result in super().run_inference(chats, model, inference_args)]


def _messages(example: Any) -> list[OpenAIChatMessage]:
    if isinstance(example, str):
        return [OpenAIChatMessage("user", example)]
    messages = [example] if isinstance(example, Mapping) else example
    try:
        return [
            said
            if isinstance(said, OpenAIChatMessage)
            else OpenAIChatMessage(said["role"], said["content"])
            for said in messages
        ]
    except (TypeError, KeyError) as error:
        raise TypeError(
            "a chat needs a string or a list of messages, records with 'role' and 'content'; "
            f"the example is {shown(example)}"
        ) from error
