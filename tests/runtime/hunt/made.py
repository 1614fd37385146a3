"""Small models of every framework, each created for a number that its outputs show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

# Offline mode, so that nothing waits for the hub.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "good", "film", "story"]
ROWS = np.random.default_rng(0).random((40, 2))


def targets(factor: float) -> Any:
    return ROWS[:, 0] * factor


def onnx_model(factor: float) -> Any:
    """Return a model that multiplies by a matrix."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.full((2, 1), factor, np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def onnx_file(path: str, factor: float) -> None:
    import onnx

    onnx.save(onnx_model(factor), path)


def onnx_external(path: str, factor: float) -> None:
    """Return a model with its weights in a separate file."""
    import onnx

    Path(path).with_suffix(".data").unlink(missing_ok=True)
    onnx.save(
        onnx_model(factor), path, save_as_external_data=True,
        location=f"{Path(path).stem}.data", size_threshold=0,
    )  # fmt: skip


def onnx_by_hand(model: Any, rows: Any) -> Any:
    import onnxruntime

    content = model if isinstance(model, str) else model.SerializeToString()
    return onnxruntime.InferenceSession(content).run(None, {"x": rows})[0]


def linear(factor: float) -> Any:
    import torch

    layer = torch.nn.Linear(2, 1)
    torch.nn.init.constant_(layer.weight, factor)
    torch.nn.init.zeros_(layer.bias)
    return layer.eval()


def keras_model(factor: float) -> Any:
    import keras

    start = keras.initializers.Constant(factor)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer=start)])


def _config(**options: Any) -> Any:
    import transformers

    small = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    return transformers.BertConfig(
        vocab_size=len(WORDS), num_hidden_layers=1, **small, **options
    )  # fmt: skip


def tokenizer() -> Any:
    import transformers

    return transformers.BertTokenizerFast(vocab={word: n for n, word in enumerate(WORDS)})


def classifier(factor: float) -> Any:
    """Return a classifier with three classes."""
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(_config(num_labels=3)).eval()
    model.classifier.bias.data[:] = torch.tensor([factor, -factor, 0.0])
    return model


def text_pipeline(factor: float) -> Any:
    import transformers

    return transformers.pipeline(
        "text-classification", model=classifier(factor), tokenizer=tokenizer(), device="cpu",
    )  # fmt: skip


def encoder(factor: float, folder: str) -> Any:
    """Return a sentence encoder whose transformer is stored in a folder."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    torch.manual_seed(int(factor))
    transformers.BertModel(_config()).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return SentenceTransformer(modules=[Transformer(folder), Pooling(8)], device="cpu")
