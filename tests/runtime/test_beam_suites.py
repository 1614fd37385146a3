"""Beam's own tests pass with our cache manager and our handler of blocks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.beam_suites import plugin
from tests.beam_suites.suites import SUITES

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-m", "tests.beam_suites")
ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(1200)
def test_beams_own_tests_pass_with_our_parts() -> None:
    done = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = {name: int(count) for name, count in re.findall(r"(\w+): (\d+) passed", done.stdout)}
    assert set(passed) == set(SUITES) and sum(passed.values()) > 160, done.stdout
    for suite in SUITES.values():
        assert all(f"{name}: {why}\n" in done.stdout for name, why in suite.excluded.items())


def test_a_suite_that_is_not_there_is_refused() -> None:
    done = subprocess.run([*COMMAND, "bas"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "no suite bas; there are cache_manager" in done.stderr


def test_excluded_tests_must_exist(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    module = tmp_path / "cache_manager_test.py"
    node = pytest.Module.from_parent(request.session, path=module)
    item = pytest.Function.from_parent(node, name="test_other", callobj=lambda: None)
    with pytest.raises(pytest.UsageError, match="is excluded, but .* has no such test"):
        plugin.pytest_collection_modifyitems([item])
