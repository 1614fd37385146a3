"""The screenshots of the README and the tutorials are up to date."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import pictures

MODULE = '''"""A module."""

def add(a, b):
    """Add.

    Twice.
    """
    return a + b  # said
'''


def test_no_picture_is_outdated() -> None:
    assert pictures.old() == [], "python -m tests.pictures takes them again"


def test_every_picture_is_one_of_these() -> None:
    files = {path.name for path in pictures.RECORD.parent.glob("*.png")}
    assert files == {one.name for one in pictures.PICTURES if not one.is_attached}
    attached = {
        (path.name, name)
        for path in (pictures.ROOT / "notebooks").glob("*.ipynb")
        for cell in pictures.cells(path.name)
        for name in cell.get("attachments", ())
    }
    assert attached == {(one.notebook, one.name) for one in pictures.PICTURES if one.is_attached}


def test_every_pattern_names_files() -> None:
    for one in pictures.PICTURES:
        for pattern in one.shows:
            assert list(pictures.ROOT.glob(pattern)), pattern


@pytest.mark.parametrize(
    ("before", "after", "is_other"),
    [
        ("Add.", "Sum up.", False),
        ("  # said", "", False),
        ("\n\n", "\n\n\n", False),
        ("a + b", "a - b", True),
    ],
)
def test_changes_that_make_a_picture_outdated(
    before: str, after: str, is_other: bool, tmp_path: Path
) -> None:
    path = tmp_path / "module.py"
    path.write_text(MODULE)
    first = pictures._content(path)
    assert before in MODULE
    path.write_text(MODULE.replace(before, after))
    assert (pictures._content(path) != first) is is_other


def test_the_pages_show_them() -> None:
    shown = {
        Path(target).name
        for page in ("README.md", "docs/index.md")
        for target in re.findall(r"images/\w+\.png", (pictures.ROOT / page).read_text("utf-8"))
    }
    assert shown == {one.name for one in pictures.PICTURES if not one.is_attached}
    assert json.loads(pictures.RECORD.read_text("utf-8")).keys() == {
        one.name for one in pictures.PICTURES
    }
