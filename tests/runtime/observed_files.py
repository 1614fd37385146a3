"""Reads files in many ways, each with a record, and prints what was observed.

`strace` runs it. Names of files that do not exist mark in its trace where each way begins and ends.
See `test_observing_traced.py`.
"""

from __future__ import annotations

import bz2
import configparser
import csv
import gzip
import json
import linecache
import lzma
import mmap
import os
import pickle
import sqlite3
import sys
import tarfile
import warnings
import xml.etree.ElementTree
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import PIL.Image
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet
import safetensors.numpy
import safetensors.torch
import scipy.io
import sklearn.datasets
import torch
import xgboost

from mmnotebook.observing import Record, within
from tests.runtime.test_observing import LABELS, ROWS, relu

MARK = "/observed/"


def make(folder: Path) -> None:
    """Write a file of each format."""
    table = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})
    text = b"a,b\n1,2\n"
    (folder / "a.csv").write_bytes(text)
    (folder / "a.gz").write_bytes(gzip.compress(text))
    (folder / "a.bz2").write_bytes(bz2.compress(text))
    (folder / "a.xz").write_bytes(lzma.compress(text))
    (folder / "a.json").write_text('{"a": 1}')
    (folder / "a.xml").write_text("<a>1</a>")
    (folder / "a.ini").write_text("[a]\nb=1")
    (folder / "a.pkl").write_bytes(pickle.dumps(1))
    (folder / "a.svm").write_text("1 1:2\n0 1:1\n")
    table.to_parquet(folder / "a.parquet")
    (folder / "parts").mkdir()
    table.to_parquet(folder / "parts" / "1.parquet")
    pyarrow.feather.write_feather(table, folder / "a.feather")
    np.save(folder / "a.npy", np.arange(9))
    np.savez(folder / "a.npz", a=np.arange(9))
    scipy.io.savemat(folder / "a.mat", {"a": 1})
    PIL.Image.new("RGB", (4, 4)).save(folder / "a.png")
    joblib.dump(1, folder / "a.joblib")
    torch.save({"a": torch.ones(2)}, folder / "a.pt")
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(folder / "a.jit"))
    safetensors.torch.save_file({"a": torch.ones(2)}, folder / "a.safetensors")
    model = relu()
    onnx.save(model, folder / "a.onnx")
    xgboost.XGBClassifier(n_estimators=2).fit(ROWS, LABELS).save_model(folder / "a.ubj")
    trees = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(ROWS, LABELS)
    trees.booster_.save_model(folder / "a.txt")
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a", "a")
    with tarfile.open(folder / "a.tar", "w") as tar:
        tar.add(folder / "a.csv", "a.csv")
    connection = sqlite3.connect(folder / "a.db")
    connection.execute("create table t (a)")
    connection.commit()
    connection.close()


def query(path: str) -> Any:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("select * from t").fetchall()
    finally:
        connection.close()


def mapped(path: str) -> bytes:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        return memory[:3]


WAYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "open": ("a.csv", lambda path: open(path).read()),
    "missing": ("b.csv", lambda path: open(path).read()),
    "pathlib": ("a.csv", lambda path: Path(path).read_text()),
    "mmap": ("a.csv", mapped),
    "csv": ("a.csv", lambda path: list(csv.reader(open(path)))),
    "gzip": ("a.gz", lambda path: gzip.open(path).read()),
    "bz2": ("a.bz2", lambda path: bz2.open(path).read()),
    "lzma": ("a.xz", lambda path: lzma.open(path).read()),
    "json": ("a.json", lambda path: json.load(open(path))),
    "xml": ("a.xml", lambda path: xml.etree.ElementTree.parse(path)),
    "configparser": ("a.ini", lambda path: configparser.ConfigParser().read(path)),
    "pickle": ("a.pkl", lambda path: pickle.load(open(path, "rb"))),
    "linecache": ("a.csv", lambda path: linecache.getlines(path)),
    "zipfile": ("a.zip", lambda path: zipfile.ZipFile(path).read("a")),
    "tarfile": ("a.tar", lambda path: tarfile.open(path).getnames()),
    "sqlite3": ("a.db", query),
    "pandas csv": ("a.csv", lambda path: pd.read_csv(path)),
    "pandas csv by pyarrow": ("a.csv", lambda path: pd.read_csv(path, engine="pyarrow")),
    "pandas parquet": ("a.parquet", lambda path: pd.read_parquet(path)),
    "pandas feather": ("a.feather", lambda path: pd.read_feather(path)),
    "pandas pickle": ("a.pkl", lambda path: pd.read_pickle(path)),
    "pyarrow csv": ("a.csv", lambda path: pyarrow.csv.read_csv(path)),
    "pyarrow parquet": ("a.parquet", lambda path: pyarrow.parquet.read_table(path)),
    "pyarrow dataset": ("parts", lambda path: pyarrow.dataset.dataset(path).to_table()),
    "pyarrow memory map": ("a.csv", lambda path: pa.memory_map(path).read()),
    "pyarrow file": ("a.csv", lambda path: pa.OSFile(path).read()),
    "numpy": ("a.npy", lambda path: np.load(path)),
    "numpy archive": ("a.npz", lambda path: np.load(path)["a"]),
    "numpy memmap": ("a.npy", lambda path: np.lib.format.open_memmap(path, mode="r")[0]),
    "numpy text": ("a.csv", lambda path: np.loadtxt(path, delimiter=",", skiprows=1)),
    "scipy": ("a.mat", lambda path: scipy.io.loadmat(path)),
    "scikit-learn": ("a.svm", lambda path: sklearn.datasets.load_svmlight_file(path)),
    "pillow": ("a.png", lambda path: PIL.Image.open(path).load()),
    "joblib": ("a.joblib", lambda path: joblib.load(path)),
    "torch": ("a.pt", lambda path: torch.load(path)),
    "torch mapped": ("a.pt", lambda path: torch.load(path, mmap=True)),
    "torch from file": ("a.npy", lambda path: torch.from_file(path, size=4)),
    "torchscript": ("a.jit", lambda path: torch.jit.load(path)),
    "safetensors": ("a.safetensors", lambda path: safetensors.torch.load_file(path)),
    "safetensors numpy": ("a.safetensors", lambda path: safetensors.numpy.load_file(path)),
    "onnx": ("a.onnx", lambda path: onnx.load(path)),
    "onnxruntime": ("a.onnx", lambda path: onnxruntime.InferenceSession(path)),
    "xgboost": ("a.ubj", lambda path: xgboost.Booster(model_file=path)),
    "lightgbm": ("a.txt", lambda path: lightgbm.Booster(model_file=path)),
}


def mark(name: str) -> None:
    """Write a mark into the trace."""
    with suppress(FileNotFoundError):
        os.close(os.open(MARK + name, os.O_RDONLY))


def absolute_reader(read: Callable[[str], Any], path: str) -> Callable[[], Any]:
    """Return a function that contains the complete path of the file."""
    return lambda: read(path)


def relative_reader(read: Callable[[str], Any], path: str) -> Callable[[], Any]:
    """Return a function that builds the path from the working directory."""
    first, second = Path(path).name[:1], Path(path).name[1:]
    return lambda: read(first + second)


def observed_files(function: Callable[[], Any], way: str) -> list[str]:
    """Return the files that were observed as read."""
    record = Record([function])
    mark(way)
    with suppress(FileNotFoundError), within(record):
        function()
    mark("")
    record.close()
    found = record.observed()
    read = (path for path, state in found.files.items() if state is None or "content" in state)
    return [*read, *found.folders]


def main(folder: Path) -> None:
    """Run every way; those with complete paths twice, since the first run may import modules."""
    make(folder)
    os.chdir(folder)
    found = {}
    for name, (file, read) in WAYS.items():
        path = str(folder / file)
        found[f"{name} 1"] = observed_files(absolute_reader(read, path), f"{name} 1")
        found[f"{name} 2"] = observed_files(absolute_reader(read, path), f"{name} 2")
        found[f"{name} 3"] = observed_files(relative_reader(read, path), f"{name} 3")
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
