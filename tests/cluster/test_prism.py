"""Runs on Prism, Beam's portable runner, with workers of another file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.namespaces import engine, inside
from tests.runtime.test_ways_to_run import PATTERNS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def prism() -> str:
    return str(engine("prism-*"))


def test_all_patterns_have_the_same_rows_and_counts(prism: str, tmp_path: Path) -> None:
    found = inside("patterns", tmp_path, prism)
    assert len(found) > 2 * len(PATTERNS)
    assert {name: said for name, said in found.items() if said} == {}


def test_a_sample_has_the_same_elements_of_each_node(prism: str, tmp_path: Path) -> None:
    found = inside("sampled", tmp_path, prism)
    assert found["counts"] == dict.fromkeys(found["names"], 20_000)
    assert found["whole"] == 10_000
    assert found["parquet"] == 20_000
    assert found["alike"]
    assert found["values"]
    assert all(300 < count <= 500 for count in found["sampled"].values())
    assert "result.table('data')" in found["refused"]
    assert found["repr"].endswith("a sample of 20,000 elements")


def test_progress_cancel_and_max_failed_reach_the_engine(prism: str, tmp_path: Path) -> None:
    found = inside("stopped", tmp_path, prism)
    assert 20 <= found["counted"] < 4000
    assert "stopped by you" in found["canceled"]
    assert found["seconds"] < 30
    assert "ValueError" in found["failed"]
    assert "4,000" not in found["failed"]


def test_another_process_attaches_to_a_run(prism: str, tmp_path: Path) -> None:
    found = inside("begun", tmp_path, prism)
    expected = [5.0 + x for x in range(100)]
    assert found["counted"] >= 1
    assert found["here"] == expected
    own, other = found["seen"]
    for seen in (own, other):
        assert seen["rows"] == expected
        assert seen["ids"] == [str(x) for x in range(100)]
        assert seen["nodes"] == {"data": 100, "slow": 100, "adds": 100}
        assert seen["progress"] == {"slow": 100, "adds": 100}
    assert own["refused"] == ""
    assert "key=running.key" in other["refused"]


def test_modules_of_the_user_go_along(prism: str, tmp_path: Path) -> None:
    assert inside("local_modules", tmp_path, prism) == {"rows": [9, 18]}
