"""Values as table cells: text, pictures and bars; and cells as HTML."""

from __future__ import annotations

import base64
import io
import json
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from apache_beam.ml.inference.base import PredictionResult
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from mmnotebook.ui.inspector import pictures, static_view
from mmnotebook.ui.inspector.cells import Cell, cell, folded
from mmnotebook.ui.inspector.pages import NodeRows


def opened(shown: Cell) -> Image.Image:
    """Return the picture of a cell, decoded by another PNG reader."""
    start = "data:image/png;base64,"
    assert shown.image.startswith(start)
    image = Image.open(io.BytesIO(base64.b64decode(shown.image[len(start) :])))
    image.load()
    return image


IMAGES = [
    (np.zeros((8, 8)), "L", "float64 8 × 8"),
    (np.zeros((512, 512), np.float32), "L", "float32 512 × 512"),
    (np.zeros((28, 28, 1), np.uint8), "L", "uint8 28 × 28 × 1"),
    (np.zeros((1, 28, 28)), "L", "float64 1 × 28 × 28"),
    (np.zeros((20, 30, 3), np.uint8), "RGB", "uint8 20 × 30 × 3"),
    (np.zeros((4, 20, 30)), "RGBA", "float64 4 × 20 × 30"),
    (torch.zeros(3, 16, 16, dtype=torch.bfloat16), "RGB", "bfloat16 3 × 16 × 16"),
    (torch.zeros(9, 9, requires_grad=True), "L", "float32 9 × 9"),
    (np.zeros((9, 9), bool), "L", "bool 9 × 9"),
    (np.zeros((1080, 1920, 3), np.uint8), "RGB", "uint8 1080 × 1920 × 3"),
    (Image.new("RGB", (40, 20)), "RGB", "image 40 × 20, RGB"),
    (Image.new("P", (40, 20)), "RGB", "image 40 × 20, P"),
    (Image.new("LA", (40, 20)), "RGBA", "image 40 × 20, LA"),
    (Image.new("1", (40, 20)), "L", "image 40 × 20, 1"),
    (Image.new("F", (40, 20)), "L", "image 40 × 20, F"),
]


@pytest.mark.parametrize(("value", "mode", "text"), IMAGES)
def test_an_image_is_a_picture(value: Any, mode: str, text: str) -> None:
    shown = cell(value)
    assert (shown.kind, shown.text) == ("image", text)
    assert opened(shown).mode == mode
    assert max(opened(shown).size) <= 96
    assert max(shown.size) >= 40


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((7, 100)),
        np.zeros((513, 8)),
        np.zeros(64),
        np.zeros((8, 8), complex),
        np.zeros((2, 8, 8)),
        np.zeros((5, 8, 8, 3)),
        np.full((8, 8), "a"),
        np.zeros((0, 8)),
    ],
)
def test_another_array_is_shown_by_its_shape(value: Any) -> None:
    shown = cell(value)
    assert shown.image == "" and str(value.shape) in shown.text


def test_a_square_vector_is_an_image_only_on_demand() -> None:
    vector = np.arange(64.0)
    assert cell(vector).image == ""
    shown = cell(vector, square=True)
    assert np.asarray(opened(shown))[0].tolist() == [0, 4, 8, 12, 16, 20, 24, 28]
    assert shown.size == (56, 56) and shown.title == "float64 (64,), 0.0 to 63.0"
    for length in (9, 65, 65 * 65):
        assert cell(np.arange(float(length)), square=True).image == ""


def test_bytes_stay_and_other_numbers_are_spread() -> None:
    small = np.tile(np.array([[10, 20], [30, 50]], np.uint8), (4, 4))
    assert np.array_equal(np.asarray(opened(cell(small))), small)
    spread = np.asarray(opened(cell(small.astype(np.int64))))
    assert spread[:2, :2].tolist() == [[0, 64], [128, 255]]
    odd = np.tile(np.array([[np.nan, -np.inf], [np.inf, 3.0]]), (4, 4))
    assert np.asarray(opened(cell(odd)))[:2, :2].tolist() == [[0, 0], [255, 0]]


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 3, 4])),
        elements=st.integers(0, 255),
        fill=st.integers(0, 255),
    )
)
def test_a_png_reads_back(pixels: Any) -> None:
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(pictures.png(pixels)))), pixels)


def test_a_large_image_is_thinned_and_larger_in_a_trace() -> None:
    photo = np.zeros((400, 300, 3), np.uint8)
    assert opened(cell(photo)).size == (60, 80)
    assert opened(cell(photo, side=192)).size == (100, 134)
    assert cell(photo, side=0) == Cell("uint8 400 × 300 × 3", "image", title=cell(photo).title)


def test_a_vector_has_bars() -> None:
    shown = cell(np.array([0.0, 5.0, -5.0], np.float32))
    assert (shown.bars, shown.zero) == ((50, 100, 0), 50)
    assert shown.text == "float32 (3,) [0.0, 5.0, -5.0]"
    assert len(cell(np.arange(1000)).bars) == 64
    for without in (np.array([1.0, 2.0]), np.array([1.0, np.nan, 2.0]), np.zeros((3, 3))):
        assert cell(without).bars == ()


def test_probabilities_say_which_is_greatest() -> None:
    chances = torch.tensor([0.05, 0.9, 0.05])
    assert cell(PredictionResult(None, chances, "mlp")).text == "argmax 1, 0.9 of 3"
    assert cell(np.array([0.5, 0.6])).text.startswith("float64 (2,)")


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        (None, "–", "missing"),
        (float("nan"), "–", "missing"),
        (pd.NA, "–", "missing"),
        (pd.NaT, "–", "missing"),
        (1200, "1,200", "number"),
        (np.float32(0.5), "0.5", "number"),
        (torch.tensor(7), "7", "number"),
        (np.array(7), "7", "number"),
        (True, "True", "text"),
        ("a\n b", "a b", "text"),
        (b"abc", "3 bytes b'abc'", "text"),
        (bytes(50), f"50 bytes {bytes(24)!r}…", "text"),
        (datetime(2026, 1, 2, 3), "2026-01-02 03:00:00", "text"),
        ({"a": 1, "b": [1, 2]}, "{a: 1, b: [1, 2]}", "text"),
        pytest.param(10**5000, "<a int that cannot be shown>", "text", id="huge"),
    ],
)
def test_other_values_are_text(value: Any, text: str, kind: str) -> None:
    shown = cell(value)
    assert (shown.text, shown.kind) == (text, kind)


def test_a_long_text_has_a_tooltip_with_all_of_it() -> None:
    text = "word " * 100
    shown = cell(text)
    assert len(shown.text) == 120 and shown.text.endswith("…") and shown.more == text
    assert cell("short").more == ""
    assert folded("what", "") == Cell("–", "missing")


def test_a_record_shows_its_first_picture() -> None:
    shown = cell({"label": 3, "image": np.zeros((8, 8))})
    assert shown.kind == "text" and shown.image and shown.text.startswith("{label: 3, image: ")


class Mute:
    """An object that cannot be shown and whose attributes raise."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"<b>{name}</b>")

    def __repr__(self) -> str:
        raise RuntimeError


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.text(alphabet=st.characters(codec=None))  # including unpaired surrogates
    | st.binary()
    | st.datetimes()
    | st.decimals()
    | st.builds(Mute)
    | st.builds(object)
    | st.just(pd.NA)
    | hnp.arrays(
        hnp.scalar_dtypes() | st.just(np.dtype(object)),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    )
    | hnp.arrays(
        st.sampled_from([np.float64, np.float16, np.int64, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=8, max_side=9),
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=4,
)


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [str(value) for name, value in attrs if name == "src"]


DRAWN = {*("div", "table", "thead", "tbody", "tr", "th", "td"), "img", "span"}
DRAWN |= {"details", "summary", "pre", "b"}


@given(st.lists(ANYTHING, min_size=1, max_size=3), st.booleans())
def test_any_value_is_shown_and_nothing_in_it_is_html(values: list[Any], square: bool) -> None:
    column = pd.Series(np.fromiter(values, dtype=object, count=len(values)))
    frame = pd.DataFrame({"id": map(str, range(len(values))), "<script>": column})
    for shown in (cell(value, square=square) for value in values):
        sent = json.dumps(shown.as_json(), allow_nan=False, ensure_ascii=False)
        assert sent.encode("utf-8")
        assert len(shown.text) <= 200 and "\n" not in shown.text
    html = static_view.page(
        NodeRows(frame), NodeRows(frame[:0]), where=None, size=20, square=square
    )
    assert html.encode("utf-8")
    page = Tags()
    page.feed(html)
    assert page.tags <= DRAWN
    assert page.attributes <= {"style", "class", "title", "alt", "src", "width", "height"}
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '" onerror="alert(1)', "<u>" * 99])
def test_text_is_escaped(text: str) -> None:
    frame = pd.DataFrame({"id": [text], text: [text], "error": [text]})
    failed = frame.assign(traceback=text)
    html = static_view.page(NodeRows(frame), NodeRows(failed), where=None, size=20)
    page = Tags()
    page.feed(html)
    assert page.tags <= DRAWN and "onerror" not in page.attributes
