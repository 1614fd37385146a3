"""The output of a Hugging Face pipeline for an element does not depend on its batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.pipelines.pt_utils import KeyDataset

import mmnotebook as mm
from mmnotebook.errors import ModelError
from mmnotebook.model.frameworks.huggingface_batching import unpadded

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "bad", "good", "film", "story", "."]
SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2}
BERT = {**SMALL, "vocab_size": len(WORDS), "num_hidden_layers": 1}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "features": ("feature-extraction", {}),
    "tensors": ("feature-extraction", {"return_tensors": True}),
    "cut": ("feature-extraction", {"tokenize_kwargs": {"truncation": True, "max_length": 5}}),
    "classes": ("text-classification", {}),
    "scores": ("text-classification", {"top_k": None}),
    "tokens": ("token-classification", {}),
    "grouped": ("token-classification", {"aggregation_strategy": "simple"}),
    "masks": ("fill-mask", {"top_k": 3}),
    "zero-shot": ("zero-shot-classification", {"candidate_labels": ["good", "a bad film"]}),
}
MODELS = {
    "feature-extraction": transformers.BertModel,
    "text-classification": transformers.BertForSequenceClassification,
    "token-classification": transformers.BertForTokenClassification,
    "fill-mask": transformers.BertForMaskedLM,
    "zero-shot-classification": transformers.BertForSequenceClassification,
}


def texts(least: int = 1, most: int = 9) -> st.SearchStrategy[list[str]]:
    words = st.lists(st.sampled_from(WORDS[5:]), min_size=least, max_size=most)
    return st.lists(words.map(" ".join), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return _tokenizer()


def _tokenizer(**options: Any) -> Any:
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    return transformers.BertTokenizerFast(vocab=vocabulary, **options)


@pytest.fixture(scope="module")
def pipelines(tokenizer: Any) -> dict[str, tuple[Any, Any]]:
    """Return, for each task, a pipeline of transformers and one of ours with the same model."""
    return {name: (_made(name, tokenizer), unpadded(_made(name, tokenizer))) for name in KINDS}


def _made(name: str, tokenizer: Any) -> Any:
    task, options = KINDS[name]
    torch.manual_seed(0)
    config = transformers.BertConfig(**BERT, num_labels=3)
    config.id2label = {0: "entailment", 1: "neutral", 2: "contradiction"}
    config.label2id = {label: place for place, label in config.id2label.items()}
    model = MODELS[task](config).eval()
    return transformers.pipeline(task, model=model, tokenizer=tokenizer, device="cpu", **options)


def in_batches(pipeline: Any, given: list[Any], size: int) -> list[Any]:
    """Call the pipeline as a run does: for a list of one, some pipelines return no list."""
    return list(pipeline(KeyDataset([{"x": one} for one in given], "x"), batch_size=size))


def is_close(left: Any, right: Any) -> bool:
    """Return whether two outputs are equal, up to rounding in another order of additions."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(is_close(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_close, left, right))
    if isinstance(left, (float, np.ndarray, torch.Tensor, np.floating)):
        a, b = np.asarray(left), np.asarray(right)
        return a.shape == b.shape and np.allclose(a, b, atol=1e-5)
    return bool(left == right)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=8)
@given(data=st.data())
def test_each_text_has_the_output_of_the_pipeline_for_it_alone(
    pipelines: dict[str, tuple[Any, Any]], name: str, data: st.DataObject
) -> None:
    given, size = data.draw(texts()), data.draw(st.integers(1, 6))
    if name == "masks":
        given = [f"[MASK] {text}" for text in given]
    plain, ours = pipelines[name]
    made = in_batches(ours, given, size)
    alone = [plain(text) for text in given]
    # For a single text, text-classification returns a list in a list.
    wanted = [one[0] for one in alone] if KINDS[name][0] == "text-classification" else alone
    assert is_close(made, wanted)


def test_each_input_is_prepared_once_and_equal_lengths_share_a_call(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = unpadded(_made("features", tokenizer))
    prepared, called = [], []
    prepare, forward = pipeline.preprocess, pipeline.forward
    monkeypatch.setattr(
        pipeline, "preprocess", lambda text, **k: prepared.append(text) or prepare(text, **k)
    )
    monkeypatch.setattr(
        pipeline, "forward", lambda x, **k: called.append(len(x["input_ids"])) or forward(x, **k)
    )
    given = ["a film", "good", "a story", "bad", "bad film", "a"] * 2
    in_batches(pipeline, given, 4)
    assert prepared == given
    assert called == [4, 2, 4, 2]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_model_without_an_attention_mask(side: str) -> None:
    """Use a model without an attention mask, which counts positions from the left."""

    class Blind(transformers.BertModel):
        def forward(self, input_ids: Any = None, **given: Any) -> Any:
            return super().forward(input_ids=input_ids)

    torch.manual_seed(0)
    model = Blind(transformers.BertConfig(**BERT)).eval()
    padding = _tokenizer(padding_side=side)
    plain = transformers.pipeline("feature-extraction", model=model, tokenizer=padding)
    given = ["a", "a good film", "bad story", "a good story . a bad film"]
    assert is_close(in_batches(unpadded(plain), given, 4), [plain(text) for text in given])


def _generator(tokenizer: Any, **options: Any) -> Any:
    torch.manual_seed(3)
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_positions=64, n_embd=16, n_layer=1, n_head=2, pad_token_id=0,
        bos_token_id=2, eos_token_id=8,
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(config).eval()
    model.generation_config.update(max_new_tokens=12, do_sample=False)
    return transformers.pipeline(
        "text-generation", model=model, tokenizer=tokenizer, device="cpu", **options
    )


@pytest.mark.parametrize(
    "options", [{}, {"return_full_text": False}, {"return_tensors": True}], ids=str
)
def test_generated_text_does_not_depend_on_the_batch(
    tokenizer: Any, options: dict[str, Any]
) -> None:
    plain = _generator(tokenizer, **options)
    given = [*WORDS[5:], *(f"{a} {b}" for a in WORDS[5:8] for b in WORDS[6:9])]
    alone = [plain(text) for text in given]
    if options.get("return_tensors"):
        assert len({len(one[0]["generated_token_ids"]) for one in alone}) >= 2
    assert is_close(in_batches(unpadded(plain), given, 16), alone)


def test_a_generator_without_a_padding_token_works_in_batches() -> None:
    bare = _tokenizer()
    bare.pad_token = None
    plain = _generator(bare)
    given = ["a", "good", "a film", "bad", "a good story"]
    assert is_close(in_batches(unpadded(plain), given, 8), [plain(text) for text in given])


@pytest.mark.parametrize("task", ["image-classification", "image-feature-extraction"])
def test_images_of_different_sizes(task: str) -> None:
    torch.manual_seed(0)
    config = transformers.ViTConfig(**SMALL, num_hidden_layers=1, image_size=16, patch_size=8)
    kind = {"image-classification": transformers.ViTForImageClassification}
    model = kind.get(task, transformers.ViTModel)(config).eval()
    processor = transformers.ViTImageProcessor(size={"height": 16, "width": 16})
    plain = transformers.pipeline(task, model=model, image_processor=processor, device="cpu")
    rng = np.random.default_rng(0)
    sizes = [(9, 20), (16, 16), (31, 8), (16, 16), (5, 5)]
    images = [Image.fromarray(rng.integers(0, 256, (*s, 3), np.uint8)) for s in sizes]
    alone = [plain(image) for image in images]
    mm.register("live", plain, batch_size=4)
    r = mm.run(mm.pipeline("images | live", images=images))
    assert is_close(list(r["live"]["prediction"]), alone)


def test_sounds_of_different_lengths() -> None:
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        **SMALL, num_hidden_layers=1, conv_dim=(8, 8), conv_stride=(5, 2), conv_kernel=(10, 3),
        num_feat_extract_layers=2, num_conv_pos_embedding_groups=2, classifier_proj_size=8,
        num_conv_pos_embeddings=4,
    )  # fmt: skip
    model = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    plain = transformers.pipeline("audio-classification", model=model, feature_extractor=extractor)
    rng = np.random.default_rng(0)
    sounds = [rng.normal(size=size).astype(np.float32) for size in (400, 900, 400, 1500)]
    alone = [plain(sound.copy()) for sound in sounds]
    assert is_close(in_batches(unpadded(plain), [sound.copy() for sound in sounds], 4), alone)


def test_a_run_gives_the_rows_of_each_text_alone(tokenizer: Any) -> None:
    plain = _made("features", tokenizer)
    given = ["a", "a good film", "bad story", "a good story . a bad film", "good"] * 3
    mm.register("live", plain, batch_size=8)
    r = mm.run(mm.pipeline("texts | live", texts=given))
    assert is_close(list(r["live"]["prediction"]), [plain(text) for text in given])
    own = sum(p.nbytes for p in [*plain.model.parameters(), *plain.model.buffers()])
    assert r.models.loc["live", "parameter_bytes"] == own


def test_workers_for_the_inputs_are_refused(tokenizer: Any) -> None:
    with pytest.raises(ModelError, match="num_workers: the inputs are prepared in the process"):
        mm.register("live", _made("features", tokenizer), inference_args={"num_workers": 4})
