"""A run uses the current state of a model: its files, its object, its classes, its libraries."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import joblib
import numpy as np
import pytest
import torch
from apache_beam.io.filesystem import FileMetadata, FileSystem, MatchResult
from apache_beam.ml.inference.base import ModelHandler
from apache_beam.ml.inference.pytorch_inference import PytorchModelHandlerTensor
from apache_beam.ml.inference.sklearn_inference import SklearnModelHandlerNumpy
from sklearn.datasets import load_files
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mmnotebook as mm
from mmnotebook import storage
from mmnotebook.errors import ModelError
from mmnotebook.fingerprint import installed
from mmnotebook.model import held_files
from tests.runtime import kernel_script

ROWS = [np.array([1.0, 2.0], "f4"), np.array([3.0, 4.0], "f4")]
CACHED = "read from the cache"


def run(name: str = "m", **options: Any) -> mm.Result:
    return mm.run(mm.pipeline(f"rows | {name}", rows=ROWS), progress=False, **options)


def answers(name: str = "m", **options: Any) -> list[float]:
    return [float(np.ravel(one)[0]) for one in run(name, **options)[name]["prediction"]]


def why(name: str = "m") -> str:
    return str(run(name).why[name])


def constant(value: int) -> DummyClassifier:
    return DummyClassifier(strategy="constant", constant=value).fit([[0], [1]], [0, 1])


def linear(factor: float) -> LinearRegression:
    return LinearRegression().fit([[0.0, 0.0], [1.0, 0.0]], [0.0, factor])


def net(weight: float = 1.0) -> torch.nn.Linear:
    made = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(made.weight, weight)
    torch.nn.init.constant_(made.bias, 0.0)
    return made


class Table:
    """A pure Python model whose parts can be changed in place."""

    def __init__(self) -> None:
        self.scale = {"by": [1.0]}

    def predict(self, batch: Any) -> list[float]:
        return [float(row.sum()) * self.scale["by"][0] for row in batch]


class Slots:
    """A model that cannot be weakly referenced."""

    __slots__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def predict(self, batch: Any) -> list[float]:
        return [float(row.sum()) * self.factor for row in batch]


class Around(ModelHandler[Any, Any, Any]):
    """A handler that contains a live model."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def load_model(self) -> Any:
        return self.model

    def run_inference(self, batch: Any, model: Any, inference_args: Any = None) -> Any:
        return model.predict(np.stack(batch))


class Reads:
    """A model that reads a file when it is unpickled, and pickles only the path."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.__setstate__({"path": path})

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.path = state["path"]
        self.factor = float(Path(self.path).read_text("utf-8"))

    def predict(self, batch: Any) -> list[float]:
        return [float(row.sum()) * self.factor for row in batch]


class Opens(ModelHandler[Any, Any, Any]):
    """A handler that opens a file itself, so that its outputs are not cached."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def load_model(self) -> float:
        return float(Path(self.path).read_text("utf-8"))

    def run_inference(self, batch: Any, model: float, inference_args: Any = None) -> Any:
        return [float(row.sum()) * model for row in batch]


class Folder(ModelHandler[Any, Any, Any]):
    """A handler that sums the numbers in the files of nested folders."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.settings = {"where": [folder]}

    def load_model(self) -> float:
        return sum(map(float, load_files(self.settings["where"][0]).data))

    def run_inference(self, batch: Any, model: float, inference_args: Any = None) -> Any:
        return [float(row.sum()) * model for row in batch]


# Live objects


def refit(pipeline: Any) -> None:
    pipeline[1].fit([[0.0, 0.0], [1.0, 0.0]], [0.0, 7.0])


def through_numpy(module: torch.nn.Linear) -> None:
    module.weight.detach().numpy()[:] = 5  # torch does not increase the version for this change


def forward(module: torch.nn.Linear) -> None:
    module.forward = lambda x: x.sum(1, keepdim=True) * 9  # type: ignore[method-assign]


def buffer(module: torch.nn.Module) -> None:
    module.running_mean += 4  # type: ignore[operator]


def by(factor: float) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        model.scale["by"][0] = factor

    return change


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "a weight in place": (net, lambda m: m.weight.data.mul_(5)),
    "a weight through numpy": (net, through_numpy),
    "forward on the object": (net, forward),
    "a buffer": (lambda: torch.nn.BatchNorm1d(2).eval(), buffer),
    "a layer": (
        lambda: torch.nn.Sequential(net()),
        lambda m: m.__setitem__(0, net(3.0)),
    ),
    "an estimator": (
        lambda: linear(1.0),
        lambda m: m.fit([[0.0, 0.0], [1.0, 0.0]], [0.0, 3.0]),
    ),
    "an attribute of it": (lambda: linear(1.0), lambda m: m.coef_.__imul__(3)),
    "a step of a pipeline": (
        lambda: make_pipeline(StandardScaler(), LinearRegression()).fit(
            [[0.0, 0.0], [1.0, 0.0]], [0.0, 1.0]
        ),
        refit,
    ),
    "a list in a dict": (Table, by(4.0)),
    "a slot": (lambda: Slots(1.0), lambda m: setattr(m, "factor", 2.0)),
    "what a handler holds": (lambda: Around(Table()), lambda m: by(4.0)(m.model)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_run_uses_the_current_state_of_a_live_model(kind: str) -> None:
    make, change = CHANGES[kind]
    model, other = make(), make()
    mm.register("m", model)
    first = answers()
    assert why() == CACHED
    change(model)
    assert why() == "its model m changed"
    second = answers()
    assert second != first
    assert why() == CACHED
    change(other)
    mm.register("other", other)
    assert answers("other") == second
    mm.register("again", make())
    assert answers("again") == first


def test_the_weight_of_the_model_that_runs_is_shown() -> None:
    model = torch.nn.Sequential(net())
    mm.register("m", model)
    before = run().models["parameter_bytes"].iloc[0]
    model.append(torch.nn.Linear(1, 8))
    assert run().models["parameter_bytes"].iloc[0] == before + 4 * 16
    assert list(mm.models.table.index).count("m") == 1


def test_a_deleted_object_keeps_its_stored_state() -> None:
    model = net(2.0)
    mm.register("m", model)
    first = answers()
    del model
    mm.unload()
    assert answers(fresh=True) == first
    assert why() == CACHED


@pytest.mark.parametrize("times", [1, 10**6])
def test_a_model_trained_while_it_is_stored_is_stored_again(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, create = Table(), storage.create_private

    def training(path: Path) -> Any:
        if model.scale["by"][0] <= times:
            model.scale["by"][0] += 1
        return create(path)

    monkeypatch.setattr(storage, "create_private", training)
    if times == 1:
        mm.register("m", model)
        assert answers() == [6.0, 14.0]
    else:
        with pytest.raises(ModelError, match="changes while it is stored"):
            mm.register("m", model)


def test_a_model_trained_while_it_runs_is_cached_under_its_first_state() -> None:
    model = Table()
    mm.register("m", model)
    told: list[Any] = []

    def train(event: Any) -> None:
        told.append(event)
        by(3.0)(model)

    assert answers(subscribers=[train]) == [3.0, 7.0]
    assert told
    assert answers() == [9.0, 21.0]
    by(1.0)(model)
    assert answers() == [3.0, 7.0]


# Files


SAVED: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "joblib": lambda path, value: joblib.dump(linear(value), path) and {},
    "pickle": lambda path, value: path.write_bytes(pickle.dumps(linear(value))) and {},
    "state dict": lambda path, value: (
        torch.save(net(value).state_dict(), path) or {"model_class": net}
    ),
    "torchscript": lambda path, value: torch.jit.save(torch.jit.script(net(value)), path) or {},
}
ENDINGS = {"joblib": "joblib", "pickle": "pkl", "state dict": "pth", "torchscript": "pt"}


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_run_uses_the_current_content_of_a_file(kind: str, fresh: bool, tmp_path: Path) -> None:
    path = tmp_path / f"m.{ENDINGS[kind]}"
    options = SAVED[kind](path, 1)
    mm.register("m", path, **options)
    SAVED[kind](path, 2)  # before the first run
    second = answers(fresh=fresh)
    SAVED[kind](path, 1)
    first = answers(fresh=fresh)
    assert second != first
    SAVED[kind](path, 2)
    twin = path.with_stem("twin")
    twin.write_bytes(path.read_bytes())
    assert answers(fresh=fresh) == second
    mm.register("twin", twin, **options)
    assert answers("twin") == second


def test_why_says_that_a_file_changed(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(constant(0), path)
    mm.register("m", path)
    run()
    joblib.dump(constant(1), path)
    assert why() == "its model m changed"
    assert why() == CACHED
    joblib.dump(constant(0), path)
    assert why() == CACHED  # its outputs are stored


def test_equal_size_and_times_are_no_equal_file(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    for value in (0, 1):
        joblib.dump(constant(value), path)
        os.utime(path, (0, 0))
        if not value:
            mm.register("m", path)
        assert answers() == [value, value]


def test_a_link_that_is_switched(tmp_path: Path) -> None:
    link = tmp_path / "m.joblib"
    for value in (0, 1):
        joblib.dump(constant(value), tmp_path / f"{value}.joblib")
    link.symlink_to(tmp_path / "0.joblib")
    mm.register("m", link)
    assert answers() == [0.0, 0.0]
    link.unlink()
    link.symlink_to(tmp_path / "1.joblib")
    assert answers() == [1.0, 1.0]


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        joblib.dump(constant(value), tmp_path / name / "m.joblib")
    monkeypatch.chdir(tmp_path / "one")
    mm.register("m", "m.joblib")
    monkeypatch.chdir(tmp_path / "two")
    assert answers() == [0.0, 0.0]


def test_a_file_that_is_no_model_any_more(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(constant(0), path)
    mm.register("m", path)
    assert answers() == [0.0, 0.0]
    path.write_bytes(b"half written")
    with pytest.raises(ModelError, match=r"has changed since it was .*cannot be loaded"):
        run()
    joblib.dump(constant(1), path)
    assert answers() == [1.0, 1.0]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Any]]:
    """Replace a file at each load of scikit-learn's handler; the list has the new contents."""
    waiting: list[tuple[Path, Any]] = []
    load = SklearnModelHandlerNumpy.load_model

    def late(self: Any) -> Any:
        if waiting:
            path, model = waiting.pop(0)
            path.write_bytes(pickle.dumps(model))
        return load(self)

    monkeypatch.setattr(SklearnModelHandlerNumpy, "load_model", late)
    return waiting


def test_a_file_that_changes_while_it_is_loaded_starts_the_run_anew(
    tmp_path: Path, queue: list[tuple[Path, Any]]
) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(constant(0)))
    mm.register("m", SklearnModelHandlerNumpy(str(path)))
    queue.append((path, constant(1)))
    assert answers() == [1.0, 1.0]
    assert why() == CACHED
    path.write_bytes(pickle.dumps(constant(0)))
    assert answers() == [0.0, 0.0]


def test_one_that_changes_at_every_load_is_refused(
    tmp_path: Path, queue: list[tuple[Path, Any]]
) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(constant(1)))
    mm.register("m", SklearnModelHandlerNumpy(str(path)))
    queue += [(path, constant(value % 2)) for value in range(5)]
    with pytest.raises(ModelError, match="changed while it was loaded"):
        run()
    queue.clear()
    assert answers() == [0.0, 0.0]


def test_the_file_of_a_handler_that_cannot_be_known(tmp_path: Path) -> None:
    path = tmp_path / "factor.txt"
    mm.register("m", Opens(str(path)))
    for factor in (1.0, 2.0):
        path.write_text(str(factor))
        assert answers() == [3.0 * factor, 7.0 * factor]


def test_results_of_a_file_that_changed_during_the_run_are_not_cached(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(constant(0), path)
    mm.register("m", path)

    def retrain(x: Any) -> Any:
        joblib.dump(constant(1), path)
        return x

    graph = mm.pipeline("rows | m | retrain", rows=ROWS, retrain=retrain)
    r = mm.run(graph, progress=False)
    assert [int(one) for one in r["m"]["prediction"]] == [0, 0]
    assert "changed while it ran" in r.why["m"]
    assert answers() == [1.0, 1.0]


# Files that objects refer to


def test_the_file_of_a_beam_handler(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    for value in (0, 1, 0):
        path.write_bytes(pickle.dumps(constant(value)))
        if "m" not in mm.registry or not value:
            mm.register("m", SklearnModelHandlerNumpy(model_uri=str(path)))
        assert answers() == [value, value]
    assert why() == CACHED


def test_the_weights_of_a_beam_handler_inside_of_others(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(net(1.0).state_dict(), path)
    handler = PytorchModelHandlerTensor(state_dict_path=str(path), model_class=net, model_params={})
    mm.register("m", handler.with_preprocess_fn(torch.from_numpy))
    assert answers() == [3.0, 7.0]
    torch.save(net(2.0).state_dict(), path)
    assert answers() == [6.0, 14.0]
    assert why() == CACHED


@pytest.mark.parametrize("live", [True, False])
def test_files_read_when_an_object_is_unpickled(live: bool, tmp_path: Path) -> None:
    read, saved = tmp_path / "factor.txt", tmp_path / "m.joblib"
    read.write_text("1")
    joblib.dump(Reads(str(read)), saved)
    held = Reads(str(read))
    mm.register("m", held if live else saved, framework="python")
    assert answers() == [3.0, 7.0]
    read.write_text("2")
    del held  # an object that still exists read it before
    assert answers() == [6.0, 14.0]


def test_a_folder_with_a_file_more(tmp_path: Path) -> None:
    inner = tmp_path / "models" / "inner"
    inner.mkdir(parents=True)
    (inner / "one.txt").write_text("1")
    mm.register("m", Folder(str(inner.parent)))
    assert answers() == [3.0, 7.0]
    (inner / "two.txt").write_text("1")
    assert answers() == [6.0, 14.0]
    (inner / "one.txt").write_text("2")
    assert answers() == [9.0, 21.0]
    assert why() == CACHED


def test_a_folder_that_is_too_big_is_never_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_files, "_MOST_FILES", 1)
    (tmp_path / "inner").mkdir()
    for name in "ab":
        (tmp_path / "inner" / f"{name}.txt").write_text("1")
    mm.register("m", Folder(str(tmp_path)))
    for _ in range(2):
        assert why().startswith("not cacheable: it refers to the folder")


@pytest.mark.parametrize("text", ["/", ".", "..", "~", "no such file", "/no/such/file", "a\nb"])
def test_texts_that_do_not_name_a_file(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").mkdir()
    assert held_files.paths({"text": text, "rows": [1, 2.0]}, np.zeros(3), torch.zeros(3)) == ()


def test_texts_are_found_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt", "c.txt", "d.txt", "e.txt"):
        Path(name).touch()
    default = str(tmp_path / "d.txt")

    def reads(path: str = default) -> str:
        return path + "e.txt" + Path("e.txt").read_text("utf-8")

    held = [("a.txt",), {"x": Path("b.txt")}, np.array(["c.txt"]), reads]
    found = {Path(path).name for path in held_files.paths(held)}
    assert found == {"a.txt", "b.txt", "c.txt", "d.txt", "e.txt"}


class Toys(FileSystem):
    """A remote file system that returns the checksums of its files."""

    versions: ClassVar[dict[str, str]] = {}

    @classmethod
    def scheme(cls) -> str:
        return "toys"

    def match(self, patterns: Any, limits: Any = None) -> Any:
        return [
            MatchResult(one, [FileMetadata(one, 1)] if one in self.versions else [])
            for one in patterns
        ]

    def exists(self, path: str) -> bool:
        return path in self.versions

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, 1)

    def checksum(self, path: str) -> str:
        return self.versions[path]

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)

    join = split = mkdirs = has_dirs = _list = create = open = copy = rename = size = (
        last_updated
    ) = delete = None  # type: ignore[assignment]


class Elsewhere(Table):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


def test_a_remote_file_counts_by_its_stores_version() -> None:
    Toys.versions["toys://bucket/m"] = "one"
    mm.register("m", Elsewhere("toys://bucket/m"))
    run()
    assert why() == CACHED
    Toys.versions["toys://bucket/m"] = "two"
    assert why() == "its model m changed"


def test_a_remote_file_without_a_version_is_never_cached() -> None:
    mm.register("m", Elsewhere("nowhere://bucket/m"))
    for _ in range(2):
        assert "'nowhere://bucket/m', which cannot be read" in why()
    mm.register("m", Elsewhere("https://example.com/endpoint"))
    run()
    assert why() == CACHED


# Code


@pytest.fixture
def module(tmp_path: Path) -> Iterator[Callable[[int], Any]]:
    """Return a function that writes a user's module and reloads it."""
    name = f"own_{tmp_path.name}".replace("-", "_")
    sys.path.insert(0, str(tmp_path))

    def write(factor: int) -> Any:
        (tmp_path / f"{name}.py").write_text(
            "class Sum:\n    def predict(self, batch):\n"
            f"        return [{factor} * float(sum(x)) for x in batch]\n"
        )
        importlib.invalidate_caches()
        sys.modules.pop(name, None)
        return importlib.import_module(name)

    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield write
    sys.dont_write_bytecode = before
    sys.path.remove(str(tmp_path))
    sys.modules.pop(name, None)


@pytest.mark.parametrize("kind", ["file", "handler", "live"])
def test_the_class_that_a_pickle_takes_from_a_module(
    kind: str, module: Callable[[int], Any], tmp_path: Path
) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(module(1).Sum()))
    if kind == "file":
        mm.register("m", path, framework="python")
    elif kind == "handler":
        mm.register("m", SklearnModelHandlerNumpy(model_uri=str(path)))
    else:
        mm.register("m", pickle.loads(path.read_bytes()))
    assert answers() == [3.0, 7.0]
    assert why() == CACHED
    module(2)
    assert answers() == [6.0, 14.0]
    assert why() == CACHED


def test_the_library_that_loads_a_file_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(constant(0), path)
    mm.register("m", path)
    run()
    assert why() == CACHED
    content = installed.content
    monkeypatch.setattr(
        installed,
        "content",
        lambda top: content(top)._replace(digest="another") if top == "sklearn" else content(top),
    )
    assert why() == "its model m changed"


def test_a_new_kernel_reuses_unchanged_entries(tmp_path: Path) -> None:
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(linear(2.0)))
    code = """
import mmnotebook as mm, numpy as np
from apache_beam.ml.inference.sklearn_inference import SklearnModelHandlerNumpy
mm.register("file", path)
mm.register("handler", SklearnModelHandlerNumpy(model_uri=path))
r = mm.run(mm.pipeline("rows | [file, handler]", rows=[np.array([1.0, 2.0])]), progress=False)
answers = [round(float(r[name]["prediction"][0])) for name in ("file", "handler")]
say([answers, r.why["file"], r.why["handler"]])
"""
    assert kernel_script.run(code, tmp_path, path=str(path))[0] == [2, 2]
    assert kernel_script.run(code, tmp_path, path=str(path)) == [[2, 2], CACHED, CACHED]
    path.write_bytes(pickle.dumps(linear(3.0)))
    assert kernel_script.run(code, tmp_path, path=str(path))[0] == [3, 3]
