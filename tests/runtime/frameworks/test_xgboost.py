"""XGBoost models: Boosters and the scikit-learn-like ones, live and in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

import mmnotebook as mm
from mmnotebook.errors import ModelError


@pytest.fixture(scope="module")
def classifier(digits: pd.DataFrame) -> xgboost.XGBClassifier:
    """Return a classifier of digits' pixels, in which a pixel of 0 counts as missing."""
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=3, n_jobs=1, missing=0.0)
    return model.fit(np.stack(list(digits["x"])), digits["label"])


@pytest.fixture(scope="module")
def regressor(digits: pd.DataFrame) -> xgboost.XGBRegressor:
    """Return a regressor fitted on named columns."""
    frame = pd.DataFrame(np.stack(list(digits["x"]))[:, 18:21], columns=["a", "b", "c"])
    return xgboost.XGBRegressor(n_estimators=4, max_depth=2, n_jobs=1).fit(frame, digits["label"])


def test_every_form_predicts_as_xgboost_does(
    rows: list[Any],
    pixels: np.ndarray[Any, Any],
    classifier: xgboost.XGBClassifier,
    tmp_path: Path,
) -> None:
    booster = classifier.get_booster()
    booster.save_model(tmp_path / "booster.json")
    kept = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1)
    kept.fit(pixels, np.arange(60) % 10)
    kept.save_model(tmp_path / "kept.ubj")

    live = mm.register("live", classifier, batch_size=16)
    mm.register("chances", classifier, method="predict_proba")
    mm.register("booster", booster, inference_args={"output_margin": True})
    mm.register("file", tmp_path / "booster.json")
    file = mm.register("kept", tmp_path / "kept.ubj")
    assert (live.framework, live.form, file.form) == ("xgboost", "model", "model")
    assert live.fingerprint == mm.register("again", classifier).fingerprint
    r = mm.run(mm.pipeline("rows | [live, chances, booster, file, kept]", rows=rows))

    assert r["live"]["prediction"].tolist() == classifier.predict(pixels).tolist()
    chances = np.stack(list(r["chances"]["prediction"]))
    np.testing.assert_allclose(chances, classifier.predict_proba(pixels), rtol=1e-6)
    given = xgboost.DMatrix(pixels)
    margins = np.stack(list(r["booster"]["prediction"]))
    np.testing.assert_allclose(margins, booster.predict(given, output_margin=True), rtol=1e-6)
    np.testing.assert_allclose(
        np.stack(list(r["file"]["prediction"])), booster.predict(given), rtol=1e-6
    )
    assert r["kept"]["prediction"].tolist() == kept.predict(pixels).tolist()
    assert set(r.failed["id"]) == {"7"} and len(r.failed) == 5
    assert (r.models["parameter_bytes"] > 1000).all()


def test_records_are_columns_by_name(regressor: xgboost.XGBRegressor) -> None:
    numbers = np.random.default_rng(1).uniform(0, 16, (40, 3))
    frame = pd.DataFrame(numbers, columns=["a", "b", "c"])
    records = frame.assign(user="u")[["user", "c", "a", "b"]].to_dict("records")
    mm.register("named", regressor)
    mm.register("booster", regressor.get_booster())
    g = mm.pipeline("records | named\nrow = rows | booster", records=records, rows=list(numbers))
    r = mm.run(g)
    expected = regressor.predict(frame).tolist()
    assert r["named"]["prediction"].tolist() == expected
    assert r["row"]["prediction"].tolist() == expected


def test_what_cannot_be_registered(classifier: xgboost.XGBClassifier, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*save_model"):
        mm.register("broken", broken)
    with pytest.raises(ModelError, match="not fitted"):
        mm.register("early", xgboost.XGBClassifier())
    with pytest.raises(ModelError, match="did you mean 'predict_proba'"):
        mm.register("wrong", classifier, method="predict_prob")
