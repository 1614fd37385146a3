"""Remote models: endpoints of Vertex AI.

For any other service, register a Beam `RemoteModelHandler`.
"""

from __future__ import annotations

from typing import Any

from mmnotebook.errors import ModelError, one_line
from mmnotebook.fingerprint.identity import digest
from mmnotebook.graph.models import ModelSpec
from mmnotebook.model.framework import Framework, Options, no_method

_WHERE = ("project", "location", "network", "private", "experiment", "invoke_route")


def _store(name: str, target: Any, options: Options) -> ModelSpec:
    no_method(name, options, "an endpoint only has predictions")
    endpoint = str(target)
    missing = [key for key in ("project", "location") if not options.extra.get(key)]
    if missing:
        raise ModelError(
            f"cannot register the endpoint {endpoint!r} as {name!r}: "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            remedy="for example mm.register('remote', '1234567890', framework='vertex', "
            "project='my-project', location='us-central1')",
        )
    params = {key: options.extra[key] for key in _WHERE if options.extra.get(key) is not None}
    spec = ModelSpec(name, "vertex", "endpoint", endpoint, None, "", params=params)
    try:
        deployed = _handler(spec).create_client().list_models()
    except Exception as error:
        raise ModelError(
            f"cannot register the endpoint {endpoint!r} as {name!r}: "
            f"Vertex AI cannot describe it ({one_line(error)})",
            remedy="check the endpoint's id, project and location, that a model is deployed to "
            "it, and your credentials: gcloud auth application-default login",
        ) from error
    # The fingerprint contains the models that are deployed now: with other models, the endpoint has
    # another identity.
    ids = sorted(str(getattr(model, "id", model)) for model in deployed)
    fingerprint = digest((endpoint, sorted(params.items()), ids))
    return ModelSpec(name, "vertex", "endpoint", endpoint, None, fingerprint, params=params)


def _handler(spec: ModelSpec) -> Any:
    from mmnotebook.model.frameworks.remote_handler import VertexHandler

    return VertexHandler(spec)


FRAMEWORK = Framework(
    name="vertex",
    words="the id of a Vertex AI endpoint",
    modules=("google.cloud.aiplatform",),
    install="pip install google-cloud-aiplatform",
    claims=lambda target: False,  # an id is a plain string, so framework= must be passed
    store=_store,
    handler=_handler,
    extra=_WHERE,
    own_batches=("endpoint",),
    named=True,
)
