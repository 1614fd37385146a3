"""TensorFlow: Keras models, tf.Modules and SavedModels."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import mmnotebook as mm
from mmnotebook.errors import ModelError
from tests.runtime.toys import shared

pytestmark = pytest.mark.own_process


@pytest.fixture(scope="module")
def kinds() -> ModuleType:
    """Import the module of the models, which imports TensorFlow."""
    return importlib.import_module("tests.runtime.frameworks.tensorflow_models")


@pytest.fixture(scope="module")
def keras(kinds: ModuleType) -> Any:
    kinds.KERAS.utils.set_random_seed(0)
    return kinds.network()


def test_every_form_predicts_as_tensorflow_does(
    rows: list[Any], pixels: np.ndarray[Any, Any], keras: Any, kinds: ModuleType, tmp_path: Path
) -> None:
    keras.save(tmp_path / "net.keras")
    keras.save_weights(tmp_path / "net.weights.h5")
    keras.export(tmp_path / "exported", verbose=False)
    live = mm.register("live", keras, batch_size=16)
    mm.register("file", tmp_path / "net.keras", output="argmax")
    mm.register("weights", tmp_path / "net.weights.h5", model_class=kinds.network)
    mm.register("saved", tmp_path / "exported", method="serving_default")
    module = mm.register("module", kinds.Halves())
    assert (live.framework, live.form, module.form) == ("tensorflow", "keras", "saved_model")
    assert live.fingerprint == mm.register("again", keras).fingerprint
    assert shared(live) == shared(module) == []
    r = mm.run(mm.pipeline("rows | [live, file, weights, saved, module]", rows=rows))

    expected = np.asarray(keras(pixels))
    for name in ("live", "weights", "saved"):
        scores = np.stack(list(r[name]["prediction"]))
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    assert r["file"]["prediction"].tolist() == expected.argmax(1).tolist()
    sums = np.stack([record["sums"][0] for record in r["module"]["prediction"]])
    np.testing.assert_allclose(sums, pixels.sum(1) / 2, rtol=1e-5)
    assert set(r.failed["id"]) == {"7"} and len(r.failed) == 5
    assert r.models.loc["live", "parameter_bytes"] == (64 * 10 + 10) * 4


def test_what_cannot_be_registered(keras: Any, kinds: ModuleType, tmp_path: Path) -> None:
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*save the model again"):
        mm.register("broken", broken)
    unknown = kinds.Unknown()
    unknown(np.zeros((1, 2), np.float32))
    with pytest.raises(ModelError, match="register_keras_serializable"):
        mm.register("unknown", unknown)
    with pytest.raises(ModelError, match="no method or signature 'serving'"):
        mm.register("wrong", keras, method="serving")
