"""Loading of encoders of Sentence Transformers, and the method to call."""

from __future__ import annotations

from typing import Any

from mmnotebook.graph.models import ModelSpec
from mmnotebook.graph.names import is_a

_CROSS = {("sentence_transformers", "CrossEncoder")}


def load(spec: ModelSpec, device: str) -> Any:
    """Load the model of a spec, ready to predict on a torch device."""
    import sentence_transformers
    import torch

    if spec.form == "module":
        # Only private files of mmnotebook have this form.
        model = torch.load(str(spec.path), map_location=device, weights_only=False).to(device)
    else:
        kind = spec.params["class"]
        made_by = getattr(sentence_transformers, kind) if isinstance(kind, str) else kind
        where = spec.params.get("hub") or spec.path
        model = made_by(where, device=device, **spec.params["load_args"])
    model.requires_grad_(False)
    return model.eval()


def usual_method(model: Any) -> str:
    """Return the default method that is called with a batch."""
    return "predict" if is_a(model, _CROSS) else "encode"
