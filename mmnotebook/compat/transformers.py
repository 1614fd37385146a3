"""The internals of transformers, imported only by functions whose docstrings say so."""

from __future__ import annotations

from typing import Any

STAGES = ("_preprocess_params", "_forward_params", "_postprocess_params")
"""The attributes in which a pipeline stores the arguments of its stages.

Relies on `transformers/pipelines/base.py`.
"""


def commit(name: str, revision: str | None) -> str | None:
    """Return the commit of a revision of a repository on the hub; import transformers.

    Return None if the commit is not known before a model is loaded; see `commit_of`.
    Relies on `resolve_revision` in `transformers/utils/hub.py`, which exists since version 5.
    """
    from transformers.utils import hub

    resolve = getattr(hub, "resolve_revision", None)
    found = None if resolve is None else resolve(name, revision)
    known: str | None = getattr(found, "resolved", None)
    return known


def commit_of(config: Any) -> str | None:
    """Return the commit on the hub from which the configuration of a model was loaded, or None.

    Versions of transformers that have `utils.hub.resolve_revision` do not store the commit.
    Relies on `transformers/configuration_utils.py`.
    """
    found: str | None = getattr(config, "_commit_hash", None)
    return found


def may_generate(pipeline: Any) -> bool:
    """Return whether pipelines of this kind generate tokens if the model supports it.

    Relies on `transformers/pipelines/base.py`.
    """
    return bool(getattr(pipeline, "_pipeline_calls_generate", True))


def outputs_apart() -> Any:
    """Return the class that splits the output for a batch; import transformers.

    Relies on `PipelineIterator` in `transformers/pipelines/pt_utils.py`.
    """
    from transformers.pipelines.pt_utils import PipelineIterator

    return PipelineIterator
