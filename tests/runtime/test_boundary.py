"""Every output of a model belongs to one element; otherwise the run reports the reason."""

from __future__ import annotations

import io
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from apache_beam.ml.inference.base import ModelHandler, PredictionResult
from sklearn.preprocessing import StandardScaler

import mmnotebook as mm
from mmnotebook.errors import ModelError, RunError
from mmnotebook.model import probes

X = np.random.default_rng(0).random((70, 3), "float32")


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a long probe: on a busy machine, a first call may take a second."""
    monkeypatch.setattr(probes, "SECONDS", 60.0)


def run(name: str, data: Any = X, **options: Any) -> mm.Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.ModelWarning)
        return mm.run(mm.pipeline(f"data | {name}", data=data), progress=False, **options)


def verdict(name: str, data: Any = X) -> tuple[Any, Any]:
    """Return batch_invariant and repeatable of `r.models`."""
    model = run(name, data).models.loc[name]
    return model["batch_invariant"], model["repeatable"]


class TimeMajor(torch.nn.Module):
    """A module with (batch, time, features) in and (time, batch, hidden) out, as in an RNN."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = torch.nn.GRU(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x.transpose(0, 1))[0]


class TestAxes:
    def test_time_first_stops_with_the_remedy_that_works(self) -> None:
        torch.manual_seed(0)
        model = TimeMajor().eval()
        data = np.random.default_rng(0).random((64, 8, 3), "float32")
        mm.register("m", model)
        with pytest.raises(RunError, match=r"shape \(8, 64, 4\) for a batch of 64") as caught:
            run("m", data)
        assert "output_batch_axis=1" in str(caught.value) and caught.value.node == "m"
        mm.register("m", model, output_batch_axis=1)
        with torch.no_grad():
            alone = [model(torch.from_numpy(row[None]))[:, 0].numpy() for row in data]
        got = run("m", data)["m"]["prediction"]
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(got, alone, strict=True))

    def test_a_recurrent_layer_with_the_batch_on_its_second_axis(self) -> None:
        torch.manual_seed(0)
        layer = torch.nn.GRU(3, 4)
        data = np.random.default_rng(0).random((9, 5, 3), "float32")
        mm.register("gru", layer, batch_axis=1, output_batch_axis=1, batch_size=4)
        for row, (out, hidden) in zip(data, run("gru", data)["gru"]["prediction"], strict=True):
            expected = layer(torch.from_numpy(row)[:, None])
            assert np.allclose(out, expected[0][:, 0].detach(), atol=1e-5)
            assert np.allclose(hidden, expected[1][:, 0].detach(), atol=1e-5)

    def test_one_axis_for_each_output(self) -> None:
        layer = torch.nn.GRU(3, 4, batch_first=True)
        data = np.random.default_rng(0).random((9, 5, 3), "float32")
        mm.register("gru", layer)
        with pytest.raises(RunError, match=r"output_batch_axis=\(0, 1\)"):
            run("gru", data)
        mm.register("gru", layer, output_batch_axis=(0, 1))
        assert [h.shape for _, h in run("gru", data)["gru"]["prediction"]] == [(1, 4)] * 9

    def test_no_batch_axis(self) -> None:
        def longest(clip: Any) -> Any:
            return clip.max(0), len(clip)

        clips = [np.full((n, 2), n, "float32") for n in (3, 1, 5)]
        mm.register("m", longest, framework="python", batched=False)
        assert [int(n) for _, n in run("m", clips)["m"]["prediction"]] == [3, 1, 5]

    @pytest.mark.parametrize("how", [{"batch_size": 4}, {"batch_axis": 1}, {"collate": list}])
    def test_no_batch_axis_excludes_what_needs_one(self, how: dict[str, Any]) -> None:
        with pytest.raises(ModelError, match="batched=False"):
            mm.register("m", torch.nn.Linear(2, 1), batched=False, **how)

    @pytest.mark.parametrize("axis", ["1", True, 1.5, [], {"a": "b"}])
    def test_an_invalid_axis_is_refused(self, axis: Any) -> None:
        with pytest.raises(ModelError, match="allowed"):
            mm.register("m", torch.nn.Linear(2, 1), output_batch_axis=axis)

    def test_a_handler_that_makes_its_own_batches_refuses_them(self) -> None:
        for how in ({"batch_axis": 1}, {"collate": list}, {"batched": False}):
            with pytest.raises(ModelError, match="creates its own batches"):
                mm.register("m", Echo(), **how)  # type: ignore[arg-type]


class Echo(ModelHandler[Any, PredictionResult, Any]):
    def load_model(self) -> Any:
        return len

    def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Any:
        return [PredictionResult(example, model(example)) for example in batch]


class TestHandlers:
    def test_a_handler_that_truncates_its_outputs_is_noticed(self) -> None:
        """Use a handler like Beam's, which pairs outputs with examples until one of them ends."""

        class Cuts(Echo):
            def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Any:
                out = np.ones((100, len(batch), 4))  # time first
                return [PredictionResult(*pair) for pair in zip(batch, out, strict=False)]

        mm.register("m", Cuts())
        with pytest.raises(RunError, match="more than one axis"):
            run("m")

    def test_a_handler_with_an_output_function(self) -> None:
        mm.register("m", Echo().with_postprocess_fn(lambda result: result.inference + 1))
        assert run("m", ["a", "bbb"])["m"]["prediction"].tolist() == [2, 4]


class Fits:
    """A model that fits a scaler on its input."""

    def predict(self, rows: Any) -> Any:
        return StandardScaler().fit_transform(rows).sum(1)


class Pads:
    def predict(self, texts: Any) -> Any:
        most = max(map(len, texts))
        return [text.ljust(most) for text in texts]


class Counts:
    """A model with state that changes between calls."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, rows: Any) -> Any:
        self.calls += 1
        return rows.sum(1) + self.calls

    def start(self) -> None:
        self.calls = 0


class Draws:
    def predict(self, rows: Any) -> Any:
        return rows.sum(1) + np.random.rand(len(rows))


class TrainMode(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.norm.train()
        return self.norm(x)


class Plain:
    def predict(self, rows: Any) -> Any:
        return rows.sum(1)


class TestNeighbors:
    @pytest.mark.parametrize(
        ("model", "data", "expected"),
        [
            (Plain(), X, (True, True)),
            (torch.nn.Sequential(torch.nn.Linear(3, 50), torch.nn.Linear(50, 2)), X, (True, True)),
            (Fits(), X, (False, True)),
            (TrainMode(), X, (False, True)),
            (Pads(), ["a", "much longer", "bb"], (False, True)),
            (Draws(), X, (False, False)),
            (Counts(), X, (False, False)),
        ],
        ids=["plain", "torch", "fits", "batch-norm", "pads", "draws", "counts"],
    )
    def test_a_dependence_on_the_batch_is_reported(
        self, model: Any, data: Any, expected: Any
    ) -> None:
        mm.register("m", model)
        assert verdict("m", data) == expected
        said = run("m", data).warnings
        differs = said[said["category"] == "ModelWarning"]
        assert len(differs) == (False in expected)
        assert differs["message"].str.startswith("model 'm' returns a different output").all()

    def test_it_is_warned_of_once_with_the_remedy(self) -> None:
        mm.register("m", Fits())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mm.run(mm.pipeline("data | m", data=X), progress=False)
        (said,) = [w for w in caught if w.category is mm.ModelWarning]
        assert "batch_size=1" in str(said.message)
        mm.register("m", Fits(), batch_size=1)  # the remedy
        assert verdict("m") == (True, True)

    def test_probes_are_not_counted_or_repeated(self, tmp_path: Path) -> None:
        log = tmp_path / "log"

        class Noted(Plain):
            def predict(self, rows: Any) -> Any:
                with log.open("a") as file:
                    file.write("x")
                return rows.sum(1)

        mm.register("m", Noted(), batch_size=35)
        model = run("m").models.loc["m"]
        assert (model["batches"], model["predictions"], model["mean_batch"]) == (2, 70, 35)
        made = log.stat().st_size
        assert made == 1 + 2 * 4 + 2  # one element, three alone and together twice, two batches
        assert run("m", fresh=True).models.loc["m", "batch_invariant"] is True
        assert log.stat().st_size == made + 2

    def test_a_slow_model_is_not_probed_and_the_table_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probes, "SECONDS", 1.0)

        class Slow(Plain):
            def predict(self, rows: Any) -> Any:
                time.sleep(0.4)
                return super().predict(rows)

        mm.register("m", Slow())
        assert verdict("m") == ("not probed", "not probed")

    def test_all_models_of_a_node_share_the_time_limit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(probes, "SECONDS", 1.0)

        class Steady(Plain):
            def __init__(self, name: str) -> None:
                self.name = name

            def predict(self, rows: Any) -> Any:
                time.sleep(0.08)
                return super().predict(rows)

        names = "abcdefgh"
        for name in names:
            mm.register(name, Steady(name))
        data = [(name, row) for name, row in zip(names * 3, X, strict=False)]
        mapping = ", ".join(f'"{name}": {name}' for name in names)
        started = time.perf_counter()
        result = mm.run(mm.pipeline(f"data | keyed({{{mapping}}})", data=data), progress=False)
        assert time.perf_counter() - started < len(names) * 9 * 0.08
        verdicts = result.models["batch_invariant"].tolist()
        assert True in verdicts and "not probed" in verdicts

    def test_a_state_starts_anew_in_every_run_and_is_not_cached(self) -> None:
        mm.register("m", Counts(), batch_size=10)
        first, second = run("m"), run("m")
        assert first["m"]["prediction"].tolist() == second["m"]["prediction"].tolist()
        assert np.allclose(first["m"]["prediction"][0], X[0].sum() + 1)
        assert not second.nodes.loc["m", "cached"] and "not cacheable" in second.why["m"]
        assert second.models.loc["m", "loads"] == 1

    @pytest.mark.parametrize("how", ["start", Counts.start], ids=["method", "function"])
    def test_a_state_that_can_be_reset_is_kept_loaded_and_cached(self, how: Any) -> None:
        mm.register("m", Counts(), batch_size=10, reset=how)
        first, second = run("m"), run("m", fresh=True)
        assert first["m"]["prediction"].tolist() == second["m"]["prediction"].tolist()
        assert second.models.loc["m", "loads"] == 0
        assert run("m").nodes.loc["m", "cached"]

    def test_a_reset_that_is_not_there(self) -> None:
        with pytest.raises(ModelError, match="did you mean 'start'"):
            mm.register("m", Counts(), reset="strat")

    def test_nan_and_infinity_are_counted_and_warned_of_once(self) -> None:
        class Odd:
            def predict(self, rows: Any) -> Any:
                return np.where(rows[:, 0] > 0.5, np.nan, rows[:, 0])

        mm.register("m", Odd(), batch_size=10)
        result = run("m")
        count = int((X[:, 0] > 0.5).sum())
        assert result.models.loc["m", "not_finite"] == count
        (said,) = result.warnings["message"]
        assert said.startswith(f"model 'm': {count} of 70 predictions are NaN or infinity")


@pytest.fixture
def server() -> Iterator[Any]:
    """Start a server on this machine that counts its connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    seen: list[int] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                seen.append(1)
                connection.sendall(b"ok")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], seen
    listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept(), which close() does not do
    listener.close()
    thread.join(20)


class Connects:
    """A model that sends a request in each call, as an HTTP client does."""

    def __init__(self, port: int) -> None:
        self.port = port

    def predict(self, rows: Any) -> Any:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.recv(2)
        return [float(row.sum()) for row in rows]


class Gram:
    def predict(self, rows: Any) -> Any:
        return rows @ rows.T


class TestRemote:
    @pytest.mark.parametrize("remote", [None, True])
    def test_a_remote_model_is_asked_for_predictions_alone(self, server: Any, remote: Any) -> None:
        port, seen = server
        mm.register("m", Connects(port), batch_size=23, remote=remote)
        result = run("m")
        assert np.allclose(result["m"]["prediction"].tolist(), X.sum(1))
        model = result.models.loc["m"]
        assert len(seen) == model["batches"] == 4  # one element, and 69 in batches of 23
        assert (model["batch_invariant"], model["repeatable"]) == ("not probed", "not probed")

    def test_a_model_with_remote_false_is_probed(self, server: Any) -> None:
        port, seen = server
        mm.register("m", Connects(port), remote=False)
        assert verdict("m") == (True, True)
        assert len(seen) > 2

    def test_ambiguity_is_an_error_that_names_the_remedy(self) -> None:
        mm.register("m", Gram(), remote=True)
        with pytest.raises(RunError, match="output_batch_axis="):
            run("m")

    def test_heads_are_resolved_by_the_calls_of_the_run(self) -> None:
        def heads(rows: Any) -> Any:
            return [rows.sum(1), rows.max(1)]

        mm.register("m", heads, framework="python", remote=True)
        got = run("m", X[:3])["m"]["prediction"].tolist()
        assert np.allclose(got, np.stack([X[:3].sum(1), X[:3].max(1)], 1))

    def test_a_refused_element_fails_alone(self, server: Any) -> None:
        class Refuses(Connects):
            def predict(self, rows: Any) -> Any:
                made = super().predict(rows)
                if any(row[0] == X[0, 0] for row in rows):
                    raise ValueError("not this one")
                return made

        port, seen = server
        mm.register("m", Refuses(port))
        result = run("m")
        assert len(result["m"]) == 69 and result.failed["id"].tolist() == ["0"]
        assert len(seen) == 70  # each element alone


class TestRagged:
    def test_one_shape_at_a_time_and_back_in_order(self) -> None:
        sizes = [3, 5, 2, 4]
        data = [np.full((sizes[i % 4], 2), i, "float32") for i in range(64)]
        mm.register("m", Mean(), batch_size=64)
        result = run("m", data)
        assert [float(p) for p in result["m"]["prediction"]] == list(range(64))
        assert result.models.loc["m", "batches"] == 4

    def test_preprocess_is_called_once_whatever_is_tried_again(self, tmp_path: Path) -> None:
        log = tmp_path / "log"

        def noted(row: Any) -> Any:
            with log.open("a") as file:
                file.write("x")
            return row

        class Picky(Plain):
            def predict(self, rows: Any) -> Any:
                if (rows[:, 0] > 0.97).any():
                    raise ValueError("too much")
                return super().predict(rows)

        mm.register("m", Picky(), preprocess=noted)
        result = run("m", max_failed=1.0)
        assert len(result.failed) == int((X[:, 0] > 0.97).sum()) > 0
        assert log.stat().st_size == 70

    def test_a_failing_preprocess_fails_only_its_element(self) -> None:
        def half(row: Any) -> Any:
            if row[0] == X[7, 0]:
                raise ValueError("no")
            return row

        mm.register("m", Plain(), preprocess=half)
        result = run("m")
        assert result.failed["id"].tolist() == ["7"] and len(result["m"]) == 69

    @pytest.mark.parametrize("framework", ["torch", "python"])
    def test_collate_packs_elements_of_different_lengths(self, framework: str) -> None:
        class Last(torch.nn.Module):
            """A model that sums each padded sequence."""

            def forward(self, packed: Any) -> Any:
                values, lengths = packed["values"], packed["lengths"]
                inside = torch.arange(values.shape[1]) < lengths[:, None]
                return (values * inside).sum(1)

        def pad(items: list[Any]) -> Any:
            rows = [torch.as_tensor(item) for item in items]
            values = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
            return {"values": values, "lengths": torch.tensor([len(row) for row in rows])}

        def called(packed: Any) -> Any:
            return Last()(packed)

        data = [np.arange(n, dtype="float32") for n in (3, 1, 4, 1, 5)]
        model = Named(Last()) if framework == "torch" else called
        mm.register("m", model, framework=framework, collate=pad)
        result = run("m", data)
        assert [float(p) for p in result["m"]["prediction"]] == [3.0, 0, 6, 0, 10]
        assert result.models.loc["m", "batches"] == 1


class Named(torch.nn.Module):
    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, values: Any, lengths: Any) -> Any:
        return self.inner({"values": values, "lengths": lengths})


class Mean:
    def predict(self, batch: Any) -> Any:
        return np.asarray(batch).mean((1, 2))


class Reuses:
    """A model that returns the same memory in every call."""

    def __init__(self) -> None:
        self.out = np.zeros(64)

    def predict(self, rows: Any) -> Any:
        np.sum(rows, axis=1, out=self.out[: len(rows)])
        return self.out[: len(rows)]


class ReusesTensor(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("out", torch.zeros(64, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.out[: len(x)] = x * 2
        return self.out[: len(x)]


class Changes:
    """A model that changes its input."""

    def predict(self, batch: Any) -> Any:
        made = []
        for one in batch:
            values = one["x"] if isinstance(one, dict) else one
            made.append(float(sum(values)))
            values[0] = 100.0
        return made


class TestMemory:
    @pytest.mark.parametrize("model", [Reuses(), ReusesTensor()], ids=["array", "tensor"])
    def test_a_model_that_returns_the_same_memory_in_every_call(self, model: Any) -> None:
        mm.register("m", model, batch_size=16)
        got = np.stack(run("m")["m"]["prediction"])
        assert np.allclose(got, X.sum(1) if isinstance(model, Reuses) else 2 * X)

    @pytest.mark.parametrize("form", ["arrays", "lists", "records"])
    def test_a_model_that_changes_its_input_changes_nothing_else(self, form: str) -> None:
        data: Any = [list(map(float, row)) for row in X]
        if form == "records":
            data = [{"x": row} for row in data]
        mm.register("m", Changes(), batch_size=16)
        mm.register("again", Changes(), batch_size=16)
        given = X.astype(float) if form == "arrays" else data
        result = mm.run(mm.pipeline("data | [m, again]", data=given), progress=False)
        for name in ("m", "again"):
            assert np.allclose(result[name]["prediction"].tolist(), X.sum(1))
            assert result.models.loc[name, "repeatable"] is True

    def test_a_preprocess_that_changes_its_argument(self) -> None:
        def change(row: Any) -> Any:
            row[0] = 0
            return row

        mm.register("m", Plain(), preprocess=change)
        mm.register("plain", Plain())
        result = mm.run(mm.pipeline("data | [m, plain]", data=X), progress=False)
        assert np.allclose(result["plain"]["prediction"].tolist(), X.sum(1))


class TestTables:
    def test_a_table_whose_index_says_the_order_is_put_in_order(self) -> None:
        def sorted_by_sum(rows: Any) -> Any:
            import pandas as pd

            return pd.Series(rows.sum(1)).sort_values()

        mm.register("m", sorted_by_sum, framework="python")
        result = run("m")
        assert np.allclose(result["m"]["prediction"].tolist(), X.sum(1))
        assert result.models.loc["m", "batch_invariant"] is True

    def test_a_mask_is_kept(self) -> None:
        def masked(rows: Any) -> Any:
            return np.ma.masked_where(rows[:, 0] > 0.5, rows[:, 0])

        mm.register("m", masked, framework="python")
        result = run("m")
        assert result["m"]["prediction"].isna().tolist() == (X[:, 0] > 0.5).tolist()


class ChangesLater:
    """A model whose output changes after some calls, which the probe alone may make."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, rows: Any) -> Any:
        self.calls += 1
        return rows.sum(1) + (1000 if self.calls > 8 else 0)


class Centers:
    """A model whose output depends on the batch if it has four or more elements."""

    def predict(self, rows: Any) -> Any:
        sums = rows.sum(1)
        return sums - sums.mean() if len(sums) > 3 else sums


class Sorts:
    def predict(self, rows: Any) -> Any:
        return np.sort(rows.sum(1))


class Scores(dict):  # type: ignore[type-arg]
    """A dict whose keys are also attributes, a common idiom."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def scores() -> Scores:
    return Scores(a=1.0)


def returns(make: Any) -> Any:
    """Return a model whose outputs for a batch are computed by a function."""

    def model(batch: Any) -> Any:
        return make(batch)

    return model


class TestProbes:
    def test_a_probe_does_not_change_the_model(self) -> None:
        mm.register("m", ChangesLater(), batch_size=20)
        for fresh in (True, True, False):
            assert np.allclose(run("m", fresh=fresh)["m"]["prediction"].tolist(), X.sum(1))

    @pytest.mark.parametrize("model", [Centers(), Sorts()], ids=["centers", "sorts"])
    def test_the_first_batch_of_the_run_is_compared_too(self, model: Any) -> None:
        mm.register("m", model)
        assert verdict("m") == (False, True)

    def test_two_names_of_one_model_are_both_named(self) -> None:
        mm.register("a", Counts())
        mm.register("b", Counts())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = mm.run(mm.pipeline("data | [a, b]", data=X), progress=False)
        assert result.warnings["node"].tolist() == ["a", "b"]

    def test_a_result_of_an_earlier_probe_is_marked(self) -> None:
        class Unseen(Fits):  # a separate class, since the results of probes are kept per model
            """A model that no other test registers."""

        mm.register("m", Unseen())
        assert "earlier run" not in run("m").warnings["message"][0]
        assert "earlier run" in run("m", fresh=True).warnings["message"][0]


class TestOutputs:
    def given(self, make: Any, data: Any = X) -> list[Any]:
        mm.register("m", returns(make), framework="python")
        return list(run("m", data)["m"]["prediction"])

    def test_nullable_numbers_of_a_frame(self) -> None:
        import pandas as pd

        large = 2**53 + 1
        got = self.given(
            lambda rows: pd.DataFrame(
                {"id": pd.array([large if row[0] > 0.5 else None for row in rows], dtype="Int64")}
            )
        )
        expected = [large if row[0] > 0.5 else pd.NA for row in X]
        assert [row["id"] for row in got] == expected or all(
            (a["id"] is b) or a["id"] == b for a, b in zip(got, expected, strict=True)
        )

    def test_keys_stay_what_they_are(self) -> None:
        got = self.given(lambda rows: {1: rows[:, 0] * 0, "1": rows[:, 0] * 0 + 1})
        assert got[5] == {1: 0.0, "1": 1.0}

    def test_two_columns_of_one_name_are_refused(self) -> None:
        import pandas as pd

        with pytest.raises(RunError, match="two columns named 'p'"):
            self.given(lambda rows: pd.DataFrame(rows[:, :2], columns=["p", "p"]))

    def test_a_structured_array_is_a_record_for_each(self) -> None:
        kinds = [("score", "f8"), ("cls", "i4")]
        got = self.given(lambda rows: np.array([(1.0, 2)] * len(rows), dtype=kinds))
        assert got[3] == {"score": 1.0, "cls": 2}

    def test_an_exception_among_the_outputs_fails_its_element(self) -> None:
        bad = ValueError("503")
        mm.register("m", returns(lambda xs: [bad if x == 3 else x for x in xs]), framework="python")
        result = run("m", list(range(20)))
        assert result.failed[["id", "message"]].to_numpy().tolist() == [["3", "503"]]
        assert len(result["m"]) == 19

    def test_one_number_for_the_whole_batch_is_left_out_with_a_warning(self) -> None:
        make = lambda rows: {"loss": float(rows.mean()), "x": rows[:, 0]}  # noqa: E731
        mm.register("m", returns(make), framework="python")
        result = run("m")
        assert set(result["m"]["prediction"][0]) == {"x"}
        assert "its output 'loss' is one number per batch" in result.warnings["message"][0]

    @pytest.mark.parametrize("odd", [scores, io.BytesIO, object], ids=["record", "file", "object"])
    def test_the_attributes_of_an_object_are_not_read(self, odd: Any) -> None:
        got = self.given(lambda xs: [odd() if x == 3 else x for x in xs], list(range(20)))
        assert type(got[3]) in (Scores, io.BytesIO, object) and got[4] == 4

    def test_a_deeply_nested_list_fails_alone(self) -> None:
        def deep(x: Any) -> Any:
            for _ in range(1500):
                x = [x]
            return x

        mm.register(
            "m", returns(lambda xs: [deep(x) if x == 3 else x for x in xs]), framework="python"
        )
        result = run("m", list(range(20)))
        assert result.failed["id"].tolist() == ["3"] and len(result["m"]) == 19

    @pytest.mark.parametrize(
        "made",
        [
            lambda x: x.to_sparse_csr(),
            lambda x: x.to_sparse(),
            lambda x: torch.quantize_per_tensor(x, 2**-8, 0, torch.qint32),
            lambda x: torch.nested.nested_tensor(list(x)),
            lambda x: x.to(torch.float8_e4m3fn),
        ],
        ids=["csr", "coo", "quantized", "nested", "float8"],
    )
    def test_tensors_of_any_kind(self, made: Any) -> None:
        class Made(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> Any:
                return made(x)

        mm.register("m", Made())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            got = np.stack([np.asarray(p) for p in run("m")["m"]["prediction"]])
        assert np.allclose(got, X, atol=0.07)


class TestResultsOfFunctions:
    @pytest.mark.parametrize("where", ["output", "preprocess"])
    def test_of_a_model_in_the_same_memory_each_time(self, where: str) -> None:
        held = np.zeros(3)

        def same(value: Any) -> Any:
            held[:] = value
            return held

        mm.register("m", returns(lambda rows: rows), framework="python", **{where: same})
        assert np.allclose(np.stack(run("m")["m"]["prediction"]), X)

    def test_of_a_step_in_the_same_record_each_time(self) -> None:
        held: dict[str, Any] = {}

        def same(row: Any) -> Any:
            held["sum"] = float(row.sum())
            return held

        graph = mm.pipeline("data | same", data=X, same=same)
        got = mm.run(graph, progress=False)["same"]["value"]
        assert np.allclose([one["sum"] for one in got], X.sum(1))
