"""Arrays as images: detection, and conversion to PNG."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAST, _MOST = 8, 512  # a matrix with sides of this many pixels is an image
_SQUARES = range(16, 4097)  # lengths of vectors that may be square images
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # PNG color types by the number of channels
_BINS = 64

Array = NDArray[Any]


def as_image(numbers: Array, *, square: bool = False) -> Array | None:
    """Return the array as an image; None if it does not have the shape of one.

    Parameters
    ----------
    numbers
        Numeric; (height, width), (height, width, channels) or (channels, height, width) with
        1, 3 or 4 channels is an image if height and width are 8 or more. A matrix of more than
        512 rows or columns is not an image.
    square
        Whether a vector of 16 to 4,096 numbers is an image too, if its length is a square.

    Returns
    -------
    array or None
        (height, width), or (height, width, 3 or 4).
    """
    shape = numbers.shape
    if numbers.ndim == 1:
        side = math.isqrt(shape[0])
        fits = square and shape[0] in _SQUARES and side * side == shape[0]
        return numbers.reshape(side, side) if fits else None
    if numbers.ndim == 2:
        return numbers if all(_LEAST <= length <= _MOST for length in shape) else None
    if numbers.ndim != 3:
        return None
    if shape[2] not in _COLOR_TYPES or min(shape[:2]) < _LEAST:
        if shape[0] not in _COLOR_TYPES or min(shape[1:]) < _LEAST:
            return None
        numbers = np.moveaxis(numbers, 0, 2)
    return numbers[..., 0] if numbers.shape[2] == 1 else numbers


def thumbnail(image: Array, side: int) -> NDArray[np.uint8]:
    """Return the image as bytes, reduced to every n-th pixel so that it fits `side`.

    Numbers that are not bytes are scaled: the smallest to 0, the largest to 255.
    """
    step = max(1, math.ceil(max(image.shape[:2]) / side))
    image = image[::step, ::step]
    if image.dtype == np.uint8:
        return image
    low, high = span(image)
    with np.errstate(all="ignore"):
        scaled = (image.astype(np.float64) - low) / ((high - low) or 1.0) * 255
    scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    pixels: NDArray[np.uint8] = scaled.round().astype(np.uint8)
    return pixels


def span(numbers: Array) -> tuple[float, float]:
    """Return the smallest and largest of the finite numbers; 0 and 0 if there are none."""
    finite = numbers[np.isfinite(numbers)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return (height, width) or (height, width, 3 or 4) bytes as a PNG's `data:` URI."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode("ascii")


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode the pixels as a PNG file.

    The pixels are not compressed, as the output of zlib depends on its build, and a notebook that
    is executed again must have the same outputs.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    lines = np.zeros((height, 1 + width * channels), dtype=np.uint8)  # each starts with its filter
    lines[:, 1:] = pixels.reshape(height, -1)
    chunks = ((b"IHDR", header), (b"IDAT", _stored(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _stored(data: bytes) -> bytes:
    """Return a zlib stream of uncompressed blocks."""
    most = 0xFFFF
    parts = [data[start : start + most] for start in range(0, len(data), most)]
    blocks = [
        struct.pack("<BHH", part is parts[-1], len(part), len(part) ^ most) + part for part in parts
    ]
    return b"\x78\x01" + b"".join(blocks) + struct.pack(">I", zlib.adler32(data))


def bars(numbers: Array) -> tuple[list[int], int] | None:
    """Return the heights of at most 64 bars for a vector, and the height of zero, from 0 to 100.

    None for fewer than three numbers, and if a number is not finite.
    """
    if numbers.ndim != 1 or len(numbers) < 3:
        return None
    with np.errstate(all="ignore"):
        parts = np.array_split(numbers.astype(np.float64), min(len(numbers), _BINS))
        means = np.array([part.mean() for part in parts])
        low, high = min(0.0, means.min()), max(0.0, means.max())
        heights = (means - low) / ((high - low) or 1.0) * 100
        zero = -low / ((high - low) or 1.0) * 100
    if not np.isfinite([*heights, zero]).all():
        return None
    return [round(height) for height in heights.tolist()], round(zero)
