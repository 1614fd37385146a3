"""The form that registers a model, controlled as by a browser, with real models."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.tree import DecisionTreeClassifier

import mmnotebook as mm
from mmnotebook.graph.models import Registry
from mmnotebook.ui.builder.form.call_fields import BATCH, ELEMENT, REMOTE, SINGLE
from mmnotebook.ui.builder.form.model_fields import ARGMAX, FILE, FUNCTION
from mmnotebook.ui.builder.form.register_form import RegisterForm

SECONDS = 60


class Net(torch.nn.Module):
    """A network with one layer."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, hidden), torch.nn.Linear(hidden, 10))

    def forward(self, x: torch.Tensor) -> Any:
        return self.layers(x)


class Gate(torch.nn.Module):
    """A model that waits until it is released."""

    started, release = threading.Event(), threading.Event()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.started.set()
        assert self.release.wait(SECONDS)
        return x


def highest(scores: Any) -> int:
    return int(scores.argmax())


class Form:
    """A form with some variables, and the models that it registered."""

    def __init__(self, **variables: Any) -> None:
        self.variables = variables
        self.names: list[str] = []
        self.form = RegisterForm(lambda: self.variables, self.names.append)
        self.form.open()
        self.fields, self.example = self.form.fields, self.form.example

    def fill(self, **values: Any) -> Form:
        for name, value in values.items():
            getattr(self.fields, name).value = value
        return self

    def file(self, path: object, **values: Any) -> Form:
        return self.fill(source=FILE, path=str(path), **values)

    def typed(self, text: str) -> Form:
        self.example.data.value = ""
        self.example.typed.value = text
        return self

    def press(self, button: str) -> str:
        getattr(self.form, button).click()
        assert self.form.wait(SECONDS)
        return self.form.message


@pytest.fixture(scope="module")
def digits() -> pd.DataFrame:
    data = load_digits()
    pixels = data.data[:100].astype(np.float32)
    return pd.DataFrame({"x": list(pixels), "label": data.target[:100]})


@pytest.fixture
def form(digits: pd.DataFrame) -> Iterator[Form]:
    torch.manual_seed(0)
    yield Form(digits=digits, net=Net(), Net=Net, highest=highest, torch=torch, number=3)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pt"
    torch.save(Net(16).state_dict(), path)
    return path


@pytest.fixture
def tree(digits: pd.DataFrame, tmp_path: Path) -> Path:
    model = DecisionTreeClassifier(max_depth=4).fit(np.stack(list(digits["x"])), digits["label"])
    path = tmp_path / "tree.joblib"
    joblib.dump(model, path)
    return path


class Recurrent(torch.nn.Module):
    """A model with state that can be reset."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.GRU(3, 2)

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x)

    def start(self) -> None:
        pass


class TestHowItIsCalled:
    def test_the_axes_of_a_batch(self, models: Registry) -> None:
        form = Form(net=Recurrent()).fill(
            name="m", variable="net", batch_axis="1", output_batch_axis="(1, 1)", reset="start"
        )
        form.fill(remote=REMOTE)
        assert "registered" in form.press("register")
        spec = models["m"]
        assert (spec.batch_axis, spec.output_batch_axis, spec.reset) == (1, (1, 1), "start")
        assert spec.remote is True and spec.batched and spec.cache is None

    def test_predictions_that_are_kept_by_element(self, models: Registry) -> None:
        form = Form(net=Recurrent()).fill(name="m", variable="net", cache=ELEMENT)
        assert "registered" in form.press("register") and models["m"].cache == "element"

    def test_no_batch_axis_and_a_function_that_collates(self, models: Registry) -> None:
        form = Form(net=Recurrent(), pad=highest).fill(name="m", variable="net", batched=SINGLE)
        assert "registered" in form.press("register") and not models["m"].batched
        form.fill(batched=BATCH, collate="pad")
        assert "registered" in form.press("register") and models["m"].collate is highest

    @pytest.mark.parametrize(
        ("field", "text", "said"),
        [
            ("batch_axis", "first", "is not an axis number"),
            ("output_batch_axis", "(0,", "is not an axis"),
            ("collate", "pda", "did you mean 'pad'?"),
        ],
    )
    def test_invalid_options_show_the_reason(self, field: str, text: str, said: str) -> None:
        form = Form(net=Recurrent(), pad=highest).fill(name="m", variable="net", **{field: text})
        assert said in form.fields.check()[field]

    def test_options_that_exclude_each_other(self) -> None:
        form = Form(net=Recurrent()).fill(name="m", variable="net", batched=SINGLE, batch_axis="1")
        assert "batched=False" in form.press("register")

    def test_a_method_that_is_not_there(self) -> None:
        form = Form(net=Recurrent()).fill(name="m", variable="net", reset="strat")
        assert "did you mean &#x27;start&#x27;?" in form.press("register")


class TestRegister:
    def test_a_module_in_a_variable(self, form: Form, models: Registry) -> None:
        form.fill(name="mlp", variable="net", input="x", batch="16", output=ARGMAX)
        said = form.press("register")
        spec = models["mlp"]
        assert (spec.framework, spec.origin, spec.input) == ("torch", "Net", "x")
        assert (spec.batch_size, spec.output, spec.device) == (16, "argmax", "CPU")
        assert form.names == ["mlp"] and "registered: mlp: torch Net" in said

    def test_a_state_dict_with_its_class(self, form: Form, weights: Path, models: Registry) -> None:
        form.file(weights, name="mlp", model_class="Net", model_params='{"hidden": 16}')
        form.press("register")
        spec = models["mlp"]
        assert (spec.form, spec.target, spec.params) == ("state_dict", Net, {"hidden": 16})
        assert spec.batch_size == 64

    def test_a_joblib_file_and_what_it_runs(
        self, form: Form, tree: Path, models: Registry, digits: pd.DataFrame
    ) -> None:
        form.file(tree, name="tree", input="x").press("register")
        assert models["tree"].form == "joblib"
        result = mm.run(mm.pipeline("digits | tree", digits=digits.head(5)))
        assert len(result["tree"]) == 5

    def test_with_a_function_of_the_output_and_several_fields(
        self, form: Form, models: Registry
    ) -> None:
        form.fill(name="m", variable="net", output=FUNCTION, function="highest", input="a, b")
        form.press("register")
        assert models["m"].output is highest and models["m"].input == ("a", "b")

    def test_one_of_the_name_is_replaced_after_it_was_said(
        self, form: Form, models: Registry
    ) -> None:
        mm.register("mlp", Net())
        form.fill(name="mlp")
        assert "replaces mlp: torch Net" in form.fields.message("name")
        form.fill(variable="net", output=ARGMAX).press("register")
        assert models["mlp"].output == "argmax"

    def test_errors_of_register_are_shown(self, form: Form, weights: Path) -> None:
        said = form.file(weights, name="mlp").press("register")
        assert "weights without the module" in said and "→" in said and form.names == []
        assert not form.form.register.disabled

    def test_a_form_that_is_not_filled_is_not_loaded(self, form: Form, models: Registry) -> None:
        assert form.form.register.disabled and form.form.try_it.disabled
        assert "name: " in form.press("register")
        form.fill(name="mlp")
        assert "variable: choose the variable" in form.press("register")
        assert not models


class TestTry:
    def test_a_module_on_the_first_element(
        self, form: Form, digits: pd.DataFrame, models: Registry
    ) -> None:
        form.fill(variable="net", input="x", batch="16")
        assert form.example.data.value == "digits"
        assert not form.form.try_it.disabled and form.form.register.disabled
        last = mm.last
        said = form.press("try_it")
        size = sum(p.nbytes for p in form.variables["net"].parameters())
        assert "It works" in said and "float32 (10,)" in said
        assert f"{size:,} bytes" in said and "16 elements per call" in said
        assert not models and mm.last is last

    def test_a_state_dict_on_a_typed_example(self, form: Form, weights: Path) -> None:
        form.file(weights, model_class="Net", model_params='{"hidden": 16}', output=ARGMAX)
        assert "It works" in form.typed(str([0.5] * 64)).press("try_it")

    def test_a_joblib_file(self, form: Form, tree: Path) -> None:
        assert "It works" in form.file(tree, input="x").press("try_it")

    def test_a_wrong_class(self, form: Form, weights: Path) -> None:
        form.file(weights, model_class="torch.nn.Linear", input="x")
        form.fill(model_params='{"in_features": 64, "out_features": 10}')
        said = form.press("try_it")
        assert "does not fit Linear" in said and "mm-error" in said

    def test_a_missing_file(self, form: Form, tmp_path: Path) -> None:
        form.file(tmp_path / "no.pt")
        assert "there is no such file" in form.fields.message("path")
        assert form.form.try_it.disabled
        assert "file: there is no such file" in form.press("try_it")

    def test_a_model_that_raises(self, form: Form) -> None:
        said = form.fill(variable="net").typed("[1.0, 2.0]").press("try_it")
        assert "fails on the example: RuntimeError: mat1 and mat2" in said and "→" in said

    def test_a_file_that_went_away_and_data_that_cannot_be_read(
        self, form: Form, tree: Path
    ) -> None:
        form.variables["gone"] = "no/such/*.csv"
        form.form.refresh()
        form.file(tree)
        form.example.data.value = "gone"
        assert "no file matches" in form.press("try_it")
        tree.unlink()
        assert "there is no such file" in form.press("try_it")

    def test_the_kernel_goes_on_while_a_model_is_loading(self, form: Form) -> None:
        form.variables["gate"] = Gate()
        form.form.refresh()
        form.fill(variable="gate").typed("[1.0]")
        form.form.try_it.click()
        assert Gate.started.wait(SECONDS)
        assert 'role="status"' in form.form.message and "loading" in form.form.message
        assert form.form.try_it.disabled and form.form.register.disabled
        form.fill(batch="8")
        form.form.register.click()
        assert form.form.register.disabled, "one thing at a time"
        Gate.release.set()
        assert form.form.wait(SECONDS)
        assert "It works" in form.form.message and not form.form.try_it.disabled


class TestFields:
    @pytest.mark.parametrize(
        ("field", "value", "says"),
        [
            ("name", "a b", "a Python identifier"),
            ("name", "map", "the name of a step"),
            ("batch", "0", "a positive integer"),
            ("batch", "many", "a positive integer"),
            ("input", "a,,b", "a name is missing before or after a comma"),
        ],
    )
    def test_are_checked_while_typing(self, form: Form, field: str, value: str, says: str) -> None:
        form.fill(**{field: value})
        assert says in form.fields.message(field) and 'role="alert"' in form.fields.message(field)
        form.fill(**{field: ""})
        assert form.fields.message(field) == ""

    def test_of_a_class_and_its_arguments(self, form: Form, weights: Path) -> None:
        form.file(weights, model_class="Ne")
        assert "no class is named" in form.fields.message("model_class")
        form.fill(model_class="number")
        assert "it is a int" in form.fields.message("model_class")
        form.fill(model_class="torch.nn.Linear", model_params="{3}")
        assert "is not a dict of names" in form.fields.message("model_params")
        form.fill(output=FUNCTION, function="<i>")
        assert "&lt;i&gt;" in form.fields.message("function")

    def test_a_gpu_for_what_has_none(self, form: Form) -> None:
        form.fill(framework="sklearn", device="GPU")
        assert "sklearn runs on the CPU" in form.fields.message("device")
        form.fill(framework="torch")
        assert form.fields.message("device") == ""

    def test_offer_existing_variables(
        self, form: Form, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tree.parent)
        form.form.refresh()
        assert [value for _, value in form.fields.variable.options] == ["", "net"]
        assert form.fields.path.options == ("tree.joblib",)
        assert form.fields.model_class.options == ("Net",)
        assert "highest" in form.fields.function.options
        assert form.fields.input.options == ("x", "label")
        assert "torch" in form.fields.framework.options

    def test_files_that_can_run_code_are_marked_and_not_opened(
        self, form: Form, tmp_path: Path
    ) -> None:
        path, trace = tmp_path / "evil.pkl", tmp_path / "trace"
        path.write_bytes(pickle.dumps(Evil(trace)))
        form.file(path, name="evil")
        assert "can run code" in form.fields.message("path")
        assert not trace.exists()
        form.file(tmp_path / "evil.pt")
        assert "did you mean" not in form.fields.message("path")

    def test_a_variable_that_is_gone(self, form: Form) -> None:
        form.fill(variable="net")
        del form.variables["net"]
        form.fill(batch="8")
        assert "no longer a variable of the notebook" in form.fields.message("variable")
        form.form.refresh()
        assert form.fields.variable.value == ""

    def test_typed_examples(self, form: Form) -> None:
        form.typed("[1, 2")
        assert "a number, a string in quotes" in form.example.message
        form.typed('{"x": [1.5]}')
        assert form.example.message == "" and form.example.literal() == {"x": [1.5]}


class Evil:
    """A pickle that creates a file if it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_it_opens_and_closes() -> None:
    form = RegisterForm(dict, lambda name: None)
    assert form.comm is not None and form.layout.display == "none"
    form.open()
    assert form.layout.display is None
    form.close_it.click()
    assert form.layout.display == "none"


def test_the_static_view(models: Registry) -> None:
    form = RegisterForm(dict, lambda name: None)
    assert form._repr_mimebundle_()["text/plain"] == "A form that registers models"
    mm.register("mlp", Net())
    bundle = form._repr_mimebundle_()
    assert "mlp: torch Net" in bundle["text/plain"] and "torch Net" in bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


class Lazy:
    """A module that imports its attributes on access, which fails."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("not installed")


@pytest.mark.parametrize(
    "path", ["a\0b", "~nobody_here/model.pt", "x" * 5_000], ids=["null", "home", "long"]
)
def test_a_path_that_cannot_be_one_is_said(path: str) -> None:
    made = Form()
    made.form.fields.source.value = FILE
    made.form.fields.path.value = path
    assert "no such file" in made.form.fields.message("path")


def test_a_class_that_cannot_be_looked_up_is_said() -> None:
    made = Form(lazy=Lazy())
    made.form.fields.source.value = FILE
    made.form.fields.model_class.value = "lazy.Net"
    assert "not installed" in made.form.fields.message("model_class")


class Leaving:
    """A model that exits the interpreter when it is called."""

    def predict(self, batch: Any) -> Any:
        raise SystemExit("away")


def test_a_model_that_ends_the_interpreter_leaves_the_form_alive() -> None:
    made = Form(leaving=Leaving(), rows=[1.0])
    made.form.fields.name.value = "leaving"
    made.form.fields.variable.value = "leaving"
    assert not made.form.try_it.disabled
    made.form.try_it.click()
    assert made.form.wait(SECONDS)
    assert "SystemExit" in made.form.message
    assert not made.form.try_it.disabled
