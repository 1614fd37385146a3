"""Hugging Face pipelines and models, created in these tests; the hub is not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import mmnotebook as mm
from mmnotebook.errors import ModelError
from tests.runtime.toys import shared

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "good", "film", "story"]
TEXTS = ["a good film", "a bad story", "good", "a story", "bad film a"] * 6


@pytest.fixture(scope="module", autouse=True)
def offline() -> Any:
    """Set offline mode, so that no test waits for the hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("words") / "vocab.txt"
    path.write_text("\n".join(WORDS))
    return transformers.BertTokenizerFast(vocab_file=str(path))


@pytest.fixture(scope="module")
def bert() -> Any:
    """Return a classifier with three classes and 42 kB of parameters."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
    )
    return transformers.BertForSequenceClassification(config).eval()


def tokens(tokenizer: Any) -> list[dict[str, Any]]:
    """Return the texts as records with the same number of tokens."""
    return [dict(tokenizer(text, padding="max_length", max_length=6)) for text in TEXTS]


def test_a_pipeline_returns_the_same_as_in_a_direct_call(
    bert: Any, tokenizer: Any, tmp_path: Path
) -> None:
    pipeline = transformers.pipeline(
        "text-classification", model=bert, tokenizer=tokenizer, top_k=2, device="cpu"
    )
    pipeline.save_pretrained(tmp_path / "bert")
    texts = [*TEXTS[:7], 7.5, *TEXTS[7:]]
    live = mm.register("live", pipeline, batch_size=8)
    # Batches of one: for a list of one, a pipeline returns another type than for a list of two.
    mm.register("folder", tmp_path / "bert", task="text-classification", batch_size=1)
    assert (live.framework, live.form) == ("huggingface", "pipeline")
    assert live.fingerprint == mm.register("again", pipeline).fingerprint
    assert shared(live) == []
    r = mm.run(mm.pipeline("texts | [live, folder]", texts=texts))

    expected = pipeline(TEXTS)
    for given, alone in zip(r["live"]["prediction"], expected, strict=True):
        assert [label["label"] for label in given] == [label["label"] for label in alone]
        assert given[0]["score"] == pytest.approx(alone[0]["score"], abs=1e-5)
    best = [labels[0]["label"] for labels in expected]
    assert [label["label"] for label in r["folder"]["prediction"]] == best
    assert r.failed["id"].tolist() == ["7", "7"]
    assert r.models.loc["live", "parameter_bytes"] >= sum(p.nbytes for p in bert.parameters())


def test_a_model_takes_records_and_tensors(bert: Any, tokenizer: Any, tmp_path: Path) -> None:
    bert.save_pretrained(tmp_path / "bert")
    records = tokens(tokenizer)
    arrays = [np.array(record["input_ids"]) for record in records]
    arrays[3] = np.array([len(WORDS) + 1] * 6)  # a word that is not in the vocabulary
    live = mm.register("live", bert, batch_size=8)
    mm.register("folder", tmp_path / "bert", output="argmax")
    assert (live.framework, live.form) == ("huggingface", "model")
    g = mm.pipeline("records | live\nbest = arrays | folder", records=records, arrays=arrays)
    r = mm.run(g)
    with torch.no_grad():
        by_name = {name: torch.tensor([r[name] for r in records]) for name in records[0]}
        named = bert(**by_name).logits
        alone = bert(by_name["input_ids"]).logits.argmax(1).tolist()
    np.testing.assert_allclose(np.stack(list(r["live"]["prediction"])), named, atol=1e-6)
    assert r["best"]["prediction"].tolist() == [*alone[:3], *alone[4:]]
    assert r.failed["id"].tolist() == ["3"]


def test_a_text_asks_for_a_pipeline(bert: Any) -> None:
    mm.register("live", bert)
    with pytest.raises(mm.RunError, match="register a pipeline with the tokenizer"):
        mm.run(mm.pipeline("texts | live", texts=TEXTS))


def test_what_cannot_be_registered(bert: Any, tmp_path: Path) -> None:
    bert.save_pretrained(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be loaded.*\n.*save_pretrained"):
        mm.register("broken", tmp_path / "broken")
    with pytest.raises(ModelError, match="'nobody/nothing'.*cannot be loaded"):
        mm.register("hub", "nobody/nothing", framework="huggingface", task="text-generation")
    with pytest.raises(ModelError, match="has no method 'generat'"):
        mm.register("wrong", bert, method="generat")
    with pytest.raises(ModelError, match="task apply to a file"):
        mm.register("wrong", bert, task="text-classification")


class TestHub:
    """Names on the hub, with a copy in the hub's cache."""

    @pytest.fixture
    def repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        return tmp_path / "models--team--tiny"

    @staticmethod
    def commit(repository: Path, commit: str, model: Any, tokenizer: Any) -> None:
        """Make a commit the newest one of a repository."""
        snapshot = repository / "snapshots" / commit
        model.save_pretrained(snapshot)
        tokenizer.save_pretrained(snapshot)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)

    def test_a_model_stays_at_its_commit_and_a_new_commit_is_another(
        self, repository: Path, bert: Any, tokenizer: Any
    ) -> None:
        data = tokens(tokenizer)[:3]
        runs = []
        other = transformers.BertForSequenceClassification(bert.config).eval()
        for commit, model in (("a" * 40, bert), ("b" * 40, other)):
            self.commit(repository, commit, model, tokenizer)
            mm.register(
                "tiny",
                "team/tiny",
                framework="huggingface",
                model_class=transformers.BertForSequenceClassification,
            )
            runs.append(mm.run(mm.pipeline("out = data | tiny", data=data), progress=False))
        first, second = (np.stack(run["out"]["prediction"]) for run in runs)
        inputs = tokenizer.pad(data, return_tensors="pt")
        for made, model in ((first, bert), (second, other)):
            np.testing.assert_allclose(made, model(**inputs).logits.detach(), atol=1e-5)
        self.commit(repository, "c" * 40, bert, tokenizer)
        anew = mm.run(mm.pipeline("out = data | tiny", data=data), progress=False, fresh=True)
        np.testing.assert_allclose(np.stack(anew["out"]["prediction"]), second, atol=1e-5)
