"""vLLM: the handler's arguments, and its calls of a double of the server's client."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from apache_beam.ml.inference import vllm_inference

import mmnotebook as mm
from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.errors import ModelError


class Response:
    """A response like those of the client, with `model_dump`."""

    def __init__(self, **content: Any) -> None:
        self.content = content

    def model_dump(self) -> dict[str, Any]:
        return self.content


class Client:
    """A client like the server's: it returns the prompt or the last message in capitals."""

    def __init__(self) -> None:
        self.completions = types.SimpleNamespace(create=self._complete)
        self.chat = types.SimpleNamespace(completions=types.SimpleNamespace(create=self._chat))

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def _complete(self, model: str, prompt: str, **arguments: Any) -> Response:
        if prompt == "fail":
            raise ValueError("the server refuses")
        return Response(model=model, choices=[{"text": prompt.upper()}], **arguments)

    async def _chat(self, model: str, messages: list[dict[str, str]]) -> Response:
        said = messages[-1]["content"].upper()
        return Response(model=model, choices=[{"message": {"content": said}}])


class Server:
    """A double of the server's process."""

    def get_server_port(self) -> int:
        return 1

    def check_connectivity(self) -> None:
        pass


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_inference, "getAsyncVLLMClient", lambda port: Client())


def test_completions_and_chats(client: None) -> None:
    arguments = {"max_tokens": 5}
    llm = mm.register("llm", "org/model", framework="vllm", inference_args=arguments)
    handler = base_handler(llm)
    (given,) = handler.run_inference(["hello"], Server())
    assert given == {"model": "org/model", "choices": [{"text": "HELLO"}], "max_tokens": 5}
    with pytest.raises(TypeError, match="a completion needs a string"):
        handler.run_inference([3.5], Server())
    with pytest.raises(ValueError, match="the server refuses"):
        handler.run_inference(["fail"], Server())

    handler = base_handler(mm.register("chat", "org/model", framework="vllm", chat=True))
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    answers = handler.run_inference(["so", messages], Server())
    said = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert said == ["SO", "HELLO"]
    with pytest.raises(TypeError, match="records with 'role' and 'content'"):
        handler.run_inference([[{"text": "so"}]], Server())


def test_the_server_is_started_with_the_given_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[tuple[Any, ...]] = []
    monkeypatch.setattr(vllm_inference, "_VLLMModelServer", lambda *given: started.append(given))
    (tmp_path / "config.json").write_text("{}")
    options = {"server_args": {"max-num-seqs": 16, "enforce-eager": None}}
    spec = mm.register("llm", tmp_path, framework="vllm", **options)
    assert spec.path == str(tmp_path)
    handler = base_handler(spec)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModuleNotFoundError, match="pip install vllm"):
        handler.load_model()
    monkeypatch.setitem(sys.modules, "vllm", types.ModuleType("vllm"))
    sys.modules["vllm"].__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    handler.load_model()
    arguments = {"max-num-seqs": "16", "enforce-eager": None}
    assert [given[:2] for given in started] == [(str(tmp_path), arguments)]
    assert handler.share_model_across_processes()


def test_what_cannot_be_registered() -> None:
    with pytest.raises(ModelError, match="server_args=3; allowed: a dict"):
        mm.register("llm", "org/model", framework="vllm", server_args=3)
    with pytest.raises(ModelError, match="chat_template= requires chat=True"):
        mm.register("llm", "org/model", framework="vllm", chat_template="t.jinja")
    with pytest.raises(ModelError, match="its own options.*did you mean 'server_args'"):
        mm.register("llm", "org/model", framework="vllm", server_arg={})
