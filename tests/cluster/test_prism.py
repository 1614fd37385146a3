"""Runs on Prism, Beam's portable runner, with workers of another file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.namespaces import engine, inside

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def prism() -> str:
    return str(engine("prism-*"))


def test_all_patterns_have_the_same_rows_and_counts(prism: str, tmp_path: Path) -> None:
    found = inside("patterns", tmp_path, prism)
    assert found
    assert {name: said for name, said in found.items() if said} == {}
