"""Image files as arrays, unchanged or converted as `read` requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]

_ORIENTATION = 0x0112  # the EXIF tag
_COLOURS = {"P": "RGB", "PA": "RGBA", "RGBX": "RGB", "La": "LA", "RGBa": "RGBA", "1": "L"}
"""Modes in which a value is not the intensity of a channel, and the mode to convert them to."""


def pixels(path: str, mode: str = "keep", rotate: bool = True) -> Pixels:
    """Read the first frame of an image file as an array (height, width[, channels]).

    Parameters
    ----------
    mode
        "keep" for the values in the file (colors of a palette): uint8; uint16 for 16 bits,
        int32 or float32 for 32 bits. Another of `steps.IMAGE_MODES` for uint8 of that mode.
    rotate
        Whether to turn the image upright by its EXIF orientation.

    Raises
    ------
    ValueError
        When Pillow cannot read the values unchanged, or cannot convert them.
    """
    from PIL import Image

    # Given a path, Pillow maps plain TIFFs into memory, and scrambles those it has to rotate.
    with Path(path).open("rb") as file, Image.open(file) as image:
        raw, stored = _raw_mode(image), _orientation(image)
        made = _kept(image, raw) if mode == "keep" else _converted(image, mode)
        left = _orientation(image)  # none of a TIFF: Pillow has rotated it already
    if rotate:
        return upright(made, left)
    return made if left == stored else upright(made, _BACK.get(stored, stored))


def _orientation(image: Any) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))


def _kept(image: Any, raw: str) -> Pixels:
    if raw.endswith((";16B", ";16L", ";16N")) and not image.mode.startswith(("I", "F")):
        raise ValueError(
            f"its {len(image.getbands())} channels have 16 bits each, of which Pillow reads 8; "
            f'read(..., mode="{"RGBA" if "A" in image.mode else "RGB"}") takes those'
        )
    if image.mode in _COLOURS:
        clear = image.mode == "P" and "transparency" in image.info
        image = image.convert("RGBA" if clear else _COLOURS[image.mode])
    values = np.array(image)
    if raw.startswith("I;32") and not raw.endswith("S") and (values < 0).any():
        raise ValueError("it has whole numbers from 2**31 on, which Pillow cannot read")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _raw_mode(image: Any) -> str:
    """Return Pillow's name of the pixel format in the file, "" if it has none."""
    args = image.tile[0][3] if image.tile else ""
    words = [args] if isinstance(args, str) else [one for one in args or () if isinstance(one, str)]
    return words[0] if words else ""


def _converted(image: Any, mode: str) -> Pixels:
    from PIL import Image

    if image.mode in ("I", "F"):
        raise ValueError(
            f"its values have 32 bits, and which of them are black and white is not known; leave "
            f'mode="{mode}" out and scale them in a step of your own'
        )
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.array(image) >> 8).astype(np.uint8))
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return np.array(image.convert(mode))


_BACK = {6: 8, 8: 6}
"""The inverses of orientations that are not their own inverse."""


def upright(values: Pixels, orientation: int) -> Pixels:
    """Turn and mirror an image by its EXIF orientation, 1 to 8, so that it is upright."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)
