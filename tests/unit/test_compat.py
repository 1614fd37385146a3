"""Private parts of other packages still exist, and still do what this package expects.

For Beam, most tests read the source, since no single call shows what this package depends on;
everything else is called.
"""

from __future__ import annotations

import abc
import argparse
import ast
import importlib.util
import inspect
import io
import os
import pickle
import random
import re
import subprocess
import sys
import textwrap
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apache_beam
import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.internal.cloudpickle import cloudpickle as beams_cloudpickle
from apache_beam.ml.inference import base, onnx_inference
from apache_beam.options import pipeline_options
from apache_beam.options.pipeline_options import PipelineOptions, S3Options
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.interactive import (
    background_caching_job,
    cache_manager,
    interactive_environment,
    interactive_runner,
)
from apache_beam.runners.interactive.caching import cacheable, reify, streaming_cache
from apache_beam.runners.portability import (
    abstract_job_service,
    flink_uber_jar_job_server,
    portable_runner,
)
from apache_beam.testing import test_stream
from apache_beam.transforms import core, window
from apache_beam.utils import multi_process_shared, timestamp
from botocore.exceptions import ClientError
from IPython.core.completer import IPCompleter, context_matcher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from ipywidgets import HTML

import mmnotebook
from mmnotebook.compat import beam, beam_files, ipython, ipywidgets, python, sklearn
from mmnotebook.compat import cloudpickle as cloudpickles
from mmnotebook.compat import numpy as of_numpy
from mmnotebook.compat import pandas as of_pandas
from mmnotebook.compat import random as of_random
from mmnotebook.compat import torch as of_torch

COMPAT = Path(mmnotebook.__file__).parent / "compat"
BEAM = Path(apache_beam.__file__).parent
NAMES = {path.stem for path in COMPAT.glob("*.py")} - {"__init__"}


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def source(what: Any) -> str:
    """Return the code of a class or function without indentation and comments."""
    return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(what))))


def defined(file: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of one of Beam's files, also compiled ones, methods as `Class.name`."""
    found = {}
    for node in ast.parse((BEAM / file).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            methods = (one for one in node.body if isinstance(one, ast.FunctionDef))
            found |= {f"{node.name}.{one.name}": one for one in methods}
    return found


def given(node: ast.FunctionDef) -> list[str]:
    return [one.arg for one in node.args.args]


def documented(module: str) -> Iterator[tuple[str, str]]:
    """Return each public name of a compat module, with its documentation."""
    body = ast.parse((COMPAT / f"{module}.py").read_text("utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef):
            yield node.name, ast.get_docstring(node) or ""
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            assert isinstance(target, ast.Name)
            said = after.value if isinstance(after, ast.Expr) else None
            yield target.id, str(said.value) if isinstance(said, ast.Constant) else ""


class TestThePackage:
    @pytest.mark.parametrize("module", sorted(NAMES))
    def test_each_name_documents_what_it_depends_on(self, module: str) -> None:
        for name, said in documented(module):
            says = "elies on" in said or "As `" in said or name == "WARNINGS"
            assert name.startswith("_") or says, f"{module}.{name}"

    def test_the_files_of_beam_are_there(self) -> None:
        said = "\n".join(text for _, text in documented("beam"))
        files = set(re.findall(r"`([\w/]+\.(?:py|pxd))`", said))
        assert len(files) > 12
        assert not [file for file in files if not (BEAM / file).is_file()]

    def test_each_name_of_beam_s_is_used_here(self) -> None:
        here = Path(__file__).read_text("utf-8")
        names = [name for name, _ in documented("beam")]
        assert len(names) > 25
        assert not [name for name in names if not re.search(rf"\bbeam\.{name}\b", here)]

    def test_only_what_is_named_after_beam_imports_anything_heavy(self) -> None:
        light = sorted(NAMES - {"beam", "beam_files", "cloudpickle"})
        heavy = (*light, "apache_beam", "cloudpickle", "IPython")
        code = (
            f"import sys, importlib\n"
            f"for name in {light!r}: importlib.import_module(f'mmnotebook.compat.{{name}}')\n"
            f"print([one for one in {heavy!r} if one in sys.modules and one not in "
            f"('python', 'random')])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.strip() == "[]", done.stderr


class TestOptions:
    def test_the_parser_of_options(self) -> None:
        parser = beam.OptionParser()
        added = {option.dest: option for option in parser.add(pipeline_options.DebugOptions)}
        assert isinstance(added["experiments"], argparse.Action)
        assert parser.parse_args(["--experiments=a"]).experiments == ["a"]
        with pytest.raises(ValueError, match="unrecognized arguments"):
            parser.parse_args(["--no_such_option=1"])
        assert parser.add(type("Empty", (pipeline_options.PipelineOptions,), {})) == []

    def test_options_that_can_repeat(self) -> None:
        added = beam.OptionParser().add(pipeline_options.WorkerOptions)
        repeats = {option.dest: beam.can_repeat(option) for option in added}
        assert repeats["num_workers"] is False
        assert repeats["use_public_ips"] is False
        assert repeats["sdk_harness_container_image_overrides"] is True

    def test_what_options_hold(self) -> None:
        made = pipeline_options.PipelineOptions(["--job_name=a"], region="b")
        assert beam.option_flags(made) == ["--job_name=a"]
        assert beam.option_flags(pipeline_options.PipelineOptions()) is None
        assert beam.option_overrides(made)["region"] == "b"

    def test_the_creation_of_a_runner(self) -> None:
        assert type(beam.create_runner("FnApiRunner")).__name__ == "FnApiRunner"
        with pytest.raises(ValueError, match="Unexpected pipeline runner"):
            beam.create_runner("NoRunner")

    def test_the_runner_below(self) -> None:
        inner = beam.create_runner("FnApiRunner")
        assert beam.runner_below(interactive_runner.InteractiveRunner(inner)) is inner
        assert beam.runner_below(inner) is inner
        assert beam.runner_below(None) is None

    def test_the_problems_of_options(self) -> None:
        made = pipeline_options.PipelineOptions(["--environment_type=EXTERNAL"])
        (found,) = beam.option_problems(made, None, [pipeline_options.PortableOptions])
        assert "external_service_address is required" in found
        assert beam.option_problems(made, None, []) == []

    def test_the_types_of_environments(self) -> None:
        assert {"DOCKER", "EXTERNAL", "LOOPBACK", "PROCESS"} == set(beam.ENVIRONMENTS)


class TestFiles:
    """The options with which Beam opens files."""

    def test_options(self) -> None:
        with beam_files.keeping_options():
            beam_files.use(PipelineOptions(flags=["--s3_endpoint_url=http://127.0.0.1:1"]))
            assert beam_files.options().view_as(S3Options).s3_endpoint_url == "http://127.0.0.1:1"
            with beam_files.keeping_options():
                beam_pipeline = apache_beam.Pipeline(beam.FnApiRunner())
                assert beam_files.options() is beam_pipeline.options
            assert beam_files.options().view_as(S3Options).s3_endpoint_url == "http://127.0.0.1:1"

    def test_a_file_system(self) -> None:
        assert beam_files.file_system("/tmp").scheme() is None
        with pytest.raises(ValueError, match="^Unable to get filesystem from specified path"):
            beam_files.file_system("nowhere://x")

    def test_s3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with beam_files.keeping_options():
            beam_files.use(PipelineOptions(flags=["--s3_endpoint_url=http://127.0.0.1:1"]))
            client = beam_files.s3_client()
            assert client.meta.endpoint_url == "http://127.0.0.1:1"
            assert beam_files.s3_client() is client
        error = ClientError({"ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject")
        assert beam_files.status(error) == 404 and beam_files.status(OSError()) is None


class TestWindowedValues:
    def test_create(self) -> None:
        made = defined("utils/windowed_value.py")["create"]
        assert given(made) == ["value", "timestamp_micros", "windows", "pane_info"]
        assert len(made.args.defaults) == 1
        where = (window.GlobalWindow(),)
        element = beam.create_windowed("a", 7_000_000, where)
        assert isinstance(element, beam.WindowedValue)
        assert (element.value, element.timestamp) == ("a", timestamp.Timestamp(7))
        assert element.pane_info == beam.PANE_INFO_UNKNOWN

    def test_another_value(self) -> None:
        with_value = defined("utils/windowed_value.py")["WindowedValue.with_value"]
        assert given(with_value) == ["self", "new_value"]
        element = beam.create_windowed("a", 7, (window.GlobalWindow(),), beam.PANE_INFO_UNKNOWN)
        assert element.with_value("b") == beam.create_windowed("b", 7, element.windows)

    def test_its_time(self) -> None:
        element = beam.create_windowed("a", 7, [window.IntervalWindow(0, 1)])
        assert beam.time_of(element) == (
            7,
            (window.IntervalWindow(0, 1),),
            beam.PANE_INFO_UNKNOWN,
        )

    def test_the_pane_is_of_no_trigger(self) -> None:
        pane = beam.PANE_INFO_UNKNOWN
        assert pane.is_first and pane.is_last and pane.index == 0
        assert pickle.loads(pickle.dumps(pane)) == pane

    def test_the_holder(self) -> None:
        holder = beam.WindowedValueHolder
        assert holder is test_stream.WindowedValueHolder
        assert parameters(holder.__init__) == ["self", "windowed_value"]
        element = beam.create_windowed("a", 7, (window.GlobalWindow(),))
        held = holder(element)
        assert isinstance(held, holder) and held.windowed_value is element  # type: ignore[attr-defined]


class TestPipelines:
    def test_windowing(self) -> None:
        assert parameters(beam.Windowing)[:1] == ["windowfn"]
        assert {"triggerfn", "allowed_lateness"} <= set(parameters(beam.Windowing))
        made = beam.Windowing(window.FixedWindows(60))
        assert not made.is_default() and made.windowfn == window.FixedWindows(60)
        assert beam.Windowing(window.GlobalWindows()).is_default()
        assert parameters(core.ParDo.get_windowing) == ["self", "inputs"]

    def test_a_visitor_is_shown_every_transform(self) -> None:
        for method in ("visit_transform", "enter_composite_transform"):
            assert parameters(getattr(beam.PipelineVisitor, method)) == ["self", "transform_node"]
        seen = []

        class Visitor(beam.PipelineVisitor):
            def visit_transform(self, transform_node: Any) -> None:
                seen.append(type(transform_node.transform).__name__)

        pipeline = apache_beam.Pipeline(beam.FnApiRunner())
        _ = pipeline | apache_beam.Impulse()
        pipeline.visit(Visitor())
        assert "Impulse" in seen

    def test_the_runner_runs_here(self) -> None:
        assert beam.FnApiRunner is apache_beam.runners.portability.fn_api_runner.FnApiRunner
        needed = inspect.signature(beam.FnApiRunner.__init__).parameters.values()
        assert all(one.default is not one.empty for one in needed if one.name != "self")

    def test_arguments(self) -> None:
        def process(self: Any, element: Any, window: Any = 3) -> None: ...

        assert beam.arguments_and_defaults(process) == (["self", "element", "window"], [3])

    def test_a_function_may_say_its_own_arguments(self) -> None:
        assert f"'{beam.INSPECTS}%s' % func" in source(core.get_function_arguments)
        own = SimpleNamespace(**{f"{beam.INSPECTS}process": lambda: (["element"], [])})
        assert core.get_function_arguments(own, "process") == (["element"], [])
        asks = defined("runners/common.py")["MethodWrapper.__init__"]
        assert "core.get_function_arguments(obj_to_invoke, method_name)" in ast.unparse(asks)
        assert beam.arguments_of(apache_beam.Map(lambda x, y=3: x).dofn) == (["x", "y"], [3])

    def test_how_many_outputs_a_function_has(self) -> None:
        def made(transform: Any) -> tuple[bool, bool]:
            return beam.at_most_one(transform.dofn), beam.makes_children(transform.dofn)

        windows = apache_beam.WindowInto(window.FixedWindows(3))
        for one in (apache_beam.Map(abs), apache_beam.Filter(abs), apache_beam.MapTuple(max)):
            assert made(one) == (True, False)
        assert made(windows) == (True, False)
        assert made(apache_beam.FlatMap(list)) == (False, True)
        assert made(apache_beam.FlatMap(lambda x: [x])) == (False, True)
        assert made(apache_beam.ParDo(apache_beam.DoFn())) == (False, False)

    def test_what_a_function_receives(self) -> None:
        time = apache_beam.DoFn.TimestampParam
        side = apache_beam.pvalue.AsList(apache_beam.Pipeline() | apache_beam.Create([1]))
        for one in (apache_beam.Map(abs), apache_beam.Map(pow, 2), apache_beam.Map(pow, exp=2)):
            assert beam.takes_values_only(one)
        for one in (
            apache_beam.Map(lambda x, when=time: x),
            apache_beam.Map(pow, time),
            apache_beam.Map(pow, side),
        ):
            assert not beam.takes_values_only(one)

    def test_what_may_output_between_two_elements(self) -> None:
        class Keeps(apache_beam.DoFn):
            def process(self, x: Any) -> None: ...

            def finish_bundle(self) -> None: ...

        assert "finish_bundle" in beam.not_alone(Keeps())
        assert beam.not_alone(apache_beam.Map(abs).dofn) == ""
        names = defined("runners/common.py")
        assert "DoFnSignature.is_splittable_dofn" in names
        assert "DoFnSignature.is_stateful_dofn" in names
        assert "DoFn._process_yields_batches" in defined("transforms/core.py")

    def test_the_label_of_the_transform_that_is_applied(self) -> None:
        seen = []

        class Outer(apache_beam.PTransform[Any, Any]):
            def expand(self, pipeline: Any) -> Any:
                seen.append(beam.current_label(pipeline.pipeline))
                return pipeline | apache_beam.Impulse()

        pipeline = apache_beam.Pipeline(beam.FnApiRunner())
        _ = pipeline | "a" >> Outer()
        assert (seen, beam.current_label(pipeline)) == (["a"], "")


class TestInteractive:
    @pytest.fixture
    def env(self) -> Iterator[Any]:
        yield interactive_environment.InteractiveEnvironment()

    def test_the_environment_is_made_once(self) -> None:
        assert parameters(interactive_environment.current_env) == []
        assert "if not _interactive_beam_env:" in source(interactive_environment.current_env)
        assert isinstance(beam.environment(), interactive_environment.InteractiveEnvironment)
        assert beam.environment() is interactive_environment.current_env()

    def test_it_watches_each_module_once(self, env: Any) -> None:
        kind = interactive_environment.InteractiveEnvironment
        assert parameters(kind.watch) == ["self", "watchable"]
        assert parameters(kind.watching) == ["self"]
        mark = ("mark", object())
        variables: dict[str, Any] = dict([mark])
        beam.watch(env, mark, variables)
        count = len(env.watching())
        variables["later"] = 1
        beam.watch(env, mark, variables)
        assert len(env.watching()) == count
        assert any(("later", 1) in watched for watched in env.watching())

    def test_a_pipeline_enters_and_leaves(self, env: Any, tmp_path: Path) -> None:
        kind = interactive_environment.InteractiveEnvironment
        assert parameters(kind.set_cache_manager) == ["self", "cache_manager", "pipeline"]
        assert parameters(kind.add_user_pipeline) == ["self", "user_pipeline"]
        assert parameters(kind.cleanup) == ["self", "pipeline"]
        assert parameters(kind.evict_cache_manager) == ["self", "pipeline"]
        pipeline, cache = apache_beam.Pipeline(), _Cache()
        beam.enter(env, pipeline, cache)
        assert env.get_cache_manager(pipeline) is cache
        assert env.user_pipeline(pipeline) is pipeline
        beam.leave(env, pipeline)
        assert env.get_cache_manager(pipeline) is None and cache.cleaned

    def test_the_result_below(self) -> None:
        result = interactive_runner.PipelineResult
        assert "self._underlying_result = underlying_result" in source(result.__init__)
        below = SimpleNamespace(state="DONE")
        assert beam.result_below(SimpleNamespace(_underlying_result=below)) is below

    def test_what_the_cache_is_asked(self) -> None:
        asked = {
            "exists": ["self", "labels"],
            "read": ["self", "labels", "args"],
            "write": ["self", "value", "labels"],
            "clear": ["self", "labels"],
            "source": ["self", "labels"],
            "sink": ["self", "labels", "is_capture"],
            "save_pcoder": ["self", "pcoder", "labels"],
            "load_pcoder": ["self", "labels"],
            "cleanup": ["self"],
            "size": ["self", "labels"],
            "_latest_version": ["self", "labels"],
        }
        assert asked == {one: parameters(getattr(beam.CacheManager, one)) for one in asked}
        assert "self._latest_version(*labels)" in source(beam.CacheManager.is_latest_version)


class _Cache(beam.CacheManager):
    """A cache that counts how often it is cleaned up."""

    cleaned = 0

    def cleanup(self) -> None:
        self.cleaned += 1


class TestTheCache:
    def test_its_names(self) -> None:
        key = cacheable.CacheKey("rows", "1", "2", "3")
        assert key.to_str() == f"{beam.cache_name('rows')}-1-2-3"
        assert "obfuscate(self.var)[:10]" in source(cacheable.CacheKey.__post_init__)

    def test_the_name_in_labels(self) -> None:
        key = cacheable.CacheKey("rows", "1", "2", "3").to_str()
        assert beam.cache_name_in(("full", key)) == beam.cache_name("rows")
        assert "source('full', self._label)" in source(cache_manager.ReadCache.expand)
        assert "sink((prefix, self._label), " in source(cache_manager.WriteCache.expand)

    def test_its_steps(self) -> None:
        key = cacheable.CacheKey("rows", "1", "2", "3").to_str()
        for begin in (reify.READ_CACHE, reify.WRITE_CACHE):
            assert beam.is_step_of_cache(f"{begin}{key}/Write", beam.cache_name("rows"))
        assert "'{}{}'.format(WRITE_CACHE, cache_key)" in source(reify.reify_to_cache)
        assert "'{}{}'.format(READ_CACHE, cache_key)" in source(reify.unreify_from_cache)
        assert not beam.is_step_of_cache(f"{reify.READ_CACHE}{key}", beam.cache_name("row"))

    def test_what_beam_makes_its_own_of(self, tmp_path: Path) -> None:
        makes = source(background_caching_job.has_source_to_cache)
        assert "cache_dir = file_based_cm._cache_dir" in makes
        assert "saved_pcoders=file_based_cm._saved_pcoders" in makes
        cache: Any = SimpleNamespace()
        beam.let_stream(cache, tmp_path)
        assert vars(cache) == {"_cache_dir": str(tmp_path), "_saved_pcoders": {}}
        before = beam.stream_coders(cache)
        before["a"] = 1
        beam.forget_stream_coders(cache)
        assert (before, beam.stream_coders(cache)) == ({"a": 1}, {})

    def test_its_coders_are_found(self, tmp_path: Path) -> None:
        cache: Any = SimpleNamespace()
        beam.let_stream(cache, tmp_path)
        coder = apache_beam.coders.StrUtf8Coder()
        beam.stream_coders(cache)[beam.coder_key(cache, ("full", "x"))] = coder
        beams = streaming_cache.StreamingCache(
            cache._cache_dir,
            is_cache_complete=lambda pipeline: True,
            saved_pcoders=cache._saved_pcoders,
        )
        assert beams.load_pcoder("full", "x") is coder


class TestHandlers:
    class Handler(base.ModelHandler[Any, Any, Any]):
        def load_model(self) -> None: ...

        def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Any: ...

    def test_environment_variables(self) -> None:
        made = source(base.ModelHandler.__init__)
        if "kwargs" in parameters(base.ModelHandler.__init__):
            assert "self._env_vars = kwargs.get('env_vars', {})" in made
            handler = self.Handler(env_vars={"A": "1"})
        else:  # before Beam 2.72, the class of a handler sets them
            assert "self._env_vars = {}" in made
            handler = self.Handler()
            handler._env_vars = {"A": "1"}
        assert beam.environment_variables(handler) == {"A": "1"}
        assert beam.environment_variables(self.Handler()) == {}
        assert beam.environment_variables(None) == {}

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda handler: handler.with_preprocess_fn(abs),
            lambda handler: handler.with_postprocess_fn(abs),
            lambda handler: handler.with_no_batching(),
        ],
    )
    def test_the_handler_inside_a_wrapper(self, wrap: Any) -> None:
        handler = self.Handler()
        assert beam.wrapped(wrap(handler)) is handler
        assert beam.wrapped(handler) is None

    def test_the_model_uri(self) -> None:
        kind = onnx_inference.OnnxModelHandlerNumpy
        assert "self._model_uri = model_uri" in source(kind.__init__)
        assert "self._model_uri" in source(kind.load_model)
        assert beam.model_uri(kind("a.onnx")) == "a.onnx"

    def test_models_are_released(self) -> None:
        # Before Beam 2.72, it has another name.
        name = next(n for n in ("_ModelHandlerManager", "_ModelManager") if hasattr(base, n))
        manager = getattr(base, name)
        made = source(manager.__init__)
        assert "self._proxy_map: dict" in made
        assert isinstance(manager({})._tag_map, OrderedDict)
        assert "self._proxy_map[tag] = (shared_handle, model_reference)" in source(manager.load)
        assert f"{name}(" in source(base.KeyedModelHandler.load_model)
        released: list[str] = []
        handle = SimpleNamespace(release=released.append)
        held = manager({})
        held._proxy_map = {"t": (handle, "model")}
        held._tag_map = OrderedDict(key="t")
        beam.release_models(held)
        assert (released, held._proxy_map, len(held._tag_map)) == (["model"], {}, 0)

    def test_shared_models(self) -> None:
        kind = multi_process_shared.MultiProcessShared
        assert {"constructor", "tag", "always_proxy"} <= set(parameters(kind.__init__))
        assert parameters(kind.acquire) == ["self"]
        assert parameters(kind.release) == ["self", "obj"]
        assert isinstance(beam.shared_model(dict, "test_compat"), kind)

    def test_the_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert 'AUTH_KEY = b"mps"' in inspect.getsource(multi_process_shared).replace("'", '"')
        assert "authkey=AUTH_KEY" in source(multi_process_shared.MultiProcessShared)
        monkeypatch.setattr(multi_process_shared, "AUTH_KEY", b"mps")
        beam.keep_password_secret()
        secret = multi_process_shared.AUTH_KEY
        assert secret != b"mps" and len(secret) == 32
        beam.keep_password_secret()
        assert secret == multi_process_shared.AUTH_KEY


class TestCloudpickle:
    def test_a_class_is_made_by_its_makers(self) -> None:
        made = type("Made", (), {"__module__": "__main__"})
        reduced = cloudpickle.Pickler(io.BytesIO()).reducer_override(made)
        assert reduced[0] in cloudpickles.MAKERS
        assert cloudpickles.tracked_class(reduced[1][-2]) is made

    def test_beams_copy_too(self) -> None:
        made = type("Made", (), {"__module__": "__main__"})
        pickler = cloudpickles.BeamsPickler(
            io.BytesIO(),
            config=cloudpickles.BEAMS_CONFIG,
        )
        reduced = pickler.reducer_override(made)
        assert reduced[0] in cloudpickles.BEAMS_MAKERS
        assert cloudpickles.beams_tracked_class(reduced[1][-2]) is made

    def test_a_class_that_is_taken_as_it_is(self) -> None:
        for setting, expected in ((False, 1), (True, 2)):
            made = type("Made", (), {"value": 2})
            if setting:
                cloudpickles.take_as_set(made)
            beams_cloudpickle._class_setstate(made, ({"value": 1}, {}), True)
            assert made.value == expected  # type: ignore[attr-defined]


class TestPython:
    def test_frames(self) -> None:
        def inside() -> str:
            return python.get_frame(1).f_code.co_name

        assert inside() == "test_frames"

    def test_codes_and_the_names_in_them(self) -> None:
        called: list[tuple[Any, Any]] = []

        def profiler(frame: Any, event: str, argument: Any) -> None:
            if event == "call":
                called.append((frame.f_code, dict(frame.f_locals)))

        sys.setprofile(profiler)
        try:
            _ = os.environ.get("HOME_OF_TEST_COMPAT")
            list(os.environ)
            importlib.util.find_spec("test_compat_is_not_there")
        finally:
            sys.setprofile(None)
        by_code = dict(called)
        assert by_code[python.VARIABLE]["key"] == "HOME_OF_TEST_COMPAT"
        assert python.ALL_VARIABLES in by_code
        assert by_code[python.FINDS]["name"] == "test_compat_is_not_there"

    def test_registered_classes(self) -> None:
        class Abstract(abc.ABC):  # noqa: B024
            pass

        assert python.registered(Abstract) == []
        Abstract.register(int)
        assert python.registered(Abstract) == [int]
        assert python.ABSTRACT in vars(Abstract) and python.ABSTRACT not in vars(int)

    def test_the_hook_of_warnings(self) -> None:
        before, seen = python.warnings_hook(), []
        python.set_warnings_hook(seen.append)
        try:
            warnings.warn_explicit("said", UserWarning, "here", 1)
        finally:
            python.set_warnings_hook(before)
        assert [str(one.message) for one in seen] == ["said"]
        assert python.warnings_hook() is before

    def test_the_function_that_shows_warnings(self) -> None:
        code = "from mmnotebook.compat import python; print(python.shows_warnings())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert re.findall(r"function (\w+)", done.stdout) == ["showwarning", "_showwarnmsg_impl"]
        public, inner = python.shows_warnings()
        assert public.__module__ in python.WARNINGS
        with warnings.catch_warnings(record=True):
            assert python.shows_warnings()[1] is not inner

    def test_shown_warnings_are_forgotten(self) -> None:
        registry: dict[Any, Any] = {}

        def warn() -> None:
            warnings.warn_explicit("said", UserWarning, "here", 1, registry=registry)

        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("default")
            warn()
            warn()
            assert len(seen) == 1
            python.forget_shown_warnings()
            warn()
        assert len(seen) == 2

    def test_the_options_of_a_parser(self) -> None:
        parser = argparse.ArgumentParser(add_help=False)
        parser.add_argument("name")
        parser.add_argument("-n", "--number")
        assert python.options(parser) == ["-n", "--number"]

    def test_where_uuids_come_from(self, monkeypatch: pytest.MonkeyPatch) -> None:
        uuid.uuid1()
        assert isinstance(python.uuid_source()(), tuple)
        monkeypatch.delitem(sys.modules, "_uuid")
        assert python.uuid_source() is None


class TestStates:
    """States of random number generators: they change only if a number is drawn."""

    @pytest.mark.parametrize("draw", [random.random, lambda: random.gauss(0, 1)])
    def test_of_python(self, draw: Any) -> None:
        before = of_random.state(random)
        assert of_random.state(random) == before
        kept = random.getstate()
        draw()
        assert of_random.state(random) != before
        random.setstate(kept)
        assert of_random.state(random) == before

    def test_its_own_methods(self) -> None:
        assert {"random", "getrandbits", "seed"} <= of_random.OWN_METHODS
        assert "gauss" not in of_random.OWN_METHODS

    @pytest.mark.parametrize("whole", [True, False])
    def test_of_numpy(self, whole: bool) -> None:
        legacy = sys.modules["numpy.random.mtrand"]
        before, kept = of_numpy.state(legacy, whole), np.random.get_state()
        assert of_numpy.state(legacy, whole) == before
        np.random.random()
        assert of_numpy.state(legacy, whole) != before
        np.random.set_state(kept)
        assert of_numpy.state(legacy, whole) == before

    def test_the_bytes_of_numpy_s_are_its_words(self) -> None:
        _, memory = of_numpy.state(sys.modules["numpy.random.mtrand"], False)
        said: Any = np.random.get_state(legacy=False)
        words = np.frombuffer(memory, np.uint32)
        assert list(words[:-2]) == list(said["state"]["key"])
        assert words[-2] == said["state"]["pos"]

    @pytest.mark.own_process
    def test_the_function_that_draws_in_tensorflow(self) -> None:
        tensorflow = pytest.importorskip("tensorflow")
        from mmnotebook.compat.tensorflow import drawing

        (code,) = drawing()
        seen = set()
        sys.setprofile(lambda frame, event, argument: seen.add(frame.f_code))
        try:
            tensorflow.random.normal([2])
        finally:
            sys.setprofile(None)
        assert code in seen


class TestLibraries:
    def test_pandas_options(self) -> None:
        assert list(of_pandas.changed_options()) == []
        with pd.option_context("display.precision", 3):
            assert list(of_pandas.changed_options()) == [("display.precision", 3)]

    def test_the_memory_of_a_column(self, tmp_path: Path) -> None:
        mapped = np.memmap(tmp_path / "a", np.float64, "w+", shape=(3, 1))
        column = pd.DataFrame(mapped, copy=False).iloc[:, 0].array
        assert np.shares_memory(of_pandas.memory(column), mapped)
        assert of_pandas.memory("a") == "a"

    def test_the_attributes_of_a_class_of_frames(self) -> None:
        @of_pandas.attributes("note")
        class Noted(pd.DataFrame):  # type: ignore[misc]
            note = ""

        frame = Noted({"x": [1]})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame.note = "here"
        assert frame.note == "here" and list(frame.columns) == ["x"]
        assert not hasattr(frame.copy(), "note")
        assert "note" not in pd.DataFrame._internal_names_set

    def test_the_usual_config_of_sklearn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sklearn as library

        usual = sklearn.usual_config()
        with library.config_context(assume_finite=True):
            assert sklearn.usual_config() == usual
            assert usual is not None and usual["assume_finite"] is False
            assert usual.keys() == library.get_config().keys()
        monkeypatch.delitem(sys.modules, "sklearn._config")
        assert sklearn.usual_config() is None

    def test_the_place_of_stop_words(self) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(stop_words=["of"]).fit(["of words"])
        assert vars(vectorizer)[sklearn.STOP_WORDS_PLACE] == id(vectorizer.stop_words)

    def test_the_attributes_of_a_module(self) -> None:
        module = torch.nn.Linear(2, 2)
        assert set(vars(module)) >= of_torch.OF_MODULES
        module.register_forward_hook(lambda *given: None)
        numbered = {name: held for name, held in vars(module).items() if of_torch.HOOKS in name}
        assert len(numbered["_forward_hooks"]) == 1

    def test_a_tensor_of_a_subclass(self) -> None:
        class Own(torch.Tensor):
            @classmethod
            def __torch_function__(cls, *given: Any, **more: Any) -> str:
                return "own"

        tensor = torch.ones(2).as_subclass(Own)
        assert tensor.sum() == "own"
        with of_torch.without_subclasses():
            assert float(tensor.sum()) == 2

    def test_how_tensors_are_printed(self) -> None:
        assert of_torch.changed_printing() is None
        torch.set_printoptions(precision=2)
        try:
            assert of_torch.changed_printing().precision == 2
        finally:
            torch.set_printoptions(profile="default")
        assert of_torch.changed_printing() is None

    def test_how_often_a_tensor_was_written_to(self) -> None:
        tensor = torch.zeros(2)
        before = of_torch.writes(tensor)
        tensor.add_(1)
        tensor[0] = 3
        assert of_torch.writes(tensor) == before + 2

    def test_the_parts_of_a_sparse_tensor(self) -> None:
        tensor = torch.sparse_coo_tensor([[0, 0]], [1.0, 2.0], (3,))
        assert not tensor.is_coalesced()
        indices, values = of_torch.sparse_parts(tensor)
        assert (indices.tolist(), values.tolist()) == ([[0, 0]], [1.0, 2.0])


class TestFrameworks:
    def test_catboost(self, tmp_path: Path) -> None:
        catboost = pytest.importorskip("catboost")
        from mmnotebook.compat.catboost import serialized

        model = catboost.CatBoostRegressor(iterations=1, allow_writing_files=False, verbose=False)
        model.fit([[0.0], [1.0]], [0.0, 1.0])
        (tmp_path / "model.cbm").write_bytes(serialized(model))
        again = catboost.CatBoostRegressor().load_model(str(tmp_path / "model.cbm"))
        assert list(again.predict([[1.0]])) == list(model.predict([[1.0]]))

    def test_xgboost(self, tmp_path: Path) -> None:
        xgboost = pytest.importorskip("xgboost")
        from mmnotebook.compat.xgboost import estimator

        model = xgboost.XGBClassifier(n_estimators=1).fit([[0.0], [1.0]], [0, 1])
        model.save_model(tmp_path / "model.json")
        assert estimator(xgboost.Booster(model_file=tmp_path / "model.json")) == "classifier"
        plain = xgboost.train({}, xgboost.DMatrix(np.zeros((2, 1)), np.arange(2)), 1)
        assert estimator(plain) is None

    def test_onnxruntime(self, tmp_path: Path) -> None:
        runtime, onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
        from mmnotebook.compat.onnxruntime import source as made_from

        slots = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
        node = onnx.helper.make_node("Relu", ["x"], ["y"])
        graph = onnx.helper.make_graph([node], "g", slots[:1], slots[1:])
        opset = [onnx.helper.make_opsetid("", 17)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
        content, path = model.SerializeToString(), tmp_path / "model.onnx"
        path.write_bytes(content)
        assert made_from(runtime.InferenceSession(content)) == content
        assert made_from(runtime.InferenceSession(str(path))) == path

    @pytest.mark.own_process
    def test_keras(self) -> None:
        keras = pytest.importorskip("keras")
        from mmnotebook.compat.keras import layers

        inner = keras.Sequential([keras.layers.Dense(1)])
        model = keras.Sequential([inner, keras.layers.ReLU()])
        found = [type(layer).__name__ for layer in layers(model)]
        assert {"Sequential", "Dense", "ReLU"} <= set(found)
        assert found.count("Sequential") == 2

    def test_transformers(self) -> None:
        library = pytest.importorskip("transformers")
        from mmnotebook.compat import transformers

        kind = library.TextGenerationPipeline
        made = source(library.Pipeline.__init__)
        assert ", ".join(f"self.{name}" for name in transformers.STAGES) in made
        assert transformers.may_generate(kind) is True
        assert transformers.may_generate(library.FeatureExtractionPipeline) is False
        assert transformers.commit_of(library.BertConfig()) is None

    def test_the_commit_of_transformers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        library = pytest.importorskip("transformers")
        from mmnotebook.compat.transformers import commit, commit_of

        if hasattr(library.utils.hub, "resolve_revision"):
            names = parameters(library.utils.hub.resolve_revision)
            assert names[:2] == ["path_or_repo_id", "revision"]
            assert commit("nobody/nothing", None) is None  # not in the cache either
        else:
            assert commit_of(library.BertConfig(_commit_hash="abc")) == "abc"

    def test_the_outputs_of_transformers_apart(self) -> None:
        pytest.importorskip("transformers")
        from mmnotebook.compat.transformers import outputs_apart

        batch = {"x": torch.tensor([[1.0], [2.0]])}
        ran = list(outputs_apart()([batch], lambda given, by: {"y": given["x"] * by}, {"by": 3}, 2))
        assert [one["y"].tolist() for one in ran] == [[[3.0]], [[6.0]]]


@magics_class
class SomeMagics(Magics):
    @magic_arguments()
    @argument("-n", "--number", type=int)
    @line_magic
    def of_test_compat(self, line: str) -> int:
        """Return the number."""
        return int(parse_argstring(self.of_test_compat, line).number)


@pytest.fixture
def shell() -> Any:
    return InteractiveShell()


class TestJobs:
    """What Beam's results of jobs have; `beam.result_of_job` is called on Prism."""

    def result(self, **attributes: Any) -> Any:
        made = object.__new__(portable_runner.PipelineResult)
        vars(made).update(attributes)
        return made

    def test_metrics_are_asked_again(self) -> None:
        asked: list[Any] = []

        def metrics(request: Any) -> Any:
            asked.append(request)
            return beam_job_api_pb2.GetJobMetricsResponse()

        service = SimpleNamespace(GetJobMetrics=metrics)
        result = self.result(_job_service=service, _job_id="b1", _metrics=None)
        first, second = beam.current_metrics(result), beam.current_metrics(result)
        assert first is not second
        assert len(asked) == 2
        assert result.metrics() is second  # the answer that Beam keeps

    def test_the_id_of_a_job(self) -> None:
        assert beam.job_id(self.result(_job_id="b1")) == "b1"
        assert beam.job_id(object()) is None
        text = inspect.getsource(portable_runner.PipelineResult.__init__)
        assert "self._job_id = job_id" in text
        assert "self._job_service = job_service" in text

    def test_the_arguments_of_a_result(self) -> None:
        names = list(inspect.signature(portable_runner.PipelineResult).parameters)
        assert names[:4] == ["job_service", "job_id", "message_stream", "state_stream"]
        assert callable(beam.result_of_job)
        assert callable(portable_runner.PortableRunner.create_job_service)

    def test_a_job_that_was_submitted_to_flink_as_a_jar(self) -> None:
        job = object.__new__(flink_uber_jar_job_server.FlinkBeamJob)
        vars(job).update(_master_url="http://host:8081", _flink_job_id="f1")
        result = self.result(_job_service=SimpleNamespace(_jobs={"b1": job}), _job_id="b1")
        assert beam.submitted_to_flink(result) == ("http://host:8081", "f1")
        assert beam.submitted_to_flink(self.result(_job_service=object(), _job_id="b1")) is None
        text = inspect.getsource(flink_uber_jar_job_server.FlinkBeamJob)
        assert "self._flink_job_id = " in text
        assert "self._master_url = " in text
        assert "self._jobs" in inspect.getsource(abstract_job_service)

    def test_the_runner_below_and_its_repeats(self) -> None:
        runner = beam.FnApiRunner(bundle_repeat=1)
        above = interactive_runner.InteractiveRunner(runner)
        assert beam.runner_below(above) is runner
        assert beam.runner_below(runner) is runner
        assert beam.repeats_bundles(runner)
        assert not beam.repeats_bundles(beam.FnApiRunner())


class TestIPython:
    def test_magics_come_and_go(self, shell: Any) -> None:
        shell.register_magics(SomeMagics)
        assert ipython.line_magics(shell)["of_test_compat"]("-n 3") == 3
        ipython.remove_magics(shell, SomeMagics)
        assert "of_test_compat" not in ipython.line_magics(shell)
        assert "SomeMagics" not in shell.magics_manager.registry
        assert shell.find_line_magic("of_test_compat") is None
        ipython.remove_magics(shell, SomeMagics)

    def test_the_arguments_of_a_magic(self) -> None:
        declared = ipython.declared(SomeMagics.of_test_compat)
        assert [one.args for one in declared if isinstance(one, argument)] == [("-n", "--number")]
        parser = ipython.parser(SomeMagics.of_test_compat)
        assert parser.parse_args(["-n", "3"]).number == 3
        assert {"-n", "--number"} <= set(python.options(parser))

    def test_matchers_come_and_go(self, shell: Any) -> None:
        @context_matcher(identifier="of_test_compat")
        def matcher(context: Any) -> Any: ...

        ipython.add_matcher(shell, matcher)
        assert matcher in shell.Completer.matchers
        ipython.remove_matchers(shell, "another")
        assert matcher in shell.Completer.matchers
        ipython.remove_matchers(shell, "of_test_compat")
        assert matcher not in shell.Completer.matchers

    def test_the_matcher_of_files(self, shell: Any) -> None:
        assert IPCompleter.file_matcher.matcher_identifier == ipython.FILES

    def test_hidden_variables(self, shell: Any) -> None:
        shell.push({"hid": 1}, interactive=False)
        shell.push({"shown": 1})
        assert ipython.hidden(shell)["hid"] == 1 and "shown" not in ipython.hidden(shell)

    def test_a_variable_is_dropped_unless_it_was_set_again(self, shell: Any) -> None:
        value = object()
        shell.push({"mine": value, "other": value})
        shell.user_ns["other"] = 1
        for name in ("mine", "other"):
            ipython.drop(shell, name, value)
        assert "mine" not in shell.user_ns and shell.user_ns["other"] == 1


def test_a_widget_is_open_until_it_is_closed() -> None:
    widget = HTML()
    assert ipywidgets.is_open(widget)
    widget.close()
    assert not ipywidgets.is_open(widget)
