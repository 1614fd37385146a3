"""Random damage to the cache between runs: every run returns the right values."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

import mmnotebook as mm
from mmnotebook.errors import MMError
from mmnotebook.results.results import Result

pytestmark = pytest.mark.slow


def up(x: Any) -> Any:
    return x + 1


def down(x: Any) -> Any:
    return x - 1


def total(outputs: dict[str, Any]) -> Any:
    return outputs["up"] * 100 + outputs["down"]


TEXT = "both = data | [map(up), map(down)]\nboth | map(total)"
NUMBERS = st.integers(0, 2)


class DamageMachine(RuleBasedStateMachine):
    """A kernel that runs graphs while others remove, swap and copy entries of its cache."""

    def __init__(self) -> None:
        super().__init__()
        self.before = os.environ["MMNOTEBOOK_CACHE"]
        self.folder = Path(tempfile.mkdtemp(prefix="cache-"))
        os.environ["MMNOTEBOOK_CACHE"] = str(self.folder)
        self.held: list[tuple[Result, int]] = []

    def teardown(self) -> None:
        os.environ["MMNOTEBOOK_CACHE"] = self.before
        self.held.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(x=NUMBERS, fresh=st.booleans())
    def run(self, x: int, fresh: bool) -> None:
        graph = mm.pipeline(TEXT, data=[x, x + 5], up=up, down=down, total=total)
        result = mm.run(graph, progress=False, fresh=fresh)
        self.check(result, x)
        self.held.append((result, x))

    @rule()
    def look_at_all_that_is_held(self) -> None:
        for result, x in self.held:
            again = Result(
                result.graph, result._store, result.measures, result.sketches, 0, result.machine
            )
            try:
                self.check(again, x)
            except MMError as error:
                assert "run the graph again" in str(error)

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if path := self.some(data):
            _remove(path)

    @rule(data=st.data())
    def swap(self, data: st.DataObject) -> None:
        one, other = self.some(data, "entries"), self.some(data, "entries")
        if one is None or other is None or one.is_dir() != other.is_dir():
            return
        if one == other or one in other.parents or other in one.parents:
            return
        aside = self.folder / "aside"
        one.rename(aside)
        other.rename(one)
        aside.rename(other)

    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        one, other = self.some(data, "entries"), self.some(data, "entries")
        if one is None or other is None or one.is_dir() != other.is_dir():
            return
        if one == other or one in other.parents or other in one.parents:
            return
        _remove(other)
        (shutil.copytree if one.is_dir() else shutil.copy2)(one, other)

    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        path = self.some(data, "entries")
        if path is not None and path.is_file():
            os.truncate(path, path.stat().st_size // 2)

    @rule()
    def look_at_the_cache(self) -> None:
        repr(mm.cache)
        assert len(mm.cache.entries) >= 0 and mm.cache.bytes >= 0

    def some(self, data: st.DataObject, part: str = "") -> Path | None:
        inner = self.folder / "v2" / part
        paths = sorted(path.relative_to(inner) for path in inner.rglob("*"))
        # By position in the list, since names differ between replays.
        return inner / paths[data.draw(st.integers(0, 99)) % len(paths)] if paths else None

    @staticmethod
    def check(result: Result, x: int) -> None:
        expected = [(one + 1) * 100 + one - 1 for one in (x, x + 5)]
        assert result["total"]["value"].tolist() == expected
        assert result["down"]["value"].tolist() == [x - 1, x + 4]
        assert not len(result.failed)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


TestDamage = DamageMachine.TestCase
TestDamage.settings = settings(max_examples=10, stateful_step_count=15)
