"""`mm.cluster`, and the options and runners that `mm.run` accepts."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import mmnotebook as mm

OWN = """
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
class {name}(FnApiRunner):
    used = 0
    def run_pipeline(self, *args, **kwargs):
        type(self).used += 1
        return super().run_pipeline(*args, **kwargs)
"""


@pytest.mark.parametrize(
    ("runner", "options", "says"),
    [
        ("FlinkRunnr", {}, "there is no runner 'FlinkRunnr'.*did you mean 'FlinkRunner'"),
        ("no_such_module.X", {}, "cannot be created: ModuleNotFoundError"),
        ("os.path.join", {}, "cannot be created"),
        (3, {}, r"runner=3 \(int\); allowed: the name of a runner"),
        ("PortableRunner", {}, "needs the address of a job server"),
        ("FlinkRunner", {"flink_mastr": "h:1"}, "no option 'flink_mastr'; did you mean 'flink_ma"),
        ("FlinkRunner", {"stagin": "x"}, "no option 'stagin'; did you mean 'staging'"),
        ("FlinkRunner", {"parallelism": "two"}, "parallelism='two'; allowed: an integer"),
        ("FlinkRunner", {"parallelism": True}, "parallelism=True; allowed: an integer"),
        ("FlinkRunner", {"streaming": "yes"}, "streaming='yes'; allowed: True or False"),
        ("FlinkRunner", {"flink_version": "1.2"}, "allowed: .*did you mean '1.20'"),
        ("FlinkRunner", {"flink_master": ["a", "b"]}, "flink_master=.*allowed: a text"),
        ("FlinkRunner", {"environment_type": "EXTERNL"}, "did you mean 'EXTERNAL'"),
        ("FlinkRunner", {"environment_type": "EXTERNAL"}, "external_service_address is required"),
        ("FlinkRunner", {"direct_num_workers": 2}, "FlinkRunner does not use 'direct_num_workers'"),
        ("DataflowRunner", {"flink_master": "h:1"}, "DataflowRunner does not use 'flink_master'"),
        ("FnApiRunner", {"job_endpoint": "h:1"}, "FnApiRunner does not use 'job_endpoint'"),
        ("FlinkRunner", {"worker_pool": "host"}, "worker_pool='host'; allowed: an address"),
        (
            "FlinkRunner",
            {"worker_pool": "h:1", "environment_type": "LOOPBACK"},
            "worker_pool='h:1' and environment_type='LOOPBACK' contradict",
        ),
        ("DataflowRunner", {}, "Missing required option: project"),
        ("DataflowRunner", {"worker_pool": "h:1"}, "Dataflow starts its own workers"),
        ("DataflowRunner", {"num_workers": 3, "max_num_workers": 2}, r"num_workers \(3\) cannot"),
        (
            "DataflowRunner",
            {"use_public_ips": True, "no_use_public_ips": True},
            "'use_public_ips' and 'no_use_public_ips' are the same option",
        ),
        ("FlinkRunner", {"staging": ""}, "staging=''.*allowed: a folder or an address"),
        ("FlinkRunner", {"staging": "s3://me:pw@host/x"}, r"s3://\*\*\*@host/x' contains a cred"),
        ("FlinkRunner", {"beam_services": "{"}, "beam_services='{'; allowed: a dict, or its JSON"),
    ],
)
def test_what_a_cluster_refuses(runner: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(mm.RunError, match=says):
        mm.cluster(runner, **options)


def test_the_options_that_beam_receives() -> None:
    where = mm.cluster(
        "FlinkRunner",
        flink_master="host:8081",
        parallelism=2,
        experiments=["one", "two"],
        use_public_ips=False,
        enable_streaming_engine=False,
        sdk_harness_log_level_overrides={"module": "DEBUG"},
        streaming=True,
        job_name=None,
        worker_pool="localhost:50000",
    )
    options = where.pipeline_options()
    given = options.get_all_options(drop_default=True)
    assert given == {
        "flink_master": "host:8081",
        "parallelism": 2,
        "experiments": ["one", "two"],
        "use_public_ips": False,
        "enable_streaming_engine": False,
        "sdk_harness_log_level_overrides": {"module": "DEBUG"},
        "streaming": True,
        "environment_type": "EXTERNAL",
        "environment_config": "localhost:50000",
    }
    assert options.view_as(WorkerOptions).use_public_ips is False
    assert options.view_as(GoogleCloudOptions).enable_streaming_engine is False
    assert where.pipeline_options() is not options


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"no_use_public_ips": True}, "use_public_ips", False),
        ({"no_use_public_ips": False}, "use_public_ips", True),
        ({"use_public_ips": True}, "use_public_ips", True),
        ({"no_pipeline_type_check": True}, "pipeline_type_check", False),
        ({"pipeline_type_check": False}, "pipeline_type_check", False),
        ({"experiment": "one,two"}, "experiments", ["one", "two"]),
        ({"dry_run": True}, "dry_run", True),
        ({"jar_cache_dir": Path("/a")}, "jar_cache_dir", "/a"),
        ({"environment_config": "-x"}, "environment_config", "-x"),
    ],
)
def test_an_option_by_the_name_of_its_flag(options: dict[str, Any], name: str, value: Any) -> None:
    given = mm.cluster("FlinkRunner", **options).pipeline_options().get_all_options()
    assert given[name] == value


def test_credentials_are_not_shown_or_pickled() -> None:
    secret = {
        "s3_secret_access_key": "abc123",
        "s3_session_token": "abc123",
        "azure_connection_string": "AccountKey=abc123",
        "environment_type": "PROCESS",
        "environment_options": ["process_command=run", "process_variables=AWS_SECRET=abc123"],
        "flink_master": "http://me:abc123@host:8081",
    }
    where = mm.cluster("FlinkRunner", s3_region_name="eu", **secret)
    assert "abc123" not in repr(where) + str(dict(where.options))
    assert where.options["s3_region_name"] == "eu"
    assert b"abc123" not in pickle.dumps(where)
    again = pickle.loads(pickle.dumps(where))
    assert (again.runner, dict(again.options)) == (where.runner, dict(where.options))
    whole = where.pipeline_options().get_all_options()
    assert whole["s3_secret_access_key"] == "abc123"
    assert whole["flink_master"] == secret["flink_master"]


def test_an_error_does_not_show_a_credential() -> None:
    with pytest.raises(mm.RunError) as caught:
        mm.cluster("FlinkRunner", s3_secret_access_key=["abc123"])
    assert "abc123" not in str(caught.value)


def test_an_option_of_the_users_own_class() -> None:
    class OwnOptions(PipelineOptions):
        @classmethod
        def _add_argparse_args(cls, parser: Any) -> None:
            parser.add_argument("--own_option_of_test", type=int)

    where = mm.cluster("FlinkRunner", own_option_of_test=3)
    assert where.pipeline_options().view_as(OwnOptions).own_option_of_test == 3


@pytest.mark.parametrize(
    ("runner", "options", "elsewhere"),
    [
        ("FnApiRunner", {}, False),
        ("DirectRunner", {}, False),
        ("PrismRunner", {}, False),
        ("FlinkRunner", {}, False),
        ("FlinkRunner", {"flink_master": "host:8081"}, True),
        ("FlinkRunner", {"flink_master": "host:8081", "environment_type": "LOOPBACK"}, False),
        ("PrismRunner", {"worker_pool": "host:1"}, True),
        ("PortableRunner", {"job_endpoint": "host:1"}, True),
        ("SparkRunner", {"spark_master_url": "spark://host:7077"}, True),
        ("DataflowRunner", {"project": "my-project", "region": "here"}, True),
    ],
)
def test_where_the_workers_are(runner: str, options: dict[str, Any], elsewhere: bool) -> None:
    assert mm.cluster(runner, **options).is_elsewhere is elsewhere


def plus(x: int) -> int:
    return x + 1


def run(**how: Any) -> list[int]:
    graph = mm.pipeline("data | plus", data=[1, 2], plus=plus)
    values: list[int] = mm.run(graph, progress=False, fresh=True, **how)["plus"]["value"].tolist()
    return values


@pytest.mark.parametrize("kind", [dict, PipelineOptions.from_dictionary])
def test_a_runner_in_the_options(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_runner_of_test.py").write_text(OWN.format(name="Own"))
    monkeypatch.syspath_prepend(str(tmp_path))
    options = kind({"runner": "own_runner_of_test.Own", "direct_num_workers": 1})
    assert run(options=options) == [2, 3]
    own = sys.modules.pop("own_runner_of_test").Own
    assert own.used == 1


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"options": {"direct_num_wokers": 2}}, "did you mean 'direct_num_workers'"),
        ({"options": PipelineOptions(["--direct_num_wokers=2"])}, "did you mean 'direct_num_wo"),
        ({"options": PipelineOptions([], direct_num_wokers=2)}, "did you mean 'direct_num_wo"),
        ({"options": {"direct_running_mode": "multi"}}, "allowed: in_memory, multi_threading"),
        ({"options": PipelineOptions(["--direct_running_mode=multi"])}, "invalid choice: 'multi'"),
        ({"options": {"runner": "FlinkRunnr"}}, "did you mean 'FlinkRunner'"),
        (
            {"options": {"runner": "FlinkRunner"}, "runner": FnApiRunner()},
            "FnApiRunner.* the option runner='FlinkRunner' contradict",
        ),
        ({"options": {"flink_master": "host:1"}}, "FnApiRunner does not use 'flink_master'"),
        ({"options": {"environment_type": "EXTERNAL"}}, "does not use 'environment_type'"),
    ],
)
def test_what_a_run_refuses(how: dict[str, Any], says: str) -> None:
    with pytest.raises(mm.RunError, match=says):
        run(**how)


def test_a_runner_named_twice() -> None:
    assert run(options={"runner": "FnApiRunner"}, runner=FnApiRunner()) == [2, 3]


def test_the_command_line_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["python", "--f=kernel.json", "--direct_num_workers=1"])
    options = PipelineOptions()
    assert run(options=options) == [2, 3]
    assert options.view_as(StandardOptions).runner is None
    assert options.view_as(PortableOptions).environment_type is None
