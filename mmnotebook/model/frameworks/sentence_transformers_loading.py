"""Loading the encoders of Sentence Transformers, and what of them is called."""

from __future__ import annotations

from typing import Any

from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a

_CROSS = {("sentence_transformers", "CrossEncoder")}


def load(spec: ModelSpec, device: str) -> Any:
    """The model of a spec, ready to predict on a torch device."""
    import sentence_transformers
    import torch

    if spec.form == "module":
        # Only our own private files come here.
        model = torch.load(str(spec.path), map_location=device, weights_only=False).to(device)
    else:
        kind = spec.params["class"]
        made_by = getattr(sentence_transformers, kind) if isinstance(kind, str) else kind
        where = spec.params.get("hub") or spec.path
        model = made_by(where, device=device, **spec.params["load_args"])
    model.requires_grad_(False)
    return model.eval()


def usual_method(model: Any) -> str:
    """What is called with a batch where `method=` names nothing else."""
    return "predict" if is_a(model, _CROSS) else "encode"
