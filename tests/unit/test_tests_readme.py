"""The tests named in the table of bad inputs exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = re.findall(r"`([\w/]+\.py)::([\w:]+)`", (TESTS / "README.md").read_text("utf-8"))


def test_it_names_many_tests() -> None:
    assert len(NAMED) > 50


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_named_test_exists(path: str, name: str) -> None:
    body: list[ast.stmt] = ast.parse((TESTS / path).read_text("utf-8")).body
    for part in name.split("::"):
        found = [one for one in body if getattr(one, "name", None) == part]
        assert found, f"{path} has no {name}"
        body = getattr(found[0], "body", [])
