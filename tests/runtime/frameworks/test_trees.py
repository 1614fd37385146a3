"""LightGBM and CatBoost models: live and in files, with rows, records and categories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mmnotebook as mm
from mmnotebook.errors import ModelError
from mmnotebook.model.loaded.parameter_bytes import weigh

QUIET = {"iterations": 5, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
FEW = {"n_estimators": 5, "min_child_samples": 2, "verbose": -1, "n_jobs": 1}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Return a frame with numbers on both sides of a column of words."""
    rng = np.random.default_rng(0)
    words = rng.choice(["red", "green", "blue"], 80)
    return pd.DataFrame({"a": rng.random(80), "word": words, "b": rng.random(80)})


@pytest.fixture(scope="module")
def truth(frame: pd.DataFrame) -> Any:
    return np.where((frame["word"] == "red") ^ (frame["a"] > 0.5), "yes", "no")


@pytest.fixture(scope="module")
def light(digits: pd.DataFrame) -> lightgbm.LGBMClassifier:
    model = lightgbm.LGBMClassifier(**FEW)
    return model.fit(np.stack(list(digits["x"])), digits["label"])


@pytest.fixture(scope="module")
def cat(digits: pd.DataFrame) -> catboost.CatBoostClassifier:
    model = catboost.CatBoostClassifier(**QUIET, depth=3)
    return model.fit(np.stack(list(digits["x"])), digits["label"])


@pytest.fixture(scope="module")
def light_words(frame: pd.DataFrame, truth: Any) -> lightgbm.LGBMClassifier:
    return lightgbm.LGBMClassifier(**FEW).fit(frame.astype({"word": "category"}), truth)


@pytest.fixture(scope="module")
def cat_words(frame: pd.DataFrame, truth: Any) -> catboost.CatBoostClassifier:
    return catboost.CatBoostClassifier(**QUIET, cat_features=["word"]).fit(frame, truth)


def predictions(run: Any, name: str) -> Any:
    return np.stack([np.asarray(value) for value in run[name]["prediction"]])


def test_every_form_of_lightgbm(
    rows: list[Any], pixels: np.ndarray[Any, Any], light: lightgbm.LGBMClassifier, tmp_path: Path
) -> None:
    booster = light.booster_
    booster.save_model(tmp_path / "trees.txt")
    live = mm.register("live", light, batch_size=16)
    mm.register("chances", light, method="predict_proba")
    mm.register("booster", booster, inference_args={"raw_score": True})
    file = mm.register("file", tmp_path / "trees.txt")
    assert (live.framework, live.form, file.form) == ("lightgbm", "pickle", "booster")
    assert live.fingerprint == mm.register("again", light).fingerprint
    r = mm.run(mm.pipeline("rows | [live, chances, booster, file]", rows=rows))
    assert r["live"]["prediction"].tolist() == light.predict(pixels).tolist()
    np.testing.assert_allclose(predictions(r, "chances"), light.predict_proba(pixels))
    raw = booster.predict(pixels, raw_score=True)
    np.testing.assert_allclose(predictions(r, "booster"), raw)
    np.testing.assert_allclose(predictions(r, "file"), booster.predict(pixels))
    assert set(r.failed["id"]) == {"7"} and len(r.failed) == 4
    written = (tmp_path / "trees.txt").stat().st_size
    assert (r.models["parameter_bytes"] - written).abs().max() < 0.02 * written


def test_every_form_of_catboost(
    rows: list[Any],
    pixels: np.ndarray[Any, Any],
    cat: catboost.CatBoostClassifier,
    digits: pd.DataFrame,
    tmp_path: Path,
) -> None:
    counts = catboost.CatBoostRegressor(**QUIET, depth=3, loss_function="Poisson")
    counts.fit(np.stack(list(digits["x"])), digits["label"])
    cat.save_model(str(tmp_path / "cat.cbm"))
    counts.save_model(str(tmp_path / "counts.bin"))
    live = mm.register("live", cat, batch_size=16)
    mm.register("chances", cat, method="predict_proba")
    file = mm.register("file", tmp_path / "cat.cbm")
    mm.register("raw", tmp_path / "cat.cbm", model_class=catboost.CatBoost)
    mm.register("counts", tmp_path / "counts.bin")
    assert (live.framework, file.framework) == ("catboost", "catboost")
    assert live.fingerprint == mm.register("again", cat).fingerprint
    r = mm.run(mm.pipeline("rows | [live, chances, file, raw, counts]", rows=rows))
    labels = cat.predict(pixels).ravel().tolist()
    for name in ("live", "file"):
        assert predictions(r, name).ravel().tolist() == labels
    np.testing.assert_allclose(predictions(r, "chances"), cat.predict_proba(pixels))
    raw = cat.predict(pixels, prediction_type="RawFormulaVal")
    np.testing.assert_allclose(predictions(r, "raw"), raw)
    np.testing.assert_allclose(predictions(r, "counts"), counts.predict(pixels))
    assert set(r.failed["id"]) == {"7"} and len(r.failed) == 5
    written = (tmp_path / "cat.cbm").stat().st_size
    assert abs(r.models.loc["file", "parameter_bytes"] - written) < 0.02 * written


def test_records_are_columns_by_name_and_words_are_categories(
    frame: pd.DataFrame,
    light_words: lightgbm.LGBMClassifier,
    cat_words: catboost.CatBoostClassifier,
) -> None:
    typed = frame.astype({"word": "category"})
    records = frame.assign(user="u")[["user", "word", "b", "a"]].to_dict("records")
    rows = [list(row) for row in frame.itertuples(index=False)]
    mm.register("light", light_words, batch_size=7)
    mm.register("booster", light_words.booster_)
    mm.register("cat", cat_words, batch_size=7)
    text = "records | [light, booster, cat]\nby_place = rows | cat\nplaced = rows | light"
    r = mm.run(mm.pipeline(text, records=records, rows=rows))
    for name in ("light", "placed"):
        assert predictions(r, name).tolist() == light_words.predict(typed).tolist()
    chances = light_words.booster_.predict(typed)
    np.testing.assert_allclose(predictions(r, "booster"), chances)
    for name in ("cat", "by_place"):
        assert predictions(r, name).tolist() == cat_words.predict(frame).tolist()


def test_numbers_that_are_categories(frame: pd.DataFrame, truth: Any) -> None:
    numbered = frame.assign(word=frame["word"].map({"red": 3, "green": 1, "blue": 8}))
    typed = numbered.astype({"word": "category"})
    model = lightgbm.LGBMClassifier(**FEW, min_data_per_group=1, cat_smooth=0).fit(typed, truth)
    mm.register("light", model, batch_size=7)
    records = numbered[["b", "word", "a"]].to_dict("records")
    r = mm.run(mm.pipeline("records | light", records=records))
    assert predictions(r, "light").tolist() == model.predict(typed).tolist()


@pytest.mark.parametrize("kind", ["light", "cat"])
def test_additional_features_are_refused(request: pytest.FixtureRequest, kind: str) -> None:
    mm.register("trees", request.getfixturevalue(kind))
    long = [np.zeros(65, np.float32)] * 2
    with pytest.raises(mm.RunError, match="the model has 64 features, the example 65"):
        mm.run(mm.pipeline("long | trees", long=long))


def test_what_cannot_be_registered(
    light: lightgbm.LGBMClassifier, cat: catboost.CatBoostClassifier, tmp_path: Path
) -> None:
    (tmp_path / "broken.txt").write_text("tree\nversion=v4\n")
    (tmp_path / "notes.txt").write_text("tree\nof life\n")
    (tmp_path / "broken.cbm").write_bytes(b"no trees")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*booster.save_model"):
        mm.register("broken", tmp_path / "broken.txt")
    with pytest.raises(ModelError, match="files ending in '.txt' are not known"):
        mm.register("notes", tmp_path / "notes.txt")
    with pytest.raises(ModelError, match="framework='lightgbm'; allowed: a LightGBM Booster"):
        mm.register("notes", tmp_path / "notes.txt", framework="lightgbm")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*save_model"):
        mm.register("broken", tmp_path / "broken.cbm")
    for early in (lightgbm.LGBMRegressor(), catboost.CatBoostRegressor()):
        with pytest.raises(ModelError, match="not fitted"):
            mm.register("early", early)
    for model in (light, cat):
        with pytest.raises(ModelError, match="did you mean 'predict_proba'"):
            mm.register("wrong", model, method="predict_prob")


def test_the_size_of_a_model_inside_another_object(
    light: lightgbm.LGBMClassifier, cat: catboost.CatBoostClassifier
) -> None:
    scale = StandardScaler().fit(np.random.default_rng(0).random((9, 64)))
    own = weigh(scale).parameter_bytes or 0
    for model in (light, cat):
        whole = make_pipeline(scale, model)
        assert weigh(whole).parameter_bytes == own + (weigh(model).parameter_bytes or 0) > own


def fitted(kind: str, frame: pd.DataFrame, labels: Any) -> Any:
    if kind == "lightgbm":
        return lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1).fit(frame, labels)
    if kind == "catboost":
        model = catboost.CatBoostClassifier(**QUIET, cat_features=["kind"])
        return model.fit(frame, labels)
    if kind == "xgboost":
        import xgboost

        model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True, n_jobs=1)
        return model.fit(frame, labels)
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    return model.fit(frame, labels)


@pytest.mark.parametrize("kind", ["lightgbm", "catboost", "xgboost", "sklearn"])
def test_a_category_among_columns_in_any_order(kind: str) -> None:
    rng = np.random.default_rng(0)
    letters = pd.Categorical(rng.choice(list("abc"), 60))
    columns = {"size": rng.random(60), "kind": letters, "age": rng.random(60), "label": 0}
    frame = pd.DataFrame(columns)
    known = frame[["size", "kind", "age"]]
    model = fitted(kind, known, ((frame["size"] > 0.5) ^ (frame["kind"] == "a")).astype(int))
    mm.register("trees", model)
    expected = list(model.predict(known))
    for text in ("rows", 'rows[["age", "kind", "size"]]', 'rows.drop("label")'):
        result = mm.run(mm.pipeline(f"{text} | trees", rows=frame), progress=False)
        assert list(result["trees"]["prediction"]) == expected, text
    with pytest.raises(mm.GraphError, match="no field for the input 'size' of model 'trees'"):
        mm.pipeline('rows[["age", "kind"]] | trees', rows=frame)
