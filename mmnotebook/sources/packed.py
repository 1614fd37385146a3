"""Files that may be compressed, according to their extension."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, cast

ENDINGS = (".gz", ".bz2", ".xz", ".zst")


def inner(path: str) -> str:
    """Return the extension of the uncompressed file, in lower case: `.csv` for `rows.csv.gz`."""
    name = Path(path.lower())
    return Path(name.stem).suffix if name.suffix in ENDINGS else name.suffix


def opened(path: str) -> BinaryIO:
    """Open a file for reading; decompress it according to its extension."""
    ending = Path(path).suffix.lower()
    if ending == ".gz":
        import gzip

        return cast(BinaryIO, gzip.open(path))
    if ending == ".bz2":
        import bz2

        return cast(BinaryIO, bz2.open(path))
    if ending == ".xz":
        import lzma

        return cast(BinaryIO, lzma.open(path))
    if ending == ".zst":
        import pyarrow

        return io.BufferedReader(pyarrow.input_stream(path, compression="zstd"))
    return Path(path).open("rb")
