"""Sentence encoders, created in these tests: texts in, vectors out; the hub is not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

import mmnotebook as mm
from mmnotebook.errors import ModelError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "good", "film", "story"]
TEXTS = ["a good film", "bad", "a story", "a good story a bad film", "good film"] * 3
SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}


@pytest.fixture(scope="module", autouse=True)
def offline() -> Any:
    """Set offline mode, so that no test waits for the hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


def _saved(kind: Any, folder: Path, **options: Any) -> str:
    """Save a tiny transformer with its tokenizer, as sentence-transformers reads it."""
    torch.manual_seed(0)
    config = transformers.BertConfig(**SMALL, vocab_size=len(WORDS), num_hidden_layers=1, **options)
    kind(config).save_pretrained(folder)
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    transformers.BertTokenizerFast(vocab=vocabulary).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> SentenceTransformer:
    path = _saved(transformers.BertModel, tmp_path_factory.mktemp("bert"))
    return SentenceTransformer(modules=[Transformer(path), Pooling(16)], device="cpu")


@pytest.fixture(scope="module")
def cross(tmp_path_factory: pytest.TempPathFactory) -> CrossEncoder:
    kind = transformers.BertForSequenceClassification
    return CrossEncoder(_saved(kind, tmp_path_factory.mktemp("cross"), num_labels=1), device="cpu")


def test_live_and_in_a_folder_it_gives_what_encode_gives(
    encoder: SentenceTransformer, tmp_path: Path
) -> None:
    encoder.save_pretrained(str(tmp_path / "encoder"))
    texts = [*TEXTS[:7], 7.5, *TEXTS[7:]]
    live = mm.register("live", encoder, batch_size=4)
    folder = mm.register("folder", tmp_path / "encoder")
    mm.register("short", encoder, inference_args={"normalize_embeddings": True}, batch_size=2)
    assert (live.framework, live.form) == ("sentence_transformers", "module")
    assert (folder.framework, folder.form) == ("sentence_transformers", "folder")
    assert live.fingerprint == mm.register("again", encoder).fingerprint
    r = mm.run(mm.pipeline("texts | [live, folder, short]", texts=texts))
    expected = np.stack([encoder.encode(text) for text in TEXTS])
    for name in ("live", "folder"):
        np.testing.assert_allclose(np.stack(list(r[name]["prediction"])), expected, atol=1e-5)
    lengths = np.linalg.norm(np.stack(list(r["short"]["prediction"])), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    assert set(r.failed["id"]) == {"7"}
    own = sum(part.nbytes for part in [*encoder.parameters(), *encoder.buffers()])
    assert (r.models["parameter_bytes"] == own).all()


def test_settings_of_a_live_model_count(encoder: SentenceTransformer) -> None:
    before = mm.register("whole", encoder)
    whole = mm.run(mm.pipeline("texts | whole", texts=TEXTS))
    encoder.truncate_dim = 4
    try:
        cut = mm.register("cut", encoder)
        r = mm.run(mm.pipeline("texts | [whole, cut]", texts=TEXTS))
    finally:
        encoder.truncate_dim = None
    assert cut.fingerprint != before.fingerprint
    assert {len(vector) for vector in whole["whole"]["prediction"]} == {16}
    # A run uses the current state of a live model.
    assert {len(vector) for vector in r["whole"]["prediction"]} == {4}
    assert {len(vector) for vector in r["cut"]["prediction"]} == {4}
    assert "its model whole changed" in r.why["whole"]


def test_a_cross_encoder_scores_pairs(cross: CrossEncoder, tmp_path: Path) -> None:
    cross.save_pretrained(str(tmp_path / "cross"))
    pairs = list(zip(TEXTS, reversed(TEXTS), strict=True))
    frame = pd.DataFrame(pairs, columns=["question", "answer"])
    mm.register("live", cross, batch_size=4)
    mm.register("folder", tmp_path / "cross", input=("question", "answer"))
    g = mm.pipeline("pairs | live\nrows = frame | folder", pairs=pairs, frame=frame)
    r = mm.run(g)
    expected = [float(cross.predict([pair])[0]) for pair in pairs]
    np.testing.assert_allclose(list(r["live"]["prediction"]), expected, atol=1e-5)
    np.testing.assert_allclose(list(r["rows"]["prediction"]), expected, atol=1e-5)


@pytest.mark.parametrize("elements", [["a", "good"], ["a"], [{"q": "a", "r": "good"}] * 2])
def test_lone_texts_are_no_pair(cross: CrossEncoder, elements: list[Any]) -> None:
    mm.register("live", cross)
    with pytest.raises(mm.RunError, match="takes pairs of strings.*input="):
        mm.run(mm.pipeline("elements | live", elements=elements))


def test_what_cannot_be_registered(encoder: SentenceTransformer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="int8.*uses the value range of each batch"):
        mm.register("small", encoder, inference_args={"precision": "int8"})
    with pytest.raises(ModelError, match="has no method 'encod'; did you mean 'encode'"):
        mm.register("wrong", encoder, method="encod")
    with pytest.raises(ModelError, match="'nobody/nothing'.*cannot be loaded"):
        mm.register("hub", "nobody/nothing", framework="sentence_transformers")
    encoder.save_pretrained(str(tmp_path / "broken"))
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*save_pretrained"):
        mm.register("broken", tmp_path / "broken")
