"""The actions of functions and models are observed while a node is computed, and no others."""

from __future__ import annotations

import csv
import ctypes
import datetime
import filecmp
import gzip
import importlib.util
import json
import logging
import os
import pickle
import queue
import random
import resource
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnx
import onnx.helper
import onnxruntime
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import safetensors.torch
import torch
import xgboost
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import shuffle

import mmnotebook as mm
from mmnotebook.beam.dofns.tracking import Tracker
from mmnotebook.fingerprint import origin
from mmnotebook.observing import Observed, Record, notify, profile, within
from mmnotebook.state import run_state

ROWS = np.random.default_rng(0).random((50, 4)).astype(np.float32)
LABELS = (ROWS[:, 0] > 0.5).astype(int)
native = pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports file events")


def recorded(function: Callable[..., Any], *given: Any, record: Record | None = None) -> Record:
    """Return the record of one call."""
    record = record or Record([function])
    try:
        with within(record):
            function(*given)
    finally:
        record.close()
    return record


def seen(function: Callable[..., Any], *given: Any) -> Observed:
    """Return the observations of one call, which must be complete."""
    record = recorded(function, *given)
    assert record.complete, record.unwatched
    return record.observed()


def installed_below(library: Path) -> Callable[[str], bool]:
    """Return a check whether a file is installed that also accepts files below a folder."""
    before = origin.is_installed
    return lambda file: before(file) or file.startswith(f"{library}/")


def seen_as_ours(function: Callable[..., Any], given: Any) -> Observed:
    """Return the observations of a call through our own code, as in a run."""
    record = Record([function])
    with within(record):
        outcome = Tracker("node", "").each(["1"], [given], function)
    record.close()
    assert not outcome.failed, outcome.failed
    assert record.complete, record.unwatched
    return record.observed()


def has_read(found: Observed, path: Path) -> bool:
    """Return whether the observations include the content of a file."""
    return (found.files.get(str(path)) or "").startswith("content")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file of each format, which no other test uses."""
    table = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('{"a": 1}')
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": 1}))
    np.save(tmp_path / "a.npy", np.arange(3))
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(b"a")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", "a")
    database = sqlite3.connect(tmp_path / "a.db")
    database.execute("create table t (a)")
    database.commit()
    database.close()
    safetensors.torch.save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pt")
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(tmp_path / "a.jit"))
    onnx.save(relu(), tmp_path / "a.onnx")
    return tmp_path


def relu() -> Any:
    """Return a model for ONNX Runtime."""
    kind = onnx.TensorProto.FLOAT
    places = [onnx.helper.make_tensor_value_info(name, kind, [None, 4]) for name in "xy"]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "relu", places[:1], places[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    return model


def query(path: str) -> Any:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("select * from t").fetchall()
    finally:
        connection.close()


def fd_of(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.read(handle, 10)
    finally:
        os.close(handle)


READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "open": ("a.csv", lambda path: open(path).close()),
    "os.open": ("a.csv", fd_of),
    "pathlib": ("a.json", lambda path: Path(path).read_text()),
    "csv": ("a.csv", lambda path: list(csv.reader(Path(path).open()))),
    "json": ("a.json", lambda path: json.loads(Path(path).read_bytes())),
    "pickle": ("a.pkl", lambda path: pickle.loads(Path(path).read_bytes())),
    "gzip": ("a.gz", lambda path: gzip.open(path).read()),
    "zipfile": ("a.zip", lambda path: zipfile.ZipFile(path).read("a")),
    "sqlite3": ("a.db", query),
    "numpy.load": ("a.npy", np.load),
    "numpy.memmap": ("a.npy", lambda path: np.load(path, mmap_mode="r")[0]),
    "numpy.fromfile": ("a.npy", lambda path: np.fromfile(path, np.int8)),
    "pandas.read_csv": ("a.csv", pd.read_csv),
    "pandas.read_parquet": ("a.parquet", pd.read_parquet),
    "torch.load": ("a.pt", torch.load),
}
NATIVE_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "pyarrow.csv": ("a.csv", pyarrow.csv.read_csv),
    "pyarrow.memory_map": ("a.csv", lambda path: pa.memory_map(path).read()),
    "pyarrow.parquet": ("a.parquet", pyarrow.parquet.read_table),
    "safetensors": ("a.safetensors", safetensors.torch.load_file),
    "torch.jit.load": ("a.jit", torch.jit.load),
    "onnxruntime": ("a.onnx", onnxruntime.InferenceSession),
}


class TestFiles:
    @pytest.mark.parametrize("name", READERS)
    def test_a_file_that_is_read_is_a_dependency(self, folder: Path, name: str) -> None:
        file, read = READERS[name]
        path = str(folder / file)
        found = seen(lambda: read(path))
        assert path in found.files
        assert not found.volatile
        assert found.changed() == ""
        with (folder / file).open("ab") as more:
            more.write(b"1")
        assert found.changed() == f"the file {file} that it reads changed"

    @native
    @pytest.mark.parametrize("name", NATIVE_READERS)
    def test_so_is_one_that_compiled_code_opens(self, folder: Path, name: str) -> None:
        file, read = NATIVE_READERS[name]
        base, stem = str(folder), file
        found = seen(lambda: read(base + os.sep + stem))
        assert not found.volatile
        (folder / file).write_bytes(b"1")
        assert found.changed() == f"the file {file} that it reads changed"

    @native
    def test_so_is_one_that_an_element_names(self, folder: Path) -> None:
        names = [str(folder / "a.csv"), str(folder / "a.parquet")]
        record = live_run(lambda path: len(pd.read_csv(path).columns), names[:1])
        assert list(record.observed().files) == names[:1]
        record = live_run(lambda path: pyarrow.parquet.read_table(path).num_rows, names[1:])
        assert list(record.observed().files) == names[1:]

    @native
    def test_so_is_one_in_the_working_directory(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        found = seen(lambda part: pyarrow.csv.read_csv(f"{part}.csv"), "a")
        assert has_read(found, folder / "a.csv")

    @native
    def test_so_is_one_beside_the_file_that_is_named(self, folder: Path) -> None:
        path = str(folder / "a.parquet")
        found = seen(lambda: pyarrow.csv.read_csv(path.replace("parquet", "csv")))
        assert has_read(found, folder / "a.csv")

    @native
    def test_so_is_one_that_a_variable_names(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MMNOTEBOOK_TEST", str(folder))
        found = seen(lambda: pyarrow.csv.read_csv(os.environ["MMNOTEBOOK_TEST"] + "/a.csv"))
        assert has_read(found, folder / "a.csv")

    @native
    def test_so_is_one_that_an_object_names(self, folder: Path) -> None:
        class Reader:
            def __init__(self, where: Path) -> None:
                self.where = {"data": [where]}

            def __call__(self, _: Any) -> Any:
                return pyarrow.csv.read_csv(self.where["data"][0] / "a.csv")

        for reader in (Reader(folder), partial(Reader.__call__, Reader(folder))):
            assert has_read(seen(reader, 1), folder / "a.csv")

    def test_a_file_with_the_same_content_has_not_changed(self, folder: Path) -> None:
        found = seen(lambda: pd.read_csv(folder / "a.csv"))
        os.utime(folder / "a.csv", (1, 1))
        assert found.changed() == ""

    def test_a_file_whose_stamp_is_read_changes_with_its_stamp(self, folder: Path) -> None:
        path = str(folder / "a.csv")
        found = [
            seen(lambda: os.stat(path).st_mtime),
            seen(lambda: os.path.getmtime(path)),
            seen(lambda: Path(path).stat()),
            seen(lambda: [one.stat() for one in os.scandir(folder)]),
        ]
        assert [one.changed() for one in found] == [""] * 4
        os.utime(path, (1, 1))
        assert all("a.csv" in one.changed() for one in found)

    @pytest.mark.parametrize("ask", [os.path.exists, os.path.isfile, lambda p: Path(p).is_file()])
    def test_the_content_of_a_file_checked_for_existence_does_not_count(
        self, folder: Path, ask: Callable[[str], bool]
    ) -> None:
        there, missing = str(folder / "a.csv"), str(folder / "b.csv")
        found = seen(lambda: (ask(there), ask(missing)))
        Path(there).write_text("other")
        assert found.changed() == ""
        Path(missing).touch()
        assert found.changed() == "the file b.csv that it looked for now exists"
        Path(missing).unlink()
        Path(there).unlink()
        assert found.changed() == "the file a.csv that it reads no longer exists"

    def test_stamps_compared_by_a_library_are_dependencies(self, folder: Path) -> None:
        one, other = str(folder / "a.csv"), str(folder / "a.json")
        found = [seen(lambda: filecmp.cmp(one, other)), seen(lambda: filecmp.cmp(one, other))]
        for observed in found:
            assert observed.files.keys() == {one, other} and observed.changed() == ""
        os.utime(other, (1, 1))
        assert all("a.json" in observed.changed() for observed in found)

    def test_a_stat_of_an_ambiguous_path_is_not_cacheable(self, folder: Path) -> None:
        one, other = str(folder / "a.csv"), str(folder / "a.json")
        assert "looks at files" in seen(lambda x: os.stat(one if x else other), 1).volatile
        assert seen(lambda x: os.stat(path=one), 1).files.keys() == {one}

    def test_one_that_is_missing_is_a_dependency(self, folder: Path) -> None:
        def read() -> None:
            with pytest.raises(FileNotFoundError):
                open(folder / "new.csv")

        found = seen(read)
        assert found.files[str(folder / "new.csv")] is None
        (folder / "new.csv").touch()
        assert found.changed() == "the file new.csv that it looked for now exists"

    @pytest.mark.parametrize(
        "ask",
        [
            os.listdir,
            lambda p: list(os.scandir(p)),
            lambda p: list(os.walk(p)),
            lambda p: list(Path(p).glob("*.csv")),
            lambda p: list(Path(p).iterdir()),
        ],
    )
    def test_a_folder_that_is_listed_is_a_dependency(
        self, folder: Path, ask: Callable[[Path], Any]
    ) -> None:
        found = seen(ask, folder)
        assert found.changed() == ""
        (folder / "b.csv").touch()
        assert found.changed() == f"the folder {folder.name} that it lists changed"

    def test_a_relative_path_depends_on_the_working_directory(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        found = seen(lambda: open("a.csv").close())
        assert list(found.files) == [str(folder / "a.csv")]
        assert seen(os.getcwd).environment.keys() == {"."}
        monkeypatch.chdir("/")
        assert found.changed() == "the working directory that it reads changed"

    def test_code_of_packages_is_none_their_data_is(self) -> None:
        code, data = Path(pd.__file__), next(Path(pa.__file__).parent.rglob("*.pxd"))
        found = seen(lambda: (code.read_text(), data.read_text()))
        assert list(found.files) == [str(data)]

    @pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "not compiled"])
    def test_a_module_of_the_users_is_known_by_its_source(
        self, compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "dont_write_bytecode", not compiled)
        (tmp_path / "beside_me.py").write_text("answer = 1")
        monkeypatch.syspath_prepend(str(tmp_path))
        for _ in range(2):  # the second time, Python reads the compiled file

            def imports() -> Any:
                return __import__("beside_me")

            found = seen(imports)
            sys.modules.pop("beside_me", None)
            assert str(tmp_path / "beside_me.py") in found.files
            assert not found.volatile
        assert (tmp_path / "__pycache__").exists() == compiled

    def test_the_folder_of_our_own_code_is_no_dependency(self) -> None:
        # A process that starts in the same folder lists it too, to import the package.
        assert seen(lambda: os.listdir(Path(mm.__file__).parent)) == Observed()

    def test_a_file_that_changes_while_it_is_read_is_not_cacheable(self, folder: Path) -> None:
        path = folder / "a.csv"
        record = recorded(lambda: path.read_text())
        path.write_text("other")
        assert "a.csv that it reads changed while it ran" in record.observed().volatile

    def test_so_is_one_that_is_changed_through_a_memory_map(self, folder: Path) -> None:
        path = folder / "a.npy"
        held = np.lib.format.open_memmap(path, mode="r+")
        held[0] = 5
        os.utime(path, (1, 1))
        record = recorded(lambda: np.load(path))
        held[0] = 6
        os.utime(path, (1, 1))
        assert "a.npy that it reads changed while it ran" in record.observed().volatile

    def test_a_large_file_is_digested_at_the_end(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mmnotebook.observing.record.SMALL", 2)
        found = seen(lambda: (folder / "a.csv").read_text())
        assert found.files[str(folder / "a.csv")].startswith("content")
        assert not found.volatile
        record = recorded(lambda: (folder / "a.csv").read_text())
        (folder / "a.csv").write_text("other")
        assert record.observed().volatile

    def test_a_pipe_has_no_content(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        handle = os.open(path, os.O_RDWR)
        found = seen(lambda: open(path).close())
        os.close(handle)
        assert "not a regular file" in found.volatile

    def test_devices_and_the_kernel(self) -> None:
        assert "random" in seen(lambda: open("/dev/urandom", "rb").read(1)).volatile
        assert seen(lambda: open(os.devnull).close()) == Observed()
        assert seen(lambda: open(os.devnull, "w").close()) == Observed()
        assert "/proc/" in seen(lambda: Path("/proc/meminfo").read_text()).volatile

    def test_the_number_of_an_open_file(self, folder: Path) -> None:
        with open(folder / "a.csv") as file:
            assert "descriptor" in seen(lambda: open(file.fileno(), closefd=False).read()).volatile


def write(path: Path) -> None:
    path.write_text("1")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new").write_text("1"),
        lambda folder: (folder / "a.csv").open("a").close(),
        lambda folder: (folder / "a.csv").unlink(),
        lambda folder: (folder / "a.csv").rename(folder / "b.csv"),
        lambda folder: (folder / "new").mkdir(),
        lambda folder: (folder / "a.csv").chmod(0o600),
        lambda folder: shutil.copyfile(folder / "a.csv", folder / "b.csv"),
        pytest.param(
            lambda folder: pyarrow.csv.write_csv(pa.table({"a": [1]}), str(folder / "new")),
            marks=native,
        ),
    ],
)
def test_a_function_that_changes_files_is_not_cacheable(
    folder: Path, change: Callable[[Path], Any]
) -> None:
    record = Record([lambda: folder])
    recorded(change, folder, record=record)
    assert "files" in record.observed().volatile


RANDOM: dict[str, Callable[[], Any]] = {
    "random": lambda: random.random(),
    "numpy": lambda: np.random.rand(),
    "torch": lambda: torch.rand(1),
    "dropout": lambda: torch.nn.functional.dropout(torch.ones(4)),
    "sklearn": lambda: shuffle([1, 2, 3]),
    "pandas": lambda: pd.DataFrame({"a": range(9)}).sample(2),
    "default_rng": lambda: np.random.default_rng(),
    "RandomState": lambda: np.random.RandomState(),
    "Random": lambda: random.Random(),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "secrets": lambda: secrets.token_hex(),
    "urandom": lambda: os.urandom(1),
    "uuid4": lambda: uuid.uuid4(),
    "uuid1": lambda: uuid.uuid1(),
}
CLOCK: dict[str, Callable[[], Any]] = {
    "time": lambda: time.time(),
    "perf_counter": lambda: time.perf_counter(),
    "strftime": lambda: time.strftime("%Y"),
    "localtime": lambda: time.localtime(),
    "now": lambda: datetime.datetime.now(),
    "today": lambda: datetime.date.today(),
    "in an object that is made": lambda: logging.LogRecord("", 0, "", 0, "", (), None).created,
}


class TestVolatile:
    @pytest.mark.parametrize("name", RANDOM)
    def test_random_numbers(self, name: str) -> None:
        assert seen(RANDOM[name]).volatile.startswith("it drew random numbers")

    @pytest.mark.parametrize("name", CLOCK)
    def test_the_clock(self, name: str) -> None:
        assert seen(CLOCK[name]).volatile.startswith("it reads the clock")

    def test_the_second_number_of_a_pair_that_numpy_keeps(self) -> None:
        np.random.randn()
        assert seen(lambda: np.random.randn()).volatile
        random.gauss(0, 1)
        assert seen(lambda: random.gauss(0, 1)).volatile

    def test_builtins_that_are_a_nodes_function(self) -> None:
        class Asks:
            def __call__(self, given: Any) -> float:
                return time.time()

        assert "clock" in seen_as_ours(Asks(), 1).volatile
        assert seen_as_ours(os.path.getsize, __file__).files.keys() == {__file__}
        assert seen_as_ours(os.stat, __file__).files.keys() == {__file__}
        assert seen_as_ours(os.listdir, "/usr").folders.keys() == {"/usr"}
        assert seen_as_ours(os.environ.get, "HOME").environment.keys() == {"HOME"}
        assert "random" in seen_as_ours(os.urandom, 3).volatile

    @pytest.mark.parametrize(
        ("do", "said"),
        [
            (lambda: subprocess.run(["true"]), "it starts another process"),
            (lambda: os.system("true"), "it starts another process"),
            (lambda: os.getpid(), "it queries the operating system (os.getpid)"),
            (
                lambda: resource.getrusage(resource.RUSAGE_SELF),
                "it queries the operating system (resource.get",
            ),
            (lambda: psutil.Process().cpu_times().user, "it queries the operating system (/proc/"),
            (
                lambda: psutil.virtual_memory().available,
                "it queries the operating system (/proc/meminfo)",
            ),
            (lambda: importlib.util.find_spec("hunted"), "a missing module (hunted)"),
            (lambda: socket.gethostname(), "it reads the host name"),
            (lambda: ctypes.CDLL("libc.so.6").time(None), "through ctypes"),
            (lambda: os.environ.update(MMNOTEBOOK_TEST="1"), "it changes environment variables"),
            (lambda: os.chdir("."), "it changes the working directory"),
        ],
    )
    def test_other_causes(self, do: Callable[[], Any], said: str) -> None:
        try:
            assert said in seen(do).volatile
        finally:
            os.environ.pop("MMNOTEBOOK_TEST", None)

    def test_code_that_the_identity_does_not_know(self) -> None:
        def helper() -> int:
            return 1

        def known() -> int:
            return (lambda: helper())()

        def look(codes: Any) -> str:
            record = Record([known], codes)
            return recorded(known, record=record).observed().volatile

        assert look({known.__code__, helper.__code__}) == ""
        assert look({known.__code__}) == "it ran code that cannot be tracked (helper)"
        assert look(None) == ""

    def test_only_the_users_code_looks_for_modules_that_are_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        optional = "try:\n import hunted\nexcept ImportError:\n hunted = None\n"
        library = tmp_path / "site-packages"
        for folder, name in ((tmp_path, "own_optional"), (library, "library_optional")):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.py").write_text(optional)
            monkeypatch.syspath_prepend(folder)
        monkeypatch.setattr(origin, "is_installed", installed_below(library))
        assert seen(lambda: importlib.import_module("library_optional")).volatile == ""
        assert "(hunted)" in seen(lambda: importlib.import_module("own_optional")).volatile

    def test_a_module_that_is_found_is_a_dependency(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "own_found.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        found = seen(lambda: importlib.util.find_spec("own_found") is not None)
        assert (found.volatile, found.changed()) == ("", "")
        (tmp_path / "own_found.py").unlink()
        assert found.changed() == "the file own_found.py that it reads no longer exists"

    def test_the_last_action_of_a_function_is_observed(self) -> None:
        def late() -> float:
            for _ in range(30_000):
                len("")
            return time.time()

        def call(_: int) -> float:
            return late()

        assert "clock" in seen_as_ours(call, 1).volatile


class TestEnvironment:
    @pytest.mark.parametrize(
        "read",
        [
            lambda: os.environ.get("MMNOTEBOOK_TEST"),
            lambda: os.getenv("MMNOTEBOOK_TEST", "1"),
            lambda: "MMNOTEBOOK_TEST" in os.environ,
        ],
    )
    def test_a_variable_is_a_dependency(
        self, read: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MMNOTEBOOK_TEST", raising=False)
        unset = seen(read)
        monkeypatch.setenv("MMNOTEBOOK_TEST", "1")
        is_set = seen(read)
        said = "the environment variable MMNOTEBOOK_TEST that it reads changed"
        assert (unset.changed(), is_set.changed()) == (said, "")
        monkeypatch.setenv("MMNOTEBOOK_TEST", "2")
        assert is_set.changed() == said
        assert "2" not in json.dumps(seen(read).to_data()["environment"]).split()

    def test_all_variables_are_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = seen(lambda: dict(os.environ))
        assert not found.volatile and found.changed() == ""
        monkeypatch.setenv("MMNOTEBOOK_TEST", "1")
        assert found.changed() == "an environment variable that it reads changed"


def test_the_network() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    found = seen(lambda: socket.create_connection(("127.0.0.1", port)).close())
    server.close()
    assert (found.network, found.volatile) == (True, "")


def logs() -> None:
    logging.getLogger("observed").warning("not shown %s", 1)


def models() -> dict[str, tuple[Callable[[Any], Any], Any]]:
    """Return a model of each framework, and its inputs."""
    made: dict[str, tuple[Callable[[Any], Any], Any]] = {}
    kinds = [
        RandomForestClassifier(3, random_state=0),
        RandomForestClassifier(3, random_state=0, n_jobs=2),
        LogisticRegression(),
        HistGradientBoostingClassifier(random_state=0, max_iter=3),
        KNeighborsClassifier(),
        KMeans(2, random_state=0),
        make_pipeline(StandardScaler(), SVC()),
        xgboost.XGBClassifier(n_estimators=2),
        lightgbm.LGBMClassifier(n_estimators=2, verbose=-1),
    ]
    for at, one in enumerate(kinds):
        one.fit(ROWS, LABELS)
        made[f"{type(one).__name__} {at}"] = one.predict, ROWS
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout()).eval()
    session = onnxruntime.InferenceSession(relu().SerializeToString())
    several = RandomForestClassifier(3, random_state=0).fit(ROWS, np.stack([LABELS, LABELS], 1))
    made["several answers"] = several.predict_proba, ROWS
    made["torch"] = net, torch.from_numpy(ROWS)
    made["torchscript"] = torch.jit.script(net), torch.from_numpy(ROWS)
    made["onnx"] = lambda rows: session.run(None, {"x": rows}), ROWS
    made["pandas"] = lambda rows: pd.DataFrame(rows).groupby(0).mean().describe().to_string(), ROWS
    made["dates"] = lambda day: pd.to_datetime(day) + pd.Timedelta("1d"), "2024-01-01"
    made["numpy"] = lambda rows: np.linalg.svd(rows), ROWS
    made["seeded"] = lambda seed: np.random.default_rng(seed).random(), 1
    made["seeded in Python"] = lambda seed: random.Random(seed).random(), 1
    made["fixed times"] = lambda at: time.strftime("%Y", time.gmtime(at)), 0
    made["logging"] = lambda _: logs(), 0
    made["queue"] = lambda _: (waits := queue.Queue()).put(1) or waits.get(timeout=1), 0
    made["text"] = lambda text: json.loads(json.dumps(os.path.join(text, "a"))), "a"
    return made


MODELS = models()


class TestPlain:
    @pytest.mark.parametrize("name", MODELS)
    def test_deterministic_calls_are_not_volatile(self, name: str) -> None:
        function, given = MODELS[name]
        for found in (seen(lambda: function(given)), seen_as_ours(function, given)):
            assert (found.volatile, found.network) == ("", False)
            assert (found.files, found.folders) == ({}, {})

    def test_nothing_is_seen_of_our_own_work(self) -> None:
        found = seen(lambda: None)
        assert found == Observed()
        assert found.digest() == ""

    def test_a_model_that_is_loaded_may_draw(self, folder: Path) -> None:
        record = Record()
        net = torch.nn.Linear(1, 1)
        with within(record):
            net(torch.ones(1))
            with within(record, loads=True):
                torch.nn.Linear(1, 1)
                torch.load(folder / "a.pt")
                time.time()
            net(torch.ones(1))
        found = record.observed()
        assert found.volatile == ""
        assert list(found.files) == [str(folder / "a.pt")]
        with within(record):
            with within(record, loads=True):
                pass
            torch.rand(1)
        record.close()
        assert record.observed().volatile


class TestThreads:
    def test_actions_of_threads_started_by_a_function(self, folder: Path) -> None:
        def reads(path: Path) -> None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(Path.read_text, [path / "a.csv", path / "a.json"]))

        assert seen(reads, folder).files.keys() == {
            str(folder / "a.csv"),
            str(folder / "a.json"),
        }

    def test_actions_of_threads_of_an_older_pool(self, folder: Path) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(int).result()
            found = seen(lambda: pool.submit(Path.read_text, folder / "a.csv").result())
        assert found.files.keys() == {str(folder / "a.csv")}

    def test_two_records_do_not_mix(self, folder: Path) -> None:
        # Within one folder, the kernel does not report which thread opened a file.
        (folder / "other").mkdir()
        (folder / "other" / "b.csv").write_text("b")
        records = {name: Record() for name in ("a.csv", "other/b.csv")}
        both = threading.Barrier(2)

        def work(name: str) -> None:
            with within(records[name]):
                both.wait(30)
                (folder / name).read_text()
                both.wait(30)

        threads = [threading.Thread(target=work, args=(name,)) for name in records]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for name, record in records.items():
            record.close()
            assert record.observed().files.keys() == {str(folder / name)}

    def test_the_users_own_thread_does_nothing_for_a_node(self, folder: Path) -> None:
        record, begun, done = Record(), threading.Event(), threading.Event()

        def work() -> None:
            with within(record):
                begun.set()
                done.wait(30)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(30)
        (folder / "a.csv").read_text()
        done.set()
        thread.join(30)
        record.close()
        assert record.observed().files == {}


class TestNothingElse:
    def test_is_changed(self, folder: Path) -> None:
        before = random.getstate(), pickle.dumps(np.random.get_state()), torch.get_rng_state()
        environment, folders = dict(os.environ), sorted(os.listdir(folder))
        recorded(lambda: pd.read_csv(folder / "a.csv"))
        after = random.getstate(), pickle.dumps(np.random.get_state()), torch.get_rng_state()
        assert before[:2] == after[:2]
        assert torch.equal(before[2], after[2])
        assert (dict(os.environ), sorted(os.listdir(folder))) == (environment, folders)
        assert sys.getprofile() is None
        assert threading.getprofile() is None if hasattr(threading, "getprofile") else True

    def test_a_profiler_that_is_there_stays_and_is_said(self) -> None:
        def mine(*given: Any) -> None:
            pass

        sys.setprofile(mine)
        try:
            record = recorded(lambda: 1)
            assert sys.getprofile() is mine
        finally:
            sys.setprofile(None)
        assert record.unwatched == ["another profiler is in use"]
        assert not record.complete

    def test_so_does_one_that_the_function_sets(self) -> None:
        def mine(*given: Any) -> None:
            pass

        record = recorded(lambda: sys.setprofile(mine))
        assert sys.getprofile() is mine
        sys.setprofile(None)
        assert not record.complete

    def test_an_exception_of_a_function_is_passed_on(self) -> None:
        record = Record()
        with pytest.raises(ZeroDivisionError), within(record):
            _ = 1 / 0
        record.close()
        assert sys.getprofile() is None
        assert record.complete

    def test_an_object_that_cannot_be_inspected_fails_nothing(self) -> None:
        class Closed:
            @property
            def __class__(self) -> Any:
                raise RuntimeError("not open")

        closed = Closed()
        record = recorded(lambda: closed is None)
        assert record.unwatched == ["what it can reach could not be tracked: RuntimeError"]

    def test_a_record_that_nobody_has_filled_says_so(self) -> None:
        assert not Record().complete

    def test_the_profiler_stops_when_it_has_cost_enough(self) -> None:
        def many(_: int) -> int:
            return sum(len("") for _ in range(10))

        record = Record([many])
        with within(record):
            Tracker("node", "").each(["1"] * 9000, list(range(9000)), many)
            assert sys.getprofile() is None
        record.close()
        assert record.complete

    @native
    def test_folders_are_watched_up_to_a_limit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "below" / "one").mkdir(parents=True)
        monkeypatch.setattr(notify, "_DEEP", 2)
        record = recorded(lambda: tmp_path)
        assert "too many folders" in record.unwatched[0]

    def test_without_file_events_named_files_count_by_content(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(notify._get(), "handle", -1)
        path = str(folder / "a.csv")
        record = recorded(lambda: pyarrow.csv.read_csv(path))
        assert not record.native and record.complete
        found = record.observed()
        Path(path).write_text("other\n")
        assert found.changed() == "the file a.csv that it reads changed"

    @native
    def test_no_watch_remains(self, folder: Path) -> None:
        before = dict(notify._get().watched)  # a function of another test may still run
        recorded(lambda: folder)
        assert notify._get().watched == before


class TestObserved:
    def test_it_survives_json(self, folder: Path) -> None:
        found = seen(
            lambda: ((folder / "a.csv").read_text(), os.getenv("HOME"), os.listdir(folder))
        )
        again = Observed.from_data(json.loads(json.dumps(found.to_data())))
        assert again == found
        assert again.digest() == found.digest() != ""

    def test_two_observations_can_be_combined(self, folder: Path) -> None:
        path = folder / "a.csv"
        read, asked = seen(path.read_text), seen(path.exists)
        both = read | asked
        assert both.files[str(path)] == f"{read.files[str(path)]}, {asked.files[str(path)]}"
        assert not both.volatile
        path.write_text("other")
        assert both.changed()
        assert "changed while it ran" in (read | seen(path.read_text)).volatile


def live_run(function: Callable[[Any], Any], data: Any) -> Record:
    """Return the record of a node `f` in a real run."""
    return records_of(mm.pipeline("d | f", d=data, f=function), f=function)["f"]


def records_of(graph: Any, **functions: Any) -> dict[str, Record]:
    """Return the records of some nodes in a real run."""
    records: dict[str, Record] = {}
    begin = run_state.start

    def start(run: run_state.RunState) -> None:
        records.update({name: Record([one]) for name, one in functions.items()})
        run.records.update(records)
        begin(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_state, "start", start)
        mm.run(graph, progress=False, fresh=True)
    return records


class TestInARun:
    def test_a_function_is_observed_and_nothing_of_ours(self, folder: Path) -> None:
        path = str(folder / "a.csv")
        record = live_run(lambda x: x + len(pd.read_csv(path)), list(range(300)))
        found = record.observed()
        assert record.complete, record.unwatched
        assert (list(found.files), found.folders, found.volatile) == ([path], {}, "")
        assert found.environment == {}

    def test_a_plain_function_depends_on_nothing(self) -> None:
        record = live_run(lambda x: {"twice": x * 2, "text": str(x)}, list(range(10_000)))
        assert record.complete
        assert record.observed() == Observed()

    def test_a_model_is_observed_where_it_is_loaded_and_called(self, tmp_path: Path) -> None:
        path = tmp_path / "forest.joblib"
        joblib.dump(RandomForestClassifier(3, random_state=0).fit(ROWS, LABELS), path)
        mm.register("observed_forest", str(path))
        graph = mm.pipeline("d | observed_forest", d=list(ROWS))
        record = records_of(graph, observed_forest=None)["observed_forest"]
        assert record.complete, record.unwatched
        assert record.entered > 1
        assert (record.observed().volatile, record.observed().network) == ("", False)

    def test_a_failing_function_depends_on_nothing(self) -> None:
        record = live_run(lambda x: 1 / (x - 1), list(range(50)))
        assert record.observed() == Observed()


def test_the_profiler_waits_for_the_result_of_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PATIENCE", "PATIENCE_FOR_VALUES"):
        monkeypatch.setattr(profile, name, 10)

    def long() -> None:
        logs()
        for _ in range(20_000):
            len("")

    assert seen(long).volatile == ""


def test_a_large_forest_is_observed_until_it_returns() -> None:
    given = np.random.default_rng(0).normal(size=(60, 4))
    forest = ExtraTreesClassifier(600, max_depth=1, random_state=0).fit(given, given[:, 0] > 0)
    assert seen(lambda: forest.predict(given)).volatile == ""
