"""The internals of transformers. Nothing here imports it, except functions that say so."""

from __future__ import annotations

from typing import Any

STAGES = ("_preprocess_params", "_forward_params", "_postprocess_params")
"""The attributes in which a pipeline keeps the arguments of its stages.

Leans on `transformers/pipelines/base.py`.
"""


def commit(name: str, revision: str | None) -> str | None:
    """Return the commit that a revision of a repository on the hub points to; imports transformers.

    None if it cannot be found before a model is loaded: see `commit_of`.
    Leans on `resolve_revision` in `transformers/utils/hub.py`, which came with version 5.
    """
    from transformers.utils import hub

    resolve = getattr(hub, "resolve_revision", None)
    found = None if resolve is None else resolve(name, revision)
    known: str | None = getattr(found, "resolved", None)
    return known


def commit_of(config: Any) -> str | None:
    """Return the commit on the hub that a model's configuration came from; None for none.

    Versions of transformers that have `utils.hub.resolve_revision` keep none.
    Leans on `transformers/configuration_utils.py`.
    """
    found: str | None = getattr(config, "_commit_hash", None)
    return found


def may_generate(pipeline: Any) -> bool:
    """Return whether pipelines of this kind generate, if the model can.

    Leans on `transformers/pipelines/base.py`.
    """
    return bool(getattr(pipeline, "_pipeline_calls_generate", True))


def outputs_apart() -> Any:
    """Return the class that splits the output of a batch; imports transformers.

    Leans on `PipelineIterator` in `transformers/pipelines/pt_utils.py`.
    """
    from transformers.pipelines.pt_utils import PipelineIterator

    return PipelineIterator
