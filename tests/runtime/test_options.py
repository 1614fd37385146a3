"""The options of `register`: their effects in a run, and invalid options."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import psutil
import pytest
import torch
from apache_beam.ml.inference.base import ModelHandler, PredictionResult
from apache_beam.testing.util import assert_that, equal_to
from sklearn.linear_model import LinearRegression

import mmnotebook as mm
from mmnotebook.beam.inference.handlers import base_handler
from mmnotebook.errors import ModelError, one_line
from mmnotebook.graph.models import Registry
from mmnotebook.model import identity, time_limit
from tests.runtime import toys


def refused(**options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        mm.register("m", options.pop("target", toys.Scale()), **options)
    return str(caught.value)


def run(name: str, data: list[Any], **options: Any) -> mm.Result:
    return mm.run(mm.pipeline(f"data | {name}", data=data), **options)


def root(x: Any) -> Any:
    return [math.sqrt(x)]


class TestPreprocess:
    def test_is_given_one_example_and_a_bad_one_costs_itself(self) -> None:
        mm.register("m", toys.Scale(2.0), preprocess=root, postprocess=float)
        data = [float(x * x) for x in range(20)]
        data[7] = -1.0
        result = run("m", data, max_failed=0.5)
        assert result["m"]["prediction"].tolist() == [2.0 * x for x in range(20) if x != 7]
        (failed,) = result.failed.to_dict("records")
        assert (failed["id"], failed["error"]) == ("7", "ValueError")

    def test_comes_after_the_input_and_before_a_handlers_own(self) -> None:
        handler = toys.OwnHandler(1.0).with_preprocess_fn(lambda x: x + 0.5)
        mm.register("m", handler, input="x", preprocess=lambda x: x * 10)
        result = run("m", [{"x": 1.0, "y": 5.0}])
        assert result["m"]["prediction"].tolist() == [10.5]


class Scored(ModelHandler[Any, PredictionResult, None]):
    """A model that adds its arguments; it accepts one argument."""

    def load_model(self) -> None:
        return None

    def run_inference(
        self, batch: Any, model: None, inference_args: dict[str, Any] | None = None
    ) -> Iterator[PredictionResult]:
        for example in batch:
            yield PredictionResult(example, example + (inference_args or {}).get("plus", 0))

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        if set(inference_args or {}) - {"plus"}:
            raise ValueError("plus is all that is known")


class TestInferenceArgs:
    def test_reach_every_call(self) -> None:
        mm.register("m", Scored(), inference_args={"plus": 5})
        assert run("m", [1, 2])["m"]["prediction"].tolist() == [6, 7]

    def test_are_shown_to_the_handler_first(self) -> None:
        text = refused(target=Scored(), inference_args={"minus": 5})
        assert "plus is all that is known" in text and "keyword arguments of each call" in text

    def test_that_cannot_be(self) -> None:
        assert "a dict of values by name" in refused(inference_args=[1])
        assert "a dict of values by name" in refused(inference_args={1: 2})
        assert "cannot be pickled" in refused(inference_args={"lock": threading.Lock()})


class TestBatchBounds:
    @pytest.mark.parametrize(
        ("options", "size"),
        [
            ({}, 64),
            ({"batch_size": 7}, 7),
            ({"max_batch_size": 7}, 7),
            ({"min_batch_size": 7}, 64),
            ({"min_batch_size": 100}, 100),
            ({"min_batch_size": 3, "max_batch_size": 5}, 5),
        ],
    )
    def test_batches_are_filled_to_the_upper_one(self, options: Any, size: int) -> None:
        assert mm.register("m", toys.Scale(), **options).batch_size == size
        models = run("m", [[float(x)] for x in range(2 * size)]).models
        assert models.loc["m", "batches"] == 2

    def test_of_a_handler_are_overruled(self) -> None:
        mm.register("m", toys.OwnHandler(), max_batch_size=50)
        assert run("m", list(range(100))).models.loc["m", "batches"] == 2

    def test_that_cannot_be(self) -> None:
        assert "sets both bounds" in refused(batch_size=4, max_batch_size=8)
        assert "min_batch_size=9 is above max_batch_size=8" in refused(
            min_batch_size=9, max_batch_size=8
        )
        assert "a positive integer" in refused(max_batch_size=0)


class Stuck:
    """A model that blocks until it is released, for a batch with a zero."""

    go = threading.Event()

    def predict(self, batch: Any) -> Any:
        if (batch == 0).any() and not Stuck.go.wait(60):
            raise AssertionError("nobody came")
        return batch + 1


class Busy(Stuck):
    """A model whose outputs are wrong while another call runs."""

    sign = 1

    def predict(self, batch: Any) -> Any:
        made, self.sign = batch * self.sign, -1
        super().predict(batch)
        self.sign = 1
        return made


class TestTimeout:
    def test_costs_the_batch_and_no_other(self) -> None:
        Stuck.go.clear()
        mm.register("m", Stuck(), batch_size=4, timeout=0.3)
        result = run("m", [1, 2, 3, 4, 5, 0, 6, 7, 8], max_failed=0.9)
        Stuck.go.set()
        assert result["m"]["prediction"].tolist() == [2, 3, 4, 5, 9]
        assert result.failed["id"].tolist() == ["4", "5", "6", "7"]
        (message,) = set(result.failed["message"])
        assert message.startswith("model 'm' took longer than 0.3 s for a batch of 4; ")
        assert "batch_size=" in message and "timeout=" in message

    def test_later_calls_use_another_copy_of_the_model(self) -> None:
        Busy.go.clear()
        mm.register("m", Busy(), batch_size=1, timeout=0.3)
        result = run("m", [1, 0, 2, 3], max_failed=0.9)
        Busy.go.set()
        assert result["m"]["prediction"].tolist() == [1, 2, 3]

    def test_is_a_timeout_error_and_errors_in_time_are_the_models(self) -> None:
        assert issubclass(time_limit.CallTimeoutError, TimeoutError)
        assert time_limit.within(60, lambda: 5) == 5
        with pytest.raises(ZeroDivisionError):
            time_limit.within(60, lambda: 1 / 0)

    def test_calls_of_a_thread_share_a_thread(self) -> None:
        ran = {time_limit.within(60, threading.get_ident) for _ in range(5)}
        assert len(ran) == 1 and ran != {threading.get_ident()}
        release = threading.Event()
        with pytest.raises(time_limit.CallTimeoutError):
            time_limit.within(0.05, lambda: release.wait(60))
        assert {time_limit.within(60, threading.get_ident)} != ran
        release.set()

    def test_the_thread_ends_with_its_owner(self) -> None:
        ran: list[threading.Thread] = []
        owner = threading.Thread(
            target=lambda: ran.append(time_limit.within(60, threading.current_thread))
        )
        owner.start()
        owner.join()
        del owner
        ran[0].join(60)
        assert not ran[0].is_alive()

    @pytest.mark.parametrize("timeout", [0, -1, math.inf, math.nan, "5", True])
    def test_that_cannot_be(self, timeout: Any) -> None:
        assert "seconds, a number above 0" in refused(timeout=timeout)


class Noted(toys.OwnHandler):
    """A model that reads its factor from the environment when it is loaded."""

    def load_model(self) -> toys.Slotted:
        return toys.Slotted(float(os.environ["MM_TEST_FACTOR"]))


class TestEnvVars:
    def test_are_set_before_the_model_is_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MM_TEST_FACTOR", "1")
        mm.register("m", Noted(), env_vars={"MM_TEST_FACTOR": "4"})
        assert run("m", [2.0])["m"]["prediction"].tolist() == [8.0]
        mm.register("m", Noted(), env_vars={"MM_TEST_FACTOR": "5"})
        assert run("m", [2.0])["m"]["prediction"].tolist() == [10.0]

    def test_that_cannot_be(self) -> None:
        assert "strings by name" in refused(env_vars={"A": 1})
        assert "strings by name" in refused(env_vars={"A=B": "1"})
        assert "a dict of values by name" in refused(env_vars="A")


def listening() -> set[int]:
    """Return the ports on which this process listens."""
    open_ = psutil.Process().net_connections()
    return {one.laddr.port for one in open_ if one.status == psutil.CONN_LISTEN}


class TestSharing:
    """Models that Beam shares between processes receive whole batches: a proxy has methods only."""

    @pytest.mark.parametrize("options", [{"large_model": True}, {"model_copies": 2}], ids=" ".join)
    @pytest.mark.parametrize("kind", ["torch", "sklearn", "beam"])
    def test_shared_models_predict_as_others(self, kind: str, options: dict[str, Any]) -> None:
        target = {
            "torch": toys.Scale(3.0),
            "sklearn": LinearRegression(fit_intercept=False).fit([[1.0]], [3.0]),
            "beam": toys.OwnHandler(3.0),
        }[kind]
        mm.register("m", target, **options)
        result = run("m", [[1.0], [2.0]])
        assert result.failed.empty
        assert np.ravel(list(result["m"]["prediction"])).tolist() == pytest.approx([3.0, 6.0])
        handler = base_handler(mm.registry["m"])
        assert handler.share_model_across_processes()
        assert handler.model_copies() == options.get("model_copies", 1)
        if kind == "torch":
            assert result.models.loc["m", "parameter_bytes"] == 4

    def test_no_socket_is_opened_in_the_notebooks_own_process(self) -> None:
        before = listening()
        mm.register("m", toys.Scale(3.0), large_model=True)
        assert run("m", [[1.0]]).failed.empty
        assert listening() == before

    def test_that_cannot_be(self) -> None:
        assert "True or False" in refused(large_model="yes")
        assert "a positive integer" in refused(model_copies=0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batchsize": 4}, "batchsize=4: it has no such option"),
        ({"batchsize": 4}, "did you mean 'batch_size'"),
        ({"target": toys.OwnHandler(), "model_class": toys.Scale}, "before you register it"),
        ({"target": toys.OwnHandler(), "device": "GPU"}, "set the device on the Beam handler"),
        ({"target": LinearRegression().fit([[1.0]], [1.0]), "device": "GPU"}, "allowed: 'CPU'"),
        ({"preprocess": 5}, "preprocess=5; allowed: a function"),
        ({"postprocess": "softmax"}, "postprocess='softmax'; allowed: 'argmax', a function"),
        ({"output": "argmax", "postprocess": "argmax"}, "are the same option"),
        ({"preprocess": (x for x in "ab").__next__}, "cannot be pickled"),
    ],
    ids=lambda value: " ".join(value),
)
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    assert says in refused(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"preprocess": root},
        {"inference_args": {"a": 1}},
        {"method": "forward"},
        {"timeout": 5.0},
        {"env_vars": {"A": "1"}},
        {"large_model": True},
    ],
    ids=" ".join,
)
def test_options_that_change_predictions_change_the_identity(options: dict[str, Any]) -> None:
    module = toys.Scale(2.0)
    before, loaded = (f(mm.register("m", module)).digest for f in (identity.of, identity.of_loaded))
    changed = mm.register("m", module, **options)
    assert identity.of(changed).digest not in (None, before)
    same = options.keys() & {"preprocess", "inference_args", "method", "timeout"}
    assert (identity.of_loaded(changed).digest == loaded) == bool(same)


def mean_of_all(batch: Any) -> Any:
    return {"scores": batch.mean(), "rows": batch}


class Squeezed(torch.nn.Module):
    """A model that removes the batch dimension together with other dimensions of size 1."""

    def forward(self, x: Any) -> Any:
        return x.squeeze()


class Total(torch.nn.Module):
    """A model that returns one number for all elements."""

    def forward(self, x: Any) -> Any:
        return x.sum()


class TestWholeBatches:
    def test_a_single_number_beside_outputs_is_left_out(self) -> None:
        mm.register("m", mean_of_all, framework="python")
        rows = [output["rows"].tolist() for output in run("m", [[1.0], [2.0]])["m"]["prediction"]]
        assert rows == [[1.0], [2.0]]
        assert set(run("m", [[1.0], [2.0]])["m"]["prediction"][0]) == {"rows"}

    @pytest.mark.parametrize("given", [None, "text", 5])
    def test_return_values_without_outputs(self, given: Any) -> None:
        def constant(batch: Any) -> Any:
            return given

        mm.register("m", constant, framework="python")
        with pytest.raises(mm.RunError, match=r"model 'm' returned a .* for a batch of 2"):
            run("m", [[1.0], [2.0]], max_failed=1.0)

    def test_examples_of_unequal_shapes(self) -> None:
        mm.register("m", toys.Scale(2.0))
        spec = mm.registry["m"]
        handler = base_handler(spec)
        with pytest.raises(ValueError, match=r"2 examples of unequal shapes: \(1,\), \(2,\); pre"):
            handler.run_inference([[1.0], [1.0, 2.0]], handler.load_model())
        result = run("m", [[1.0], [1.0, 2.0]])  # the model accepts each, one at a time
        assert [p.tolist() for p in result["m"]["prediction"]] == [[2.0], [2.0, 4.0]]

    @pytest.mark.parametrize("options", [{}, {"large_model": True}], ids=str)
    def test_a_model_that_squeezes_gives_its_output_for_a_batch_of_one_too(
        self, options: dict[str, Any]
    ) -> None:
        mm.register("m", Squeezed(), batch_size=2, **options)
        result = run("m", [[1.0], [2.0], [3.0]])
        assert [float(p) for p in result["m"]["prediction"]] == [1.0, 2.0, 3.0]

    def test_one_number_for_any_batch_is_no_output(self) -> None:
        mm.register("m", Total())
        with pytest.raises(mm.RunError, match="model 'm' returned a single number for a batch"):
            run("m", [[1.0], [2.0]], max_failed=1.0)

    def test_a_frame_is_a_record_per_example(self) -> None:
        def frame(batch: Any) -> Any:
            import pandas as pd

            return pd.DataFrame({"a": batch[:, 0], "b": ["x"] * len(batch)})

        mm.register("m", frame, framework="python")
        expected = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "x"}]
        assert run("m", [[1.0], [2.0]])["m"]["prediction"].tolist() == expected


def test_a_deployment_has_the_options_too() -> None:
    mm.register(
        "m", toys.Scale(2.0), preprocess=root, postprocess=float, timeout=60, large_model=True,
        env_vars={"MM_TEST_DEPLOYED": "1"},
    )  # fmt: skip
    graph = mm.pipeline("data | m", data=[1.0, 4.0, 9.0])
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        compiled = mm.compile_graph(graph, pipeline)
        assert_that(
            compiled["m"] | beam.Map(lambda pair: (pair[0].id, pair[1].inference)),
            equal_to([("0", 2.0), ("1", 4.0), ("2", 6.0)]),
        )
    assert os.environ.pop("MM_TEST_DEPLOYED") == "1"


def test_without_a_gpu_a_loaded_model_uses_the_cpu_too() -> None:
    mm.register("m", toys.Scale(3.0), device="GPU")
    for fresh in (False, True):  # the second run does not load the model again
        result = run("m", [[1.0], [2.0]], fresh=fresh)
        assert [float(p[0]) for p in result["m"]["prediction"]] == [3.0, 6.0]


def test_the_registry_shows_what_was_given_and_no_secret(models: Registry) -> None:
    options: dict[str, Any] = {"env_vars": {"TOKEN": "s3cret"}, "inference_args": {"scale": 2.0}}
    mm.register("bare", toys.OwnHandler())
    mm.register("mlp", toys.Scale(), preprocess=abs, timeout=2, model_copies=2, **options)
    bare, mlp = (row["options"] for row in models.rows())
    assert bare == ""
    assert (
        mlp == "preprocess=abs; timeout=2 s; model_copies=2; inference_args: scale; env_vars: TOKEN"
    )
    assert "s3cret" not in repr(models) + models._repr_html_()


def test_errors_contain_no_terminal_colors() -> None:
    assert one_line(ValueError("\x1b[1mshape\x1b[0m of 2")) == "ValueError: shape of 2"
