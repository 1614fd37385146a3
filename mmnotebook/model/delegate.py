"""A model handler that delegates to another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from apache_beam.ml.inference.base import ModelHandler


class Delegate(ModelHandler[Any, Any, Any]):
    """A handler that delegates every method to `base`; subclasses override some methods."""

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.base = base

    def load_model(self) -> Any:
        return self.base.load_model()

    def run_inference(
        self,
        batch: Sequence[Any],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Any]:
        results: Iterable[Any] = self.base.run_inference(batch, model, inference_args)
        return results

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        return int(self.base.get_num_bytes(batch))

    def get_metrics_namespace(self) -> str:
        return str(self.base.get_metrics_namespace())

    def get_resource_hints(self) -> dict[str, Any]:
        return dict(self.base.get_resource_hints())

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return dict(self.base.batch_elements_kwargs())

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        self.base.validate_inference_args(inference_args)

    def update_model_path(self, model_path: str | None = None) -> None:
        self.base.update_model_path(model_path)

    def update_model_paths(self, model: Any, model_paths: Any = None) -> None:
        self.base.update_model_paths(model, model_paths)

    def get_preprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        return list(self.base.get_preprocess_fns())

    def get_postprocess_fns(self) -> Iterable[Callable[[Any], Any]]:
        return list(self.base.get_postprocess_fns())

    def should_skip_batching(self) -> bool:
        return bool(self.base.should_skip_batching())

    def set_environment_vars(self) -> None:
        self.base.set_environment_vars()

    def share_model_across_processes(self) -> bool:
        return bool(self.base.share_model_across_processes())

    def model_copies(self) -> int:
        return int(self.base.model_copies())

    def override_metrics(self, metrics_namespace: str = "") -> bool:
        return bool(self.base.override_metrics(metrics_namespace))

    def should_garbage_collect_on_timeout(self) -> bool:
        return bool(self.base.should_garbage_collect_on_timeout())
