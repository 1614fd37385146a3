"""vLLM: a language model by name or folder, served on the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmnotebook.errors import ModelError
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.framework import Framework, Options, no_method, of_file


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    no_method(name, options, "a served model only has predictions")
    _check(name, target, options)
    path = Path(target).expanduser()
    form = "chat" if options.extra.get("chat") else "completions"
    if path.is_dir():
        return of_file(name, "vllm", form, path)
    return ModelSpec(name, "vllm", form, str(target), None, digest(str(target)))


def _check(name: str, target: Any, options: Options) -> None:
    if not isinstance(target, (str, Path)) or not str(target):
        raise ModelError(
            f"cannot register {target!r} as {name!r} with framework='vllm'; "
            "allowed: the name of a model, or a folder with a model",
            remedy="for example mm.register('llm', 'org/model', framework='vllm')",
        )
    for key in ("server_args", "frontend_args"):
        given = options.extra.get(key)
        if given is not None and not (
            isinstance(given, dict) and all(isinstance(word, str) for word in given)
        ):
            raise ModelError(
                f"{key}={given!r}; allowed: a dict of options of the server",
                remedy=f"for example {key}={{'max-num-seqs': '16'}}; None if it has no value",
            )
    if options.extra.get("chat_template") and not options.extra.get("chat"):
        raise ModelError(
            f"cannot register {name!r}: chat_template= requires chat=True",
            remedy="add chat=True, or leave chat_template= out",
        )


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks import vllm_handler as handlers

    return (handlers.ChatHandler if spec.form == "chat" else handlers.CompletionsHandler)(spec)


FRAMEWORK = Framework(
    name="vllm",
    words="the name or the folder of a language model that vLLM serves",
    modules=("openai",),
    install="pip install openai vllm",
    claims=lambda target: False,  # a name is a plain string, so framework= must be passed
    store=_store,
    handler=_handler,
    extra=("server_args", "chat", "chat_template", "use_dynamo", "frontend_args"),
    devices=("CPU", "GPU"),
    own_batches=("chat", "completions"),
    named=True,
)
