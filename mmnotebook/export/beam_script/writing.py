"""Writing of a script and the files beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmnotebook.beam.prepare import Prepared, prepare
from mmnotebook.errors import RunError, one_line
from mmnotebook.export import typed_json
from mmnotebook.export.beam_script import folder, helpers, own, script
from mmnotebook.export.beam_script.script import Script
from mmnotebook.export.typed_json import NotWritable
from mmnotebook.graph.graph import Graph
from mmnotebook.results.results import Result
from mmnotebook.running.session import run


def written(graph: Graph, path: Path, mode: str, sample: int) -> Path:
    """Write a script in this mode; return its path."""
    prepared = prepare(graph)
    made = (own.script if mode == "mmnotebook" else script.plain)(graph, prepared, _head(graph))
    files: dict[str, bytes] = {path.name: made.text.encode(), **made.files}
    files |= {name: text.encode() for name, text in _beside(path.name, made).items()}
    if sample and mode != "mmnotebook":
        files["sample.json"] = _sample(graph, prepared, sample).encode()
        files["test_pipeline.py"] = folder.test(path.name, made.as_json).encode()
    try:
        for name, content in files.items():
            _write(path.parent / name, content)
    except OSError as error:
        raise RunError(f"cannot write {str(path)!r}: {one_line(error)}") from error
    return path


def _head(graph: Graph) -> str:
    text = graph.to_text().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = "\n".join(f"    {line}" for line in text.splitlines())
    return f"A Beam pipeline, written by mmnotebook from this graph:\n\n{lines}\n"


def _beside(name: str, made: Script) -> dict[str, str]:
    try:
        requirements = folder.requirements(made.packages)
    except NotWritable as error:
        raise RunError(f"requirements.txt cannot be written: {error}") from error
    return {
        "requirements.txt": requirements,
        "Dockerfile": folder.dockerfile(name),
        "metadata.json": folder.metadata(Path(name).stem, made.sources),
    }


def _write(path: Path, content: bytes) -> None:
    """Write a file that only the user can read; replace it at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)


def _sample(graph: Graph, prepared: Prepared, count: int) -> str:
    """Return the first elements of each source, and each node's elements for them, as JSON."""
    kept = tuple(node for node in graph.nodes if not node.step.ends)
    part = replace(graph, nodes=kept, groups=())
    result = run(part, limit=count, max_failed=1.0, progress=False)
    inputs = {
        node.name: [
            [key, typed_json.encoded(value)]
            for key, value in zip(*_elements(result, node.name), strict=True)
        ]
        for node in part
        if not node.inputs
    }
    return folder.sample(inputs, {node.name: _expected(result, node.name) for node in part})


def _elements(result: Result, node: str) -> tuple[list[str], list[Any]]:
    elements = result.elements(node)
    return elements.ids, elements.given()


def _expected(result: Result, node: str) -> Mapping[str, Any] | None:
    """Return the outputs by id; None if a value cannot be written as JSON."""
    elements = result.elements(node)
    listed: Callable[[Any], Any] = helpers.listed
    found = dict(zip(elements.ids, map(listed, elements.plain()), strict=True))
    try:
        json.dumps(found)
    except (TypeError, ValueError):
        return None
    return found
