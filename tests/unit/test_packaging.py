"""The files with dependencies agree, and importing is fast."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import mmnotebook

ROOT = Path(__file__).parents[2]
NOTEBOOK_EXTRAS = ("sklearn", "onnx", "images", "demo", "lab")
FRAMEWORK_EXTRAS = ("huggingface", "lightgbm", "catboost", "sentence_transformers")
CONDA_NAMES = {"pytorch": "torch"}
CPU_BUILDS = {"tensorflow-cpu": "tensorflow", "xgboost-cpu": "xgboost"}
"""The package that the tests install, and the CUDA package that it replaces."""


def _setup() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _requirements(*extras: str) -> dict[str, Requirement]:
    """Return the core dependencies and those of some extras by canonical name."""
    parser = _setup()
    lines = parser["options"]["install_requires"].split("\n")
    wanted, seen = list(extras), set()
    while wanted:
        extra = wanted.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for line in parser["options.extras_require"][extra].split("\n"):
            if line.startswith("mmnotebook["):
                wanted.extend(Requirement(line).extras)
            else:
                lines.append(line)
    return _by_name(Requirement(line) for line in lines if line.strip())


def _by_name(requirements: Iterable[Requirement]) -> dict[str, Requirement]:
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def _environment() -> list[Any]:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    dependencies: list[Any] = yaml.safe_load(text)["dependencies"]
    return dependencies


def _pins(file: str = "constraints.txt") -> dict[str, Version]:
    text = (ROOT / file).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pins = [line.split("==") for line in lines]
    return {canonicalize_name(name): Version(version) for name, version in pins}


def _readme_test_command() -> str:
    """Return the only lines of README's code blocks that run pytest."""
    blocks = re.findall(
        r"```(?:bash|sh|console)\n(.*?)```",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    lines = [line for block in blocks for line in block.splitlines() if "-m pytest" in line]
    assert len(lines) == 1, f"README.md has one line that installs and tests, found {lines!r}"
    return str(lines[0]).removeprefix("$ ").strip()


def test_conda_has_the_packages_of_setup_cfg_in_the_same_ranges() -> None:
    wanted = _requirements(*NOTEBOOK_EXTRAS)
    conda = _by_name(Requirement(item) for item in _environment() if isinstance(item, str))
    pip = next(item["pip"] for item in _environment() if isinstance(item, dict))
    found = {CONDA_NAMES.get(name, name): requirement for name, requirement in conda.items()}
    found |= _by_name(Requirement(line) for line in pip if line != "-e .")
    python = found.pop("python")
    assert python.specifier == SpecifierSet(_setup()["options"]["python_requires"])
    assert found.pop("pip").specifier == ""
    assert {name: (r.specifier, r.extras) for name, r in found.items()} == {
        name: (r.specifier, r.extras) for name, r in wanted.items()
    }


def test_conda_installs_the_project_itself() -> None:
    pip = next(item["pip"] for item in _environment() if isinstance(item, dict))
    assert pip[-1] == "-e ."


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    pins = _pins()
    for name, requirement in _requirements("test", "all").items():
        assert name in pins, f"constraints.txt does not pin {name}"
        assert pins[name] in requirement.specifier, f"{name} {pins[name]} is not {requirement}"


def test_the_lowest_beam_is_pinned_with_versions_of_every_range() -> None:
    pins = _pins("constraints-lowest.txt")
    needed = _requirements()
    lowest = [s.version for s in needed["apache-beam"].specifier if s.operator == ">="]
    assert lowest == [".".join(str(pins["apache-beam"]).split(".")[:2])]
    for name, requirement in needed.items():
        assert pins[name] in requirement.specifier, f"{name} {pins[name]} is not {requirement}"


def test_cpu_builds_are_in_the_range_of_the_packages_they_replace() -> None:
    tests = _requirements("test")
    for build, name in CPU_BUILDS.items():
        assert tests[build].specifier == _requirements(name)[name].specifier


def _imported_packages(path: Path) -> set[str]:
    """Return the top-level names that a module imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def test_every_import_is_a_declared_dependency() -> None:
    imported = set().union(*map(_imported_packages, ROOT.glob("mmnotebook/**/*.py")))
    imported -= {"mmnotebook", *sys.stdlib_module_names}
    distributions = packages_distributions()
    declared = set(_requirements(*NOTEBOOK_EXTRAS, *FRAMEWORK_EXTRAS)) | set(CPU_BUILDS)
    undeclared = {
        name
        for name in imported
        if declared.isdisjoint(map(canonicalize_name, distributions.get(name, [name])))
    }
    assert undeclared == set()
    assert {"torch", "apache_beam", "pandas"} <= imported


def test_pins_have_no_local_version() -> None:
    assert [str(pin) for pin in _pins().values() if pin.local] == []
    assert len(_pins()) > 100


def test_the_classifiers_name_every_supported_python() -> None:
    supported = SpecifierSet(_setup()["options"]["python_requires"])
    named = re.findall(r"Python :: (3\.\d+)$", _setup()["metadata"]["classifiers"], re.MULTILINE)
    assert named == [f"3.{minor}" for minor in range(40) if f"3.{minor}" in supported]


def test_ci_runs_the_readmes_test_command() -> None:
    assert _readme_test_command() in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_readme_has_the_demo_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = 'python -m pip install -c constraints.txt -e ".[demo]" && python -m mmnotebook demo'
    assert command in readme


def test_the_version_is_the_same_everywhere() -> None:
    version = _setup()["metadata"]["version"]
    assert mmnotebook.__version__ == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the names of the files in a wheel built from a copy of the sources."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    ignored = ignore_patterns("__pycache__", "node_modules", ".*")
    for folder in ("mmnotebook", "notebooks", "tests"):
        copytree(ROOT / folder, source / folder, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    command += ["--quiet", "--wheel-dir", str(target), str(source)]
    subprocess.run(command, check=True, timeout=200)
    with zipfile.ZipFile(next(target.glob("*.whl"))) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel: list[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("mmnotebook/**/*.py")}
    assert modules <= set(wheel)
    assert {"mmnotebook/py.typed", "mmnotebook/__init__.pyi"} <= set(wheel)
    info = ("mmnotebook-0.1.0.dist-info/", "mmnotebook-0.1.0.data/data/share/mmnotebook/notebooks/")
    assert [name for name in wheel if not name.startswith(("mmnotebook/", *info))] == []


def test_the_wheel_holds_the_tutorials(wheel: list[str]) -> None:
    shipped = {Path(name).name for name in wheel if name.endswith(".ipynb")}
    assert shipped == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} != set()


def test_the_wheel_holds_the_bundles_and_not_their_sources(wheel: list[str]) -> None:
    shipped = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("mmnotebook/ui/static/*")}
    assert {name for name in wheel if name.startswith("mmnotebook/ui/static/")} == shipped
    assert "mmnotebook/ui/static/builder.js" in shipped
    assert [name for name in wheel if "frontend" in name] == []


def _imported_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(name.split('.')[0] for name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        text=True,
        capture_output=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_importing_imports_no_framework() -> None:
    imported = _imported_by("import mmnotebook")
    assert "mmnotebook" in imported
    assert imported.isdisjoint({"torch", "apache_beam", "pandas", "numpy", "IPython", "sklearn"})


def test_loading_the_extension_imports_neither_torch_nor_beam() -> None:
    shell = "from IPython.core.interactiveshell import InteractiveShell as S\ns = S.instance()\n"
    imported = _imported_by(shell + "s.run_line_magic('load_ext', 'mmnotebook')")
    assert "mmnotebook" in imported
    assert imported.isdisjoint({"torch", "apache_beam", "pandas", "sklearn"})


def test_the_citation_and_the_workflow_are_up_to_date() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = _setup()["metadata"]
    assert (cited["version"], cited["license"]) == (config["version"], config["license_expression"])
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    commands = [step.get("run") for step in workflow["jobs"]["ci"]["steps"]]
    assert ".ci/run" in commands
