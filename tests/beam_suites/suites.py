"""The test modules of Beam that run, the part that is replaced in them, and the excluded tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PART = "MMNOTEBOOK_BEAM_SUITES_PART"
"""The environment variable that tells the plugin which part to replace."""
USES = "MMNOTEBOOK_BEAM_SUITES_USES"
"""The environment variable with the file in which the plugin writes how often the part was used."""
EXCLUDED = "excluded: "
"""The beginning of the reason of each test that we skip."""

_FOLDER = "asserts FileBasedCacheManager's private _cache_dir"
_CLOUD = "starts a Dataproc cluster with Google Cloud's client, which is not among our packages"
_FORMATS = ("TextFileBasedCacheManagerTest", "TFRecordBasedCacheManagerTest")
_CLUSTERS = (
    "configure_flink_options",
    "configure_flink_options_with_flink_version_overridden",
    "create_a_new_cluster_for_a_new_pipeline",
    "reuse_a_cluster_for_a_known_pipeline",
    "reuse_a_known_cluster_for_unknown_pipeline",
    "reuse_default_cluster_if_not_configured",
    "worker_options_to_cluster_metadata",
)
_FAILURES = "asserts a PCollection of failures before or after the model; blocks carry theirs"
_DLQ = ("preprocessing", "postprocessing", "pre_and_post_processing")
_METRICS = "asserts Beam's own metrics of batches, which would count blocks; ours replace them"
_COUNTED = ("increment_failed_batches_counter", "timing_metrics")
_MANAGED = "asserts the proxies of Beam's experimental model manager, which no run uses"
_MANAGERS = ("with_model_manager", "with_model_manager_args")


@dataclass(frozen=True)
class Suite:
    """One of Beam's test modules.

    Attributes
    ----------
    module
        The module, below `apache_beam`.
    part
        The part of Beam that is replaced by ours: "manager" for every FileBasedCacheManager, or
        "handler" for every handler that RunInference receives, which our handler then calls.
    excluded
        By `Class.test`, why a test is skipped.
    """

    module: str
    part: str
    excluded: Mapping[str, str]


SUITES = {
    "cache_manager": Suite(
        "runners.interactive.cache_manager_test",
        "manager",
        {
            f"{case}.test_cache_manager_uses_{where}_ib_cache_root": _FOLDER
            for case in _FORMATS
            for where in ("gcs", "local")
        },
    ),
    "interactive_runner": Suite(
        "runners.interactive.interactive_runner_test",
        "manager",
        {f"ConfigForFlinkTest.test_{name}": _CLOUD for name in _CLUSTERS},
    ),
    "recording_manager": Suite("runners.interactive.recording_manager_test", "manager", {}),
    "base": Suite(
        "ml.inference.base_test",
        "handler",
        {
            **{f"RunInferenceBaseTest.test_run_inference_{name}_dlq": _FAILURES for name in _DLQ},
            **{f"RunInferenceBaseTest.test_{name}": _METRICS for name in _COUNTED},
            **{f"ModelManagerTest.test_run_inference_impl_{name}": _MANAGED for name in _MANAGERS},
        },
    ),
}
"""The suites by their names on the command line of `python -m tests.beam_suites`."""
