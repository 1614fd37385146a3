"""Conversion of values to table cells: a line of text, possibly with an image or bars."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np

from mmnotebook.results.tables import MISSING, brief, short
from mmnotebook.results.values import array, is_prediction, plain
from mmnotebook.ui.inspector import pictures
from mmnotebook.ui.inspector.pictures import Array

SIDE = 96
"""Maximum width and height of an image in pixels."""
_ENLARGED = 56  # approximate size in pixels to which smaller images are enlarged
WHOLE = 20_000  # characters
_FIRST = 4
_BYTES = 24

Kind = Literal["text", "number", "missing", "image", "vector"]


@dataclass(frozen=True)
class Cell:
    """The content of a cell; all of it is plain text or numbers, never HTML.

    Attributes
    ----------
    text
        One line.
    kind
        What it is; numbers are aligned right.
    more
        The whole text, if `text` is a part of it.
    title
        Shape, type and range of an array.
    image
        A `data:image/png` URI; shown without the text if `kind` is "image", otherwise before it.
    size
        (width, height) of the image on the screen, in pixels.
    bars, zero
        Heights of bars and of their zero line, 0 to 100.
    """

    text: str
    kind: Kind = "text"
    more: str = ""
    title: str = ""
    image: str = ""
    size: tuple[int, ...] = ()
    bars: tuple[int, ...] = ()
    zero: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the cell for the browser, without empty attributes."""
        return {name: value for name, value in asdict(self).items() if value or name == "text"}


def cell(value: Any, *, side: int = SIDE, square: bool = False) -> Cell:
    """Return a cell for any value; this never raises.

    Parameters
    ----------
    value
        PIL images, and numeric arrays and tensors with the shape of an image, are shown as images,
        vectors as bars, other values as text.
    side
        The maximum width and height of an image, in pixels; 0 for text only.
    square
        Whether a vector whose length is a square number is shown as an image.
    """
    try:
        return _cell(value, side, square)
    except Exception:  # noqa: BLE001 - any object may raise anything
        return Cell(clean(f"<a {type(value).__name__} that cannot be shown>"))


def folded(summary: str, more: str) -> Cell:
    """Return a cell with a short text that expands to a long one; missing if that is empty."""
    return Cell(line(summary), more=clean(more[-WHOLE:])) if more else Cell(MISSING, "missing")


def clean(text: str) -> str:
    """Return the text with a `?` for each character that UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def line(text: str) -> str:
    """Return the text on one line."""
    return " ".join(clean(text).split())


def _cell(value: Any, side: int, square: bool) -> Cell:
    if is_prediction(value):
        value = value.inference
    if _is_pil(value):
        return _of_pil(value, side)
    if isinstance(value, np.generic) or getattr(value, "shape", None) == ():
        value = plain(value)
    if hasattr(type(value), "untyped_storage"):
        dtype = str(value.dtype).removeprefix("torch.")
        return _of_array(array(value), dtype, side, square)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return _of_array(value, str(value.dtype), side, square)
    if isinstance(value, str):
        return _of_text(value)
    if isinstance(value, (bytes, bytearray)):
        more = "…" if len(value) > _BYTES else ""
        return Cell(f"{len(value):,} bytes {bytes(value[:_BYTES])!r}{more}")
    text = line(brief(value))
    if text == MISSING:
        return Cell(text, "missing")
    if isinstance(value, date):
        return Cell(str(value))
    if isinstance(value, dict) and side:
        return replace(_first_image(value, side, square), text=text, kind="text", title="")
    return Cell(text, "number" if _is_number(value) else "text")


def _first_image(record: dict[Any, Any], side: int, square: bool) -> Cell:
    """Return the cell of the first field of a record that is an image."""
    cells = (cell(item, side=side, square=square) for item in record.values())
    return next((found for found in cells if found.kind == "image"), Cell(""))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of_text(value: str) -> Cell:
    text = brief(value)
    return Cell(line(text), more=clean(value[:WHOLE]) if text != value else "")


def _is_pil(value: Any) -> bool:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def _of_pil(value: Any, side: int) -> Cell:
    width, height = value.size
    text = f"image {width} × {height}, {value.mode}"
    if not side:
        return Cell(text, "image", title=text)
    has_alpha = "A" in value.getbands() or "transparency" in value.info
    mode = "RGBA" if has_alpha else "L" if value.mode in ("1", "L") else "RGB"
    if value.mode.startswith(("I", "F")):  # more than a byte per pixel
        return _pictured(text, text, np.asarray(value), side)
    value = value.convert(mode)
    value.thumbnail((side, side))  # changes the converted copy in place
    return _pictured(text, text, np.asarray(value), side)


def _of_array(numbers: Array, dtype: str, side: int, square: bool) -> Cell:
    image = pictures.as_image(numbers, square=square)
    low, high = pictures.span(numbers)
    title = f"{dtype} {numbers.shape}, {short(low)} to {short(high)}"
    if image is not None:
        text = f"{dtype} {' × '.join(map(str, numbers.shape))}"
        return _pictured(text, title, image, side) if side else Cell(text, "image", title=title)
    drawn = pictures.bars(numbers) if side else None
    first = short(plain(numbers.ravel()[:_FIRST]).tolist())
    text = _most_likely(numbers) or f"{dtype} {numbers.shape} {first}"
    if drawn is None:
        return Cell(text, "vector", title=title)
    return Cell(text, "vector", title=title, bars=tuple(drawn[0]), zero=drawn[1])


def _most_likely(numbers: Array) -> str | None:
    """Return the position and value of the highest probability; None for other arrays."""
    if numbers.ndim != 1 or numbers.dtype.kind != "f" or len(numbers) < 2:
        return None
    numbers = numbers.astype(np.float64)
    if not (np.isfinite(numbers).all() and numbers.min() >= 0 and numbers.max() <= 1):
        return None
    if abs(numbers.sum() - 1) > 1e-3:
        return None
    return f"argmax {int(numbers.argmax())}, {numbers.max():.3g} of {len(numbers)}"


def _pictured(text: str, title: str, image: Array, side: int) -> Cell:
    pixels = pictures.thumbnail(image, side)
    height, width = pixels.shape[:2]
    times = max(1, round(_ENLARGED / max(height, width)))
    size = (width * times, height * times)
    return Cell(text, "image", title=title, image=pictures.data_uri(pixels), size=size)
