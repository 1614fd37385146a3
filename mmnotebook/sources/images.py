"""Image files as arrays, unchanged or in the mode that `read` requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Pixels = np.ndarray[Any, Any]

_ORIENTATION = 0x0112  # the EXIF tag
_COLORS = {"P": "RGB", "PA": "RGBA", "RGBX": "RGB", "La": "LA", "RGBa": "RGBA", "1": "L"}
"""Modes whose values are not intensities of channels, and the modes to convert them to."""


def pixels(path: str, mode: str = "keep", rotate: bool = True) -> Pixels:
    """Read the first frame of an image file as an array (height, width[, channels]).

    Parameters
    ----------
    mode
        "keep" returns the values in the file (the colors of a palette image): as uint8, as uint16
        for 16 bits, as int32 or float32 for 32 bits. Any other of `kinds.IMAGE_MODES` converts the
        image to this mode, as uint8.
    rotate
        Whether to rotate the image upright by its EXIF orientation.

    Raises
    ------
    ValueError
        If Pillow cannot read the values unchanged, or cannot convert them.
    """
    from PIL import Image

    # Pass a file: from a path, Pillow maps plain TIFFs into memory and corrupts rotated ones.
    with Path(path).open("rb") as file, Image.open(file) as image:
        raw, stored = _raw_mode(image), _orientation(image)
        made = _kept(image, raw) if mode == "keep" else _converted(image, mode)
        left = _orientation(image)  # 1 for a TIFF, which Pillow has already rotated
    if rotate:
        return upright(made, left)
    return made if left == stored else upright(made, _BACK.get(stored, stored))


def _orientation(image: Any) -> int:
    return int(image.getexif().get(_ORIENTATION, 1))


def _kept(image: Any, raw: str) -> Pixels:
    if raw.endswith((";16B", ";16L", ";16N")) and not image.mode.startswith(("I", "F")):
        raise ValueError(
            f"its {len(image.getbands())} channels have 16 bits each, of which Pillow reads 8; "
            f'read(..., mode="{"RGBA" if "A" in image.mode else "RGB"}") accepts these 8 bits'
        )
    if image.mode in _COLORS:
        clear = image.mode == "P" and "transparency" in image.info
        image = image.convert("RGBA" if clear else _COLORS[image.mode])
    values = np.array(image)
    if raw.startswith("I;32") and not raw.endswith("S") and (values < 0).any():
        raise ValueError("it has integers of 2**31 or more, which Pillow cannot read")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _raw_mode(image: Any) -> str:
    """Return Pillow's name for the pixel format of the file; "" if there is none."""
    args = image.tile[0][3] if image.tile else ""
    words = [args] if isinstance(args, str) else [one for one in args or () if isinstance(one, str)]
    return words[0] if words else ""


def _converted(image: Any, mode: str) -> Pixels:
    from PIL import Image

    if image.mode in ("I", "F"):
        raise ValueError(
            f"its values have 32 bits, and it is not known which of them are black and white; "
            f'leave mode="{mode}" out, and scale the values in a map step'
        )
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.array(image) >> 8).astype(np.uint8))
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return np.array(image.convert(mode))


_BACK = {6: 8, 8: 6}
"""The inverses of orientations that are not their own inverse."""


def upright(values: Pixels, orientation: int) -> Pixels:
    """Rotate and mirror an image by its EXIF orientation, 1 to 8, so that it is upright."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)
