"""Image files: exact values, conversion with `mode=`, and rotation by EXIF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

import mmnotebook as mm
from mmnotebook.sources import images

DEEP = np.arange(0, 65536, 4096, dtype=np.uint16).reshape(4, 4)
SHARE = (DEEP / 65535).astype(np.float32)


def saved(path: Path, image: Any, **options: Any) -> str:
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return str(path)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("deep.png", DEEP),
        ("deep.tiff", DEEP),
        ("share.tiff", SHARE),
        ("whole.tiff", DEEP.astype(np.int32) * 30_000),
        ("grey.png", (DEEP >> 8).astype(np.uint8)),
        ("alpha.png", np.arange(64, dtype=np.uint8).reshape(4, 4, 4)),
        ("colour.png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3)),
    ],
)
def test_values_are_those_in_the_file(tmp_path: Path, name: str, values: Any) -> None:
    made = images.pixels(saved(tmp_path / name, values))
    assert made.dtype == values.dtype and made.dtype.isnative and np.array_equal(made, values)


def test_sixteen_bits_in_the_other_order(tmp_path: Path) -> None:
    big = Image.frombytes("I;16B", (4, 4), DEEP.astype(">u2").tobytes())
    made = images.pixels(saved(tmp_path / "big.tiff", big))
    assert made.dtype == np.uint16 and np.array_equal(made, DEEP)


@pytest.mark.parametrize("mode", ["LA", "CMYK", "RGBA"])
def test_channels_are_kept(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (3, 2), tuple(range(10, 10 * len(mode) + 1, 10)))
    path = saved(tmp_path / ("a.tiff" if mode == "CMYK" else "a.png"), image)
    assert np.array_equal(images.pixels(path), np.array(image))


def test_a_palette_is_its_colours(tmp_path: Path) -> None:
    colours = Image.new("RGB", (3, 2), (200, 30, 10))
    path = saved(tmp_path / "p.gif", colours.convert("P", palette=Image.Palette.ADAPTIVE))
    assert images.pixels(path)[0, 0].tolist() == [200, 30, 10]
    path = saved(tmp_path / "t.png", colours.convert("P"), transparency=0)
    assert images.pixels(path).shape == (2, 3, 4)


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(np.array([[True, False]])))
    assert images.pixels(path).tolist() == [[255, 0]]


def test_values_that_pillow_would_truncate_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    path.write_bytes(wide_png())
    with pytest.raises(ValueError, match=r'3 channels have 16 bits each.*mode="RGB"'):
        images.pixels(str(path))
    assert images.pixels(str(path), mode="RGB").tolist() == [[[0x12, 0x56, 0x9A]]]


def wide_png() -> bytes:
    """Write a PNG file with one pixel of three 16-bit channels, which Pillow cannot write."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0\x12\x34\x56\x78\x9a\xbc"))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def test_the_first_of_several_frames(tmp_path: Path) -> None:
    first, second = Image.new("L", (2, 2), 10), Image.new("L", (2, 2), 20)
    for name in ("a.gif", "a.tiff"):
        path = saved(tmp_path / name, first, save_all=True, append_images=[second])
        assert (images.pixels(path)[..., :1] == 10).all()


@pytest.mark.parametrize(
    ("mode", "shape"), [("L", (4, 4)), ("RGB", (4, 4, 3)), ("RGBA", (4, 4, 4))]
)
def test_a_mode_is_given_whatever_the_file_has(
    tmp_path: Path, mode: str, shape: tuple[int, ...]
) -> None:
    for given in ("L", "LA", "RGB", "RGBA", "P", "1", "CMYK"):
        ending = "tiff" if given == "CMYK" else "png"
        path = saved(tmp_path / f"{given}.{ending}", Image.new(given, (4, 4)))
        made = images.pixels(path, mode=mode)
        assert made.shape == shape and made.dtype == np.uint8
    made = images.pixels(saved(tmp_path / "deep.png", DEEP), mode=mode)
    grey = made if mode == "L" else made[..., 0]
    assert made.shape == shape and np.array_equal(grey, DEEP >> 8)
    with pytest.raises(
        ValueError, match="32 bits, and it is not known which of them are black and white"
    ):
        images.pixels(saved(tmp_path / "share.tiff", SHARE), mode=mode)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg", "tiff"])
def test_upright_as_exif_says(tmp_path: Path, orientation: int, ending: str) -> None:
    values = np.zeros((8, 16), np.uint8)
    values[0, :8], values[4, 0] = 255, 128
    image = Image.fromarray(values)
    image.getexif()[0x0112] = orientation
    path = saved(tmp_path / f"a.{ending}", image, exif=image.getexif())
    with Image.open(io.BytesIO(Path(path).read_bytes())) as opened:
        expected = np.array(ImageOps.exif_transpose(opened))
    assert np.array_equal(images.pixels(path), expected)
    lies = images.pixels(path, rotate=False)
    assert lies.shape == (8, 16) and np.allclose(lies, values, atol=60)


def test_read_accepts_both(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    saved(tmp_path / "a.png", Image.new("RGB", (8, 4)), exif=exif)
    saved(tmp_path / "b.png", Image.new("L", (4, 8)))

    def shape(row: Any) -> str:
        return str(row["image"].shape)

    def shapes(said: str) -> list[str]:
        graph = mm.pipeline(f'read("{tmp_path}"{said}) | shape', shape=shape)
        assert mm.pipeline(graph.to_text(), shape=shape) == graph
        return list(mm.run(graph, progress=False)["shape"]["value"])

    assert shapes("") == shapes(', mode="keep", rotate=True') == ["(8, 4, 3)", "(8, 4)"]
    assert shapes(', mode="RGB"') == ["(8, 4, 3)", "(8, 4, 3)"]
    assert shapes(', mode="L", rotate=False') == ["(4, 8)", "(8, 4)"]
    with pytest.raises(mm.MMError, match='"keep" for an image'):
        shapes(', mode="BGR"')
    with pytest.raises(mm.MMError, match="True to rotate images"):
        shapes(", rotate=90")


def test_mode_and_rotate_are_only_for_images(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    graph = mm.pipeline(f'read("{tmp_path}/a.csv", mode="RGB") | map(str)')
    with pytest.raises(mm.MMError, match=r"a\.csv' is not an image, so it cannot have mode='RGB'"):
        mm.run(graph, progress=False)
