"""The error for a framework that is not installed has the command that installs it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import mmnotebook as mm
from mmnotebook.errors import ModelError
from mmnotebook.model import frameworks


@pytest.fixture
def nothing_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the import of every optional package fail."""
    optional = {module for framework in frameworks.ALL for module in framework.modules}
    found = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name in optional else found(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.mark.parametrize(
    ("target", "options", "install"),
    [
        ("net.onnx", {}, "pip install onnx onnxruntime"),
        ("trees.ubj", {}, "pip install xgboost"),
        ("trees.cbm", {}, 'pip install "mmnotebook.catboost."'),
        ("trees.txt", {}, 'pip install "mmnotebook.lightgbm."'),
        ("net.keras", {}, "pip install tensorflow"),
        ("org/model", {"framework": "huggingface"}, "pip install transformers"),
        (
            "org/model",
            {"framework": "sentence_transformers"},
            'pip install "mmnotebook.sentence_transformers."',
        ),
        ("org/model", {"framework": "vllm"}, "pip install openai vllm"),
        ("123", {"framework": "vertex"}, "pip install google-cloud-aiplatform"),
    ],
)
def test_the_command_that_installs_it(
    nothing_there: None, tmp_path: Path, target: str, options: dict[str, Any], install: str
) -> None:
    if "." in target:
        content = b"tree\nversion=v4\n" if target.endswith(".txt") else b"a model"
        (tmp_path / target).write_bytes(content)
        target = str(tmp_path / target)
    with pytest.raises(ModelError, match=f"cannot be imported\n.*{install}"):
        mm.register("m", target, **options)
