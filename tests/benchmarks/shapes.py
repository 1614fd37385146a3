"""Other shapes than W: texts through a scikit-learn pipeline, pictures through an ONNX model.

Both peers are batched loops by hand over the same file, with the outputs in memory.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnxruntime
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

import mmnotebook as mm
from tests.benchmarks import work
from tests.benchmarks.measuring import Report, in_turns, report, spread

TEXTS, PICTURES = 50_000, 5_000
SIDE = 64
AT_MOST = 1.5


def texts() -> Path:
    """Return a Parquet file of texts of 5 to 60 words, with labels."""
    path = work.FOLDER / "texts.parquet"
    if not path.exists():
        draw = np.random.default_rng(0)
        words = np.array([f"word{number}" for number in range(5000)])
        often = draw.zipf(1.3, size=(TEXTS, 60)) % len(words)
        lengths = draw.integers(5, 61, TEXTS)
        lines = [" ".join(words[row[:length]]) for row, length in zip(often, lengths, strict=True)]
        pd.DataFrame({"text": lines, "label": often[:, 0] % 2}).to_parquet(path)
    return path


@functools.cache
def classifier() -> Pipeline:
    """Return a pipeline that is fitted on the first 5,000 texts."""
    table = pd.read_parquet(texts()).head(5000)
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(table["text"], table["label"])


def pictures() -> Path:
    """Return a file of pictures of 64 x 64 pixels in three colors, as float32."""
    path = work.FOLDER / "pictures.npy"
    if not path.exists():
        draw = np.random.default_rng(0)
        np.save(path, draw.random((PICTURES, 3, SIDE, SIDE), dtype=np.float32))
    return path


def convolutions() -> Path:
    """Return an ONNX model of two convolutions, a mean of each channel and a linear layer."""
    path = work.FOLDER / "convolutions.onnx"
    draw = np.random.default_rng(0)
    weights = {"a": (16, 3, 3, 3), "b": (32, 16, 3, 3), "c": (32, 10)}
    held = [
        onnx.numpy_helper.from_array(draw.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["x", "a"], ["x1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        make("Relu", ["x1"], ["x2"]),
        make("Conv", ["x2", "b"], ["x3"], strides=[2, 2], pads=[1, 1, 1, 1]),
        make("Relu", ["x3"], ["x4"]),
        make("GlobalAveragePool", ["x4"], ["x5"]),
        make("Flatten", ["x5"], ["x6"]),
        make("MatMul", ["x6", "c"], ["y"]),
    ]
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    given, made = value("x", kind, [None, 3, SIDE, SIDE]), value("y", kind, [None, 10])
    graph = onnx.helper.make_graph(nodes, "convolutions", [given], [made], held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def texts_by_hand() -> None:
    """Predict the label of each text, in batches."""
    given, model = pd.read_parquet(texts())["text"].to_numpy(), classifier()
    outputs = np.empty(len(given), int)
    for start in range(0, len(given), work.BATCH):
        outputs[start : start + work.BATCH] = model.predict(given[start : start + work.BATCH])


def pictures_by_hand() -> None:
    """Compute the ten outputs of each picture, in batches."""
    given, session = np.load(pictures()), onnxruntime.InferenceSession(str(convolutions()))
    outputs = np.empty((len(given), 10), np.float32)
    for start in range(0, len(given), work.BATCH):
        batch = given[start : start + work.BATCH]
        outputs[start : start + len(batch)] = session.run(None, {"x": batch})[0]


def texts_by_us() -> None:
    """Run the pipeline of a graph on the texts."""
    if "classifier" not in mm.registry:
        mm.register("classifier", classifier(), batch_size=work.BATCH)
    graph = mm.pipeline(f"read({str(texts())!r})['text'] | classifier")
    mm.run(graph, fresh=True, progress=False)


def pictures_by_us() -> None:
    """Run a graph with the ONNX model on the pictures."""
    if "convolutions" not in mm.registry:
        mm.register("convolutions", str(convolutions()), batch_size=work.BATCH)
    graph = mm.pipeline(f"read({str(pictures())!r}) | convolutions")
    mm.run(graph, fresh=True, progress=False)


KINDS: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
    "texts": (texts_by_hand, texts_by_us),
    "pictures": (pictures_by_hand, pictures_by_us),
}


def measure(repeat: int) -> Report:
    """Return the worse of the two ratios of our time to that of a loop by hand."""
    ratios, detail = {}, {}
    for kind, (peer, ours) in KINDS.items():
        theirs, own = in_turns(peer, ours, repeat)
        ratios[kind] = [one / other for one, other in zip(own, theirs, strict=True)]
        detail[kind] = {"loop": spread(theirs), "ours": spread(own), "ratio": spread(ratios[kind])}
    worst = max(ratios.values(), key=lambda some: sorted(some)[len(some) // 2])
    return report(
        "mmnotebook / batched loop, texts in scikit-learn and pictures in ONNX, the worse one",
        worst,
        at_most=AT_MOST,
        **detail,
    )
