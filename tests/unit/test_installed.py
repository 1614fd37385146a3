"""The digest of an installed package."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from mmnotebook.fingerprint import installed
from mmnotebook.fingerprint.identity import Unknowable, digest


class Site:
    """A folder of installed packages, from which this process imports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()

    def write(self, name: str, code: str, module: str = "__init__") -> None:
        """Write or edit a module of a package."""
        file = self.folder / name / f"{module}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
        self.names.add(name)
        importlib.invalidate_caches()

    def record(self, name: str, record: str = "", version: str = "1.0", needs: str = "") -> None:
        """Write the installer's record of a package."""
        info = self.folder / f"{name}-1.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "RECORD").write_text(f"{name}/__init__.py,sha256={record},1\n")
        required = f"Requires-Dist: {needs}\n" if needs else ""
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{required}"
        )

    def unload(self) -> None:
        for name in [one for one in sys.modules if one.partition(".")[0] in self.names]:
            del sys.modules[name]
        importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = Site(folder)
    yield found
    found.unload()


def of_user(text: str) -> str:
    """Return the digest of f, which a cell defines."""
    names: dict[str, object] = {"__name__": "__main__"}
    exec(text, names)
    return digest(names["f"])


USE = "import {0}\ndef f(x): return {0}.add(x)"
ADD = "K = 1\ndef add(x): return x + {}\n"


def fresh(name: str) -> str:
    """Return the digest of a package in a new process."""
    for read in (installed._content, installed._stamped, installed._distribution):
        read.cache_clear()
    importlib.invalidate_caches()
    return installed.content(name).digest


def older(path: Path) -> None:
    os.utime(path, ns=(1, 1))


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
    before = fresh("has_places")
    assert fresh("has_places") == before
    module.write_text("WIDTH = 20\n")
    assert fresh("has_places") != before


EDITS: dict[str, Callable[[Site], object]] = {
    "version": lambda site: site.record("mm_one", version="2.0", needs="mm-two"),
    "record": lambda site: site.record("mm_one", record="other", needs="mm-two"),
    "file": lambda site: site.write("mm_one", ADD.format(22)),
    "stamp": lambda site: older(site.folder / "mm_one" / "__init__.py"),
    "another file": lambda site: site.write("mm_one", "L = 1", "more"),
    "record of what it needs": lambda site: site.record("mm_two", record="other"),
    "file of what it needs": lambda site: site.write("mm_two", ADD.format(22)),
    "needs another": lambda site: site.record("mm_one", needs="mm-three"),
    "what it needs is gone": lambda site: shutil.rmtree(site.folder / "mm_two-1.dist-info"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_changes_that_change_the_digest_of_a_package(edit: str, site: Site) -> None:
    for name in ("mm_one", "mm_two", "mm_three"):
        site.write(name, ADD.format(1))
        site.record(name, needs="mm-two" if name == "mm_one" else "")
    before = fresh("mm_one")
    assert fresh("mm_one") == before
    EDITS[edit](site)
    assert fresh("mm_one") != before


def test_packages_that_need_each_other(site: Site) -> None:
    for name, other in (("mm_one", "mm_two"), ("mm_two", "mm_one")):
        site.write(name, ADD.format(1))
        site.record(name, needs=f'{other}>=1; python_version>"3"')
    assert fresh("mm_one") == fresh("mm_one")
    assert installed.content("mm_one").packages == {"mm_one", "mm_two"}


def test_an_editable_dependency(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "src")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mm_two.py").write_text("K = 1")
    site.write("mm_one", ADD.format(1))
    site.record("mm_one", needs="mm-two")
    site.record("mm_two")
    before = fresh("mm_one")
    (tmp_path / "src" / "mm_two.py").write_text("K = 22")
    assert fresh("mm_one") != before


def test_a_package_installed_in_a_living_process_is_known(site: Site) -> None:
    site.write("mm_late", ADD.format(1))
    site.record("mm_late")
    assert of_user(USE.format("mm_late")) == of_user(USE.format("mm_late"))


def test_a_package_that_is_loaded_anew_is_another(site: Site) -> None:
    site.write("mm_again", ADD.format(1))
    before = of_user(USE.format("mm_again"))
    site.write("mm_again", ADD.format(22))
    assert of_user(USE.format("mm_again")) == before, "the loaded code runs"
    importlib.reload(sys.modules["mm_again"])
    reloaded = of_user(USE.format("mm_again"))
    assert reloaded != before
    site.write("mm_again", ADD.format(333))
    site.unload()
    assert of_user(USE.format("mm_again")) not in (before, reloaded)


@pytest.mark.parametrize("edited", [ADD.format(22), "K = 2\ndef add(x): return x + 1\n", "("])
def test_code_that_differs_from_its_file_has_no_digest(edited: str, site: Site) -> None:
    site.write("mm_old", ADD.format(1))
    importlib.import_module("mm_old")
    site.write("mm_old", edited)
    with pytest.raises(Unknowable, match="f uses mm_old, whose file changed after it was imported"):
        of_user(USE.format("mm_old"))


def test_a_dependency_that_differs_from_its_file_has_no_digest(site: Site) -> None:
    site.write("mm_needy", "import mm_needed\ndef add(x): return mm_needed.add(x)\n")
    site.record("mm_needy", needs="mm-needed")
    site.write("mm_needed", ADD.format(1))
    site.record("mm_needed")
    importlib.import_module("mm_needy")
    site.write("mm_needed", ADD.format(22))
    with pytest.raises(Unknowable, match="f uses mm_needed, whose file changed"):
        of_user(USE.format("mm_needy"))


def test_a_module_that_comes_later_is_read_as_it_is_then(site: Site) -> None:
    site.write("mm_parts", ADD.format(1))
    site.write("mm_parts", "def more(x): return x\n", "part")
    before = of_user(USE.format("mm_parts"))
    site.write("mm_parts", "def more(x): return -x\n", "part")
    importlib.import_module("mm_parts.part")
    text = "import mm_parts.part\ndef f(x): return mm_parts.part.more(x)"
    assert of_user(text)
    assert of_user(USE.format("mm_parts")) != before
