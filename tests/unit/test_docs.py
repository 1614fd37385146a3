"""The sources of the documentation are consistent with the code; the pages are not built here."""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmnotebook as mm
from mmnotebook.graph.models import ModelSpec, Registry
from mmnotebook.graph.names import AbsentTransform

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path for path in DOCS.rglob("*.md") if "_build" not in path.parts and path.name != "README.md"
)
TEXTS = {path: path.read_text("utf-8") for path in PAGES}
FENCE = re.compile(r"^(`{3,})(.*?)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)


def relative_name(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    """Return the contents of a page's fenced blocks of a language."""
    return [
        body for _, words, body in FENCE.findall(TEXTS[path]) if words.split()[:1] == [language]
    ]


def links(path: Path) -> Iterator[Path]:
    """Yield the files that a page refers to: links, `{doc}` roles, pictures, toctrees."""
    prose = re.sub(r"`[^`{}\n]+`(?!\{)", "", FENCE.sub("", TEXTS[path]))
    for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", prose):
        yield path.parent / target
    for target in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`", TEXTS[path]):
        yield page(path, target)
    for body in blocks(path, "{toctree}"):
        lines = (line.strip() for line in body.splitlines())
        yield from (page(path, line) for line in lines if line and not line.startswith(":"))
    for target in re.findall(r"\{image\} (\S+)", TEXTS[path]):
        yield path.parent / target


def page(path: Path, target: str) -> Path:
    """Return the file of a page by its name, as Sphinx finds it."""
    whole = DOCS / target[1:] if target.startswith("/") else path.parent / target
    notebook = whole.with_name(f"{whole.name}.ipynb")
    return notebook if notebook.exists() else whole.with_name(f"{whole.name}.md")


@pytest.mark.parametrize("path", PAGES, ids=relative_name)
def test_every_link_between_pages_resolves(path: Path) -> None:
    assert [str(target) for target in links(path) if not target.exists()] == []


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {
        page(path, line.strip()).resolve()
        for path in PAGES
        for body in blocks(path, "{toctree}")
        for line in body.splitlines()
        if line.strip() and not line.startswith(":")
    }
    assert {path.resolve() for path in PAGES} - listed == {DOCS / "index.md"}
    assert {path.resolve() for path in (ROOT / "notebooks").glob("*.ipynb")} <= listed


def test_every_tutorial_is_a_link_to_the_notebook() -> None:
    shown = {path.name: path for path in (DOCS / "tutorials").glob("*.ipynb")}
    assert shown.keys() == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert all(path.resolve().parent == ROOT / "notebooks" for path in shown.values())


def test_every_example_is_executed_when_the_pages_are_built() -> None:
    for path, text in TEXTS.items():
        kinds = {words.split()[0] for _, words, _ in FENCE.findall(text) if words.strip()}
        assert kinds.isdisjoint({"python", "py", "ipython", "pycon"}), relative_name(path)
        if "{code-cell}" in kinds:
            assert text.startswith("---\nfile_format: mystnb\n"), relative_name(path)


ENTRY = re.compile(
    r"^\.\. (?:auto(?:function|class|exception)|mm-(?:object|module|function)|py:data)::"
    r" (?:mmnotebook\.)?(\w+)",
    re.MULTILINE,
)


def test_every_public_name_and_no_other_has_an_entry_in_the_reference() -> None:
    entries = [name for path in PAGES for name in ENTRY.findall(TEXTS[path])]
    assert sorted(entries) == sorted([*mm.__all__, "last"])


PLACES = re.findall(
    r"`([\w/]+\.py):([\w.]+)`", (DOCS / "explanation/life-of-a-run.md").read_text("utf-8")
)


def test_the_life_of_a_run_names_many_places() -> None:
    assert len(PLACES) > 30


@pytest.mark.parametrize(("file", "name"), PLACES, ids=map(":".join, PLACES))
def test_every_place_in_the_life_of_a_run_is_there(file: str, name: str) -> None:
    body: list[ast.stmt] = ast.parse((ROOT / "mmnotebook" / file).read_text("utf-8")).body
    for part in name.split("."):
        found = [one for one in body if part in _names(one)]
        assert found, f"{file} has no {name}"
        body = getattr(found[-1], "body", [])


def _names(one: ast.stmt) -> list[str]:
    """Return the names that a definition or an assignment defines."""
    if isinstance(one, ast.Assign):
        nodes = (node for target in one.targets for node in ast.walk(target))
        return [node.id for node in nodes if isinstance(node, ast.Name)]
    return [getattr(one, "name", "")]


NOTATION = [(path, text) for path in PAGES for text in blocks(path, "mm")]
DATA = {
    "rows": pd.DataFrame({name: [1] for name in ("x", "y", "label", "user", "lang")}),
    "patients": pd.DataFrame({name: [1] for name in ("age", "group", "target")}),
    **dict.fromkeys(("iris", "wines", "digits"), pd.DataFrame({"x": [1], "species": [1]})),
    "readings": pd.DataFrame({"celsius": [1.0]}),
    "photos": [np.zeros(1)],
}
FUNCTIONS = "clean parts good route merge confidence crop strength small as_text first_ten"
MODELS = (
    "model a b c detector classifier line tree bayes reducer reader quick thorough double half "
    "light_model strong_model model_m model_f"
)


def function(value: Any) -> Any:
    return value


def test_the_notation_has_many_examples() -> None:
    assert len(NOTATION) > 30


@pytest.mark.parametrize(("path", "text"), NOTATION)
def test_every_example_of_the_notation_is_a_graph(
    path: Path, text: str, models: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for name in MODELS.split():
        models.add(ModelSpec(name, "python", "object", name, None, name))
    objects = {**DATA, **dict.fromkeys(FUNCTIONS.split(), function), "scaled": AbsentTransform()}
    lines = re.sub(r"\n\s*\|", " |", text.strip())
    used = {node.id for node in ast.walk(ast.parse(lines)) if isinstance(node, ast.Name)}
    graph = mm.pipeline(text, **{name: objects[name] for name in used if name in objects})
    assert len(graph.validate()) > 1
    assert mm.parse(graph.to_text()).names == graph.names


def documented() -> Iterator[tuple[str, Any]]:
    """Yield the public names, and the members of public classes, objects and modules."""
    for name in mm.__all__:
        found = getattr(mm, name)
        yield name, found
        holder = found if isinstance(found, (type, ModuleType)) else type(found)
        inside = holder.__name__ if isinstance(found, ModuleType) else holder.__module__
        for member, value in vars(holder).items():
            function = getattr(value, "fget", None) or getattr(value, "func", value)
            if getattr(function, "__module__", None) == inside and inside.startswith("mmnotebook"):
                yield f"{name}.{member}", value


DOCUMENTED = {name: found for name, found in documented() if ">>>" in (found.__doc__ or "")}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_example_in_a_docstring_is_right(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finder = doctest.DocTestFinder(recurse=False)
    tests = finder.find(DOCUMENTED[name], name, module=False, globs={})
    runner = doctest.DocTestRunner(verbose=False)
    assert [runner.run(one).failed for one in tests if one.examples] == [0]


def test_the_example_of_unload_can_be_executed_twice() -> None:
    finder = doctest.DocTestFinder(recurse=False)
    tests = finder.find(mm.unload, "mm.unload", module=False, globs={})
    (test,) = (one for one in tests if one.examples)
    runner = doctest.DocTestRunner(verbose=False)
    assert [runner.run(test, clear_globs=False).failed for _ in range(2)] == [0, 0]
