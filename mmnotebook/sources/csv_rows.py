"""Rows of a csv file that do not match its header."""

from __future__ import annotations

import csv
import io

from mmnotebook.sources import packed


def wrong_rows(path: str) -> dict[int, tuple[int, Exception]]:
    """Return a dict of the rows that do not match the header: (line, error) by row number."""
    wrong: dict[int, tuple[int, Exception]] = {}
    longest = csv.field_size_limit(2**31 - 1)
    try:
        with (
            packed.opened(path) as binary,
            io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as file,
        ):
            lines = ((line, cells) for line, cells in enumerate(csv.reader(file)) if cells)
            _, header = next(lines, (0, []))
            for row, (line, cells) in enumerate(lines):
                if len(cells) != len(header):
                    message = f"{len(cells)} cells where the header has {len(header)}"
                    wrong[row] = (line, ValueError(message))
    finally:
        csv.field_size_limit(longest)
    return wrong
