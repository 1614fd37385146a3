"""The cost of importing and of `%load_ext`, and the public names."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

import mmnotebook as mm

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "apache_beam", "pandas", "numpy", "matplotlib", "networkx", "sklearn", "pyarrow")

LOAD = f"""
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
started = time.perf_counter()
shell.run_line_magic("load_ext", "mmnotebook")
print(f"%load_ext mmnotebook: {{time.perf_counter() - started:.3f}} s")
import mmnotebook as mm
assert mm.last is None
shell.Completer.complete("", "%mm_inspect ", 12)
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules and name not in before])
print("run:", "mmnotebook.beam" in sys.modules)
"""


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_and_completing_import_nothing_heavy() -> None:
    out = python(LOAD)
    sys.stdout.write(out)
    assert "heavy: []" in out
    assert "run: False" in out


def test_import_alone_imports_nothing_heavy_and_no_ipython() -> None:
    names = (*HEAVY, "IPython")
    out = python(f"import sys, mmnotebook; print([n for n in {names!r} if n in sys.modules])")
    assert out.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in mm.__all__:
        assert getattr(mm, name) is not None, name
    assert {*mm.__all__, "last", "__version__", "load_ipython_extension"} <= set(dir(mm))


def test_a_star_import_takes_the_public_names() -> None:
    out = python("from mmnotebook import *; print(*globals())")
    assert {*mm.__all__} <= {*out.split()}
    assert "last" not in out.split() and "InteractiveShell" not in mm.__all__


def test_the_stub_is_read_for_the_first_name_and_not_before() -> None:
    read = "print('ast' in sys.modules)"
    out = python(f"import sys, mmnotebook as mm; {read}; mm.MMError; {read}")
    assert out.split() == ["False", "True"]


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="'mmnotebook' has no attribute 'pipelin'"):
        _ = mm.pipelin  # type: ignore[attr-defined]


def test_names_do_not_hide_the_subpackages() -> None:
    out = python(
        "import mmnotebook as mm\n"
        "for name in mm.__all__: getattr(mm, name)\n"
        "import mmnotebook.graph.graph, mmnotebook.results.inspection\n"
        "print(mm.graph.graph.Graph is mm.Graph, mm.results.inspection.trace is mm.trace)"
    )
    assert out.split() == ["True", "True"]


def test_last_is_looked_up_each_time() -> None:
    out = python(
        "import mmnotebook as mm\n"
        "first = mm.last\n"
        "from mmnotebook.results import latest\n"
        "latest.remember('a result')\n"
        "print(first, mm.last)"
    )
    assert out.strip() == "None a result"
    assert "last" not in mm.__all__  # a star import would copy its value


def test_the_version_is_the_distributions() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert mm.__version__ == config["metadata"]["version"]
