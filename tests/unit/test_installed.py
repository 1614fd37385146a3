"""What is installed of a package, as its digest."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from mmnotebook.graph.digests import installed


@pytest.mark.parametrize("as_type", [str, Path])
def test_folders_of_a_package_may_be_paths(
    as_type: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "layers" / "dense.py"
    module.parent.mkdir()
    module.write_text("WIDTH = 1\n")
    package = ModuleType("has_places")
    package.__spec__ = ModuleSpec("has_places", None, is_package=True)
    package.__spec__.submodule_search_locations = [as_type(tmp_path)]
    monkeypatch.setitem(sys.modules, "has_places", package)
    digest = installed.content.__wrapped__
    before = digest("has_places")
    assert digest("has_places") == before
    module.write_text("WIDTH = 20\n")
    assert digest("has_places") != before
