"""The committed bundles equal a new build of their sources, with all licenses."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UI = ROOT / "mmnotebook/ui"
LICENSES = "THIRD_PARTY_LICENSES.txt"
RULE = "\n" + "=" * 80 + "\n\n"
BUILD = "cd mmnotebook/ui/frontend && npm ci --ignore-scripts && npm run build"


def _npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder; if it fails, the test fails with its output."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("npm is not installed: apt-get install nodejs npm (or nodejs.org)", False)
    done = subprocess.run(
        [npm, *arguments], cwd=folder, text=True, capture_output=True, timeout=240
    )
    if done.returncode != 0:
        said = done.stdout[-6000:] + done.stderr[-3000:]
        pytest.fail(f"npm {' '.join(arguments)} in {UI / 'frontend'} failed:\n{said}", False)


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources, and install the packages that they need."""
    copy = tmp_path_factory.mktemp("ui") / "frontend"
    shutil.copytree(UI / "frontend", copy, ignore=shutil.ignore_patterns("node_modules", ".tests"))
    _npm(copy, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return copy


@pytest.fixture(scope="module")
def built(frontend: Path) -> Path:
    """Return the folder of the bundles that the copy builds."""
    _npm(frontend, "run", "build")
    return frontend.parent / "static"


def test_the_bundles_are_built_from_the_sources(built: Path) -> None:
    new = {path.name: path.read_bytes() for path in built.iterdir()}
    shipped = {path.name: path.read_bytes() for path in (UI / "static").iterdir()}
    assert sorted(shipped) == sorted(new)
    assert {"builder.js", "builder.css", LICENSES} <= shipped.keys()
    changed = [name for name, data in sorted(new.items()) if shipped[name] != data]
    assert changed == [], f"build them again and commit them: {BUILD}"


def test_the_types_of_the_sources_are_right(frontend: Path) -> None:
    _npm(frontend, "run", "check")


def test_the_sources_are_linted_and_formatted(frontend: Path) -> None:
    _npm(frontend, "run", "lint")


def test_the_tests_in_typescript_pass(frontend: Path) -> None:
    _npm(frontend, "test")
    ran = {path.name.removesuffix(".mjs") for path in (frontend / ".tests").iterdir()}
    assert ran == {path.stem for path in (frontend / "tests").glob("*.test.ts")} != set()


def _bundled(frontend: Path, folder: Path) -> set[Path]:
    """Return the folders of the packages that a bundle contains code of."""
    found = [re.match(r"node_modules/(@[^/]+/)?[^/]+", path) for path in _inputs(frontend, folder)]
    return {frontend / match.group() for match in found if match is not None}


def _inputs(frontend: Path, folder: Path) -> list[str]:
    """Return the files that a bundle contains code of, from esbuild's metadata."""
    meta = folder / "meta.json"
    sources = [f"src/{name}" for name in ("index.tsx", "table/table.ts", "loader.ts")]
    command = [frontend / "node_modules/.bin/esbuild", *sources, "--bundle", "--format=esm"]
    command += ["--jsx=automatic", f"--outdir={folder}", f"--metafile={meta}"]
    subprocess.run(command, cwd=frontend, check=True, capture_output=True, timeout=60)
    return list(json.loads(meta.read_text(encoding="utf-8"))["inputs"])


def test_no_package_is_bundled_in_two_versions(frontend: Path, tmp_path: Path) -> None:
    inputs = _inputs(frontend, tmp_path)
    assert any(path.startswith("node_modules/zustand/") for path in inputs)
    # A second version is inside the package that requires it.
    assert [path for path in inputs if path.count("node_modules/") > 1] == []


def test_the_licence_of_everything_bundled_is_shipped(
    frontend: Path, built: Path, tmp_path: Path
) -> None:
    _opening, *parts = (built / LICENSES).read_text(encoding="utf-8").split(RULE)
    texts = dict(part.split("\n\n", 1) for part in parts)
    packages = {}
    for folder in _bundled(frontend, tmp_path):
        about = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        packages[f"{about['name']} {about['version']} ({about['license']})"] = folder
    assert sorted(texts) == sorted(packages)
    assert {"react", "@xyflow/react"} <= {title.split()[0] for title in texts}
    for title, folder in packages.items():
        wanted = next(folder.glob("[Ll][Ii][Cc][Ee][Nn][Ss][Ee]*")).read_text(encoding="utf-8")
        assert texts[title].split() == wanted.split(), title
        assert re.search("copyright", texts[title], re.IGNORECASE), title


@contextmanager
def _without(path: Path) -> Iterator[None]:
    aside = path.rename(path.with_name("aside"))
    yield
    aside.rename(path)


def test_a_package_without_a_licence_is_not_bundled(frontend: Path, built: Path) -> None:
    licence = frontend / "node_modules/react/LICENSE"
    with _without(licence), pytest.raises(pytest.fail.Exception, match="react ships no licence"):
        _npm(frontend, "run", "build")


def test_the_lock_names_no_server_and_has_a_digest_for_every_package() -> None:
    text = (UI / "frontend/package-lock.json").read_text(encoding="utf-8")
    packages = {name: about for name, about in json.loads(text)["packages"].items() if name}
    assert "://" not in re.sub(r'"url": "[^"]*"', "", text)
    assert '"resolved"' not in text
    assert [name for name, about in packages.items() if "integrity" not in about] == []


def test_the_bundles_ask_no_server_for_anything() -> None:
    scripts = list((UI / "static").glob("*.js"))
    styles = list((UI / "static").glob("*.css"))
    assert scripts and styles
    for path in scripts:
        asks = re.findall(r"\bfetch\(|XMLHttpRequest|WebSocket|\bimport\(", path.read_text("utf-8"))
        assert asks == (["import("] if path.name == "loader.js" else []), path.name
    # The loader imports the code that the kernel sent.
    loader = (UI / "static/loader.js").read_text("utf-8")
    assert re.search(r"(\w+)=URL\.createObjectURL\(new Blob\(.*\bimport\(\1\)", loader)
    for path in styles:
        assert re.findall(r"@import|url\((?!['\"]?data:)", path.read_text("utf-8")) == [], path.name
